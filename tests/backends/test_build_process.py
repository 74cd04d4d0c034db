"""The process that builds: whatever TensorRT does to it, the old plan stays and one line says why."""

from __future__ import annotations

import dataclasses
import json
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from faceedge.backends.build import Build, BuildCancelled, BuildFailed, Order
from faceedge.backends.plan import read_plan
from tests.fakes import plans

pytestmark = pytest.mark.system  # each starts a process

ODD = Path(__file__).parents[1] / "fakes" / "odd_tensorrt"
WAIT_S = 20.0
Odd = Callable[..., Order]


@pytest.fixture
def odd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Odd]:
    """An order whose TensorRT misbehaves in a certain way; an older plan lies in its place, and stays."""
    monkeypatch.syspath_prepend(str(ODD))
    monkeypatch.setenv("FACEEDGE_ODD_NOTES", str(tmp_path / "notes.json"))
    where = plans.kept(tmp_path / "state")
    graph = tmp_path / "model.onnx"
    graph.write_bytes(b"a graph")

    def order(how: str, l4t: str = "36.4.3", **changes: object) -> Order:
        monkeypatch.setenv("FACEEDGE_ODD", how)
        machine = dataclasses.replace(plans.MACHINE, l4t=l4t)
        return dataclasses.replace(Order(graph, where, plans.fingerprint(machine), plans.KEY), **changes)

    yield order
    assert read_plan(where, plans.fingerprint(), plans.KEY).plan == plans.PLAN
    assert not list(where.folder.parent.glob(".build-*"))


def failure(order: Order) -> str:
    with Build.start(order) as build, pytest.raises(BuildFailed) as caught:
        build.result()
    text = str(caught.value)
    assert text.isprintable()
    assert text.startswith("0123456789ab-fp16: the engine was not built: ")
    assert text.endswith("; the engine that was there stays")
    return text


def noted(tmp_path: Path) -> dict:
    """What the child notes, once it has come so far."""
    for _ in range(int(WAIT_S / 0.02)):
        if (tmp_path / "notes.json").exists():
            break
        threading.Event().wait(0.02)
    return json.loads((tmp_path / "notes.json").read_text())


def gone(pid: int) -> bool:
    """Waits for the end of a process that need not be a child."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], WAIT_S)[0])
    finally:
        os.close(descriptor)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("silent", "not built: pybind11::init(): factory function returned nullptr;"),
        ("told", "not built: Internal Error (Could not find any implementation for node {ForeignNode[conv1...conv9]}"),
        ("noise", "not built: Internal Error (Could not find"),
        ("flood", "not built: Internal Error (Could not find"),
        ("crash", "not built: TensorRT crashed (signal 11);"),
        ("killed", "killed, most likely for want of memory; stop cameras, or lower workspace_mib in the recipe;"),
        ("leave", "not built: its process ended with code 3;"),
        ("garble", "answered with what is no answer;"),
        ("endless", "answered with what is no answer;"),
        ("lie", "its plan could not be kept (No such file or directory);"),
    ],
)  # fmt: skip
def test_a_build_that_goes_wrong_says_why(odd: Odd, how: str, words: str) -> None:
    assert words in failure(odd(how))


def test_the_memory_fault_of_l4t_36_4_7_is_named(odd: Odd) -> None:
    text = failure(odd("nvmap", l4t="36.4.7"))
    assert "stop cameras, or lower workspace_mib" in text
    assert "; L4T 36.4.7 refuses large allocations although memory is free; update to L4T 36.5 (JetPack 6.2.2);" in text
    assert "refuses" not in failure(odd("nvmap"))


def test_a_build_that_takes_too_long_is_ended_even_while_it_talks(odd: Odd) -> None:
    for how in ("sit", "chat"):
        assert "it took longer than 1 s" in failure(odd(how, limit_s=1.0))


def test_a_build_is_ended_before_the_memory_is(odd: Odd, tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text("MemTotal: 7800000 kB\nMemAvailable:    204800 kB\n")
    assert "only 200 MB of memory were left; stop cameras" in failure(odd("sit", root=tmp_path))


def test_the_child_is_the_last_to_run_and_the_first_to_die(
    odd: Odd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/systemd/notify")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/run/credentials")
    with Build.start(odd("sit")):
        child = noted(tmp_path)
    assert (child["nice"], child["oom_score_adj"], child["cwd"]) == (max(10, os.getpriority(0, 0)), 900, "/")
    assert not {"NOTIFY_SOCKET", "CREDENTIALS_DIRECTORY"} & set(child["environment"])


def test_a_build_can_be_cancelled_from_another_thread(odd: Odd, tmp_path: Path) -> None:
    with Build.start(odd("hold")) as build:
        threading.Thread(target=lambda: (noted(tmp_path), build.cancel()), name="cancelling").start()
        with pytest.raises(BuildCancelled, match="cancelled"):
            build.result()
        with pytest.raises(BuildCancelled):
            build.result()
    assert gone(noted(tmp_path)["pid"])


def test_a_build_that_is_given_up_leaves_no_process(odd: Odd, tmp_path: Path) -> None:
    with Build.start(odd("sit")):
        child = noted(tmp_path)
    assert gone(child["pid"])


def test_one_build_at_a_time(odd: Odd) -> None:
    order = odd("sit")
    with Build.start(order), pytest.raises(BuildFailed, match="another engine is being built"):
        Build.start(order)
    with Build.start(order) as second:
        second.cancel()


def test_what_a_killed_build_left_is_swept(odd: Odd) -> None:
    order = odd("silent")
    (order.engines / ".build-old").mkdir()
    (order.engines / ".build-old" / "plan").touch()
    failure(order)  # the fixture looks that nothing is left


def test_a_graph_that_was_replaced_is_not_built(odd: Odd) -> None:
    order = odd("told")
    order.graph.write_bytes(b"another graph")
    assert "the graph is not the one that was checked" in failure(order)
    order.graph.unlink()
    assert "a file cannot be read or written (No such file or directory)" in failure(order)


def test_a_tensorrt_that_changed_meanwhile_is_not_used(odd: Odd) -> None:
    order = odd("told")
    newer = plans.fingerprint(dataclasses.replace(plans.MACHINE, tensorrt="10.3.1"))
    assert "TensorRT changed from 10.3.1 to 10.3.0" in failure(dataclasses.replace(order, wanted=newer))


def test_a_state_directory_that_cannot_be_used_is_told_of(odd: Odd, tmp_path: Path) -> None:
    order = odd("told")
    (tmp_path / "file").touch()
    away = dataclasses.replace(order.place, folder=tmp_path / "file" / "engines" / "toy@1")
    with pytest.raises(BuildFailed, match=r"could not be started \((Not a directory|File exists)\)"):
        Build.start(dataclasses.replace(order, place=away))


@pytest.mark.parametrize("how", ["sit", "hold"])
def test_a_build_ends_with_its_parent_even_one_that_holds_the_interpreter(odd: Odd, tmp_path: Path, how: str) -> None:
    order = odd(how)
    script = (
        "import sys; from pathlib import Path; from tests.fakes import plans\n"
        "from faceedge.backends.build import Build, Order\n"
        "order = Order(Path(sys.argv[1]), plans.place(Path(sys.argv[2])), plans.fingerprint(), plans.KEY)\n"
        "Build.start(order).result()\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script, order.graph, order.engines.parent],
        cwd=ODD.parents[2], env=os.environ | {"PYTHONPATH": f"{ODD}:{ODD.parents[2]}"},
    )  # fmt: skip
    child = noted(tmp_path)["pid"]
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    assert gone(child)
    failure(odd("silent"))  # the lock is free again, and what was left is swept
