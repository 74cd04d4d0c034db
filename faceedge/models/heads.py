"""Which of a graph's outputs is which: by name, else by shape, else by the usual order. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from faceedge.backends.base import TensorSpec

STRIDES = (8, 16, 32)
MIN_DIMENSION = 32


@dataclass(frozen=True, slots=True)
class Heads:
    """names: what the family calls an output -> what the graph calls it, where the two differ. said: assumptions."""

    family: str
    names: dict[str, str]
    said: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Head:
    """An output of a family: its columns, and the stride of its rows (0: the rows of all strides)."""

    name: str
    columns: int
    stride: int = 0


def _pyramid(**columns: int) -> tuple[_Head, ...]:
    return tuple(_Head(f"{name}_{stride}", width, stride) for name, width in columns.items() for stride in STRIDES)


FAMILIES: dict[str, tuple[_Head, ...]] = {
    "yunet": _pyramid(cls=1, obj=1, bbox=4, kps=10),
    "scrfd": _pyramid(score=1, bbox=4, kps=10),
    "retinaface": (_Head("bbox", 4), _Head("cls", 2), _Head("landmark", 10)),
}


def detector_heads(outputs: Sequence[TensorSpec], family: str = "") -> Heads | None:
    """The detector family whose outputs these are, or whether they are those of `family`; None when they are not."""
    for name, heads in FAMILIES.items():
        if family in ("", name) and (found := _matched(name, heads, outputs)):
            return found
    return None


def recognizer_heads(outputs: Sequence[TensorSpec]) -> Heads | None:
    """One embedding [n, d], beside it perhaps one number a face; outputs of other ranks are left aside."""
    flat = [spec for spec in outputs if len(spec.shape) == 2]
    wide = [spec for spec in flat if spec.shape[1] >= MIN_DIMENSION]
    narrow = [spec for spec in flat if spec.shape[1] == 1]
    if len(wide) != 1 or len(narrow) > 1 or len(wide) + len(narrow) != len(flat):
        return None
    called = {"embedding": wide[0].name} | ({"temperature": narrow[0].name} if narrow else {})
    said = [f"left output {spec.name} aside: a recogniser has none of its kind" for spec in outputs if spec not in flat]
    if narrow and narrow[0].name != "temperature":
        said.append(f"assumed that {narrow[0].name} is a temperature: one number a face beside the embedding")
    return Heads("embedding", _different(called), tuple(said))


def _matched(family: str, heads: Sequence[_Head], outputs: Sequence[TensorSpec]) -> Heads | None:
    if {head.name for head in heads} <= {spec.name for spec in outputs}:
        return Heads(family, {})
    if len(heads) != len(outputs) or any(len(spec.shape) not in (2, 3) for spec in outputs):
        return None
    called: dict[str, str] = {}
    said = []
    for columns in sorted({head.columns for head in heads}):
        slots = [head for head in heads if head.columns == columns]
        found = [spec for spec in outputs if spec.shape[-1] == columns]
        if len(slots) != len(found):
            return None
        if len(slots) > 1 and all(spec.shape[-2] > 0 for spec in found):
            slots, found = sorted(slots, key=lambda head: head.stride), sorted(found, key=lambda spec: -spec.shape[-2])
            if not _falls_by_four(slots, found):
                return None
        elif len(slots) > 1:
            said.append(
                f"assumed the order {', '.join(head.name for head in slots)}: the shapes do not tell them apart"
            )
        called |= {head.name: spec.name for head, spec in zip(slots, found, strict=True)}
    if not any(head.stride for head in heads) and len({spec.shape[-2] for spec in outputs} - {-1}) > 1:
        return None
    if family == "yunet":
        said.append("assumed that cls comes before obj: the shapes do not tell them apart")
    return Heads(family, _different(called), tuple(said))


def _falls_by_four(slots: Sequence[_Head], found: Sequence[TensorSpec]) -> bool:
    """Half the cells along each side from one stride to the next: a quarter of the rows."""
    rows = [spec.shape[-2] * head.stride**2 for head, spec in zip(slots, found, strict=True)]
    return len(set(rows)) == 1


def _different(called: dict[str, str]) -> dict[str, str]:
    return {ours: theirs for ours, theirs in called.items() if ours != theirs}
