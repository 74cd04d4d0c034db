"""The power mode of a made-up module: chosen by its name, kept once, put back. nvpmodel and jetson_clocks are stand-ins
that say what they were asked; no device has run this."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.systemd.reading import FOLDER

SCRIPT = FOLDER / "libexec" / "faceedge-power"
MODES = {"MAXN": 0, "10W": 1, "15W": 2, "25W": 3}
NVPMODEL = """#!/bin/sh
case $1 in
    -q) echo "NV Power Mode: X"; cat "$ROOT/now" ;;
    -m) echo "nvpmodel $2" >>"$ROOT/asked"; [ ! -e "$ROOT/refuses" ] && echo "$2" >"$ROOT/now" ;;
esac
"""
CLOCKS = """#!/bin/sh
echo "jetson_clocks $*" >>"$ROOT/asked"
[ "$1" != --store ] || touch "$2"
"""


class Module:
    """A board with four modes, in the first one."""

    def __init__(self, root: Path, name: str) -> None:
        self.root = root
        for folder in ("bin", "etc", "proc/device-tree"):
            (root / folder).mkdir(parents=True)
        for program, text in (("nvpmodel", NVPMODEL), ("jetson_clocks", CLOCKS)):
            (root / "bin" / program).write_text(text)
            (root / "bin" / program).chmod(0o755)
        (root / "proc/device-tree/model").write_bytes(f"NVIDIA Jetson {name} Developer Kit\0".encode())
        modes = "".join(
            f"< POWER_MODEL ID={number} NAME={mode} >\nCPU_ONLINE CORE_0 1\n" for mode, number in MODES.items()
        )
        (root / "etc/nvpmodel.conf").write_text(modes)
        (root / "now").write_text("0\n")

    def run(self, action: str, **settings: str) -> str:
        environ = {
            "PATH": f"{self.root / 'bin'}:{os.environ['PATH']}", "ROOT": str(self.root),
            "FACEEDGE_ROOT": str(self.root), **settings,
        }  # fmt: skip
        done = subprocess.run([SCRIPT, action], env=environ, capture_output=True, text=True, check=False, timeout=10)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    @property
    def asked(self) -> list[str]:
        path = self.root / "asked"
        return path.read_text().splitlines() if path.exists() else []


@pytest.mark.parametrize(("name", "mode"), [("Orin NX", 3), ("Orin Nano", 2)])
def test_a_module_gets_the_mode_of_its_name_and_back_the_one_it_had(tmp_path: Path, name: str, mode: int) -> None:
    module = Module(tmp_path, name)
    module.run("apply")
    module.run("apply")
    assert module.asked == [f"nvpmodel {mode}"]
    module.run("restore")
    module.run("restore")
    assert module.asked == [f"nvpmodel {mode}", "nvpmodel 0"]


def test_a_module_nobody_knows_and_keep_change_nothing(tmp_path: Path) -> None:
    module = Module(tmp_path, "Thor")
    assert "left as it is" in module.run("apply")
    module.run("apply", FACEEDGE_POWER_MODE="keep")
    module.run("restore")
    assert module.asked == []


def test_a_mode_may_be_named_and_a_wrong_name_changes_nothing(tmp_path: Path) -> None:
    module = Module(tmp_path, "Orin NX")
    module.run("apply", FACEEDGE_POWER_MODE="10W")
    assert module.asked == ["nvpmodel 1"]
    for wrong in ("99W", "10W >/etc/x", ".*"):
        assert "left as it is" in module.run("apply", FACEEDGE_POWER_MODE=wrong)
    assert module.asked == ["nvpmodel 1"]


def test_clocks_are_pinned_only_on_request_and_put_back(tmp_path: Path) -> None:
    module = Module(tmp_path, "Orin NX")
    for _ in range(2):
        module.run("apply", FACEEDGE_POWER_MODE="keep", FACEEDGE_CLOCKS="max")
    store = f"jetson_clocks --store {tmp_path}/var/lib/faceedge-power/clocks"
    assert [line.strip() for line in module.asked] == [store, "jetson_clocks", "jetson_clocks"]
    module.run("restore")
    assert module.asked[-1] == store.replace("--store", "--restore")


def test_a_mode_that_wants_a_reboot_is_told_and_the_service_does_not_fail(tmp_path: Path) -> None:
    module = Module(tmp_path, "Orin NX")
    (tmp_path / "refuses").touch()
    assert "was refused" in module.run("apply")
