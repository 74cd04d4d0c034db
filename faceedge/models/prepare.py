"""A stranger's graph in; its facts, or the files of a package, or how true it has stayed, out. Runs in the child of
`apart.py`."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np

from faceedge.errors import PackageError
from faceedge.files import write_whole
from faceedge.manifest import SelfTest
from faceedge.models import foreign, selftest
from faceedge.models.forms import answers_of, as_it_is, fast_form, with_batch, with_folds
from faceedge.models.graph import Facts, Prepared, read_graph
from faceedge.models.measured import facts_of, picture_size
from faceedge.models.optimise import as_bytes
from faceedge.models.running import Network
from faceedge.package import FAST_GRAPH, GRAPH


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
    source = answers_of(as_bytes(model), width, height, as_written=not quantised)
    noted = SelfTest(width=width, height=height, outputs=selftest.answers(source.alone[0]))
    base, most = with_batch(as_it_is(model, content), source, max_batch)
    plain = base if quantised else with_folds(base, source, most, folder)
    fast, words = (None, ()) if quantised else fast_form(plain, source, most)
    facts = facts_of(foreign.parse(plain.content), plain.content)
    write_whole(folder / GRAPH, plain.content)
    if fast is not None:
        write_whole(folder / FAST_GRAPH, fast.content)
    note = replace(plain, changes=plain.changes + words).noted
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
