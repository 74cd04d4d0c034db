"""What a row of the gallery must look like before it is sealed, and what its sealed columns are bound to. Pure."""

from __future__ import annotations

import unicodedata
import uuid
from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from faceedge.errors import BadInput
from faceedge.types import Floats, Image, Template

NAME_LENGTH = 100
_MADE_OF = uuid.UUID("6f1d3c52-8a0e-4c35-9d0b-2b7f6a41e0c9")


def clean_name(name: str) -> str:
    """The name in one spelling of its letters. Raises BadInput when it is empty, too long or not printable."""
    name = unicodedata.normalize("NFC", name)
    if not name.isprintable() or name != name.strip() or not 0 < len(name) <= NAME_LENGTH:
        raise BadInput(f"{name!r} is no name; use 1 to {NAME_LENGTH} printable characters without spaces at the ends")
    try:
        uuid.UUID(name)
    except ValueError:
        return name
    raise BadInput(f"{name!r} looks like an id; use the name of a person")


def name_context(person_id: str) -> str:
    """What a sealed name is bound to."""
    return f"people/{person_id}/name"


def template_context(key: str, column: str, person_id: str, space: str) -> str:
    """What a sealed column of a template is bound to: it opens neither in another row nor for another person."""
    return f"templates/{key}/{column}/{person_id}/{space}"


def capture_context(key: str, person_id: str | None, alignment: str) -> str:
    """What a crop for a calibration is bound to. person_id: None for a stranger."""
    return f"captures/{key}/crop/{person_id or '-'}/{alignment}"


def sighting_context(key: str, person_id: str) -> str:
    """What a picture of somebody who is to be enrolled again is bound to."""
    return f"sightings/{key}/crop/{person_id}"


def made_of(key: str, space: str) -> str:
    """The id of the template of another space that is made of the picture of this one: always the same."""
    return str(uuid.uuid5(_MADE_OF, f"{key}/{space}"))


def of_one_picture(key: str, spaces: Mapping[str, str]) -> list[str]:
    """Which templates of a person (ids, with their spaces) are of the picture of this one, itself included."""
    first = next((one for one in spaces if made_of(one, spaces[key]) == key), key)
    return [one for one, space in spaces.items() if one == first or one == made_of(first, space)]


def pack(template: Template) -> bytes:
    """Norm, then embedding, little-endian float32. Raises BadInput unless it is one finite unit vector."""
    vector = template.embedding
    is_unit = vector.ndim == 1 and abs(float(np.linalg.norm(vector)) - 1) < 1e-3
    if not is_unit or not np.isfinite(template.norm) or template.norm <= 0:
        raise BadInput("a template must be one finite vector of unit length; verify the model")
    return np.concatenate(([template.norm], vector)).astype("<f4").tobytes()


def unpack(packed: Sequence[bytes]) -> tuple[Floats, Floats]:
    """Norms (n,) and embeddings (n, d) of what `pack` made, all of one dimension."""
    if not packed:
        return np.zeros(0, np.float32), np.zeros((0, 0), np.float32)
    table = np.frombuffer(b"".join(packed), "<f4").reshape(len(packed), -1).astype(np.float32)
    return table[:, 0].copy(), table[:, 1:].copy()


def crop_to_png(crop: Image) -> bytes:
    """Lossless: the network must see the same pixels again."""
    return bytes(cv2.imencode(".png", crop)[1])


def png_to_crop(png: bytes) -> Image:
    """uint8 (h, w, 3) BGR."""
    return np.asarray(cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR), np.uint8)
