"""What a machine says about itself, read from trees that were made up after real ones."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from faceedge.backends.machine_facts import l4t_fault, power_mode, read_machine
from faceedge.errors import MissingExtra

ORIN = {
    "etc/nv_tegra_release": "# R36 (release), REVISION: 4.7, GCID: 42132812, BOARD: generic, EABI: aarch64\n",
    "proc/device-tree/model": "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super\0",
    "proc/device-tree/compatible": "nvidia,p3768-0000+p3767-0005-super\0nvidia,p3767-0005\0nvidia,tegra234\0",
    "usr/local/cuda/version.json": '{"cuda": {"name": "CUDA SDK", "version": "12.6.11"}}',
    "usr/sbin/nvpmodel": "#!/bin/sh\n[ \"$1\" = -q ] && printf 'NVPM WARN: no fan\\nNV Power Mode: 25W\\n1\\n'\n",
}


@pytest.fixture(autouse=True)
def tensorrt(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("tensorrt")
    module.__dict__["__version__"] = "10.3.0"
    monkeypatch.setitem(sys.modules, "tensorrt", module)


def tree(root: Path, **changes: str) -> Path:
    for name, text in (ORIN | changes).items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
    return root


def test_a_jetson_tells_all_that_a_plan_depends_on(tmp_path: Path) -> None:
    machine = read_machine(tree(tmp_path))
    assert (machine.tensorrt, machine.cuda, machine.l4t, machine.power_mode) == ("10.3.0", "12.6", "36.4.7", "25W")
    assert machine.module == "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit (p3767-0005)"


def test_a_super_flash_is_the_same_module_and_another_module_is_not(tmp_path: Path) -> None:
    plain = tree(
        tmp_path / "plain",
        **{
            "proc/device-tree/model": "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit\0",
            "proc/device-tree/compatible": "nvidia,p3768-0000+p3767-0005\0nvidia,p3767-0005\0nvidia,tegra234\0",
        },
    )
    small = tree(
        tmp_path / "small",
        **{"proc/device-tree/compatible": "nvidia,p3768-0000+p3767-0004-super\0nvidia,p3767-0004\0nvidia,tegra234\0"},
    )
    assert read_machine(plain).module == read_machine(tree(tmp_path / "super")).module != read_machine(small).module


def test_a_machine_that_tells_nothing_is_empty(tmp_path: Path) -> None:
    machine = read_machine(tmp_path)
    assert (machine.cuda, machine.l4t, machine.module, machine.power_mode) == ("", "", "", "")


@pytest.mark.parametrize("text", ["", "garbage", "[]", '{"cuda": 3}', "[" * 100_000])
def test_cuda_is_found_by_its_folder_where_its_file_says_nothing(tmp_path: Path, text: str) -> None:
    root = tree(tmp_path, **{"usr/local/cuda/version.json": text})
    for name in ("cuda-9.2", "cuda-12.6"):
        (root / "usr/local" / name).mkdir()
    assert read_machine(root).cuda == "12.6"


def test_a_graphics_card_is_a_module_by_its_name(tmp_path: Path) -> None:
    card = tmp_path / "proc/driver/nvidia/gpus/0000:01:00.0/information"
    card.parent.mkdir(parents=True)
    card.write_text("Model: \t\t NVIDIA RTX A2000\nIRQ:   \t\t 190\n")
    assert read_machine(tmp_path).module == "NVIDIA RTX A2000"


@pytest.mark.parametrize(
    "script", ["#!/bin/sh\nexit 1\n", "no program", "#!/bin/sh\nprintf '\\377\\n'\n", "#!/missing\n"]
)
def test_an_nvpmodel_that_fails_is_no_power_mode(tmp_path: Path, script: str) -> None:
    assert power_mode(tree(tmp_path, **{"usr/sbin/nvpmodel": script})) == ""


def test_words_for_a_terminal_are_printable(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        **{
            "proc/device-tree/model": "Orin \x1b]0;owned\x07\0",
            "usr/sbin/nvpmodel": "#!/bin/sh\nprintf 'NV Power Mode: MAXN\\033[2J\\n'\n",
        },
    )
    machine = read_machine(root)
    assert machine.module.isprintable()
    assert machine.power_mode == "MAXN [2J"


def test_releases_with_the_memory_fault_are_named() -> None:
    assert l4t_fault("36.4.7").startswith("L4T 36.4.7 refuses large allocations")
    assert "36.5 (JetPack 6.2.2)" in l4t_fault("36.4.7")
    assert [l4t_fault(good) for good in ("36.4.3", "36.5.0", "39.2.1", "")] == ["", "", "", ""]


def test_without_tensorrt_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    with pytest.raises(MissingExtra, match="jetson"):
        read_machine(tmp_path)
