"""A cage where there can be none says why; one there is holds its ballast, and the kernel's verdict is seen."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from faceedge.chaos import ballast
from faceedge.chaos.ballast import Ballast, Cage, Uncaged, cage
from faceedge.health.cgroup import V1, V2

MIB = 1 << 20
V1_MOUNT = "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
V2_MOUNT = "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"


def machine(root: Path, mounts: str, member: str) -> Path:
    for name, text in (("mountinfo", mounts), ("cgroup", member)):
        (root / "proc/self").mkdir(parents=True, exist_ok=True)
        (root / "proc/self" / name).write_text(text)
    return root


def test_where_nothing_is_mounted_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(Uncaged, match="no memory cgroup is mounted"), cage(64 * MIB, tmp_path):
        pass


def test_where_no_group_can_be_made_it_says_how(tmp_path: Path) -> None:
    machine(tmp_path, V2_MOUNT, "0::/\n")
    (tmp_path / "sys/fs").mkdir(parents=True)
    (tmp_path / "sys/fs/cgroup").write_text("no folder")
    with pytest.raises(Uncaged, match=r"no cgroup can be limited here"), cage(64 * MIB, tmp_path):
        pass


@pytest.mark.parametrize(
    ("mounts", "member", "parent", "limit"),
    [
        (V2_MOUNT, "0::/system.slice/x\n", "sys/fs/cgroup", "memory.max"),
        (V1_MOUNT, "4:memory:/box\n", "sys/fs/cgroup/memory/box", "memory.limit_in_bytes"),
    ],
)
def test_a_group_is_made_where_its_version_allows_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mounts: str, member: str, parent: str, limit: str
) -> None:
    """Folders stand in for the kernel's, which vanish with all that is in them."""
    monkeypatch.setattr(ballast, "_remove", shutil.rmtree)
    machine(tmp_path, mounts, member)
    for folder in ("sys/fs/cgroup/system.slice/x", "sys/fs/cgroup/memory/box"):
        (tmp_path / folder).mkdir(parents=True)
    with cage(64 * MIB, tmp_path) as room:
        assert room.folder.parent == tmp_path / parent
        assert (room.folder / limit).read_text() == str(64 * MIB)
        assert room.around[-1] == str(room.folder / "cgroup.procs")
    assert not room.folder.exists()


def test_kills_are_counted_in_both_versions(tmp_path: Path) -> None:
    (tmp_path / "memory.events").write_text("low 0\nmax 7\noom 1\noom_kill 1\noom_group_kill 0\n")
    (tmp_path / "memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 2\n")
    assert Cage(tmp_path, V2).killed == 1
    assert Cage(tmp_path, V1).killed == 2


@pytest.mark.system
def test_ballast_fills_lets_go_and_dies_of_too_much() -> None:
    try:
        with cage(96 * MIB) as room:
            with Ballast(room, MIB) as held:
                assert held.fill(0.8) == pytest.approx(0.8, abs=0.03)
                assert subprocess.run([*room.around, "true"], check=False).returncode == 0
                held.drop()
                assert room.share < 0.3
                assert room.killed == 0
                held.fill(1.5)
                assert not held.is_alive
            assert room.killed == 1
            folder = room.folder
        assert not folder.exists()
    except Uncaged as why:
        pytest.skip(str(why))
