"""Strangers' graphs are worked on in another process, which is bounded, knows no secrets and leaves nothing behind."""

from __future__ import annotations

import hashlib
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper

from faceedge.errors import MissingExtra, PackageError
from faceedge.models import workshop
from faceedge.models.apart import Workshop, prepare, read_facts, try_graph
from faceedge.package import FAST_GRAPH, GRAPH
from tests.fakes import graphs

node = helper.make_node
GB = 1 << 30


@pytest.fixture(scope="module")
def shop() -> Iterator[Workshop]:
    with Workshop(limit_s=30) as open_shop:
        yield open_shop


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def gone(process: int, within_s: float = 10) -> bool:
    try:
        handle = os.pidfd_open(process)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], within_s)[0])
    finally:
        os.close(handle)


def process_of(shop: Workshop) -> int:
    assert shop._process is not None
    return shop._process.pid


def test_a_prepared_package_passes_its_own_self_test(shop: Workshop, tmp_path: Path) -> None:
    source = graphs.saved(graphs.recognizer(1), tmp_path / "source.onnx")
    made = prepare(source, tmp_path, width=32, height=32, max_batch=8, shop=shop)
    assert made.max_batch == 8
    assert made.source_sha256 == digest(source)
    assert made.plain.sha256 == digest(tmp_path / GRAPH) == made.facts.sha256
    assert 0 < made.plain.difference < 1e-4
    assert try_graph(tmp_path / GRAPH, made.selftest, 8, shop) < 1e-4
    assert read_facts(tmp_path / GRAPH, shop) == made.facts
    assert (made.fast is not None) == (tmp_path / FAST_GRAPH).exists()


def test_the_same_source_gives_the_same_bytes(shop: Workshop, tmp_path: Path) -> None:
    source = graphs.saved(graphs.recognizer(1), tmp_path / "source.onnx")
    digests = set()
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        made = prepare(source, tmp_path / name, width=32, height=32, max_batch=4, shop=shop)
        digests.add((made.plain.sha256, digest(tmp_path / name / GRAPH)))
    assert len(digests) == 1


def test_another_network_fails_the_self_test(shop: Workshop, tmp_path: Path) -> None:
    source = graphs.saved(graphs.recognizer(), tmp_path / "source.onnx")
    made = prepare(source, tmp_path, width=32, height=32, max_batch=1, shop=shop)
    other = graphs.recognizer()
    weights = np.frombuffer(other.graph.initializer[0].raw_data, np.float32) * np.float32(1.1)
    other.graph.initializer[0].raw_data = weights.tobytes()
    assert try_graph(graphs.saved(other, tmp_path / "other.onnx"), made.selftest, 1, shop) > 1e-3
    with pytest.raises(PackageError, match="no output 'embedding', which its self-test expects"):
        try_graph(graphs.saved(graphs.detector(1), tmp_path / "other.onnx"), made.selftest, 1, shop)


def test_whole_networks_keep_their_rounding(shop: Workshop, tmp_path: Path) -> None:
    nodes = [
        node("QuantizeLinear", ["x", "scale", "zero"], ["q"]), node("DequantizeLinear", ["q", "scale", "zero"], ["y"]),
    ]  # fmt: skip
    constants = {"scale": np.array(0.1, np.float32), "zero": np.array(128, np.uint8)}
    source = graphs.saved(graphs.model(nodes, constants), tmp_path / "source.onnx")
    made = prepare(source, tmp_path, width=32, height=32, max_batch=4, shop=shop)
    assert made.facts.quantised
    assert made.fast is None
    assert made.plain.sha256 == made.source_sha256


def test_a_refusal_names_the_file_in_one_line(shop: Workshop, tmp_path: Path) -> None:
    path = tmp_path / "bad\n\x1b[31mname.onnx"
    path.write_bytes(b"not a graph at all, but some text")
    with pytest.raises(PackageError) as caught:
        read_facts(path, shop)
    text = str(caught.value)
    assert text.isprintable()
    assert "bad" in text
    assert "is not an ONNX file, or is damaged; fetch or export it again" in text


def hungry() -> Any:
    """A few bytes that ask for 4 TB."""
    nodes = [node("ConstantOfShape", ["size"], ["big"]), node("ReduceSum", ["big"], ["sum"], keepdims=0),
             node("Add", ["x", "sum"], ["y"])]  # fmt: skip
    return graphs.model(nodes, {"size": np.array([10**6, 10**6], np.int64)})


def endless() -> Any:
    """Convolutions that take hours on a picture of 32x32, and little memory."""
    nodes = [node("Resize", ["x", "", "scales"], ["v0"], mode="nearest")]
    nodes += [node("Conv", [f"v{n}", "w"], [f"v{n + 1}"], kernel_shape=[31, 31], pads=[15] * 4) for n in range(2000)]
    nodes.append(node("ReduceMax", ["v2000"], ["y"], axes=[2, 3], keepdims=1))
    constants = {"scales": np.array([1, 1, 32, 32], np.float32), "w": graphs.numbers(3, 3, 31, 31, scale=1e-3)}
    return graphs.model(nodes, constants)


def test_a_graph_that_wants_all_the_memory_is_refused(shop: Workshop, tmp_path: Path) -> None:
    with pytest.raises(PackageError, match="wants more than 4 GB of memory"):
        read_facts(graphs.saved(hungry(), tmp_path / "hungry.onnx"), shop)


def test_a_process_without_room_is_told_as_that(tmp_path: Path) -> None:
    source = graphs.saved(graphs.recognizer(), tmp_path / "source.onnx")
    with Workshop(memory_bytes=1 << 20) as tight, pytest.raises(PackageError, match=r"memory|crashes") as caught:
        read_facts(source, tight)
    assert str(caught.value).isprintable()


def test_a_full_disk_is_not_blamed_on_the_file(shop: Workshop, tmp_path: Path) -> None:
    source = graphs.saved(graphs.recognizer(1), tmp_path / "source.onnx")
    with pytest.raises(PackageError, match=r"source.onnx: what is made of it cannot be written \(.+\); mend that or"):
        prepare(source, tmp_path / "absent", width=32, height=32, max_batch=1, shop=shop)


@pytest.mark.system
def test_a_graph_that_does_not_end_is_ended_and_the_next_is_served(tmp_path: Path) -> None:
    slow = graphs.saved(endless(), tmp_path / "slow.onnx")
    with Workshop(limit_s=2) as hasty:
        with pytest.raises(PackageError, match="took longer than 2 s"):
            read_facts(slow, hasty)
        assert read_facts(graphs.saved(graphs.detector(), tmp_path / "good.onnx"), hasty).opset == 17


@pytest.mark.system
def test_after_its_process_was_killed_the_next_file_is_served(tmp_path: Path) -> None:
    good = graphs.saved(graphs.detector(), tmp_path / "good.onnx")
    with Workshop() as killed:
        read_facts(good, killed)
        os.killpg(process_of(killed), signal.SIGKILL)
        assert gone(process_of(killed))
        assert read_facts(good, killed).opset == 17


@pytest.mark.system
def test_at_the_end_no_process_is_left(tmp_path: Path) -> None:
    with Workshop() as short:
        read_facts(graphs.saved(graphs.detector(), tmp_path / "good.onnx"), short)
        process = process_of(short)
    assert gone(process)


WAITING = """
import sys
from pathlib import Path
from faceedge.models.apart import Workshop, read_facts
with Workshop() as shop:
    read_facts(Path(sys.argv[1]), shop)
    print(shop._process.pid, flush=True)
    read_facts(Path(sys.argv[2]), shop)
"""


@pytest.mark.system
def test_when_the_caller_is_killed_its_process_goes_too(tmp_path: Path) -> None:
    paths = [str(graphs.saved(graphs.detector(), tmp_path / "good.onnx"))]
    paths.append(str(graphs.saved(endless(), tmp_path / "slow.onnx")))
    with subprocess.Popen([sys.executable, "-c", WAITING, *paths], stdout=subprocess.PIPE, text=True) as caller:
        assert caller.stdout is not None
        process = int(caller.stdout.readline())
        caller.kill()
    assert gone(process)


def test_the_process_is_given_no_secrets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FACEEDGE__BROKER__PASSWORD", "secret")
    with Workshop() as kept:
        read_facts(graphs.saved(graphs.detector(), tmp_path / "good.onnx"), kept)
        environ = Path(f"/proc/{process_of(kept)}/environ").read_bytes()
    assert b"PATH=" in environ
    assert b"ORT_DISABLE_TELEMETRY=1" in environ
    assert b"FACEEDGE" not in environ


def test_where_no_process_can_be_started_that_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(workshop.sys, "executable", str(tmp_path / "nothing"))
    with pytest.raises(PackageError, match="no process can be started"):
        read_facts(graphs.saved(graphs.detector(), tmp_path / "good.onnx"))


@pytest.mark.parametrize("absent", ["onnx", "onnxruntime"])
def test_without_its_library_the_extra_is_named(absent: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(workshop, "find_spec", lambda name: None if name == absent else object())
    good = graphs.saved(graphs.detector(), tmp_path / "good.onnx")
    with pytest.raises(MissingExtra, match=rf"{absent} is not installed; install the extra"):
        read_facts(good)


@pytest.mark.parametrize("told", ["not json", "{}x", '{"value": 1, "more": 2}', '{"value": {"opset": "many"}}', "[]"])
def test_an_answer_that_is_none_is_refused(told: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As if the graph had taken over the process that reads it."""
    monkeypatch.setattr(workshop, "_START", f"import sys; sys.stdin.readline(); print({told!r}, flush=True)")
    good = graphs.saved(graphs.detector(), tmp_path / "good.onnx")
    with pytest.raises(PackageError, match="crashes the libraries that read it") as caught:
        read_facts(good)
    assert str(caught.value).isprintable()


def test_a_refusal_cannot_carry_terminal_codes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    told = json.dumps({"refused": "is fine\r\x1b[2J\nreally" + "!" * 10_000})
    monkeypatch.setattr(workshop, "_START", f"import sys; sys.stdin.readline(); print({told!r}, flush=True)")
    with pytest.raises(PackageError) as caught:
        read_facts(graphs.saved(graphs.detector(), tmp_path / "good.onnx"))
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) <= 400


def test_an_answer_without_end_is_cut(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(workshop, "_START", "import sys\nwhile True: sys.stdout.write('x' * 65536)")
    with pytest.raises(PackageError, match="crashes the libraries"):
        read_facts(graphs.saved(graphs.detector(), tmp_path / "good.onnx"))
