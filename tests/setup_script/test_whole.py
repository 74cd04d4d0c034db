"""The whole script on a made-up Jetson: once, twice, interrupted, removed."""

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


def test_what_an_operator_has_called_alike_stays(box: Box) -> None:
    assert box.setup(*FLAGS).returncode == 0
    units = "etc/systemd/system"
    mine = [
        box.write(f"{units}/{name}", "")
        for name in (
            "faceedge-mine.service", "faceedge-mine.service.d/a.conf", "faceedge@.service",
            "multi-user.target.wants/faceedge-mine.service",
        )
    ]  # fmt: skip
    mine.append(box.write("etc/udev/rules.d/99-my-faceedge.rules", ""))
    mine.append(box.write("etc/credstore/faceedge-mine", ""))
    assert box.setup("--uninstall", "--purge", "--yes").returncode == 0
    assert [path for path in mine if not path.exists()] == []
    assert not [words for words in box.called("systemctl") if "mine" in words]


def test_purge_takes_drop_ins_and_keys_in_the_stores_of_systemd(box: Box) -> None:
    assert box.setup(*FLAGS).returncode == 0
    left = [
        box.write(name, "")
        for name in (
            "etc/credstore/faceedge-device-key", "etc/credstore.encrypted/faceedge-mqtt-password",
            "etc/systemd/system/faceedge.service.d/a.conf",
            "etc/systemd/system/faceedge-controller@main.service.d/a.conf",
        )
    ]  # fmt: skip
    assert box.setup("--uninstall", "--yes").returncode == 0
    assert all(path.exists() for path in left), "kept with the rest of what was set"
    assert box.setup("--uninstall", "--purge", "--yes").returncode == 0
    assert not any(path.exists() for path in left)


def test_a_dry_purge_needs_no_yes_and_changes_nothing(door: Box) -> None:
    before = door.manifest()
    done = door.setup("--dry-run", "--uninstall", "--purge")
    assert done.returncode == 0
    assert f"would run: rm -rf {door.root}/etc/faceedge {door.root}/var/lib/faceedge" in done.stdout
    assert door.manifest() == before


def test_nothing_is_removed_while_another_run_is_at_work(door: Box) -> None:
    lock = door.write("run/faceedge-setup.lock", "")
    done = door.call(f"exec 8>'{lock}'; flock 8; uninstall", "--uninstall", "--yes")
    assert "another flash_setup.sh is at work" in done.stderr
    assert (door.fake / "active").exists()
    assert (door.root / "opt/faceedge/current").exists()


def _without_root(box: Box) -> dict[str, str]:
    """Links into the stand-ins differ by their folder only."""
    return {path: facts.replace(str(box.root.parent), "") for path, facts in box.manifest().items()}
