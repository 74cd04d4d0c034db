"""A Debian root and the packages to install, made once a machine and kept in the cache; what cannot be made says why.

The root is what debootstrap leaves of Debian 12 with the few packages below: systemd, Python, mosquitto. Nothing of
faceedge is in it. Wheels are made by this environment's Python, so it must be the one that Debian 12 has.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from faceedge.config import cache_dir

SUITE, PYTHON = "bookworm", (3, 11)
MIRROR = "http://deb.debian.org/debian"
PACKAGES = (
    "systemd", "systemd-sysv", "udev", "dbus", "ca-certificates", "python3", "python3-venv", "mosquitto",
    "mosquitto-clients", "procps", "openssl",
)  # fmt: skip
TOOLS = ("cc", "debootstrap", "systemd-nspawn", "nsenter", "mkfs.ext4", "mkfs.xfs", "losetup")
CHECKOUT = Path(__file__).parents[3]
BUILD_S = 600


def why_not() -> str:
    """Why no container can be booted here; empty when one can."""
    if os.geteuid() != 0:
        return "booting a container needs root"
    if missing := [tool for tool in TOOLS if shutil.which(tool) is None]:
        return f"not installed: {', '.join(missing)} (packages gcc, debootstrap, systemd-container, xfsprogs)"
    if sys.version_info[:2] != PYTHON:
        return f"wheels for Debian's Python {PYTHON[0]}.{PYTHON[1]} are made by the same one"
    probe = ["unshare", "--mount", "mount", "-t", "tmpfs", "none", "/tmp"]
    if subprocess.run(probe, capture_output=True, check=False).returncode:
        return "nothing may be mounted here"
    return "" if _root_place().is_dir() or _answers(MIRROR) else f"no Debian root in the cache, and no {MIRROR}"


def root() -> Path:
    """An unpacked Debian that nobody has booted yet; it must not be written to."""
    return _made_once(_root_place(), _bootstrap)


def _root_place() -> Path:
    return cache_dir() / "container" / f"root-{_digest(SUITE, MIRROR, *PACKAGES)}"


def _answers(mirror: str) -> bool:
    try:
        with urllib.request.urlopen(f"{mirror}/dists/{SUITE}/Release", timeout=10) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def dependencies() -> Path:
    """A folder with the wheels of everything that faceedge[cpu] needs, without faceedge."""
    key = _digest((CHECKOUT / "setup.cfg").read_text(encoding="utf-8"), sys.version)

    def build(folder: Path) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            _pip_wheel(folder, f"{source(Path(scratch))}[cpu]")
        for own in folder.glob("faceedge-*.whl"):
            own.unlink()

    return _made_once(cache_dir() / "container" / f"wheels-{key}", build)


def offline(folder: Path, source: Path) -> Path:
    """What `flash_setup.sh --offline` takes: the wheels of the dependencies, and faceedge of `source`."""
    wheels = folder / "wheels"
    wheels.mkdir(parents=True)
    for wheel in dependencies().iterdir():
        os.link(wheel, wheels / wheel.name)
    _pip_wheel(wheels, "--no-deps", str(source))
    return folder


def source(folder: Path, version: str = "", broken: bool = False) -> Path:
    """A copy of the checkout. version: in place of its own. broken: a daemon that leaves as soon as it is started."""
    names = subprocess.run(
        ["git", "-C", CHECKOUT, "ls-files", "-coz", "--exclude-standard"], check=True, capture_output=True, text=True
    )
    for name in filter(None, names.stdout.split("\0")):
        if (CHECKOUT / name).is_file() and name.startswith(
            ("faceedge/", "engines/", "calibration/", "setup.cfg", "pyproject.toml", "README.md")
        ):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(CHECKOUT / name, folder / name)
    if version:
        _edit(folder / "faceedge/__init__.py", r'__version__ = ".*"', f'__version__ = "{version}"')
    if broken:
        _edit(folder / "faceedge/cli/run.py", r"(\n    faulthandler\.enable)", r"\n    raise SystemExit(3)\1")
    return folder


def _edit(path: Path, pattern: str, to: str) -> None:
    text, count = re.subn(pattern, to, path.read_text(encoding="utf-8"), count=1)
    assert count == 1, f"{path} is no longer as this expects"
    path.write_text(text, encoding="utf-8")


def _bootstrap(folder: Path) -> None:
    command = ["debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", SUITE, str(folder), MIRROR]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=BUILD_S)
    assert done.returncode == 0, f"debootstrap: {done.stdout[-600:]}{done.stderr[-600:]}"


def _pip_wheel(folder: Path, *words: str) -> None:
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--disable-pip-version-check",
        "-w",
        str(folder),
        *words,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=BUILD_S)
    assert done.returncode == 0, done.stderr[-1000:]


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


def _made_once(place: Path, make: Callable[[Path], None]) -> Path:
    """That folder, made whole or not at all, by one process at a time."""
    with _alone(place):
        if not place.is_dir():
            scratch = place.with_name(f".{place.name}")
            if scratch.exists():
                shutil.rmtree(scratch)
            scratch.mkdir()
            make(scratch)
            scratch.rename(place)
    return place


@contextmanager
def _alone(place: Path) -> Iterator[None]:
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.with_name(f".{place.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
