"""Finds the facts of a stranger's graph, and makes of it what a package holds. Runs in the child of `apart.py`.

Every form is opened as the engine opens it and compared with the source, run as it is written, before it is kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from faceedge.errors import PackageError
from faceedge.files import write_whole
from faceedge.models import foreign, selftest
from faceedge.models.batch import SAME, freed, holds
from faceedge.models.graph import Facts, Prepared, read_graph
from faceedge.models.measured import facts_of, picture_size
from faceedge.models.optimise import as_bytes, folded
from faceedge.models.prelu import rewritten
from faceedge.models.running import Network, Outputs
from faceedge.models.timing import times_as_fast
from faceedge.package import FAST_GRAPH, GRAPH, Graph, SelfTest
from faceedge.types import Floats

WORTH = 1.1
"""A second graph must be this many times as fast, or it is not kept."""
FEW = 3
ONE_BY_ONE = "answers pictures one at a time: in a batch of them it would answer otherwise"


@dataclass(frozen=True, slots=True)
class Source:
    """The source's own answers. pictures and alone: three of -1..1, each answered alone; probes: these and one of
    0..255, for networks that are used to that."""

    pictures: Sequence[Floats]
    alone: Sequence[Outputs]
    probes: Sequence[tuple[Floats, Outputs]]


@dataclass(frozen=True, slots=True)
class Form:
    """One way to write the network: the graph, its bytes, what was done, the largest difference from the source."""

    model: Any
    content: bytes
    changes: tuple[str, ...]
    difference: float = 0.0

    @property
    def noted(self) -> Graph:
        digest = hashlib.sha256(self.content).hexdigest()
        return Graph(sha256=digest, changes=self.changes, difference=float(f"{self.difference:.2g}"))


def read_facts(path: Path) -> Facts:
    """What the graph is and answers. Raises PackageError, MemoryError."""
    content = read_graph(path)
    return facts_of(foreign.parse(content), content)


def prepare(path: Path, folder: Path, width: int, height: int, max_batch: int) -> Prepared:
    """See `apart.prepare`."""
    content = read_graph(path)
    model = foreign.parse(content)
    width, height = picture_size(model, width, height)
    quantised = foreign.is_quantised(model)
    source = _answers(as_bytes(model), width, height, as_written=not quantised)
    noted = SelfTest(width=width, height=height, outputs=selftest.answers(source.alone[0]))
    base, most = _with_batch(model, content, source, max_batch)
    plain = base if quantised else _folded(base, source, most, folder)
    fast, words = (None, ()) if quantised else _fast(plain, source, most)
    facts = facts_of(foreign.parse(plain.content), plain.content)
    write_whole(folder / GRAPH, plain.content)
    if fast is not None:
        write_whole(folder / FAST_GRAPH, fast.content)
    note = Form(plain.model, plain.content, plain.changes + words, plain.difference).noted
    digest = hashlib.sha256(content).hexdigest()
    return Prepared(note, fast.noted if fast else None, noted, most, facts, digest)


def try_graph(path: Path, noted: SelfTest, max_batch: int) -> float:
    """See `apart.try_graph`."""
    content = read_graph(path)
    foreign.parse(content)
    network = Network(content)
    pictures = [selftest.tensor(image) for image in selftest.others(selftest.picture(noted.width, noted.height))]
    worst = selftest.deviation_from_noted(noted, network.run_one(pictures[0]))
    if max_batch > 1:
        order = [pictures[0], *(pictures[1 + place % 2] for place in range(max_batch - 2)), pictures[0]]
        together = network.run(np.concatenate(order))
        for place in (0, max_batch - 1):
            member = {name: values[place : place + 1] for name, values in together.items()}
            worst = max(worst, selftest.deviation_from_noted(noted, member))
    if not np.isfinite(worst):
        raise PackageError("answers the self-test picture with numbers that are none; add the package again")
    return worst


def _answers(content: bytes, width: int, height: int, *, as_written: bool) -> Source:
    network = Network(content, as_written=as_written)
    image = selftest.picture(width, height)
    pictures = [selftest.tensor(one) for one in selftest.others(image)]
    alone = [network.run_one(picture) for picture in pictures]
    probes = list(zip(pictures, alone, strict=True))
    bright = np.ascontiguousarray(image.transpose(2, 0, 1)[None], np.float32)
    answered = network.run_one(bright)
    if all(np.isfinite(values).all() for values in answered.values()):
        probes.append((bright, answered))
    return Source(pictures, alone, probes)


def _with_batch(model: Any, content: bytes, source: Source, max_batch: int) -> tuple[Form, int]:
    """The graph with a free batch and the number of pictures that it takes at once."""
    fixed = Network(content).batch
    as_it_is = Form(model, content, ())
    candidates = freed(model, fixed) if fixed else iter([(model, ())])
    for candidate, changes in candidates if max_batch > 1 else ():
        form = _compared(candidate, content if not changes else as_bytes(candidate), changes, source, max_batch)
        if form is not None:
            return form, max_batch
    if fixed > 1:
        raise PackageError(
            f"takes {fixed} pictures at once and no other number; export it with a batch of 1 or a free one"
        )
    alone = _compared(model, content, (), source, 1) or as_it_is
    return Form(model, content, (ONE_BY_ONE,) if max_batch > 1 else (), alone.difference), 1


def _folded(base: Form, source: Source, most: int, scratch: Path) -> Form:
    found = folded(base.model, scratch)
    if found is None:
        return base
    model, words = found
    return _compared(model, as_bytes(model), base.changes + words, source, most) or base


def _fast(plain: Form, source: Source, most: int) -> tuple[Form | None, tuple[str, ...]]:
    """The form for ONNX Runtime, or why there is none in words."""
    found = rewritten(plain.model)
    if found is None:
        return None, ()
    model, words = found
    form = _compared(model, as_bytes(model), plain.changes + words, source, most)
    if form is None:
        return None, ("PReLU left as it is: rewritten, it answered otherwise",)
    times = times_as_fast(Network(form.content), Network(plain.content), source.pictures[0])
    if times < WORTH:
        return None, (f"PReLU left as it is: rewritten, it was {times:.2f} times as fast",)
    measured = f"{times:.1f} times as fast as {GRAPH} on one thread, where it was added"
    return Form(model, form.content, (*form.changes, measured), form.difference), ()


def _compared(model: Any, content: bytes, changes: tuple[str, ...], source: Source, most: int) -> Form | None:
    """The form with its difference from the source; None when that is too large, alone or in a batch."""
    try:
        network = Network(content)
        apart = [selftest.deviation_of_all(outputs, network.run_one(picture)) for picture, outputs in source.probes]
        counts = sorted({min(FEW, most), most}) if most > 1 else []
        same = max(apart) <= SAME and all(holds(network, source.pictures, source.alone, count) for count in counts)
    except PackageError:
        return None
    return Form(model, content, changes, max(apart)) if same else None
