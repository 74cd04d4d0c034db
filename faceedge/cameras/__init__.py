"""Where frames come from, one class a kind of source, chosen by URI.

kind             opened by                                    where
file, images     stream.py, images.py                         here: a file cannot be away or hang for long
/dev/videoN      opened.py, OpenCV's V4L2                     in a process of its own (child.py, worker.py)
rtsp, http       opened.py, FFmpeg, or gst.py in hardware     in a process of its own
csi:N            gst.py                                       in a process of its own
"""

from __future__ import annotations

from pathlib import Path

from faceedge.cameras.base import Camera, LiveCamera, Picture, Wish
from faceedge.cameras.uri import FORMS, LIVE, Source, parse
from faceedge.errors import CameraError


def is_live(uri: str) -> bool:
    """Whether a source may be away now and come back. Raises CameraError for what is no source."""
    return parse(uri).kind in LIVE


def open_camera(uri: str, wish: Wish | None = None) -> Camera:
    """Any source of `FORMS`. Raises CameraError with what is wrong, never with credentials."""
    source = parse(uri)
    return open_live(uri, wish) if source.is_live else _open_file(source)


def open_live(uri: str, wish: Wish | None = None) -> LiveCamera:
    """A live source; returns at once, and what fails is raised when a picture is taken."""
    from faceedge.cameras.child import ChildCamera

    return ChildCamera(parse(uri), uri, wish)


def _open_file(source: Source) -> Camera:
    from faceedge.cameras.images import ImagesCamera
    from faceedge.cameras.stream import ClipCamera

    path = Path(source.what)
    if source.kind == "images":
        return ImagesCamera(path)
    if not path.is_file():
        raise CameraError(f"{source.shown}: no such clip; use {FORMS}")
    return ClipCamera(path)


__all__ = ["Camera", "LiveCamera", "Picture", "Source", "Wish", "is_live", "open_camera", "open_live", "parse"]
