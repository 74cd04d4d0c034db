"""GStreamer itself, with sources and converters that need no Jetson: pictures, their ends, and what is told of both."""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Iterator

import numpy as np
import pytest

from faceedge.cameras import gst_library
from faceedge.cameras.gst import GstCamera, Plan, csi, hardware_decoder, has_element, rtsp
from faceedge.cameras.gst_library import Layout, Map, Sample
from faceedge.errors import CameraError
from faceedge.types import Image

SINK = "appsink name=sink max-buffers=1 drop=true sync=false"
BARS = {"white": (253, 253, 253), "green": (0, 250, 0), "red": (0, 0, 253), "blue": (253, 0, 0)}
"""BGR, from left to right, of GStreamer's own test picture; three more are between them."""


@pytest.fixture(scope="module")
def gstreamer() -> Iterator[None]:
    """Asked here and not at collection: the library begins threads. They stay for a while, unless they are asked."""
    if not (has_element("videotestsrc") and has_element("appsink")):
        pytest.skip("no GStreamer: apt install gstreamer1.0-plugins-base")
    before = threads()
    yield
    for _ in range(20):
        gst_library.library().g_thread_pool_stop_unused_threads()
        if threads() <= before:
            break
        time.sleep(0.1)


def threads() -> int:
    return len(os.listdir("/proc/self/task"))


needs_gstreamer = pytest.mark.usefixtures("gstreamer")


def stand_in(source: str = "videotestsrc is-live=true", width: int = 320, height: int = 240) -> Plan:
    """A CSI camera whose sensor and converter are made of software."""
    return csi(0, width, height, 25, source=source, memory="", converter="videoconvert")


def grabbed(camera: GstCamera) -> Image:
    camera.grab()
    memory = np.empty((*camera.size(), 3), np.uint8)
    assert camera.fetch(memory) is memory
    return memory


@pytest.fixture
def camera(gstreamer: None) -> Iterator[GstCamera]:
    made = GstCamera(stand_in())
    yield made
    made.close()
    made.close()


@needs_gstreamer
def test_pictures_have_their_size_and_their_colours(camera: GstCamera) -> None:
    picture = grabbed(camera)
    assert picture.shape == (240, 320, 3)
    seen = picture[80, [20, 160, 250, 300]].tolist()
    assert np.allclose(seen, list(BARS.values()), atol=8), seen


@needs_gstreamer
@pytest.mark.parametrize("width", [318, 322, 330])
def test_a_width_that_decoders_pad_gives_straight_pictures(width: int) -> None:
    camera = GstCamera(stand_in(width=width))
    picture = grabbed(camera)
    camera.close()
    assert picture.shape == (240, width, 3)
    assert np.ptp(picture[20:140, 5:30].astype(int), axis=0).max() < 8  # the white bar stands upright


@needs_gstreamer
def test_times_rise_and_every_grab_waits_for_another_picture(camera: GstCamera) -> None:
    times = [camera.grab() for _ in range(4)]
    assert np.diff(times).min() > 0
    assert times[-1] - times[0] > 2 / 25


@needs_gstreamer
def test_the_end_of_a_stream_is_a_fault() -> None:
    camera = GstCamera(stand_in("videotestsrc num-buffers=2"))
    with pytest.raises(CameraError, match=r"^csi:0 stopped delivering: the stream ended$"):
        list(iter(camera.grab, None))
    camera.close()


@needs_gstreamer
def test_a_sensor_that_is_silent_from_the_start_does_not_open() -> None:
    with pytest.raises(CameraError, match="does not open: no picture came in time"):
        GstCamera(stand_in("videotestsrc is-live=true ! valve drop=true"), open_timeout_s=0.2)


@needs_gstreamer
def test_without_the_elements_of_a_jetson_the_packages_are_named() -> None:
    if has_element("nvarguscamerasrc"):
        pytest.skip("this is a Jetson")
    assert hardware_decoder() == ""
    with pytest.raises(CameraError, match=r"^csi:1 does not open: .* apt install nvidia-l4t-gstreamer"):
        GstCamera(csi(1, 1280, 720, 30))


@needs_gstreamer
@pytest.mark.parametrize(
    "text", ["videotestsrc !", "videotestsrc colour=red ! " + SINK, "fakesrc ! decodebin ! " + SINK]
)
def test_a_pipeline_that_cannot_run_is_told_in_one_line(text: str) -> None:
    with pytest.raises(CameraError, match=r"^it does not open: [^\n]{5,}$"):
        GstCamera(Plan("it", (text,)), open_timeout_s=1.0)


@needs_gstreamer
def test_pictures_in_another_form_are_refused() -> None:
    camera = GstCamera(Plan("it", (f"videotestsrc is-live=true ! video/x-raw,format=GRAY8 ! {SINK}",)))
    camera.grab()
    with pytest.raises(CameraError, match="come as GRAY8"):
        camera.fetch(np.empty((*camera.size(), 3), np.uint8))
    camera.close()


def test_where_gstreamer_is_absent_its_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(ctypes, "CDLL", absent)
    gst_library.library.cache_clear()
    try:
        assert not has_element("videotestsrc")
        assert hardware_decoder() == ""
        with pytest.raises(CameraError, match=r"apt install libgstreamer-plugins-base1.0-0 "):
            GstCamera(stand_in())
    finally:
        monkeypatch.undo()
        gst_library.library.cache_clear()


def test_user_and_password_stand_in_no_pipeline_and_in_no_description() -> None:
    plan = rtsp("rtsp://ad%20min:hunt%40r2@10.0.0.7:554/door?channel=1")
    assert plan.settings == {
        "source": {"location": "rtsp://10.0.0.7:554/door?channel=1", "user-id": "ad min", "user-pw": "hunt@r2"}
    }
    assert not any(secret in f"{plan!r} {plan.texts} {plan.name}" for secret in ("hunt", "min"))


def test_an_open_stream_gets_neither_user_nor_password() -> None:
    assert rtsp("rtsps://porch/1").settings == {"source": {"location": "rtsps://porch/1"}}


def test_an_address_that_cannot_be_taken_apart_is_not_quoted() -> None:
    with pytest.raises(CameraError) as caught:
        rtsp("rtsp://admin:hun[ter2@host/s")
    assert "ter2" not in str(caught.value)


class Buffer:
    """What GStreamer's functions say about a buffer of 3 x 2 pixels, in rows of `stride` bytes from `offset` on."""

    def __init__(self, size: int, stride: int, offset: int = 0) -> None:
        self._bytes = (ctypes.c_uint8 * size)(*range(size))
        self._layout = Layout(stride=(stride, 0, 0, 0), offset=(offset, 0, 0, 0))

    def gst_sample_get_buffer(self, _: int) -> int:
        return 1

    gst_sample_get_caps = gst_sample_get_buffer

    def gst_caps_get_structure(self, _: int, _number: int) -> int:
        return 1

    def gst_structure_get_int(self, _: int, name: bytes, value: object) -> int:
        value._obj.value = {b"width": 3, b"height": 2}[name]  # type: ignore[attr-defined]
        return 1

    def gst_structure_get_string(self, _: int, _name: bytes) -> bytes:
        return b"BGRx"

    def gst_buffer_map(self, _: int, held: object, _flags: int) -> int:
        mapped: Map = held._obj  # type: ignore[attr-defined]
        mapped.data, mapped.size = ctypes.addressof(self._bytes), len(self._bytes)
        return 1

    def gst_buffer_unmap(self, *_: object) -> None:
        self._bytes[:] = [0] * len(self._bytes)

    def gst_buffer_get_video_meta(self, _: int) -> object:
        return ctypes.pointer(self._layout)


@pytest.mark.parametrize(("size", "stride", "offset"), [(24, 12, 0), (40, 20, 0), (36, 16, 8)])
def test_rows_are_taken_from_where_they_begin(size: int, stride: int, offset: int) -> None:
    with Sample(Buffer(size, stride, offset), 1).pixels() as pixels:  # type: ignore[arg-type]
        assert pixels.shape == (2, 3, 4)
        assert pixels[:, 0, 0].tolist() == [offset, offset + stride]
        assert pixels[1, 2, 3] == offset + stride + 11


@pytest.mark.parametrize(("size", "stride", "offset"), [(23, 12, 0), (40, 8, 0), (24, 12, 1), (24, -12, 12)])
def test_a_buffer_smaller_than_its_picture_is_not_read(size: int, stride: int, offset: int) -> None:
    sample = Sample(Buffer(size, stride, offset), 1)  # type: ignore[arg-type]
    with pytest.raises(CameraError, match="3x2 does not fit"), sample.pixels():
        pass
