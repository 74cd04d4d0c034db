"""500 plans and sidecars that are truncated, altered or foreign: none is loaded, none crashes anything, each is told of
in one line and set aside, and none comes near TensorRT.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from faceedge.backends import guarded, plan
from faceedge.backends.guarded import engines_key, mac
from faceedge.backends.plan import Place, fingerprint_of, read_plan
from tests.fakes import plans
from tests.fakes.hostile import damaged

pytestmark = pytest.mark.system
Pair = tuple[str, bytes, bytes]
"""What is wrong, the plan, the sidecar."""


class Tripwire:
    """In TensorRT's place."""

    def __getattr__(self, name: str) -> object:
        raise AssertionError(f"tensorrt.{name} was asked for")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setitem(sys.modules, "tensorrt", Tripwire())
    return tmp_path


def whole(state: Path, **changes: object) -> tuple[bytes, bytes]:
    where = plans.kept(state, **changes)
    return where.plan.read_bytes(), where.sidecar.read_bytes()


def altered(good: tuple[bytes, bytes]) -> Iterator[Pair]:
    """200 plans and 150 sidecars, damaged at random."""
    content, sidecar = good
    for number, bad in enumerate(itertools.islice(_changed(content, 1), 200)):
        yield f"damaged plan {number}", bad, sidecar
    for number, bad in enumerate(itertools.islice(_changed(sidecar, 2), 150)):
        yield f"damaged sidecar {number}", content, bad


def _changed(content: bytes, seed: int) -> Iterator[bytes]:
    return (bad for bad in damaged(content, 400, seed) if bad != content)


def foreign(state: Path, good: tuple[bytes, bytes]) -> Iterator[Pair]:
    """100 that are whole, and were made for something else or by somebody else."""
    rng = random.Random(3)
    machines = [{"tensorrt": "10.16.2"}, {"cuda": "13.2"}, {"l4t": "36.4.7"}, {"module": "p3767-0004"}]
    for number, change in enumerate(machines):
        wanted = plans.fingerprint(dataclasses.replace(plans.MACHINE, **change))
        yield f"machine {number}", *whole(state / f"machine{number}", wanted=wanted)
    for number in range(32):
        other = engines_key(rng.randbytes(32))
        yield f"key {number}", *whole(state / f"key{number}", key=other)
        yield f"sidecar of key {number}", good[0], whole(state / f"key{number}", key=other)[1]
    for number in range(16):
        graph = fingerprint_of(plans.BUILD, f"{number:064x}", plans.options(), plans.MACHINE)
        build = fingerprint_of(f"{number:012x}", plans.fingerprint().graph_sha256, plans.options(), plans.MACHINE)
        yield f"graph {number}", *whole(state / f"graph{number}", wanted=graph)
        yield f"build {number}", *whole(state / f"build{number}", wanted=build)


def forged(good: tuple[bytes, bytes]) -> Iterator[Pair]:
    """50 sidecars by somebody who knows the form, but not the key; the plan is what they want to run."""
    evil, (head, body) = b"\x7fELF" + bytes(100), good[1].split(b"\n", 1)
    told = json.loads(good[1])["sidecar"]
    told |= {"plan_bytes": len(evil), "plan_sha256": plan.hashlib.sha256(evil).hexdigest()}
    fresh = b'"sidecar": ' + json.dumps(told).encode() + b"}\n"
    yield "old signature, new body", evil, head + b"\n" + fresh
    yield "no signature", evil, b"{" + fresh
    yield "old body in upper case", good[0], head.upper() + b"\n" + body
    yield "signature with an empty key", evil, _signed(b"", fresh)
    yield "signature with the device key itself", evil, _signed(bytes(range(32)), fresh)
    yield "signature as a timing cache", evil, _signed(plans.KEY, fresh, b"faceedge-timing-1")
    yield "signature over the first line", evil, _signed(plans.KEY, head + b"\n" + fresh, after=fresh)
    yield "truncated signature", evil, b'{"mac": "' + head[9:40] + b'",\n' + fresh
    yield "two signatures", evil, head + b"\n" + head + b"\n" + fresh
    yield "deep", evil, head + b"\n" + b'{"a":' * 10_000
    yield "number", evil, head + b"\n" + b'"sidecar": ' + b"9" * 60_000 + b"}"
    yield "large", evil, head + b"\n" + b" " * 70_000 + fresh
    yield "blank", b"", b""
    rng = random.Random(4)
    for number in range(37):
        yield f"guess {number}", evil, b'{"mac": "' + rng.randbytes(32).hex().encode() + b'",\n' + fresh


def _signed(key: bytes, body: bytes, kind: bytes = b"faceedge-plan-1", after: bytes = b"") -> bytes:
    return b'{"mac": "' + mac(key, kind, body).hex().encode() + b'",\n' + (after or body)


@contextmanager
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Names of the files that are opened."""
    names: list[str] = []
    real = guarded.open_own

    def noting(path: Path, most: int) -> object:
        names.append(path.suffix)
        return real(path, most)

    with monkeypatch.context() as patched:
        patched.setattr(guarded, "open_own", noting)
        yield names


def lay(where: Place, content: bytes, sidecar: bytes) -> None:
    for path, held in ((where.plan, content), (where.sidecar, sidecar)):
        path.write_bytes(held)
        path.chmod(0o600)


def test_500_bad_plans_are_refused_in_one_line_each(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = whole(folder / "good")
    where = plans.kept(folder / "state")
    pairs = [*altered(good), *foreign(folder, good), *forged(good)]
    assert len({what for what, _, _ in pairs}) == len(pairs) == 500
    reasons = set()
    for what, content, sidecar in pairs:
        lay(where, content, sidecar)
        with opened(monkeypatch) as names:
            reading = read_plan(where, plans.fingerprint(), plans.KEY)
        assert reading.plan is None, what
        assert reading.reason.isprintable(), what
        assert len(reading.reason) <= 400, what
        assert names[0] == ".json", what
        if "altered, or signed" in reading.reason:
            assert names == [".json"], f"{what}: the plan was opened although its sidecar is nobody's"
        assert not os.path.lexists(where.plan), what
        assert not os.path.lexists(where.sidecar), what
        reasons.add(reading.reason)
    assert len(plans.aside(where)) == 2 * guarded.BAD_KEPT
    lay(where, *good)
    assert read_plan(where, plans.fingerprint(), plans.KEY).plan == good[0]
    assert len(reasons) > 5


def test_a_good_pair_survives_all_the_bad_ones_beside_it(folder: Path) -> None:
    where = plans.kept(folder)
    for number, odd in enumerate(["x.plan", "x.json", f"{where.plan.name}.bad-x", f"{where.plan.name}.bad-", ".json"]):
        (where.folder / odd).write_bytes(bytes([number]))
    assert read_plan(where, plans.fingerprint(), plans.KEY).plan == plans.PLAN
