"""What a plan is bound to besides its graph: versions of TensorRT, CUDA and L4T, the module. Read from files and from
`nvpmodel -q` under a root folder; for whoever builds or opens an engine.
"""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from faceedge.backends.trt_log import tensorrt
from faceedge.errors import one_line

ROOT = Path("/")
_ASKING_S = 5.0
_RELEASE = re.compile(r"# R(\d+) \(release\), REVISION: ([\d.]+)")
_MODE = re.compile(r"NV Power Mode: *(\S.*)")
_BOARD = re.compile(r"\b(p\d{4}-\d{4})")
_FAULTY_L4T = {"36.4.7": "L4T 36.5 (JetPack 6.2.2)", "35.6.3": "L4T 35.6.4"}
"""Releases whose NvMap refuses large allocations although memory is free, and where that is mended."""


@dataclass(frozen=True, slots=True)
class Machine:
    """Empty where the machine does not tell. power_mode: changes what is fastest, not what runs."""

    tensorrt: str
    cuda: str
    l4t: str
    module: str
    power_mode: str = ""


def read_machine(root: Path = ROOT) -> Machine:
    """Raises MissingExtra without TensorRT."""
    version = one_line(str(tensorrt().__version__), 40)
    return Machine(version, cuda_of(root), l4t_of(root), module_of(root), power_mode(root))


def power_mode(root: Path = ROOT) -> str:
    """What `nvpmodel` calls the present mode, such as `MAXN_SUPER`; nothing off a Jetson."""
    program = root / "usr/sbin/nvpmodel"
    if not program.is_file():
        return ""
    try:
        said = subprocess.run(
            [str(program), "-q"], stdin=subprocess.DEVNULL, capture_output=True, timeout=_ASKING_S, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    found = _MODE.search(said.stdout.decode(errors="replace"))
    return one_line(found[1], 40) if found else ""


def l4t_fault(l4t: str) -> str:
    """A sentence without its full stop about a release with a known fault, for notices and failures; else nothing."""
    if l4t not in _FAULTY_L4T:
        return ""
    return f"L4T {l4t} refuses large allocations although memory is free; update to {_FAULTY_L4T[l4t]}"


def l4t_of(root: Path = ROOT) -> str:
    """`36.4.3`, from `# R36 (release), REVISION: 4.3, …`."""
    found = _RELEASE.search(_text(root / "etc/nv_tegra_release"))
    return f"{found[1]}.{found[2]}" if found else ""


def cuda_of(root: Path = ROOT) -> str:
    """Of the toolkit: `12.6`; its patches change nothing for a plan."""
    try:
        version = str(json.loads(_text(root / "usr/local/cuda/version.json"))["cuda"]["version"])
    except (ValueError, KeyError, TypeError, RecursionError):
        folders = (root / "usr/local").glob("cuda-*.*") if (root / "usr/local").is_dir() else ()
        version = max((folder.name.removeprefix("cuda-") for folder in folders), key=_by_value, default="")
    return ".".join(re.findall(r"\d+", version)[:2])


def module_of(root: Path = ROOT) -> str:
    """`NVIDIA Jetson Orin Nano … (p3767-0005)`: the model names the kit, the number the module and its memory. The
    Super flash only adds power modes, so its word is left out. Elsewhere the name of the graphics card."""
    model = one_line(_text(root / "proc/device-tree/model").strip("\0 \n"), 100).removesuffix(" Super")
    if model:
        boards = _BOARD.findall(_text(root / "proc/device-tree/compatible").partition("\0")[0])
        return f"{model} ({boards[-1]})" if boards else model
    for card in sorted((root / "proc/driver/nvidia/gpus").glob("*/information")):
        if found := re.search(r"^Model:\s*(\S.*)$", _text(card), re.MULTILINE):
            return one_line(found[1], 100)
    return ""


def _by_value(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version))


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(1 << 16).decode(errors="replace")
    except OSError:
        return ""
