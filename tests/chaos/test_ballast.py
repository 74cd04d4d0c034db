"""A cage where there can be none says why; one there is holds its ballast, and the kernel's verdict is seen."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from faceedge.chaos.ballast import Ballast, Cage, Uncaged, cage
from faceedge.health.cgroup import V1, V2

MIB = 1 << 20
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


def test_kills_are_counted_in_both_versions(tmp_path: Path) -> None:
    (tmp_path / "memory.events").write_text("low 0\nmax 7\noom 1\noom_kill 1\noom_group_kill 0\n")
    (tmp_path / "memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 2\n")
    assert Cage(tmp_path, V2).killed == 1
    assert Cage(tmp_path, V1).killed == 2


@pytest.mark.system
def test_ballast_fills_lets_go_and_dies_of_too_much() -> None:
    try:
        with cage(96 * MIB) as room:
            with Ballast(room, MIB) as ballast:
                assert ballast.fill(0.8) == pytest.approx(0.8, abs=0.03)
                assert subprocess.run([*room.around, "true"], check=False).returncode == 0
                ballast.drop()
                assert room.share < 0.3
                assert room.killed == 0
                ballast.fill(1.5)
                assert not ballast.is_alive
            assert room.killed == 1
            folder = room.folder
        assert not folder.exists()
    except Uncaged as why:
        pytest.skip(str(why))
