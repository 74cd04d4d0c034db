"""The functions that make this door out of a machine: configuration, networks, people, keys, the service."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.setup_script.box import Box

pytestmark = pytest.mark.system


def test_without_a_camera_there_is_no_configuration(box: Box) -> None:
    assert "add --camera" in box.call("check_camera", "--yes").stderr


def test_what_no_option_says_is_asked_for_on_a_terminal(box: Box) -> None:
    code = "check_camera; echo $CAMERA $DOOR $BROKER $DEVICE"
    done = box.call(code, "--device", "entrance", answers="/dev/video0\n\nmqtts://broker.example\n")
    assert done.stdout.split() == ["/dev/video0", "main", "mqtts://broker.example", "entrance"]
    assert "Name of the door [main]: " in done.stderr


def test_the_brokers_secrets_are_copied_to_where_the_service_reads_them(box: Box) -> None:
    ca, password = box.write("home/ca.pem", "CA"), box.write("home/pw", "hush")
    done = box.call(
        "step_python; step_folders; check_camera; step_config", "--yes", "--camera", "0", "--broker", "mqtts://broker.example",
        "--broker-ca", str(ca), "--broker-user", "door", "--broker-password-file", str(password),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    etc = box.root / "etc/faceedge"
    assert (etc / "broker-ca.pem").read_text() == "CA"
    assert (etc / "broker-password").stat().st_mode & 0o777 == 0o600
    (words,) = [words for words in box.called("faceedge") if words.startswith("config new")]
    assert f"--broker-password-file {etc}/broker-password" in words
    assert "hush" not in box.log()


def test_a_configuration_that_is_there_stays(box: Box) -> None:
    mine = box.write("etc/faceedge/faceedge.toml", "mine")
    done = box.call("step_python; step_config", "--camera", "0")
    assert "stays as it is" in done.stdout
    assert mine.read_text() == "mine"


def test_ones_own_network_is_added_under_the_name_of_its_file(box: Box) -> None:
    network = box.write("srv/mine.onnx", "")
    done = box.call("step_python; step_folders; step_models", "--models", str(network))
    assert done.returncode == 0, done.stderr
    stage = box.root / "opt/faceedge/.stage"
    assert f"model add {stage}/mine.onnx --name mine" in box.called("faceedge")
    assert "model activate mine --yes" in box.called("faceedge")
    assert not stage.exists()


def test_a_package_says_its_name_itself(box: Box) -> None:
    package = box.write("srv/3/model.toml", 'role = "detector"\nname = "ours"\n').parent
    assert box.call(f"own_name {package}").stdout == "ours\n"
    box.call("step_python; step_folders; step_models", "--models", str(package))
    assert f"model add {box.root}/opt/faceedge/.stage/3" in box.called("faceedge")
    assert "model activate ours --yes" in box.called("faceedge")


def test_networks_that_were_made_before_are_taken(box: Box, tmp_path: Path) -> None:
    made = tmp_path / "off/cache/models"
    made.mkdir(parents=True)
    (made / "digests.json").write_text(json.dumps({}))
    box.call("step_python; step_folders; step_models", "--offline", str(tmp_path / "off"))
    assert (box.root / "var/cache/faceedge/models/digests.json").exists()


def test_photos_are_swept_away_and_names_stay_out_of_the_log(box: Box) -> None:
    box.write("srv/people/Ada Lovelace/1.jpg", "photo")
    done = box.call("step_python; step_people", "--people", str(box.root / "srv/people"))
    assert done.returncode == 0, done.stderr
    assert f"enroll --folder {box.root}/opt/faceedge/.stage/people" in box.called("faceedge")
    assert not (box.root / "opt/faceedge/.stage").exists()
    assert "Ada" not in box.log()


def test_who_was_removed_since_is_not_enrolled_again(box: Box) -> None:
    for name in ("Ada Lovelace", "Bob"):
        box.write(f"srv/people/{name}/1.jpg", "photo")
    words = ("step_python; step_folders; step_people", "--people", str(box.root / "srv/people"))
    assert box.call(*words).returncode == 0
    (box.fake / "people").write_text("Bob\n")
    box.write("srv/people/Cleo/1.jpg", "photo")
    done = box.call(*words)
    assert done.returncode == 0, done.stderr
    assert (box.fake / "people").read_text().splitlines() == ["Bob", "Cleo"]
    (box.fake / "log").unlink()
    assert box.call(*words).returncode == 0
    assert not [words for words in box.called("faceedge") if "enroll" in words]
    noted = box.root / "opt/faceedge/.people"
    assert noted.stat().st_mode & 0o777 == 0o600
    assert not [name for name in ("Ada", "Bob", "Cleo") if name in noted.read_text() + box.log()]


def test_who_was_refused_is_tried_again(box: Box) -> None:
    box.write("srv/people/Ada/1.jpg", "photo")
    words = ("step_python; step_people", "--people", str(box.root / "srv/people"))
    box.call(
        "product() { case $1 in enroll) return 2 ;; *) echo '{\"people\": []}' ;; esac; }; " + words[0], *words[1:]
    )
    assert box.call(*words).returncode == 0
    assert (box.fake / "people").read_text() == "Ada\n"


def test_doors_that_cannot_be_listed_are_told_at_the_end_too(box: Box) -> None:
    done = box.call("step_python; product() { return 1; }; STEP=next; tell_keys")
    assert 'step "next" failed: the doors cannot be listed' in done.stderr


def test_what_an_interrupted_run_left_of_photos_is_swept(box: Box) -> None:
    box.write("opt/faceedge/.stage/people/Ada/1.jpg", "photo")
    box.call("sweep")
    assert not (box.root / "opt/faceedge/.stage").exists()


def test_a_key_is_made_once_and_written_to_the_serial_line_that_was_named(box: Box) -> None:
    code = "step_python; stat() { echo dialout; }; step_doors; step_doors"
    assert box.call(code, "--controller", "serial:/dev/ttyUSB0").returncode == 0
    made = [words for words in box.called("faceedge") if words.startswith("door add")]
    assert made == ["door add main --controller main --serial /dev/ttyUSB0"]
    assert "-u faceedge -G dialout -- " in " ".join(box.called("runuser"))


def test_engines_are_asked_for_on_a_jetson_that_has_none(box: Box) -> None:
    wanted = "var/lib/faceedge/engines/wanted"
    box.call("step_engines")
    assert (box.root / wanted).exists()
    (box.root / wanted).unlink()
    box.write("var/lib/faceedge/engines/yunet@1/x.plan", "")
    box.call("step_engines")
    assert not (box.root / wanted).exists()


def test_the_self_test_runs_once_a_version_and_may_be_left_out(box: Box) -> None:
    code = "step_python; step_selftest; step_selftest"
    box.call(code, "--selftest", "skip")
    assert "product selftest" not in box.log()
    box.call(code, "--selftest", "2")
    assert [words for words in box.called("faceedge") if "selftest" in words] == ["selftest --minutes 2"]


# service.sh


def test_healthy_is_ready_and_steady(box: Box) -> None:
    (box.fake / "active").touch()
    assert box.call("wait_healthy").returncode == 0
    (box.fake / "crashing").touch()
    assert box.call("wait_healthy").returncode == 1


def test_the_run_before_is_not_taken_for_the_new_one(box: Box) -> None:
    (box.fake / "active").touch()
    (box.fake / "invocation").write_text("one\n")
    assert box.call("HEALTHY_WITHIN_S=8; wait_healthy one").returncode == 1
    assert box.call("HEALTHY_WITHIN_S=8; wait_healthy two").returncode == 0


def test_a_daemon_in_safe_mode_is_not_healthy(box: Box) -> None:
    (box.fake / "active").touch()
    (box.fake / "safe").touch()
    assert box.call("HEALTHY_WITHIN_S=8; wait_healthy").returncode == 1


def test_a_service_that_runs_and_has_not_changed_is_left_alone(box: Box) -> None:
    (box.fake / "active").touch()
    assert box.call("step_service").returncode == 0
    assert not [words for words in box.called("systemctl") if "restart faceedge" in words]


def test_without_systemd_the_step_says_so(box: Box) -> None:
    (box.root / "run/systemd/system/there").unlink()
    (box.root / "run/systemd/system").rmdir()
    assert "systemd does not run here" in box.call("step_service").stderr


def test_units_that_a_version_does_not_have_go_with_the_other(box: Box) -> None:
    box.write("opt/faceedge/2.0/systemd/faceedge-new.timer", "")
    for unit in ("faceedge-new.timer", "faceedge-of-an-operator.timer", "other.service"):
        box.write(f"etc/systemd/system/{unit}", "")
    box.call("install_units $SOURCE/systemd; remove_strange_units $SOURCE/systemd")
    left = {path.name for path in (box.root / "etc/systemd/system").iterdir()}
    assert "faceedge-new.timer" not in left
    assert {"other.service", "faceedge-of-an-operator.timer", "faceedge.service"} <= left
    assert "stop faceedge-new.timer" in box.called("systemctl")


def test_the_version_that_runs_and_the_one_before_stay(box: Box) -> None:
    for version in ("0.1", "0.2", "1.0"):
        (box.root / "opt/faceedge" / version).mkdir(parents=True)
    box.call("remove_old_versions 0.2")
    assert {path.name for path in (box.root / "opt/faceedge").iterdir()} == {"0.2", "1.0"}


def test_there_is_nothing_to_upgrade_before_the_first_time(box: Box) -> None:
    assert "there is nothing to upgrade" in box.setup("--upgrade", "--yes").stderr
