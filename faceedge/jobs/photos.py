"""Photo files in, upright images out. Nothing is decoded before its kind, size and dimensions are known to be bearable.

Used by enrolment and by the commands that look at photos.
"""

from __future__ import annotations

import os
import stat
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TypeVar

import numpy as np
import PIL.Image
import PIL.ImageOps

from faceedge.errors import BadInput
from faceedge.types import Image

MAX_BYTES = 50_000_000
MAX_PIXELS = 50_000_000
MIN_SIDE_PX = 16  # below, no detector finds a face and some fail
MAX_SIDE_PX = 30_000  # OpenCV warps no picture with a side beyond 32,767
FORMATS = ("JPEG", "PNG", "WEBP")
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp"})

Answer = TypeVar("Answer")
_BOMBS = (PIL.Image.DecompressionBombError, PIL.Image.DecompressionBombWarning)


def read_photo(path: Path) -> Image:
    """The picture of a JPEG, PNG or WebP file, uint8 (h, w, 3) BGR, with EXIF orientation applied.

    Transparent parts are shown on white, 16-bit samples keep their upper 8 bits, of an animation the first
    picture counts. Raises BadInput, naming the file, for everything else.
    """
    with _opened(path) as picture:
        try:
            return _to_bgr(PIL.ImageOps.exif_transpose(picture))
        except MemoryError as error:
            raise BadInput(f"{shown(path)}: not enough memory to decode it; scale it down first") from error
        except Exception as error:  # a decoder fed with a stranger's bytes may raise anything
            raise BadInput(f"{shown(path)}: the image is truncated or damaged; save or copy it again") from error


def check_photo(path: Path) -> None:
    """Whether kind, size and header will do, without decoding. Raises BadInput as `read_photo` does."""
    with _opened(path):
        pass


def photos_in(paths: Sequence[Path]) -> list[Path]:
    """Files as they are named; a folder stands for the images in it, sorted by name, subfolders left out.

    Raises BadInput for a folder without images or one that cannot be listed.
    """
    return [photo for path in paths for photo in _expand(path)]


def shown(path: Path) -> str:
    """The path as it may stand in one line of a terminal: odd characters escaped."""
    text = str(path)
    return text if text.isprintable() else repr(text)


@contextmanager
def _opened(path: Path) -> Iterator[PIL.Image.Image]:
    with _open_regular(path) as file, warnings.catch_warnings():
        warnings.simplefilter("error", PIL.Image.DecompressionBombWarning)
        yield _read_header(path, file)


def _expand(path: Path) -> Iterator[Path]:
    if not os.path.isdir(path):  # unlike Path.is_dir, False for what cannot be looked at: reading it tells why
        yield path
        return
    entries = _told(path, lambda: list(path.iterdir()))
    photos = sorted(entry for entry in entries if entry.suffix.lower() in SUFFIXES)
    if not photos:
        raise BadInput(f"{shown(path)}: no JPEG, PNG or WebP file in this folder; name another")
    yield from photos


def _open_regular(path: Path) -> BinaryIO:
    """Opens a regular file of bearable size. Never touches a device and never waits on a fifo."""
    _check_kind(path, _told(path, lambda: os.stat(path)))
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    file = os.fdopen(_told(path, lambda: os.open(path, flags)), "rb")
    try:
        _check_kind(path, os.fstat(file.fileno()))  # it may have been exchanged since
    except BadInput:
        file.close()
        raise
    return file


def _told(path: Path, call: Callable[[], Answer]) -> Answer:
    """Turns what the system says of a path into one line."""
    try:
        return call()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        why = getattr(error, "strerror", None) or error
        raise BadInput(f"{shown(path)}: cannot be read ({why}); name a JPEG, PNG or WebP file") from error


def _check_kind(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = "a folder" if stat.S_ISDIR(status.st_mode) else "a device, pipe or socket"
        raise BadInput(f"{shown(path)}: is {kind}, not a file; name a JPEG, PNG or WebP file")
    if status.st_size == 0:
        raise BadInput(f"{shown(path)}: the file is empty; copy it again")
    if status.st_size > MAX_BYTES:
        size = f"{status.st_size / 1e6:.0f} MB, more than {MAX_BYTES / 1e6:.0f} MB"
        raise BadInput(f"{shown(path)}: {size}; scale it down first")


def _read_header(path: Path, file: BinaryIO) -> PIL.Image.Image:
    """Format and dimensions are known afterwards, pixels are not decoded yet."""
    try:
        picture = PIL.Image.open(file, formats=FORMATS)
    except PIL.UnidentifiedImageError as error:
        raise BadInput(f"{shown(path)}: not a JPEG, PNG or WebP image; name another file") from error
    except _BOMBS as error:
        raise BadInput(_too_large(path)) from error
    except Exception as error:  # as above: headers are a stranger's bytes, too
        raise BadInput(f"{shown(path)}: the image header is damaged; save or copy it again") from error
    if picture.width * picture.height > MAX_PIXELS:
        raise BadInput(_too_large(path, f"{picture.width}x{picture.height}, "))
    if min(picture.size) < MIN_SIDE_PX:
        raise BadInput(f"{shown(path)}: {picture.width}x{picture.height} px are too few; use a larger photo")
    if max(picture.size) > MAX_SIDE_PX:
        raise BadInput(f"{shown(path)}: {max(picture.size)} px long, more than {MAX_SIDE_PX}; cut it first")
    return picture


def _too_large(path: Path, size: str = "") -> str:
    return f"{shown(path)}: {size}more than {MAX_PIXELS / 1e6:.0f} megapixels; scale it down first"


def _to_bgr(picture: PIL.Image.Image) -> Image:
    if picture.mode.startswith("I"):  # 16-bit grey, which Pillow would clip to 255 rather than scale
        picture = PIL.Image.fromarray((np.asarray(picture).astype(np.uint32) >> 8).astype(np.uint8))
    if picture.has_transparency_data:
        white = PIL.Image.new("RGBA", picture.size, "white")
        picture = PIL.Image.alpha_composite(white, picture.convert("RGBA"))
    return np.ascontiguousarray(np.asarray(picture.convert("RGB"))[:, :, ::-1])
