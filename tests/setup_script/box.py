"""A made-up machine: a folder for its disk, and stand-ins for the programs that scripts/flash_setup.sh calls."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
SCRIPT = CHECKOUT / "scripts/flash_setup.sh"
SHIM = Path(__file__).with_name("shim.sh")
PROGRAMS = (
    "python3", "id", "runuser", "install", "df", "dpkg-query", "apt-get", "nvpmodel", "timedatectl", "timeout",
    "getent", "chown", "chgrp", "chmod", "sync", "sleep", "udevadm", "systemctl", "systemd-sysusers",
    "systemd-tmpfiles", "userdel", "groupdel", "date", "mv", "ln", "rm", "cp", "touch", "mkdir",
)  # fmt: skip
FLAGS = ("--yes", "--camera", "/dev/video0", "--door", "main")
ORIN_NANO = "NVIDIA Jetson Orin Nano Developer Kit"
JETPACK_6_2_2 = "# R36 (release), REVISION: 5.0, GCID: 1, BOARD: generic, EABI: aarch64, DATE: x\n"


class Box:
    """module: the device tree's model, none off a Jetson. release: the text of /etc/nv_tegra_release."""

    def __init__(self, folder: Path, module: str = ORIN_NANO, release: str = JETPACK_6_2_2) -> None:
        self.root, self.fake, self._bin = folder / "root", folder / "fake", folder / "bin"
        for place in (self.fake, self._bin, *(self.root / name for name in ("opt", "var/lib", "var/cache", "dev"))):
            place.mkdir(parents=True)
        for program in PROGRAMS:
            (self._bin / program).symlink_to(SHIM)
        (self.fake / "packages").touch()
        self.environ: dict[str, str] = {}
        self.write("run/systemd/system/there", "")
        self.write("dev/video0", "")
        self.write("usr/local/cuda/bin/nvcc", "")
        (self.root / "usr/local/cuda/bin/nvcc").chmod(0o755)
        if module:
            self.write("proc/device-tree/model", f"{module}\0")
        if release:
            self.write("etc/nv_tegra_release", release)

    def write(self, path: str, text: str) -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    def setup(self, *words: str, kill_at: int = 0) -> subprocess.CompletedProcess[str]:
        """The whole script. kill_at: the plug is pulled at this call of a program."""
        if kill_at:
            (self.fake / "calls").write_text("")
        return self._bash([str(SCRIPT), *words], {"KILL_AT": str(kill_at) if kill_at else ""})

    def call(self, code: str, *options: str, answers: str = "") -> subprocess.CompletedProcess[str]:
        """Functions of the script, after it has read these options and looked at the board. answers: typed by somebody
        who sits at a terminal; without any nobody does."""
        begin = 'source "$0"; parse_options "$@"; open_log; detect_board; OPT="$ROOT/opt/faceedge"'
        prelude = f'{begin}; RELEASE=1.0; VERSION=1.0; VENV="$OPT/1.0"'
        words = ["-c", f"{prelude}; {code}", str(SCRIPT), *options]
        if not answers:
            return self._bash(words, {"FACEEDGE_SETUP_SOURCED": "1"})
        keyboard, terminal = os.openpty()
        try:
            os.write(keyboard, answers.encode())
            return self._bash(words, {"FACEEDGE_SETUP_SOURCED": "1"}, terminal)
        finally:
            os.close(keyboard)
            os.close(terminal)

    def _bash(
        self, words: list[str], more: dict[str, str], stdin: int = subprocess.DEVNULL
    ) -> subprocess.CompletedProcess[str]:
        environ = {
            "PATH": f"{self._bin}:/usr/bin:/bin", "FACEEDGE_ROOT": str(self.root), "FAKE": str(self.fake),
            "REAL_PYTHON": sys.executable, "LC_ALL": "C", "HOME": "/nowhere", **more, **self.environ,
        }  # fmt: skip
        return subprocess.run(
            ["bash", *words], env=environ, stdin=stdin, capture_output=True, text=True, check=False,
            start_new_session=True, timeout=60,
        )  # fmt: skip

    def calls(self) -> int:
        """How many programs the last run with `kill_at` has called."""
        return len((self.fake / "calls").read_text().splitlines())

    def twin(self, folder: Path) -> Box:
        """Another machine with the same disk; changes of one are not seen by the other."""
        other = Box(folder)
        for ours, theirs in ((self.root, other.root), (self.fake, other.fake)):
            shutil.rmtree(theirs)
            shutil.copytree(ours, theirs, symlinks=True)
        return other

    def log(self) -> str:
        return (self.root / "var/log/faceedge-setup.log").read_text(encoding="utf-8")

    def called(self, program: str) -> list[str]:
        """The words of each call of a program."""
        lines = (self.fake / "log").read_text(encoding="utf-8").splitlines()
        return [line.partition(" ")[2] for line in lines if line.partition(" ")[0] == program]

    def manifest(self) -> dict[str, str]:
        """Every file, folder and link below the root, with mode and content; the log grows, and is left out."""
        found: dict[str, str] = {}
        for folder, folders, files in os.walk(self.root):
            for name in (*folders, *files):
                path = Path(folder) / name
                inside = str(path.relative_to(self.root))
                if not inside.startswith(("var/log", "run/")):
                    found[inside] = _facts(path)
        return found


def _facts(path: Path) -> str:
    mode = f"{path.lstat().st_mode:o}"
    if path.is_symlink():
        return f"{mode} -> {os.readlink(path)}"
    return mode if path.is_dir() else f"{mode} {hashlib.sha256(path.read_bytes()).hexdigest()}"
