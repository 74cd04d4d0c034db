"""What Prometheus is told: how long every step takes, and what was counted. Its own registry for every daemon.

Histograms are observed while the pipeline runs (`gauge.Gauge`), everything else is read when somebody asks
(`Sources`). Labels are names from the configuration, of threads and of outcomes; nobody's person is in them.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from prometheus_client import CollectorRegistry, Histogram, Metric, ProcessCollector, disable_created_metrics
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

Labels = tuple[str, ...]
Event = dict[str, Any]
Readings: TypeAlias = Mapping[str, Mapping[Labels, float | None]]
"""By name of ASKED, then by the values of its labels; None where it is not known."""

WORK_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
LATENCY_S = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75, 1.0, 2.0)
"""The deadline of a decision, 0.5 s, is one of the bounds."""
SIZES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)

COUNTED: tuple[tuple[str, str, str, Labels], ...] = (
    (r"(frames|shots)_(passed|dropped|late)", "items", "Items of a queue, by what became of them.", ("queue", "fate")),
    (r"late_(detect|crops|recognise|publish)_(old|slow)", "late",
     "Work that was dropped because it could not be decided in time, by place and reason.", ("place", "reason")),
    (r"decision_(\w+)", "decisions", "Decisions, by outcome.", ("outcome",)),
    (r"judged_(grant|review|deny)_(\w+)", "reasons", "Decisions, by outcome and reason.", ("outcome", "reason")),
    (r"grant_(\w+)", "grants", "Grants, by what became of them.", ("verdict",)),
    (r"governor_(less|more)_(\w+)", "governor_steps", "What was given up or taken back, and how often.",
     ("direction", "step")),
    (r"(.+)_faults", "faults", "Times that a thread failed and went on.", ("thread",)),
    (r"(.+)", "events", "Everything else that the state counts.", ("what",)),
)  # fmt: skip
"""How the flat counters of the state become families: expression, name, meaning, labels. The first that fits."""

FROM_THE_START = (
    *(f"decision_{outcome}" for outcome in ("grant", "review", "deny")),
    *(f"grant_{verdict}" for verdict in ("opened", "refused", "lost", "unsent")),
)
"""Counters that are 0 before anything has counted: of one that begins at 1 nobody sees the first step."""

ASKED: Mapping[str, tuple[str, Labels]] = {
    "build_info": ("1, with the version of the program.", ("version",)),
    "queue_items": ("Items that wait in a queue.", ("queue",)),
    "camera_ok": ("1 while nothing is told to be wrong with a camera.", ("camera",)),
    "camera_poor": ("1 while faces of a camera are graded much worse than usual.", ("camera",)),
    "controller_answering": ("1 while a controller asks for grants.", ("door", "controller")),
    "controller_state": ("1 for the state that is believed of a controller, 0 for the others.",
                         ("door", "controller", "state")),
    "broker_connected": ("1 while there is a connection to the broker.", ()),
    "outbox_items": ("Events that the broker has not taken yet.", ()),
    "journal_ok": ("1 while the journal can be written; without it nothing is granted.", ()),
    "lockdown": ("1 while all doors are locked by command.", ()),
    "safe_mode": ("1 while the sections that worked last are in use.", ()),
    "too_slow": ("1 while this machine takes longer than a decision may.", ()),
    "clock_synchronized": ("1 while the clock is set by the network; absent where nobody can tell.", ()),
    "state_free_bytes": ("Free space where databases and keys lie.", ()),
    "pressure_ratio": ("How short of memory the machine is, 0 to 1.", ()),
    "governor_step": ("Rungs that were given up because the machine is short of something.", ()),
    "governor_batch": ("Most members of one batch at this moment.", ()),
    "temperature_celsius": ("The warmest place of the machine.", ()),
    "power_watts": ("What the whole board draws.", ()),
}  # fmt: skip
"""What is read when somebody asks: name, meaning, labels."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Asked at every scrape, by its thread."""

    counters: Callable[[], Mapping[str, int]] = dict
    readings: Callable[[], Readings] = dict


class Metrics:
    """Make one for every daemon; `sources` may be set when there is something to read. Any thread observes."""

    def __init__(self) -> None:
        # A switch of the library for the whole process: no second series `…_created` beside each of ours.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.sources = Sources()
        self.registry = CollectorRegistry()
        self._waits = self._histogram("queue_wait_seconds", "How long an item waited in a queue.", WORK_S, "queue")
        self._works = self._histogram("stage_seconds", "How long a stage took over a batch.", WORK_S, "stage")
        self._sizes = self._histogram("batch_size", "Members of a batch.", SIZES, "stage")
        self._decisions = self._histogram(
            "decision_seconds", "From the picture to the decision; `left`: a refusal made when somebody had left.",
            LATENCY_S, "outcome",
        )  # fmt: skip
        self._verdicts = self._histogram(
            "verdict_seconds", "From the picture to the verdict about a grant.", LATENCY_S, "verdict"
        )
        self._children: dict[tuple[Histogram, str], Histogram] = {}
        ProcessCollector(registry=self.registry)
        self.registry.register(_Asked(self))

    def waited(self, queue: str, seconds: float) -> None:
        """See `gauge.Gauge`."""
        self._of(self._waits, queue).observe(seconds)

    def worked(self, stage: str, seconds: float, items: int) -> None:
        """See `gauge.Gauge`."""
        self._of(self._works, stage).observe(seconds)
        self._of(self._sizes, stage).observe(items)

    def decided(self, outcome: str, seconds: float) -> None:
        """A decision was made so long after its picture was taken."""
        self._of(self._decisions, outcome).observe(seconds)

    def hearing(self, tell: Callable[[Event], None]) -> Callable[[Event], None]:
        """The same listener, after this one has heard what became of grants."""

        def heard(event: Event) -> None:
            if event.get("event") == "decision" and event["verdict"] is not None and event["latency_ms"] is not None:
                self._of(self._verdicts, event["verdict"]).observe(event["latency_ms"] / 1000)
            tell(event)

        return heard

    def _histogram(self, name: str, meaning: str, buckets: tuple[float, ...], label: str) -> Histogram:
        return Histogram(f"faceedge_{name}", meaning, (label,), buckets=buckets, registry=self.registry)

    def _of(self, histogram: Histogram, label: str) -> Histogram:
        """One look into a dictionary: `labels` of the library takes a lock and is several times as slow."""
        child = self._children.get((histogram, label))
        if child is None:
            child = self._children[histogram, label] = histogram.labels(label)
        return child


class _Asked:
    """Families that are made of what is true when somebody asks."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def describe(self) -> Iterator[Metric]:
        """All of them, without samples; also keeps the registry from asking at the start."""
        for _, name, meaning, labels in COUNTED:
            yield CounterMetricFamily(f"faceedge_{name}", meaning, labels=labels)
        for name, (meaning, labels) in ASKED.items():
            yield GaugeMetricFamily(f"faceedge_{name}", meaning, labels=labels)

    def collect(self) -> Iterator[Metric]:
        """With samples."""
        sources = self._metrics.sources
        samples: dict[str, dict[Labels, float]] = defaultdict(dict)
        for counter, value in {**dict.fromkeys(FROM_THE_START, 0), **sources.counters()}.items():
            name, labels = counted(counter)
            samples[name][labels] = value
        for name, readings in sources.readings().items():
            samples[name] = {at: float(value) for at, value in readings.items() if value is not None}
        for family in self.describe():
            for label_values, sample in samples[family.name.removeprefix("faceedge_")].items():
                if math.isfinite(sample):
                    family.add_metric(label_values, sample)  # type: ignore[attr-defined]
            yield family


def counted(counter: str) -> tuple[str, Labels]:
    """Family and labels of a flat counter of the state."""
    for expression, name, _, _ in COUNTED:
        if found := re.fullmatch(expression, counter):
            return name, found.groups()
    raise AssertionError("the last expression fits everything")
