"""How short of memory a machine is, from /proc and /sys as real kernels write them."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceedge.health.cgroup import OwnGroup
from faceedge.health.pressure import Pressure, PressureGauge, _mapped

MIB = 1 << 20
V2_MOUNT = "30 23 0:26 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
V1_MOUNTS = """31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd
"""
V1_GROUPS = "9:name=systemd:/\n4:memory:/box/door\n2:cpu,cpuacct:/\n"
HYBRID_MOUNT = "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n"
NO_LIMIT = "9223372036854771712\n"
GARBAGE = ["", "max\n", "-5\n", "²\n", "9" * 5000, "\0\0\n", "12 34\n"]


def put(root: Path, **files: str) -> Path:
    """Files below root; `__` in a name stands for a slash, `_dot_` for a dot."""
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def meminfo(total: int, available: int, more: str = "") -> str:
    return f"MemTotal: {total:>12} kB\nMemFree: 1 kB\nMemAvailable: {available} kB\nHugePages_Total: 0\n{more}"


def group(root: Path, folder: str, **files: str) -> None:
    put(root, **{f"sys/fs/cgroup{folder}/{name}": text for name, text in files.items()})


def v2(root: Path, own: str = "/system.slice/faceedge.service") -> Path:
    return put(root, proc__self__mountinfo=V2_MOUNT, proc__self__cgroup=f"0::{own}\n")


def v1(root: Path, own: str = V1_GROUPS, mounts: str = V1_MOUNTS) -> Path:
    return put(root, proc__self__mountinfo=mounts, proc__self__cgroup=own)


def limits(used_mib: float, max_mib: float | None, high_mib: float | None = None, stat: str = "") -> dict[str, str]:
    """Files of one v2 group."""
    told = {name: "max\n" if mib is None else f"{int(mib * MIB)}\n" for name, mib in
            (("memory_dot_max", max_mib), ("memory_dot_high", high_mib))}  # fmt: skip
    return {"memory_dot_current": f"{int(used_mib * MIB)}\n", "memory_dot_stat": stat, **told}


def limits_v1(used_mib: int, limit: str, stat: str = "") -> dict[str, str]:
    return {"memory_dot_usage_in_bytes": f"{used_mib * MIB}\n", "memory_dot_limit_in_bytes": limit,
            "memory_dot_stat": stat}  # fmt: skip


def test_used_is_what_is_not_available(tmp_path: Path) -> None:
    put(tmp_path, proc__meminfo=meminfo(1000, 380))
    assert PressureGauge(tmp_path).read() == Pressure(0.62, "memory 62 %")


def test_nvmap_counts_where_the_kernel_tells_it(tmp_path: Path) -> None:
    put(tmp_path, proc__meminfo=meminfo(1000, 900, "NvMapMemUsed:     700 kB\n"))
    assert PressureGauge(tmp_path).read() == Pressure(0.7, "NvMap 70 %")


def test_where_nothing_can_be_read_nothing_is_known(tmp_path: Path) -> None:
    assert PressureGauge(tmp_path).read() is None


@pytest.mark.parametrize(("avg10", "share"), [("0.00", 0.0), ("5.00", 0.4), ("10.00", 0.8), ("20.00", 0.92),
                                              ("40.00", 1.0), ("100.00", 1.0)])  # fmt: skip
def test_stalls_become_pressure(tmp_path: Path, avg10: str, share: float) -> None:
    some = f"some avg10={avg10} avg60=0.00 avg300=0.00 total=0\n"
    put(tmp_path, proc__pressure__memory=f"{some}full avg10=99.00 avg60=0 avg300=0 total=0\n")
    read = PressureGauge(tmp_path).read()
    assert read is not None
    assert read.share == pytest.approx(share)
    assert read.source == f"stalls {float(avg10):.0f} %"


@given(st.floats(0, 100), st.floats(0, 100))
def test_more_stalls_are_never_less_pressure(one: float, other: float) -> None:
    less, more = sorted((one, other))
    assert 0 <= _mapped(less) <= _mapped(more) <= 1


@pytest.mark.parametrize(
    "text", ["", "some\n", "some avg10=x\n", "some avg10=nan\n", "some avg10=-1\n", "full avg10=9\n"]
)
def test_stalls_that_nobody_counts_have_no_say(tmp_path: Path, text: str) -> None:
    put(tmp_path, proc__pressure__memory=text)
    assert PressureGauge(tmp_path).read() is None


def test_the_worst_of_all_counts(tmp_path: Path) -> None:
    v2(tmp_path)
    group(tmp_path, "/system.slice/faceedge.service", **limits(84, 100))
    put(tmp_path, proc__meminfo=meminfo(1000, 900), proc__pressure__memory="some avg10=1.00 avg60=0 avg300=0 total=0\n")
    assert PressureGauge(tmp_path).read() == Pressure(0.84, "cgroup 84 %")


def test_a_slice_above_may_be_tighter_than_the_own_group(tmp_path: Path) -> None:
    v2(tmp_path)
    group(tmp_path, "/system.slice/faceedge.service", **limits(10, 100))
    group(tmp_path, "/system.slice", **limits(60, 80))
    assert OwnGroup(tmp_path).share() == pytest.approx(0.75)


def test_where_the_kernel_throttles_is_a_limit_too(tmp_path: Path) -> None:
    v2(tmp_path)
    group(tmp_path, "/system.slice/faceedge.service", **limits(45, 100, 50))
    assert OwnGroup(tmp_path).share() == pytest.approx(0.9)


def test_the_first_version_writes_a_huge_number_where_there_is_no_limit(tmp_path: Path) -> None:
    v1(tmp_path)
    group(tmp_path, "/memory/box/door", **limits_v1(90, NO_LIMIT))
    assert OwnGroup(tmp_path).share() is None


def test_a_group_without_a_limit_has_no_say(tmp_path: Path) -> None:
    v2(tmp_path)
    group(tmp_path, "/system.slice/faceedge.service", **limits(45, None))
    assert OwnGroup(tmp_path).share() is None


def test_files_that_nobody_has_mapped_are_given_back_and_mapped_ones_are_not(tmp_path: Path) -> None:
    v2(tmp_path)
    sizes = {"inactive_file": 10, "active_file": 20, "file_mapped": 15, "slab_reclaimable": 5}
    stat = "".join(f"{name} {mib * MIB}\n" for name, mib in sizes.items())
    group(tmp_path, "/system.slice/faceedge.service", **limits(90, 100, stat=stat))
    assert OwnGroup(tmp_path).share() == pytest.approx(0.90 - 0.15 - 0.05)


def test_inside_a_cgroup_namespace_the_mount_is_the_own_group(tmp_path: Path) -> None:
    v2(tmp_path, own="/")
    group(tmp_path, "", **limits(30, 100))
    assert OwnGroup(tmp_path).share() == pytest.approx(0.3)


def test_a_process_outside_its_namespace_sees_what_is_mounted(tmp_path: Path) -> None:
    v2(tmp_path, own="/../../elsewhere")
    put(tmp_path, **{f"sys/elsewhere/{name}": text for name, text in limits(99, 100).items()})
    group(tmp_path, "", **limits(30, 100))
    assert OwnGroup(tmp_path).share() == pytest.approx(0.3)


def test_a_container_sees_its_own_group_at_the_mount(tmp_path: Path) -> None:
    mounts = V1_MOUNTS.replace("0:32 / /sys", "0:32 /docker/abc /sys")
    v1(tmp_path, "4:memory:/docker/abc/inner\n", mounts)
    group(tmp_path, "/memory", **limits_v1(30, f"{100 * MIB}\n"))
    group(tmp_path, "/memory/inner", **limits_v1(30, f"{40 * MIB}\n"))
    assert OwnGroup(tmp_path).share() == pytest.approx(0.75)


def test_the_first_version_names_things_otherwise(tmp_path: Path) -> None:
    v1(tmp_path)
    stat = f"inactive_file 0\ntotal_inactive_file {20 * MIB}\ntotal_active_file 0\ntotal_mapped_file 0\n"
    group(tmp_path, "/memory/box/door", **limits_v1(90, f"{100 * MIB}\n", stat))
    group(tmp_path, "/memory/box", **limits_v1(90, NO_LIMIT))
    group(tmp_path, "/memory", **limits_v1(5000, NO_LIMIT))
    assert OwnGroup(tmp_path).share() == pytest.approx(0.7)


def test_on_a_hybrid_system_the_version_with_a_memory_controller_counts(tmp_path: Path) -> None:
    v1(tmp_path, V1_GROUPS + "0::/init.scope\n", V1_MOUNTS + HYBRID_MOUNT)
    group(tmp_path, "/unified/init.scope", cgroup_dot_procs="1\n")
    group(tmp_path, "/memory/box/door", **limits_v1(50, f"{100 * MIB}\n"))
    assert OwnGroup(tmp_path).share() == pytest.approx(0.5)


def test_whoever_is_moved_to_another_group_is_found_there(tmp_path: Path) -> None:
    v2(tmp_path, own="/one")
    group(tmp_path, "/one", **limits(10, 100))
    group(tmp_path, "/two", **limits(20, 100))
    own = OwnGroup(tmp_path)
    assert own.share() == pytest.approx(0.1)
    v2(tmp_path, own="/two")
    assert own.share() == pytest.approx(0.2)


@pytest.mark.parametrize("mess", GARBAGE)
@pytest.mark.parametrize("name", ["memory_dot_current", "memory_dot_max"])
def test_a_garbled_group_has_no_say(tmp_path: Path, name: str, mess: str) -> None:
    v2(tmp_path)
    group(tmp_path, "/system.slice/faceedge.service", **limits(50, 100) | {name: mess})
    assert OwnGroup(tmp_path).share() is None


@pytest.mark.parametrize("mess", ["", "0::\n", ":::\n", "garbage\n", "0::/gone\n"])
def test_a_garbled_membership_has_no_say(tmp_path: Path, mess: str) -> None:
    put(v2(tmp_path), proc__self__cgroup=mess)
    assert OwnGroup(tmp_path).share() is None


@pytest.mark.parametrize("mess", ["", "x\n", "1 2 3 - cgroup2\n", "30 23 0:26 / /nowhere rw - cgroup2 cgroup2 rw\n"])
def test_garbled_mounts_have_no_say(tmp_path: Path, mess: str) -> None:
    put(v2(tmp_path), proc__self__mountinfo=mess)
    assert OwnGroup(tmp_path).share() is None


def test_a_mount_that_may_not_be_looked_into_has_no_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    v2(tmp_path)
    group(tmp_path, "/system.slice/faceedge.service", **limits(90, 100))

    def forbidden(path: object, **_: object) -> os.stat_result:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    gauge = PressureGauge(tmp_path)
    with monkeypatch.context() as kernel:
        kernel.setattr(os, "stat", forbidden)
        assert gauge.read() is None


def test_this_very_machine_can_be_read() -> None:
    read = PressureGauge().read()
    assert read is not None
    assert 0 <= read.share <= 1
