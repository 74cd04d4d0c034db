"""The workbench of a calibration: the engine room of `quantize`, as the search wants it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from faceedge.jobs.calibration.search import Harm, Made
from faceedge.quantize.build import Progress, Quantiser
from faceedge.quantize.collect import Batches
from faceedge.quantize.met import oddities
from faceedge.quantize.options import Method, Options


class Bench:
    """See `search.Workbench`. state: where half-taken ranges lie; it belongs to these pictures.

    Raises PackageError when the graph cannot be quantised.
    """

    def __init__(self, graph: Path, batches: Batches, state: Path, tell: Progress) -> None:
        state.mkdir(mode=0o700, exist_ok=True)
        self._graph, self._batches, self._state = graph, batches, state
        self._quantiser = Quantiser(graph, batches, Options(), state, tell)

    def make(self, target: Path, method: Method, returned: Collection[str]) -> Made:
        """See `Workbench.make`."""
        made = self._quantiser.write(target, returned, method)
        return Made(made.graph, made.kept, made.float_share, made.weights_before, made.weights_after)

    def ranking(self, method: Method) -> Sequence[Harm]:
        """See `Workbench.ranking`."""
        return [Harm(one.node, one.harm, one.share) for one in self._quantiser.ranking(method)]

    def oddities(self, build: Path, gates: Batches) -> tuple[str, ...]:
        """See `Workbench.oddities`."""
        return oddities(self._graph, build, self._batches, gates, self._state)
