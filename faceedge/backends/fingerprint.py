"""What a plan is made from and for, as data: the recipe's options, the versions, the module. Pure; for builders and
readers of plans.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from faceedge.backends.machine_facts import Machine
from faceedge.errors import EngineError, one_line
from faceedge.manifest import SHA256, Line, Part

STRONG_FROM = (10, 12)
"""NVIDIA calls strong typing complete from here on; 11 knows nothing else."""
Precision = Literal["fp32", "fp16", "int8"]
Typing = Literal["weak", "strong"]


def _in_order(shapes: tuple[tuple[int, ...], ...]) -> tuple[tuple[int, ...], ...]:
    low, best, high = shapes
    if not len(low) == len(best) == len(high) or not all(1 <= a <= b <= c for a, b, c in zip(*shapes, strict=True)):
        raise ValueError("not smallest, usual and largest shape of one rank")
    return shapes


Shape = Annotated[tuple[Annotated[int, Field(ge=1, le=1 << 20)], ...], Field(max_length=8)]
Shapes = Annotated[tuple[Shape, Shape, Shape], AfterValidator(_in_order)]


class BuildOptions(Part):
    """What a recipe decides. profile: input -> its smallest, usual and largest shape."""

    precision: Precision
    profile: dict[Line, Shapes] = Field(min_length=1, max_length=16)
    workspace_mib: int = Field(256, ge=1, le=1 << 20)
    optimisation_level: int = Field(3, ge=0, le=5)


class Fingerprint(Part):
    """All that a plan depends on. build: the package's; graph_sha256: of the ONNX file that TensorRT reads."""

    build: Line
    graph_sha256: str = Field(pattern=SHA256)
    options: BuildOptions
    typing: Typing
    tensorrt: Line
    cuda: Line
    l4t: Line
    module: Line


def fingerprint_of(build: str, graph_sha256: str, options: BuildOptions, machine: Machine) -> Fingerprint:
    """What a plan of this graph would be built as on this machine."""
    return Fingerprint(
        build=build, graph_sha256=graph_sha256, options=options, typing=typing_of(machine.tensorrt),
        tensorrt=machine.tensorrt, cuda=machine.cuda, l4t=machine.l4t, module=machine.module,
    )  # fmt: skip


def typing_of(version: str) -> Typing:
    """Weak typing takes its precision from flags of the builder, strong typing from the graph."""
    return "strong" if version_of(version) >= STRONG_FROM else "weak"


def version_of(version: str) -> tuple[int, int]:
    """Major and minor of a TensorRT version. Raises EngineError."""
    found = re.match(r"(\d+)\.(\d+)", version)
    if found is None:
        raise EngineError(f"TensorRT calls its version {one_line(version, 40)!r}; install one of 10.3 or newer")
    return int(found[1]), int(found[2])


def difference(built: Fingerprint, wanted: Fingerprint) -> str:
    """In words, nothing when they are equal."""
    for field in ("tensorrt", "l4t", "cuda", "module", "build", "graph_sha256", "typing", "options"):
        old, new = getattr(built, field), getattr(wanted, field)
        if old != new:
            if field == "options":
                return "was built with other options than the recipe asks for"
            return f"was built for {field} {old or 'unknown'}, this is {new or 'unknown'}"
    return ""
