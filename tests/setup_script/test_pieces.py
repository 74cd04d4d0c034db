"""The functions that prepare a machine, one by one: words, options, board, packages, Python, files."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.setup_script.box import CHECKOUT, SCRIPT, Box

PIECES = [SCRIPT, *sorted((SCRIPT.parent / "setup").iterdir())]


@pytest.mark.parametrize("piece", PIECES, ids=lambda piece: piece.name)
def test_every_piece_is_a_script_of_short_functions(piece: Path) -> None:
    assert subprocess.run(["bash", "-n", piece], check=False).returncode == 0
    bodies = re.findall(r"^\w+\(\) \{\n(.*?)^\}", piece.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    words = [body for body in bodies if "<<'TEXT'" not in body]
    assert max((body.count("\n") for body in words), default=0) <= 30


# say.sh


def test_a_command_is_logged_with_what_it_says_and_not_shown(box: Box) -> None:
    done = box.call("run echo 'two words'")
    assert done.stdout == ""
    assert "+ echo two\\ words" in box.log()
    assert "\ntwo words\n" in box.log()


def test_a_failure_shows_the_end_of_what_the_command_said(box: Box) -> None:
    done = box.call("STEP=here; run_or_tell 'no luck' 'try again' bash -c 'seq 9; false'")
    assert done.returncode == 1
    assert done.stderr.startswith("  | 5\n")
    assert 'step "here" failed: no luck\n  remedy: try again' in done.stderr


def test_passwords_in_addresses_are_not_noted(box: Box) -> None:
    box.call("note 'rtsp://a:hush@one/x and mqtt://hush2@two'")
    assert "rtsp://***@one/x and mqtt://***@two" in box.log()
    box.call("note 'rtsp://a:hu/sh*hush@hush@three http://four/x?password=hush end'")
    assert "rtsp://***@three http://four/x?*** end" in box.log()
    assert "hush" not in box.log()


def test_a_log_that_cannot_be_written_is_told(box: Box) -> None:
    done = box.setup("--yes", "--log", "/proc/none/log")
    assert done.returncode == 1
    assert "cannot be written" in done.stderr


def test_nobody_is_asked_where_nobody_can_answer(box: Box) -> None:
    assert box.call("ask 'Which door?' main").stdout == "main"
    assert box.call("is_sure 'All gone.'").returncode == 1
    assert box.call("is_sure 'All gone.'", "--yes").returncode == 0


def test_what_nobody_foresaw_is_an_end_with_a_step_too(box: Box) -> None:
    done = box.call("trap 'unforeseen $? \"$BASH_COMMAND\"' ERR; STEP=there; surprise() { false; }; surprise")
    assert 'step "there" failed: `false` ended with code 1' in done.stderr


# options.sh


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--camera",), "--camera needs a value"),
        (("--camera", "--yes"), "--camera needs a value"),
        (("--colour", "red"), "no option --colour"),
        (("door",), 'what is "door"?'),
        (("--purge",), "--purge goes with --uninstall"),
        (("--upgrade", "--uninstall"), "two wishes"),
        (("--offline", "/nowhere"), "no such folder"),
        (("--people", "/nowhere"), "no such folder"),
        (("--broker-ca", "/nowhere"), "no such file"),
        (("--selftest", "long"), "a number of minutes, or skip"),
        (("--controller", "pigeon"), "paper, qr, here or serial"),
        (("--door", "The Lab"), "names are up to 32"),
    ],
)
def test_bad_options_are_refused_before_anything_is_done(box: Box, words: tuple[str, ...], said: str) -> None:
    done = box.setup(*words)
    assert done.returncode == 2
    assert said in done.stderr
    assert not (box.root / "var/log").exists()


def test_help_names_every_option_that_is_understood(box: Box) -> None:
    told = box.setup("--help").stdout
    source = (SCRIPT.parent / "setup/options.sh").read_text(encoding="utf-8")
    assert set(re.findall(r"^ +(?:-h \| )?(--[a-z-]+)(?: \| -y)?\)", source, re.MULTILINE)) - {"--help"} <= set(
        re.findall(r"--[a-z-]+", told)
    )


# board.sh


def test_the_version_is_that_of_the_offline_wheel_else_of_the_source(box: Box, tmp_path: Path) -> None:
    code = "find_version; echo $VERSION ${VENV##*/}"
    version = re.search(r'__version__ = "(.*)"', (CHECKOUT / "faceedge/__init__.py").read_text(encoding="utf-8"))
    assert version is not None
    assert box.call(code).stdout.split() == [version[1]] * 2
    wheels = tmp_path / "off/wheels"
    wheels.mkdir(parents=True)
    assert "no version of faceedge" in box.call(code, "--offline", str(wheels.parent)).stderr
    (wheels / "faceedge-3.1-py3-none-any.whl").touch()
    assert box.call(code, "--offline", str(wheels.parent)).stdout.split() == ["3.1", "3.1"]


def test_constraints_go_by_python(box: Box) -> None:
    said = box.call("for PYTHON_TAG in 3.10 3.11 3.12; do basename $(constraints); done").stdout.split()
    assert said == ["constraints-jp6.txt", "constraints-jp7.txt", "constraints-jp7.txt"]


def test_the_current_version_is_what_the_link_says(box: Box) -> None:
    code = "current_version; mkdir -p $OPT/1.0; switch_to 1.0; current_version; [ -e $OPT/.changed ]"
    assert box.call(code).stdout == "1.0"


def test_one_file_that_differs_makes_other_contents(box: Box, tmp_path: Path) -> None:
    wheel = tmp_path / "wheels/faceedge-1.0-py3-none-any.whl"
    wheel.parent.mkdir()
    said = set()
    for text in ("one", "two", "two"):
        wheel.write_text(text)
        said.add(box.call("contents", "--offline", str(tmp_path)).stdout)
    assert len(said) == 2
    assert len(box.call("contents").stdout.strip()) == 12
    assert box.call("contents").stdout not in said


# packages.sh


def test_only_packages_that_are_missing_are_installed(box: Box) -> None:
    (box.fake / "packages").write_text("g++\npython3-venv\n")
    assert box.call("step_packages").returncode == 0
    words, *wanted = [words for words in box.called("apt-get") if words.startswith("install")]
    assert "python3-libnvinfer" in words
    assert all(
        one.startswith("install -y") and len(one.split()) == 6 for one in wanted
    )  # one that is unknown stops no other
    assert "g++" not in words
    (box.fake / "log").unlink()
    box.call("step_packages")
    assert "apt-get" not in (box.fake / "log").read_text()


def test_offline_what_is_needed_is_missed_and_what_is_wanted_is_named(plain: Box, tmp_path: Path) -> None:
    words = ("--simulate", "--offline", str(tmp_path))
    assert "packages are missing: python3-venv" in plain.call("step_packages", *words).stderr
    (plain.fake / "packages").write_text("python3-venv\nca-certificates\n")
    done = plain.call("step_packages", *words)
    assert done.returncode == 0
    assert "not installed, as there is no network: libgstreamer" in done.stderr
    assert "apt-get" not in (plain.fake / "log").read_text()


def test_offline_packages_come_from_the_folder(plain: Box, tmp_path: Path) -> None:
    (tmp_path / "debs").mkdir()
    (tmp_path / "debs/python3-venv.deb").touch()
    plain.call("step_packages", "--simulate", "--offline", str(tmp_path))
    assert plain.called("apt-get")[0].endswith(f"{tmp_path}/debs/python3-venv.deb")
    assert "--no-download --no-install-recommends" in plain.called("apt-get")[0]


def test_a_broker_is_installed_only_where_it_is_to_be_here(box: Box) -> None:
    assert "mosquitto\n" in box.call("wanted_packages").stdout
    assert "mosquitto\n" in box.call("wanted_packages", "--broker", "mqtts://localhost").stdout
    assert "mosquitto\n" not in box.call("wanted_packages", "--broker", "mqtts://broker.example").stdout


# python.sh


def test_an_environment_that_was_cut_short_is_made_anew(box: Box) -> None:
    box.write("opt/faceedge/1.0/half", "")
    assert box.call("step_python").returncode == 0
    assert not (box.root / "opt/faceedge/1.0/half").exists()
    box.write("opt/faceedge/1.0/whole", "")
    assert box.call("step_python").returncode == 0
    assert (box.root / "opt/faceedge/1.0/whole").exists()


def test_offline_no_index_is_asked(box: Box, tmp_path: Path) -> None:
    box.call("prepare_venv; install_product", "--offline", str(tmp_path))
    (words,) = [words for words in box.called("python") if "pip install" in words]
    assert f"--no-index --find-links {tmp_path}/wheels" in words
    assert "--constraint" in words
    assert words.endswith("--ignore-installed faceedge[jetson,cpu]==1.0")


def test_pycuda_is_built_with_the_boards_cuda_once(box: Box) -> None:
    assert box.call("prepare_venv; build_pycuda; build_pycuda").returncode == 0
    assert len([words for words in box.called("python") if "pip wheel" in words]) == 1
    assert f"PATH={box.root}/usr/local/cuda/bin:" in box.log()


def test_pycuda_is_built_without_a_network_where_there_is_none(box: Box, tmp_path: Path) -> None:
    box.environ["FAILING"] = "pycuda"
    done = box.call("prepare_venv; STEP=python; build_pycuda", "--offline", str(tmp_path))
    assert 'step "pycuda" failed' in done.stderr
    assert "make_offline.sh --jetson" in done.stderr
    (words,) = [words for words in box.called("python") if "pip wheel" in words]
    assert f"--no-index --find-links {tmp_path}/wheels" in words


def test_a_machine_that_is_no_jetson_gets_neither_pycuda_nor_jtop(plain: Box) -> None:
    assert plain.call("extras", "--simulate").stdout == "cpu\n"
    plain.call("step_python", "--simulate")
    assert "pycuda" not in plain.log()


# files.sh


def test_a_file_is_put_only_when_it_differs(box: Box) -> None:
    source, target = box.write("a", "one"), box.root / "etc/x/b"
    code = f"put {source} {target} 0644; is_changed && echo changed; rm -f $OPT/.changed"
    assert box.call(code).stdout == "changed\n"
    assert target.read_text() == "one"
    assert box.call(code).stdout == ""


def test_units_come_with_users_folders_and_device_rules(box: Box) -> None:
    assert box.call("install_units $SOURCE/systemd").returncode == 0
    assert {path.name for path in (CHECKOUT / "systemd").glob("*.service")} <= {
        path.name for path in (box.root / "etc/systemd/system").iterdir()
    }
    assert (box.root / "etc/sysusers.d/faceedge.conf").exists()
    assert (box.root / "etc/tmpfiles.d/faceedge.conf").exists()
    assert list((box.root / "etc/udev/rules.d").iterdir())
    assert not (box.root / "etc/systemd/system.conf.d").exists()
    assert box.called("systemctl") == ["daemon-reload"]


def test_the_hardware_watchdog_is_set_only_when_asked_for(box: Box) -> None:
    box.call("install_units $SOURCE/systemd", "--hardware-watchdog")
    (ours,) = (box.root / "etc/systemd/system.conf.d").iterdir()
    assert ours.name > "watchdog.conf", "of two files the later name wins, and L4T brings one"
