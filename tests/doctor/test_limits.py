"""What hangs, what falls over, and a disk that is full: doctor is done in time, and says so."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from faceedge.cameras.child import Limits
from faceedge.checks.doctor import cameras
from faceedge.checks.doctor.base import Check, Finding, Findings, ok
from faceedge.checks.doctor.examine import examine, is_green
from faceedge.errors import StoreError
from tests.doctor.breaks import set_to
from tests.doctor.ward import Ward


def test_a_check_that_hangs_costs_its_time_and_no_more() -> None:
    release = threading.Event()

    def hangs() -> Findings:
        yield ok("slow.first", "found before")
        release.wait()

    start = time.monotonic()
    findings = examine(
        [Check("slow", 0.05, hangs, "pull the plug"), Check("quick", 5.0, lambda: iter([ok("quick", "")]))]
    )
    release.set()
    assert time.monotonic() - start < 4.0
    assert findings == [
        ok("slow.first", "found before"),
        Finding("slow", "fail", "no answer within 0.05 s", "pull the plug"),
        ok("quick", ""),
    ]


def test_a_check_that_falls_over_is_a_finding() -> None:
    def broken() -> Findings:
        yield ok("one", "before")
        raise ZeroDivisionError("division by zero")

    def refused() -> Findings:
        raise StoreError("the disk is gone; put it back")
        yield

    findings = examine([Check("broken", 5.0, broken), Check("refused", 5.0, refused)])
    assert [(one.id, one.status) for one in findings] == [("one", "ok"), ("broken", "fail"), ("refused", "fail")]
    assert findings[1].what == "internal fault: ZeroDivisionError: division by zero"
    assert findings[2] == Finding("refused", "fail", "the disk is gone", "put it back")
    assert not is_green(findings)


def test_a_warning_is_no_failure() -> None:
    assert is_green([Finding("a", "warn", ""), Finding("b", "skip", ""), Finding("c", "ok", "")])


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cameras, "LIMITS", Limits(load_s=20.0, open_s=0.5, first_s=0.5))


@pytest.fixture
def mute() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.system
def test_cameras_that_are_away_or_hang_are_named_without_their_passwords(ward: Ward, hurried: None, mute: int) -> None:
    ward.settings["camera"] = [
        {"name": "entry", "uri": "/dev/video63"},
        {"name": "yard", "uri": f"rtsp://ann:s3cret@127.0.0.1:{mute}/stream"},
    ]
    ward.write()
    away, hangs = ward.findings("camera.entry", "camera.yard")
    assert (away.id, away.status, "/dev/video63" in away.what) == ("camera.entry", "fail", True)
    assert (hangs.id, hangs.status) == ("camera.yard", "fail")
    assert "does not open in time" in hangs.what
    assert "check its power" in hangs.remedy
    assert "s3cret" not in str((away, hangs))


def test_a_picture_is_kept_on_request_for_its_owner_alone(ward: Ward) -> None:
    ward.more["pictures"] = ward.folder
    (finding,) = ward.findings("camera.entry")
    kept = ward.folder / "entry.png"
    assert finding.status == "ok"
    assert str(kept) in finding.what
    assert kept.stat().st_mode & 0o777 == 0o600


def test_a_covered_lens_is_told(ward: Ward) -> None:
    import cv2
    import numpy as np

    cv2.imwrite(str(ward.folder / "pictures" / "0.png"), np.zeros((64, 96, 3), np.uint8))
    (finding,) = ward.findings("camera.entry")
    assert (finding.status, "cap off the lens" in finding.remedy) == ("warn", True)


SMALL_DISK = """
import json, subprocess, sys
from pathlib import Path
from faceedge.chaos.mounts import fill
from faceedge.checks.doctor.base import Patient
from faceedge.checks.doctor.databases import check_gallery
from faceedge.checks.doctor.machine import check_disk
from faceedge.gallery.store import Gallery

disk = Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m,mode=0700", "none", str(disk)], check=True)
state = disk / "state"
Gallery.open(state).close()
patient = Patient(None, None, "", state, state)
fill(disk)
full = [(one.id, one.status, one.what, one.remedy) for one in [*check_disk(patient), *check_gallery(patient)]]
subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
still = [(one.id, one.status, one.what, one.remedy) for one in [*check_disk(patient), *check_gallery(patient)]]
print(json.dumps([full, still]))
"""


@pytest.mark.system
def test_a_disk_without_room_and_one_that_is_read_only_are_named(ward: Ward) -> None:
    unshare = shutil.which("unshare")
    mount = [unshare or "unshare", "--user", "--map-root-user", "--mount", "--"]
    if unshare is None or subprocess.run([*mount, "true"], capture_output=True, check=False).returncode:
        pytest.skip("nobody may have a mount namespace of their own here")
    disk = ward.folder / "disk"
    disk.mkdir()
    done = subprocess.run(
        [*mount, sys.executable, "-c", SMALL_DISK, str(disk)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    full, still = ({one[0]: one[1:] for one in findings} for findings in json.loads(done.stdout))
    assert full["disk.state"][0] == "fail"
    assert "make room" in full["disk.state"][2]
    assert full["disk.writable"][0] == "ok"
    assert full["gallery.file"][2] == "look at the disk"
    assert still["disk.writable"][0] == "fail"
    assert "read-only" in still["disk.writable"][1]
    assert "fsck" in still["disk.writable"][2]
    assert still["gallery.file"][0] == "ok"


def test_metrics_that_nobody_serves_are_no_fault_of_a_daemon_that_does_not_run(ward: Ward) -> None:
    set_to("health", to={"metrics": f"unix:{ward.folder / 'metrics.sock'}"})(ward)
    status = {one.id: one.status for one in ward.findings("service")}
    assert status["service.metrics"] == "ok"


def everything(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Content and mode of every file, by path."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mode) for path in files}


def test_nothing_of_the_state_is_changed(ward: Ward) -> None:
    before = everything(ward.state)
    assert ward.findings()
    after = everything(ward.state)
    came = {name for name in after if name not in before}
    assert {name: after[name] for name in before} == before
    assert came <= {"gallery.db-wal", "gallery.db-shm", "journal.db-wal", "journal.db-shm"}
    assert all(not after[name][0] for name in came if name.endswith("-wal"))


WITHOUT = """
import json, sys
from pathlib import Path

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("onnx", "onnxruntime", "packaging", "prometheus_client"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
from faceedge.__main__ import main
sys.exit(main(["doctor", "--json", "--config", sys.argv[1]]))
"""


@pytest.mark.system
def test_where_packages_are_missing_the_rest_is_looked_at(ward: Ward) -> None:
    """As where an upgrade was cut short."""
    ward.settings.pop("door")
    ward.write()
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, str(ward.path)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 1, done.stderr
    findings = {one["id"]: one for one in json.loads(done.stdout)["findings"]}
    assert findings["platform.python"]["what"].startswith("packaging cannot be imported")
    assert {findings[id]["status"] for id in ("gallery.file", "gallery.key", "journal.chain", "models.recognizer")} == {
        "ok"
    }
