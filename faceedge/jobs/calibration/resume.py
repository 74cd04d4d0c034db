"""Workbench and judge with a memory on disk: an interrupted calibration does not do again what it had finished."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict
from pathlib import Path

from faceedge.jobs.calibration.gates import Judge, Judged
from faceedge.jobs.calibration.search import Harm, Made, Workbench
from faceedge.jobs.calibration.state import Steps, key_of
from faceedge.quantize.collect import Batches
from faceedge.quantize.gates import Verdict
from faceedge.quantize.options import Method


class RememberedBench:
    """See `Workbench`. begin: opens the real one, at the first thing that is not remembered. key: of set and graph."""

    def __init__(self, begin: Callable[[], Workbench], steps: Steps, key: str) -> None:
        self._begin = begin
        self._steps = steps
        self._key = key
        self._bench: Workbench | None = None

    def make(self, target: Path, method: Method, returned: Collection[str]) -> Made:
        """See `Workbench.make`."""
        key = key_of(self._key, method, sorted(returned))
        target = target.with_name(f"graph-{key}.onnx")
        known = self._steps.get("made", key)
        if known is not None and _digest(target) == known["sha256"]:
            kept = tuple((node, why) for node, why in known["made"].pop("kept"))
            return Made(graph=target, kept=kept, **known["made"])
        made = self._opened().make(target, method, returned)
        plain = {name: value for name, value in asdict(made).items() if name != "graph"}
        self._steps.put("made", key, {"sha256": _digest(made.graph), "made": plain})
        return made

    def ranking(self, method: Method) -> Sequence[Harm]:
        """See `Workbench.ranking`."""
        key = key_of(self._key, method)
        known = self._steps.get("ranking", key)
        if known is None:
            known = [asdict(harm) for harm in self._opened().ranking(method)]
            self._steps.put("ranking", key, known)
        return [Harm(**row) for row in known]

    def oddities(self, build: Path, gates: Batches) -> tuple[str, ...]:
        """See `Workbench.oddities`."""
        key = key_of(self._key, _digest(build))
        known = self._steps.get("oddities", key)
        if known is None:
            known = self._opened().oddities(build, gates)
            self._steps.put("oddities", key, known)
        return tuple(known)

    def _opened(self) -> Workbench:
        if self._bench is None:
            self._bench = self._begin()
        return self._bench


class RememberedJudge:
    """See `Judge`. Remembers verdicts only; `whole` measures again. key: of the gates and what they see."""

    def __init__(self, judge: Judge, steps: Steps, key: str) -> None:
        self._judge = judge
        self._steps = steps
        self._key = key

    def judge(self, graph: Path, oddities: Sequence[str] = ()) -> Judged:
        """See `Judge.judge`."""
        key = key_of(self._key, _digest(graph), list(oddities))
        known = self._steps.get("verdict", key)
        if known is not None:
            return Judged(Verdict.model_validate(known), None)
        judged = self._judge.judge(graph, oddities)
        self._steps.put("verdict", key, judged.verdict.model_dump(mode="json"))
        return judged

    def whole(self, graph: Path, judged: Judged) -> Judged:
        """The same with everything that was measured."""
        return judged if judged.seen is not None else self._judge.judge(graph, judged.verdict.oddities)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
