"""The plans of the stand-in TensorRT: a network, its options and what it is bound to, in bytes with a digest.

Real plans are code for one GPU; here they hold the ONNX file. What a plan is bound to decides whether it is taken.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from typing import Any

_MAGIC = b"standin-plan\x00\x01"
_DIGEST = 32


class PlanRefused(Exception):
    """The line that TensorRT logs."""


@dataclass(frozen=True)
class Bound:
    """What plans and timing caches are bound to."""

    version: str
    module: str
    compute: str


def here(version: str) -> Bound:
    """This (pretended) machine."""
    module = os.environ.get("FACEEDGE_STANDIN_GPU", "Orin (stand-in)")
    return Bound(version, module, os.environ.get("FACEEDGE_STANDIN_COMPUTE", "8.7"))


def pack(bound: Bound, settings: dict[str, Any], model: bytes) -> bytes:
    """A plan."""
    header = json.dumps({"bound": asdict(bound), **settings}, sort_keys=True).encode()
    body = _MAGIC + len(header).to_bytes(4, "little") + header + model
    return body + hashlib.sha256(body).digest()


def unpack(plan: bytes, bound: Bound) -> tuple[dict[str, Any], bytes]:
    """Settings and network. Raises PlanRefused."""
    body, digest = plan[:-_DIGEST], plan[-_DIGEST:]
    if not plan.startswith(_MAGIC):
        raise PlanRefused("Serialization assertion plan->header.magicTag == rt::kPLAN_MAGIC_TAG failed.")
    if hashlib.sha256(body).digest() != digest:
        raise PlanRefused("Serialization assertion sizeRead == static_cast<uint64_t>(mEnd - mCurrent) failed.")
    start = len(_MAGIC) + 4
    end = start + int.from_bytes(plan[len(_MAGIC) : start], "little")
    settings = json.loads(body[start:end])
    _check(Bound(**settings["bound"]), bound)
    return settings, body[end:]


def _check(made: Bound, bound: Bound) -> None:
    if made.version != bound.version:
        raise PlanRefused(
            "The engine plan file is not compatible with this version of TensorRT, expecting library version "
            f"{bound.version} got {made.version}, please rebuild."
        )
    if (made.compute, made.module) != (bound.compute, bound.module):
        raise PlanRefused(
            "The engine plan file is generated on an incompatible device, expecting compute "
            f"{bound.compute} ({bound.module}) got compute {made.compute} ({made.module}), please rebuild."
        )
