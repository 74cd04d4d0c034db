"""What is looked at before anything is changed, on boards of every kind."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.setup_script.boards import ORINS, OTHERS, REFUSED, TAKEN, release
from tests.setup_script.box import Box


def test_releases_are_called_by_their_jetpack(box: Box) -> None:
    known = {**TAKEN, **{l4t: name for l4t, name in REFUSED.items() if name.startswith("JetPack")}}
    said = box.call(f"for l4t in {' '.join(known)}; do jetpack $l4t; done").stdout.splitlines()
    assert said == list(known.values())


def test_releases_from_jetpack_6_1_and_7_2_on_are_taken(box: Box) -> None:
    done = box.call(f"for L4T in {' '.join(TAKEN)}; do check_release; done; echo all")
    assert done.stdout == "all\n", done.stderr


@pytest.mark.parametrize(("l4t", "name"), REFUSED.items())
def test_a_release_that_will_not_do_is_refused_by_name_with_a_remedy(box: Box, l4t: str, name: str) -> None:
    box.write("etc/nv_tegra_release", release(l4t))
    done = box.call("STEP='check release'; check_release")
    assert done.returncode == 1
    assert 'step "check release" failed' in done.stderr
    assert name in done.stderr
    assert l4t in done.stderr
    assert "remedy: " in done.stderr
    assert "JetPack 6.2.2" in done.stderr


def test_the_release_is_read_from_its_first_line(box: Box) -> None:
    box.write("etc/nv_tegra_release", release("36.4.3"))
    assert box.call("echo $L4T").stdout == "36.4.3\n"


def test_every_orin_is_taken(box: Box) -> None:
    listed = " ".join(f"'{name}'" for name in ORINS)
    done = box.call(f"for MODULE in {listed}; do check_board; done; echo all")
    assert done.stdout == "all\n", done.stderr


def test_a_carrier_board_of_another_name_is_known_by_its_chip(box: Box) -> None:
    box.write("proc/device-tree/model", "A Vendor's Box 7\0")
    assert box.call("check_board").returncode == 1
    box.write("proc/device-tree/compatible", "vendor,box7\0nvidia,tegra234\0")
    assert box.call("check_board").returncode == 0


def test_other_boards_are_refused_by_name(box: Box) -> None:
    for model in OTHERS:
        box.write("proc/device-tree/model", f"{model}\0")
        assert f"{model} is no Jetson Orin" in box.call("check_board").stderr


def test_a_machine_that_is_no_jetson_is_told_of_simulate(plain: Box) -> None:
    assert "--simulate" in plain.call("check_board").stderr
    assert plain.call("check_board", "--simulate").returncode == 0


def test_an_old_python_is_refused(plain: Box) -> None:
    plain.environ["FAKE_PYTHON"] = "3.9"
    assert "Python 3.9" in plain.call("check_board", "--simulate").stderr


def test_only_root_may_install(box: Box) -> None:
    box.environ["FAKE_UID"] = "1000"
    assert "sudo" in box.call("check_root").stderr
    assert box.call("check_root", "--dry-run").returncode == 0


def test_a_full_disk_is_refused_with_what_is_needed(box: Box) -> None:
    box.environ["FAKE_FREE_GB"] = "3"
    assert "3 GB free, 4 are needed" in box.call("check_disk").stderr


def test_more_room_is_needed_where_jetpack_is_still_to_come(box: Box) -> None:
    (box.root / "usr/local/cuda/bin/nvcc").unlink()
    box.environ["FAKE_FREE_GB"] = "5"
    assert "14 are needed" in box.call("check_disk").stderr
    assert "nvidia-jetpack" in box.call("needed_packages").stdout


def test_a_clock_of_1970_is_refused_where_something_is_downloaded(box: Box, tmp_path: Path) -> None:
    box.environ |= {"FAKE_YEAR": "1970", "FAKE_SYNCED": "no"}
    assert "timedatectl set-time" in box.call("check_clock").stderr
    offline = box.call("check_clock", "--offline", str(tmp_path))
    assert offline.returncode == 0
    assert "not synchronised" in offline.stderr


def test_the_power_mode_is_told(box: Box) -> None:
    assert "power mode: 25W" in box.call("check_power").stdout


@pytest.mark.parametrize("uri", ["/dev/video7", "7", "csi:7", "file:/nowhere.mp4", "images:/nowhere"])
def test_a_camera_that_is_not_there_is_refused(box: Box, uri: str) -> None:
    done = box.call("check_camera", "--camera", uri)
    assert done.returncode == 1
    assert "--camera" in done.stderr


def test_cameras_that_are_there_are_taken(box: Box) -> None:
    for uri in ("/dev/video0", "0", "csi:0"):
        assert box.call("check_camera", "--camera", uri).returncode == 0


def test_a_film_that_the_service_may_not_see_is_refused(box: Box, tmp_path: Path) -> None:
    box.environ["TMPDIR"] = str(tmp_path)
    assert (
        "does not see"
        in box.call("realpath() { echo /root/a.mp4; }; check_camera", "--camera", "file:/etc/passwd").stderr
    )


def test_a_network_camera_may_be_off_and_its_password_is_not_told(box: Box) -> None:
    done = box.call("check_camera", "--camera", "rtsp://ann:secret@192.0.2.1:8554/door")
    assert done.returncode == 0
    assert "192.0.2.1 port 8554 does not answer" in done.stderr
    assert "secret" not in done.stderr + box.log()
