"""A graph's inputs and outputs in; out come the keys of model.toml that they settle, and what was assumed. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from faceedge.backends.base import TensorSpec
from faceedge.errors import PackageError
from faceedge.models.heads import detector_heads, recognizer_heads
from faceedge.models.licence import PERMISSIVE, spdx_hint

CANVAS_PX = 640
CROP_PX = {112: "arcface_112", 150: "dlib_150"}
ROLES = {"embedding": "recognizer", "quality": "quality"}
MAX_WORDS = 200
_FIVE_POINTS = {"colour": "rgb", "mean": (127.5, 127.5, 127.5), "scale": 1 / 127.5}
_USUAL: dict[str, tuple[dict[str, Any], str]] = {
    "yunet": ({"colour": "bgr"}, "BGR, 0..255"),
    "retinaface": ({"colour": "bgr", "mean": (104.0, 117.0, 123.0)}, "BGR, x - (104, 117, 123)"),
    "scrfd": ({"colour": "rgb", "mean": (127.5, 127.5, 127.5), "scale": 1 / 128}, "RGB, (x - 127.5) / 128"),
    "embedding": (_FIVE_POINTS, "RGB, (x - 127.5) / 127.5"),
    "quality": (_FIVE_POINTS, "RGB, (x - 127.5) / 127.5"),
}
_REMARKED = re.compile(r"(?P<name>[A-Za-z0-9.-]+)(?P<remark>( \([^()]*\))?)")
_LIMITS = re.compile(r"\b(non|not|no|only|research|academic|code|except|nc|gpl|agpl)\b", re.IGNORECASE)
"""Words that make a licence another, or of something else than the weights."""
_CUTS = {"yunet": (0.6, 0.3), "retinaface": (0.5, 0.4), "scrfd": (0.5, 0.4)}


@dataclass(frozen=True, slots=True)
class Guess:
    """parts: keys of model.toml. assumed: one line each, for the person to read."""

    parts: dict[str, Any]
    assumed: tuple[str, ...]


def guess(inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec], known: Mapping[str, Any] | None = None) -> Guess:
    """What follows from the shapes, and what is usual for the family.

    known: keys of model.toml that are settled (role, family, a recipe's); nothing is assumed about them. Raises
    PackageError when the graph is not such a network, or could be several.
    """
    settled = dict(known or {})
    height, width = _image(inputs)
    family, names, said = _family(outputs, settled)
    role = ROLES.get(family, "detector")
    if settled.get("role", role) != role:
        raise PackageError(f"its outputs are those of a {role}, not of a {settled['role']}; leave --role out")
    parts: dict[str, Any] = {"role": role, "family": family, "outputs": names}
    if role == "detector":
        more, lines = _detector(family, height, width)
    else:
        more, lines = _crops(family, height, width, settled)
    if family == "embedding":
        more["dimension"] = _columns(outputs, names.get("embedding", "embedding"))
    norm, words = _USUAL[family]
    more["normalisation"] = norm
    lines["normalisation"] = (
        f"{words}: the usual one of this family; name a --recipe or edit model.toml if it is another"
    )
    said += [f"assumed {line}" for key, line in lines.items() if key not in settled]
    return Guess(parts | more, tuple(said))


def guess_source(metadata: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Keys of model.toml's `source` that the file says of itself (licence, source), and the lines to tell."""
    found, said = {}, []
    licence = _plain(metadata.get("licence") or metadata.get("license") or "")
    if licence:
        found["licence"] = _named(licence)
        said.append(f"assumed licence {found['licence']}: the file says {licence!r}; name another with --licence")
    if origin := _plain(metadata.get("source", "")):
        found["note"] = f"the file says: {origin}"
    return found, said


def _named(licence: str) -> str:
    """The SPDX name where the words are one, perhaps with a remark behind it that takes nothing back."""
    noted = _REMARKED.fullmatch(licence)
    if noted and noted["name"] in PERMISSIVE and not _LIMITS.search(noted["remark"]):
        return noted["name"]
    return spdx_hint(licence) or licence


def _image(inputs: Sequence[TensorSpec]) -> tuple[int, int]:
    """Height and width in px, 0 where they are free."""
    if len(inputs) != 1:
        raise PackageError(f"the graph has {len(inputs)} inputs, a network that looks at pictures has one")
    spec = inputs[0]
    if spec.dtype != "float32":
        raise PackageError(f"its input {spec.name!r} is {spec.dtype}, not float32; export it in float32")
    if len(spec.shape) == 4 and spec.shape[3] == 3 and spec.shape[1] != 3:
        raise PackageError(f"its input {spec.name!r} has channels last {list(spec.shape)}; export it as [n, 3, h, w]")
    if len(spec.shape) != 4 or spec.shape[1] not in (3, -1):
        raise PackageError(f"its input {spec.name!r} is {list(spec.shape)}, not [n, 3, h, w]")
    return max(0, spec.shape[2]), max(0, spec.shape[3])


def _family(outputs: Sequence[TensorSpec], settled: Mapping[str, Any]) -> tuple[str, dict[str, str], list[str]]:
    """The family, what the graph calls its outputs where it differs, and the lines to tell."""
    family, role = settled.get("family", ""), settled.get("role", "")
    if role in ("", "detector") and (heads := detector_heads(outputs, family)):
        return heads.family, heads.names, _told(heads.family, heads.names, heads.said, settled)
    if role in ("", "recognizer") and family in ("", "embedding") and (heads := recognizer_heads(outputs)):
        return heads.family, heads.names, _told(heads.family, heads.names, heads.said, settled)
    single = [spec for spec in outputs if len(spec.shape) in (1, 2)]
    if role == "quality" and len(single) == 1 and (len(single[0].shape) == 1 or single[0].shape[1] in (1, -1)):
        name = single[0].name
        return "quality", {} if name == "quality" else {"quality": name}, []
    shapes = ", ".join(f"{spec.name} {list(spec.shape)}" for spec in outputs[:12])
    if not role and single and all(spec.shape[-1] == 1 for spec in single):
        raise PackageError(
            "it gives one number a picture, which may be anything; if that is quality, add --role quality"
        )
    wanted = f"{family or role or 'known'} network"
    known = ", ".join(sorted(_USUAL))
    raise PackageError(
        f"its outputs are not those of a {wanted}: {shapes}; name the --recipe or the --family, one of {known}"
    )


def _told(family: str, names: Mapping[str, str], said: Sequence[str], settled: Mapping[str, Any]) -> list[str]:
    role = ROLES.get(family, "detector")
    lines = [] if "family" in settled else [f"assumed role {role}, family {family}: its outputs have that shape"]
    if names and not settled.get("outputs"):
        lines.append("outputs by their shapes: " + ", ".join(f"{ours} = {theirs}" for ours, theirs in names.items()))
    return lines + list(said)


def _detector(family: str, height: int, width: int) -> tuple[dict[str, Any], dict[str, str]]:
    score, iou = _CUTS[family]
    parts: dict[str, Any] = {"landmarks": "eyes_nose_mouth", "score_threshold": score, "nms_iou": iou}
    lines = {"score_threshold": f"score threshold {score}, NMS at IoU {iou}: the usual ones of this family"}
    if height and width:
        parts["input"] = {"width": width, "height": height, "fixed": True}
        return parts, lines
    parts["input"] = {"width": CANVAS_PX, "height": CANVAS_PX}
    lines["input"] = f"pictures of at most {CANVAS_PX}x{CANVAS_PX} px: the graph takes any size"
    return parts, lines


def _crops(family: str, height: int, width: int, settled: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """A network that takes aligned crops: the alignment follows from their size."""
    side = width or 112
    if (height or side) != side or side not in CROP_PX:
        known = " and ".join(f"{side}x{side}" for side in CROP_PX)
        raise PackageError(f"it takes crops of {width}x{height} px; there are alignments for {known}")
    alignment = CROP_PX[side]
    parts: dict[str, Any] = {"alignment": alignment, "input": {"width": side, "height": side}}
    lines = {"alignment": f"alignment {alignment}: the one with crops of {side}x{side} px"}
    if family == "embedding":
        parts["metric"] = "cosine"
        lines["metric"] = "metric cosine: the usual one of five-point recognisers"
    return parts, {key: line for key, line in lines.items() if key not in settled}


def _columns(outputs: Sequence[TensorSpec], name: str) -> int:
    return next(max(0, spec.shape[-1]) for spec in outputs if spec.name == name)


def _plain(text: str) -> str:
    """Words from a stranger's file: printable, on one line, not long."""
    return " ".join("".join(one if one.isprintable() else " " for one in text[: 4 * MAX_WORDS]).split())[:MAX_WORDS]
