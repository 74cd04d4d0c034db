"""Pipelines of GStreamer for CSI cameras, and for network cameras with a hardware decoder.

They are as NVIDIA describes them for the Jetson. Not tried on one: everything that begins with `nv`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from faceedge.errors import CameraError

CSI, DECODER, CONVERTER = "nvarguscamerasrc sensor-id={sensor}", "nvv4l2decoder", "nvvidconv"
MEMORY = "(memory:NVMM)"
CODECS = {"h264": "rtph264depay ! h264parse", "h265": "rtph265depay ! h265parse"}
NETWORK = "rtspsrc name=source protocols=tcp latency=100 drop-on-latency=true tcp-timeout=2000000"
# BGRx costs least: the Jetson's converter makes it, and from there to BGR is a quarter of the way from NV12. Pictures
# are dropped behind the decoder only, for one lost before it spoils those that follow.
TAIL = (
    "{converter} ! video/x-raw,format=BGRx ! queue leaky=downstream max-size-buffers=1"
    " ! appsink name=sink max-buffers=1 drop=true sync=false"
)


@dataclass(frozen=True, slots=True)
class Plan:
    """What one camera needs. name: how errors call it. texts: pipelines, tried in turn until one knows the codec.

    settings: properties that do not stand in a text, by element. secrets: words that no error may show. only_video:
    element that offers sound as well, which nobody asked to be recorded.
    """

    name: str
    texts: tuple[str, ...]
    settings: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    only_video: str = ""


def csi(
    sensor: int, width: int, height: int, fps: int,
    *, source: str = CSI, memory: str = MEMORY, converter: str = CONVERTER,
) -> Plan:  # fmt: skip
    """A camera on the board's own connector. source, memory, converter: of another board, or of a test."""
    form = f"video/x-raw{memory},width={width},height={height},framerate={fps}/1,format=NV12"
    return Plan(f"csi:{sensor}", (f"{source.format(sensor=sensor)} ! {form} ! {TAIL.format(converter=converter)}",))


def rtsp(uri: str, *, decoder: str = DECODER, converter: str = CONVERTER) -> Plan:
    """A network camera. decoder: the element, in which {codec} becomes h264 or h265. Raises CameraError."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        raise CameraError(
            "the address of a network camera cannot be read; write [ ] / ? # @ of a password as %XX"
        ) from None
    place, user, password = parts.netloc.rpartition("@")[2], parts.username or "", parts.password or ""
    settings = {"location": parts._replace(netloc=place).geturl()}
    if user or password:
        settings |= {"user-id": unquote(user), "user-pw": unquote(password)}
    secrets = tuple(word for word in (unquote(password), password, unquote(user), user) if len(word) > 1)
    tail = TAIL.format(converter=converter)
    texts = tuple(f"{NETWORK} ! {parse} ! {decoder.format(codec=codec)} ! {tail}" for codec, parse in CODECS.items())
    return Plan(f"{parts.scheme}://{place}/…", texts, {"source": settings}, secrets, "source")
