"""The forms of one network: free batch, folded, rewritten for ONNX Runtime. Runs in the child of `apart.py`.

Every form is opened as the engine opens it and compared with the source, run as it is written, before it is kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from faceedge.errors import PackageError
from faceedge.manifest import Graph
from faceedge.models import selftest
from faceedge.models.batch import SAME, freed, holds
from faceedge.models.optimise import as_bytes, folded
from faceedge.models.prelu import rewritten
from faceedge.models.running import Network, Outputs
from faceedge.models.timing import times_as_fast
from faceedge.package import GRAPH
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


def answers_of(content: bytes, width: int, height: int, *, as_written: bool) -> Source:
    """What the network answers. as_written: without ONNX Runtime's own optimisations. Raises PackageError."""
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


def as_it_is(model: Any, content: bytes) -> Form:
    """The source's own bytes, unless ONNX Runtime reads another input from them than from the cleaned graph."""
    with suppress(PackageError):
        if Network(content).shape == Network(as_bytes(model)).shape:
            return Form(model, content, ())
    return Form(model, as_bytes(model), ("sizes of 0 or less made free",))


def with_batch(source: Form, answers: Source, max_batch: int) -> tuple[Form, int]:
    """The graph with a free batch where it may have one, and the number of pictures that it takes at once."""
    fixed = Network(source.content).batch
    for form in _candidates(source, fixed) if max_batch > 1 else ():
        if tried := _compared(form, answers, max_batch):
            return tried, max_batch
    if fixed > 1:
        raise PackageError(f"takes {fixed} pictures at once and no other number; export it with a free batch")
    difference = _difference(Network(source.content), answers)
    if not np.isfinite(difference):
        raise PackageError("answers with numbers that are none once ONNX Runtime has optimised it; export it again")
    words = (ONE_BY_ONE,) if max_batch > 1 else ()
    return replace(source, changes=source.changes + words, difference=difference), 1


def _candidates(source: Form, fixed: int) -> Iterator[Form]:
    if not fixed:
        yield source
        return
    for model, words in freed(source.model, fixed):
        yield Form(model, as_bytes(model), source.changes + words)


def with_folds(base: Form, source: Source, most: int, scratch: Path) -> Form:
    """The form with constants and batch-norms folded, or `base` where that is not the same or not worth it."""
    found = folded(base.model, scratch)
    if found is None:
        return base
    model, words = found
    return _compared(Form(model, as_bytes(model), base.changes + words), source, most) or base


def fast_form(plain: Form, source: Source, most: int) -> tuple[Form | None, tuple[str, ...]]:
    """The form for ONNX Runtime, or why there is none in words."""
    found = rewritten(plain.model)
    if found is None:
        return None, ()
    model, words = found
    form = _compared(Form(model, as_bytes(model), plain.changes + words), source, most)
    if form is None:
        return None, ("PReLU left as it is: rewritten, it answered otherwise",)
    times = times_as_fast(Network(form.content), Network(plain.content), source.pictures[0])
    if times < WORTH:
        return None, (f"PReLU left as it is: rewritten, it was {times:.2f} times as fast",)
    measured = f"{times:.1f} times as fast as {GRAPH} on one thread, where it was added"
    return replace(form, changes=(*form.changes, measured)), ()


def _compared(form: Form, source: Source, most: int) -> Form | None:
    """The form with its difference from the source; None when that is too large, alone or in a batch."""
    try:
        network = Network(form.content)
        difference = _difference(network, source)
        counts = sorted({min(FEW, most), most}) if most > 1 else []
        same = difference <= SAME and all(holds(network, source.pictures, source.alone, count) for count in counts)
    except PackageError:
        return None
    return replace(form, difference=difference) if same else None


def _difference(network: Network, source: Source) -> float:
    return max(selftest.deviation_of_all(outputs, network.run_one(picture)) for picture, outputs in source.probes)
