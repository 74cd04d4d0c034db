"""Plans for tests: an imaginary Jetson, a recipe, and pairs that lie where they should."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from faceedge.backends.guarded import engines_key
from faceedge.backends.machine_facts import Machine
from faceedge.backends.plan import BuildOptions, Fingerprint, Place, fingerprint_of, keep_plan, place_of

KEY = engines_key(bytes(range(32)))
BUILD = "0123456789ab"
MACHINE = Machine(
    "10.3.0", "12.6", "36.4.3", "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit (p3767-0005)", "25W"
)
PLAN = b"ptrt" + bytes(range(256)) * 64


def options(**changes: Any) -> BuildOptions:
    made = {"precision": "fp16", "profile": {"x": ((1, 3, 8, 8), (2, 3, 8, 8), (4, 3, 8, 8))}, "workspace_mib": 64}
    return BuildOptions.model_validate(made | changes)


def fingerprint(machine: Machine = MACHINE, graph: bytes = b"a graph", **changes: Any) -> Fingerprint:
    return fingerprint_of(BUILD, hashlib.sha256(graph).hexdigest(), options(**changes), machine)


def place(state: Path, label: str = "toy@1") -> Place:
    return place_of(state, label, BUILD, "fp16")


def kept(state: Path, content: bytes = PLAN, key: bytes = KEY, wanted: Fingerprint | None = None) -> Place:
    """A plan as a build leaves it."""
    where = place(state)
    state.mkdir(exist_ok=True)
    fresh = state / "fresh"
    fresh.write_bytes(content)
    keep_plan(where, fresh, wanted or fingerprint(), key, MACHINE.power_mode)
    return where


def aside(where: Place) -> list[str]:
    """Names of what was set aside, in order."""
    return sorted(path.name for path in where.folder.glob("*.bad-*"))
