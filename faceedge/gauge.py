"""What is measured while the pipeline runs. The pipeline tells, `health/metrics.py` counts."""

from __future__ import annotations

from typing import Protocol


class Gauge(Protocol):
    """What is measured while it runs (`health/metrics.py`). Any thread."""

    def waited(self, queue: str, seconds: float) -> None:
        """One item waited so long in a queue."""
        ...

    def worked(self, stage: str, seconds: float, items: int) -> None:
        """A stage took so long over a batch."""
        ...


class NoGauge:
    """Measures nothing."""

    def waited(self, queue: str, seconds: float) -> None:
        """See Gauge."""

    def worked(self, stage: str, seconds: float, items: int) -> None:
        """See Gauge."""
