"""Where frames come from, one class a kind of source, chosen by URI."""

from __future__ import annotations

import re
from pathlib import Path

from faceedge.cameras.base import Camera
from faceedge.cameras.images import ImagesCamera
from faceedge.cameras.stream import ClipCamera, LiveCamera
from faceedge.errors import CameraError

NETWORK = ("rtsp", "rtsps", "http", "https")


def is_live(uri: str) -> bool:
    """Whether a source may be away now and come back; a clip or a folder that is not there is a mistake."""
    return uri.partition(":")[0].lower() in NETWORK or uri.isdigit() or uri.startswith("/dev/")


def open_camera(uri: str) -> Camera:
    """`file:clip.mp4` (or a path to a file), `images:folder`, `rtsp://…`, `/dev/video0`, or a device number.

    Raises CameraError with the URI's kind, never with its credentials.
    """
    kind, _, rest = uri.partition(":")
    kind = kind.lower()
    if kind == "images":
        return ImagesCamera(Path(rest))
    if kind in NETWORK:
        return LiveCamera(f"{kind}:{rest}")
    if is_live(uri):
        return LiveCamera(int(uri) if uri.isdigit() else uri)
    path = Path(rest if kind == "file" else uri)
    if not path.is_file():
        # It may be the address of a camera, misspelt.
        shown = re.sub(r"[^/]*@", "…@", str(path))
        raise CameraError(f"{shown}: no such clip; use file:CLIP, images:FOLDER, rtsp://…, /dev/videoN or a number")
    return ClipCamera(path)


__all__ = ["Camera", "is_live", "open_camera"]
