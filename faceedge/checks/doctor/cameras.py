"""Each camera opened for one picture, unless the running daemon has it and says how it is."""

from __future__ import annotations

import time
from pathlib import Path

from faceedge.cameras import open_camera, parse
from faceedge.cameras.base import Camera, Wish
from faceedge.cameras.child import ChildCamera, Limits
from faceedge.cameras.uri import Source
from faceedge.checks.doctor.base import Finding, Findings, Patient, fail, ok, skip, told, warn
from faceedge.checks.doctor.daemon import Daemon
from faceedge.config import Camera as Settings
from faceedge.errors import CameraError, StoreError
from faceedge.types import Image

LIMITS = Limits(load_s=10.0, open_s=4.0, first_s=4.0)
SEE = "check power, cable and address, and [[camera]] uri; docs/cameras.md says more"
EXCLUSIVE = ("device", "csi")
"""What only one process at a time may have open."""
DARK = 8
"""Mean of a picture, of 255: below it a lens is covered or there is no light. Our choice."""


def check_camera(patient: Patient, camera: Settings, daemon: Daemon) -> Findings:
    """One picture, and its size. daemon: has the camera if it runs."""
    id = f"camera.{camera.name}"
    try:
        source = parse(camera.uri)
        if source.kind in EXCLUSIVE and daemon.runs:
            yield _as_told(id, camera, source, daemon)
            return
        start = time.monotonic()
        image = one_picture(source, camera)
    except CameraError as error:
        yield told(id, error, SEE if "; " not in str(error) else "")
        return
    height, width = image.shape[:2]
    what = f"{source.shown}: {width} x {height} px after {time.monotonic() - start:.1f} s"
    if patient.pictures is not None:
        what += f", kept as {_keep(patient.pictures, camera.name, image)}"
    if image.mean() < DARK:
        yield warn(id, f"{what}, and it is black", "take the cap off the lens, or switch a light on")
    else:
        yield ok(id, what)


def one_picture(source: Source, camera: Settings) -> Image:
    """uint8 (h, w, 3) BGR. Raises CameraError, within `LIMITS`."""
    opened = _opened(source, camera)
    try:
        image = opened.read()
    finally:
        opened.close()
    if image is None:
        raise CameraError(f"{source.shown} holds no picture; name another in [[camera]] uri")
    return image


def _opened(source: Source, camera: Settings) -> Camera:
    if not source.is_live:
        return open_camera(camera.uri)
    wish = Wish(camera.width, camera.height, camera.fps, camera.decode)
    return ChildCamera(source, camera.uri, wish, limits=LIMITS)


def _as_told(id: str, camera: Settings, source: Source, daemon: Daemon) -> Finding:
    """By the daemon, which alone can have it open."""
    is_ok = daemon.reading("camera_ok", camera=camera.name)
    if is_ok is None:
        return skip(
            id, f"{source.shown} is in the hands of the running daemon; [health] metrics lets it tell how it is"
        )
    if is_ok:
        return ok(id, f"{source.shown} delivers to the running daemon")
    return fail(id, f"the running daemon says that something is wrong with {source.shown}", SEE)


def _keep(folder: Path, name: str, image: Image) -> Path:
    """For the owner alone: there may be people in it. Raises StoreError."""
    import cv2

    from faceedge.files import write_whole

    path = folder / f"{name}.png"
    try:
        write_whole(path, cv2.imencode(".png", image)[1].tobytes(), 0o600)
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}; name a folder that can be written") from error
    return path
