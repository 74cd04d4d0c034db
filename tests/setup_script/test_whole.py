"""The whole script on a made-up Jetson: once, twice, interrupted, upgraded, removed."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.setup_script.box import FLAGS, Box

PULLED = -9

pytestmark = pytest.mark.system


def test_a_fresh_jetson_becomes_a_door_and_a_second_run_changes_nothing(box: Box) -> None:
    first = box.setup(*FLAGS)
    assert first.returncode == 0, first.stderr
    assert (box.fake / "active").exists()
    assert "door-main.main.key" in first.stdout
    assert (box.root / "opt/faceedge/current/bin/faceedge").exists()
    assert (box.root / "var/lib/faceedge/engines/wanted").exists()
    before = box.manifest()
    (box.fake / "log").unlink()
    assert box.setup(*FLAGS).returncode == 0
    assert box.manifest() == before
    assert not [words for words in box.called("systemctl") if "restart" in words or "daemon-reload" in words]


def test_an_install_killed_at_ten_random_points_resumes_to_the_same_end(tmp_path: Path) -> None:
    """A run that comes to its end between two kills is followed by another machine."""
    points = random.Random(11)
    whole, killed = Box(tmp_path / "whole"), 0
    machines = [Box(tmp_path / "0")]
    assert whole.setup(*FLAGS).returncode == 0
    while killed < 10:
        if machines[-1].setup(*FLAGS, kill_at=points.randrange(1, 70)).returncode == PULLED:
            killed += 1
        else:
            machines.append(Box(tmp_path / str(len(machines))))
    for machine in machines:
        assert machine.setup(*FLAGS).returncode == 0
        assert _without_root(machine) == _without_root(whole)
        assert (machine.fake / "active").exists()


def test_what_changed_before_a_cut_is_what_the_service_is_started_anew_for(door: Box) -> None:
    (door.root / "etc/systemd/system/faceedge.service").write_text("old")
    (door.fake / "log").unlink()
    assert door.call("VERSION=0.1.0; VENV=$OPT/0.1.0; step_units").returncode == 0
    assert door.setup(*FLAGS).returncode == 0
    assert "--no-block restart faceedge.service" in door.called("systemctl")


def test_dry_run_shows_all_and_changes_nothing(box: Box) -> None:
    before = box.manifest()
    done = box.setup("--dry-run", *FLAGS)
    assert done.returncode == 0, done.stderr
    assert "apt-get install -y" in done.stdout
    assert "would run: systemctl enable faceedge.service" in done.stdout
    assert "--camera /dev/video0 --door main --broker mqtt://127.0.0.1:1883 --device faceedge" in done.stdout
    assert box.manifest() == before
    assert not (box.root / "var/log").exists()


def test_dry_run_goes_on_after_what_would_fail(box: Box) -> None:
    box.environ["FAKE_FREE_GB"] = "0"
    done = box.setup("--dry-run", *FLAGS)
    assert "0 GB free" in done.stderr
    assert "service: service" in done.stdout


def test_secrets_stay_out_of_the_log(box: Box) -> None:
    done = box.setup("--yes", "--camera", "rtsp://ann:hush@192.0.2.1/door")
    assert done.returncode == 0, done.stderr
    assert "hush" not in box.log()
    assert "***@192.0.2.1" in box.log()


def test_a_failed_step_is_named_with_its_remedy_and_gone_on_with(box: Box) -> None:
    for failing, step, remedy in (
        ("apt", "packages", "check the network"), ("pycuda", "pycuda", "nvcc"), ("pip", "python", "check the network"),
        ("selftest", "selftest", "--selftest skip"),
    ):  # fmt: skip
        box.environ["FAILING"] = failing
        done = box.setup(*FLAGS)
        assert done.returncode == 1
        assert f'step "{step}" failed' in done.stderr
        assert remedy in done.stderr
    assert "memory: failed" in done.stderr, "the end of what the command said"
    box.environ["FAILING"] = ""
    assert box.setup(*FLAGS).returncode == 0


def test_a_module_of_the_system_does_not_hide_one_of_ours(box: Box) -> None:
    box.environ["FOREIGN"] = "cv2"
    done = box.setup(*FLAGS)
    assert "cv2 comes from /usr/lib/python3/dist-packages" in done.stderr


def test_two_at_once_are_refused(box: Box) -> None:
    lock = box.write("run/faceedge-setup.lock", "")
    done = box.call(f"exec 8>'{lock}'; flock 8; one_at_a_time")
    assert "another flash_setup.sh is at work" in done.stderr


def test_networks_of_opencv_are_added_and_chosen_once(box: Box) -> None:
    for _ in range(2):
        assert box.setup(*FLAGS, "--models", "opencv").returncode == 0
    words = [words for words in box.called("env") or box.called("faceedge") if words.startswith("model a")]
    assert words == ["model add yunet", "model activate yunet --yes", "model add sface", "model activate sface --yes"]


def test_an_upgrade_runs_and_keeps_the_version_before(door: Box, tmp_path: Path) -> None:
    kept = _state(door)
    done = door.setup("--yes", "--upgrade", "--offline", str(_offline(tmp_path, "0.2.0")))
    assert done.returncode == 0, done.stderr
    assert (door.root / "opt/faceedge/current").readlink() == Path("0.2.0")
    assert (door.root / "opt/faceedge/0.1.0/.complete").exists()
    assert _state(door) == kept


def test_an_upgrade_that_does_not_run_returns_to_the_version_before(door: Box, tmp_path: Path) -> None:
    kept = _state(door)
    for fault in ("DEAD", "CRASHING"):
        door.environ = {fault: "0.2.0"}
        ends = door.root / "var/lib/faceedge/starts.json"
        ends.write_text("three bad ends")
        done = door.setup("--yes", "--upgrade", "--offline", str(_offline(tmp_path / fault, "0.2.0")))
        assert done.returncode == 1
        assert "0.2.0 was not healthy within 60 s; version 0.1.0 runs again" in done.stderr
        assert (door.root / "opt/faceedge/current").readlink() == Path("0.1.0")
        assert (door.fake / "active").exists()
        assert not (door.fake / "crashing").exists()
        assert not ends.exists(), "the version before would start in safe mode for what the other did"
        assert _state(door) == kept


def test_an_upgrade_cut_before_its_proof_is_proven_or_taken_back_by_the_next_run(door: Box, tmp_path: Path) -> None:
    folder = str(_offline(tmp_path, "0.2.0"))
    cut = "find_version; switch_to 0.2.0; note_trial 0.1.0"
    assert door.call(cut, "--offline", folder).returncode == 0
    door.environ["DEAD"] = "0.2.0"
    assert "version 0.1.0 runs again" in door.setup("--yes", "--offline", folder).stderr
    assert not (door.root / "opt/faceedge/.trial").exists()


def test_a_version_that_refuses_the_configuration_changes_nothing(door: Box, tmp_path: Path) -> None:
    door.environ["FAILING"] = "config"
    done = door.setup("--yes", "--upgrade", "--offline", str(_offline(tmp_path, "0.2.0")))
    assert "refuses the configuration; nothing was changed" in done.stderr
    assert (door.root / "opt/faceedge/current").readlink() == Path("0.1.0")


def test_another_version_wants_the_word_upgrade(door: Box, tmp_path: Path) -> None:
    assert "add --upgrade" in door.setup("--yes", "--offline", str(_offline(tmp_path, "0.2.0"))).stderr


def test_uninstall_keeps_what_was_gathered_and_purge_leaves_nothing(box: Box) -> None:
    before = set(box.manifest())
    assert box.setup(*FLAGS, "--controller", "here").returncode == 0
    assert box.setup("--uninstall", "--yes").returncode == 0
    assert (box.root / "etc/faceedge/faceedge.toml").exists()
    assert (box.root / "var/lib/faceedge/keys").exists()
    assert not (box.root / "opt/faceedge").exists()
    assert box.setup("--uninstall", "--purge", "--yes").returncode == 0
    left = {path for path in set(box.manifest()) - before if not (box.root / path).is_dir()}
    assert left == set()
    assert not list(box.root.rglob("*faceedge*"))
    assert not (box.root / "etc/sysusers.d").exists()


def _offline(folder: Path, version: str) -> Path:
    wheels = folder / "offline/wheels"
    wheels.mkdir(parents=True)
    (wheels / f"faceedge-{version}-py3-none-any.whl").touch()
    return folder / "offline"


def _state(box: Box) -> dict[str, str]:
    return {path: facts for path, facts in box.manifest().items() if path.startswith(("var/lib", "etc/faceedge"))}


def _without_root(box: Box) -> dict[str, str]:
    """Links into the stand-ins differ by their folder only."""
    return {path: facts.replace(str(box.root.parent), "") for path, facts in box.manifest().items()}
