"""Where frames come from, one class a kind of source, chosen by URI."""

from __future__ import annotations

import re
from pathlib import Path

from faceedge.cameras.base import Camera
from faceedge.cameras.images import ImagesCamera
from faceedge.cameras.stream import ClipCamera, LiveCamera
from faceedge.errors import CameraError


def open_camera(uri: str) -> Camera:
    """`file:clip.mp4` (or a path to a file), `images:folder`, `rtsp://…`, `/dev/video0`, or a device number.

    Raises CameraError with the URI's kind, never with its credentials.
    """
    kind, _, rest = uri.partition(":")
    kind = kind.lower()
    if kind == "images":
        return ImagesCamera(Path(rest))
    if kind in ("rtsp", "rtsps", "http", "https"):
        return LiveCamera(f"{kind}:{rest}")
    if uri.isdigit() or uri.startswith("/dev/"):
        return LiveCamera(int(uri) if uri.isdigit() else uri)
    path = Path(rest if kind == "file" else uri)
    if not path.is_file():
        # It may be the address of a camera, misspelt.
        shown = re.sub(r"[^/]*@", "…@", str(path))
        raise CameraError(f"{shown}: no such clip; use file:CLIP, images:FOLDER, rtsp://…, /dev/videoN or a number")
    return ClipCamera(path)


__all__ = ["Camera", "open_camera"]
