"""Files that are not what they should be: damaged, foreign, made to hurt. Everything follows from a seed."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import random
import zipfile
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import cv2
import numpy as np
from onnx import TensorProto, helper, numpy_helper

from tests.fakes import graphs

node = helper.make_node
ODD_NAME = "w\n\x1b]0;owned\x07"
Damage = Callable[[bytes, random.Random], bytes]


def truncated(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(len(content))]


def flipped(content: bytes, rng: random.Random) -> bytes:
    """One to 64 bits."""
    changed = bytearray(content)
    for _ in range(2 ** rng.randrange(7)):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def flipped_in_structure(content: bytes, rng: random.Random) -> bytes:
    """Bits among the first bytes, where operators and names are rather than weights."""
    head = min(len(content), 4096)
    return flipped(content[:head], rng) + content[head:]


def overwritten(content: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(content))
    size = min(len(content) - start, rng.randrange(1, 512))
    block = rng.choice([bytes(size), b"\xff" * size, rng.randbytes(size)])
    return content[:start] + block + content[start + size :]


def holed(content: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(content))
    return content[:start] + content[start + rng.randrange(1, 64) :]


def grown(content: bytes, rng: random.Random) -> bytes:
    return content + rng.choice([rng.randbytes(4096), content, content[: len(content) // 2], b"\x0a" * 100_000])


def doubled_inside(content: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(content))
    return content[:start] + content[start : start + 256] * 2 + content[start + 256 :]


DAMAGES: tuple[Damage, ...] = (
    truncated, flipped, flipped_in_structure, overwritten, holed, flipped, truncated, grown, flipped_in_structure,
    doubled_inside,
)  # fmt: skip


def damaged(content: bytes, count: int, seed: int) -> Iterator[bytes]:
    """`count` files that differ from `content`, all kinds of damage in turn."""
    rng = random.Random(seed)
    for number in range(count):
        changed = content
        while changed == content:
            changed = DAMAGES[number % len(DAMAGES)](content, rng)
        yield changed


@cache
def foreign() -> dict[str, bytes]:
    """What people have at hand and name .onnx."""
    rng = random.Random(4)
    image = np.zeros((40, 40, 3), np.uint8)
    archive, arrays = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(archive, "w") as pages:
        pages.writestr("archive/data.pkl", pickle.dumps({"weights": list(range(100))}))
    np.savez(arrays, weights=np.zeros((10, 10)))
    files = {
        "png": cv2.imencode(".png", image)[1].tobytes(), "jpeg": cv2.imencode(".jpg", image)[1].tobytes(),
        "pytorch": archive.getvalue(), "numpy": arrays.getvalue(), "pickle": pickle.dumps({"a": [1.0] * 100}),
        "gzip": gzip.compress(b"a network" * 100, mtime=0), "elf": b"\x7fELF\x02\x01\x01" + bytes(200),
        "tflite": b"\x1c\x00\x00\x00TFL3" + bytes(200), "engine": b"ftrt" + rng.randbytes(400),
        "json": json.dumps({"nodes": list(range(100))}).encode(), "html": b"<!doctype html><title>404</title>" * 5,
        "lfs": b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"a" * 64 + b"\nsize 232589\n",
        "toml": b'name = "yunet"\nversion = "1"\n' * 3, "param": b"7767517\n75 83\nInput data 0 1 data\n" * 5,
        "zeros": bytes(1000), "ones": b"\xff" * 1000, "spaces": b" " * 1000, "newlines": b"\n" * 1000,
        "utf16": "a network, but in words".encode("utf-16") * 10, "nothing": b"",
    }  # fmt: skip
    return files | {f"noise-{number}": rng.randbytes(50 * 3**number) for number in range(10)}


@cache
def crafted() -> dict[str, bytes]:
    """Graphs that ask for much, for ever, or for what they must not have."""
    made: dict[str, Any] = {
        "zeros-1e12": _sum_of(node("ConstantOfShape", ["size"], ["big"]), size=[10**6, 10**6]),
        "zeros-overflow": _sum_of(node("ConstantOfShape", ["size"], ["big"]), size=[2**40, 2**40]),
        "expand": _sum_of(node("Expand", ["one", "size"], ["big"]), size=[10**4, 10**4, 10**4]),
        "tile": _sum_of(node("Tile", ["one", "size"], ["big"]), size=[10**12]),
        "range": _sum_of(node("Range", ["first", "last", "one_number"], ["big"]), size=[1]),
        "eye": _sum_of(node("EyeLike", ["square"], ["big"]), size=[1]),
        "resize-1e6": _resize(1e6), "resize-nan": _resize(float("nan")), "resize-inf": _resize(float("inf")),
        "resize-negative": _resize(-1.0), "pads": _pads(2**31), "pads-negative": _pads(-(2**40)),
        "kernel": _conv([10**6, 10**6], [1, 1]), "strides-zero": _conv([3, 3], [0, 0]),
        "strides-huge": _conv([3, 3], [2**62, 2**62]), "group-zero": _conv([3, 3], [1, 1], group=0),
        "group-huge": _conv([3, 3], [1, 1], group=2**40), "matmul": _matmul(60_000),
        "chain": _chain(4_000), "doubling": _doubling(60), "nested": _nested(90), "deep": _deep(150),
        "circle": graphs.model([node("Add", ["x", "y"], ["a"]), node("Relu", ["a"], ["y"])]),
        "twice": graphs.model([node("Relu", ["x"], ["y"]), node("Sigmoid", ["x"], ["y"])]),
        "long-names": graphs.model([node("Relu", ["x"], ["y"], name="n" * 5_000_000)]),
        "odd-names": graphs.model([node("Rel\n\x1b[31mu", ["x"], ["y"], domain="do\r\nmain")]),
        "odd-weights": graphs.model([node("Add", ["x", ODD_NAME], ["y"])], {ODD_NAME: np.zeros(7)}),
        "text": graphs.model([node("Constant", [], ["y"], value_string="t" * 1_000_000)]),
        "nan-weights": graphs.model([node("Add", ["x", "w"], ["y"])], {"w": np.full(1, np.nan, np.float32)}),
        "gather": graphs.model([node("Gather", ["x", "far"], ["y"])], {"far": np.array([2**40], np.int64)}),
        "empty": graphs.model([node("Slice", ["x", "none", "none", "axes"], ["y"])],
                              {"none": np.zeros(1, np.int64), "axes": np.array([2], np.int64)}),
    }  # fmt: skip
    return {name: one if isinstance(one, bytes) else one.SerializeToString() for name, one in made.items()}


def _sum_of(maker: Any, size: list[int]) -> Any:
    constants = {
        "size": np.array(size, np.int64), "one": np.ones(1, np.float32), "first": np.array(0.0, np.float32),
        "last": np.array(1e12, np.float32), "one_number": np.array(1.0, np.float32),
        "square": np.ones((1, 1), np.float32),
    }  # fmt: skip
    used = {name: constants[name] for name in maker.input}
    nodes = [maker, node("ReduceSum", ["big"], ["sum"], keepdims=0), node("Add", ["x", "sum"], ["y"])]
    return graphs.model(nodes, used)


def _resize(factor: float) -> Any:
    scales = {"scales": np.array([1, 1, factor, factor], np.float32)}
    return graphs.model([node("Resize", ["x", "", "scales"], ["y"], mode="nearest")], scales)


def _pads(size: int) -> Any:
    return graphs.model(
        [node("Pad", ["x", "pads"], ["y"])], {"pads": np.array([0, 0, size, 0, 0, 0, 0, size], np.int64)}
    )


def _conv(kernel: list[int], strides: list[int], group: int = 1) -> Any:
    weights = {"w": graphs.numbers(3, 3, 3, 3)}
    return graphs.model([node("Conv", ["x", "w"], ["y"], kernel_shape=kernel, strides=strides, group=group)], weights)


def _matmul(size: int) -> Any:
    nodes = [
        node("Reshape", ["x", "column"], ["c"]), node("Tile", ["c", "wide"], ["a"]),
        node("MatMul", ["a", "a"], ["m"]), node("ReduceMax", ["m"], ["y"]),
    ]  # fmt: skip
    constants = {"column": np.array([-1, 1], np.int64), "wide": np.array([size // 3072, size], np.int64)}
    return graphs.model(nodes, constants)


def _chain(count: int) -> Any:
    names = ["x", *(f"v{number}" for number in range(count - 1)), "y"]
    return graphs.model([node("Sigmoid", [names[n]], [names[n + 1]]) for n in range(count)])


def _doubling(count: int) -> Any:
    """Each operator's output is twice as long as its input."""
    names = ["x", *(f"v{number}" for number in range(count - 1)), "y"]
    return graphs.model([node("Concat", [names[n]] * 2, [names[n + 1]], axis=2) for n in range(count)])


def _nested(count: int) -> Any:
    """Branches in branches, as deep as a reader of protobuf may go."""
    body = helper.make_graph([node("Identity", ["x"], ["b"])], "body", [], [graphs.value("b")])
    for _ in range(count // 4):
        inner = node("If", ["yes"], ["b"], then_branch=body, else_branch=body)
        body = helper.make_graph([inner], "body", [], [graphs.value("b")])
        if len(body.SerializeToString()) > 1 << 20:
            break
    yes = {"yes": np.array(True)}
    return graphs.model([node("If", ["yes"], ["y"], then_branch=body, else_branch=body)], yes)


def _deep(count: int) -> bytes:
    """Deeper than a reader of protobuf may go: graph, node, attribute, graph …"""
    content = b""
    for field in (b"\x3a", *(b"\x0a", b"\x2a", b"\x32") * count):
        content = field + _length(len(content)) + content
    return b"\x08\x08\x42\x04\x0a\x00\x10\x11" + content


def _length(size: int) -> bytes:
    """A protobuf length."""
    found = bytearray()
    while size > 127:
        found.append(size & 127 | 128)
        size >>= 7
    return bytes(found) + bytes([size])


def external(path: str) -> bytes:
    """Weights that are to be read from another file."""
    made = graphs.recognizer()
    tensor = made.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=path)
    return bytes(made.SerializeToString())


def swollen(name: str, sizes: list[int]) -> bytes:
    """A constant that says it is far larger than its bytes."""
    made = graphs.recognizer()
    tensor = next(one for one in made.graph.initializer if one.name == name)
    assert numpy_helper.to_array(tensor).size
    del tensor.dims[:]
    tensor.dims.extend(sizes)
    return bytes(made.SerializeToString())
