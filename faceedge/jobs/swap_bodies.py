"""What the journal, and whoever waits, are told of a swap that has ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from faceedge.jobs.swap import Order, Step, Swapped
from faceedge.manifest import Role


def swapped_body(order: Order, done: Swapped) -> dict[str, Any]:
    """For the journal and whoever waits: what serves now, and by whose order."""
    return {
        "done": "rolled_back" if done.is_return else "activated",
        "role": done.role,
        "package": done.label,
        "build": done.package.build if done.package else None,
        "before": done.before,
        "by": order.by,
        "embedded": done.embedded,
        "unknown": done.unknown,
        **({"report": dict(done.report)} if done.report else {}),
        **({"accepted_worse": order.accept_worse} if order.accept_worse else {}),
        **({"why": done.remark} if done.remark else {}),
    }


def failed_body(order: Order, role: Role | None, step: Step, why: str, report: Mapping[str, Any]) -> dict[str, Any]:
    """The same of an order that came to nothing. role: as far as it is known."""
    return {
        "done": "failed",
        "role": role,
        "package": order.name,
        "by": order.by,
        "step": step,
        "why": why,
        **({"report": dict(report)} if report else {}),
    }
