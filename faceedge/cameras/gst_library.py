"""GStreamer's C library in, pictures out: what `gst.py` needs of it, by ctypes, in the process that calls.

PyPI's OpenCV has no GStreamer and a virtual environment has no PyGObject; the libraries themselves are on every
Jetson. Names, signatures and structures: gstreamer.freedesktop.org, ABI 1.0, the same since 1.10 on 64-bit machines.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from ctypes import POINTER, c_char_p, c_int, c_size_t, c_uint, c_uint8, c_uint64, c_ulong, c_void_p
from functools import cache

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from faceedge.errors import CameraError

APT = "libgstreamer-plugins-base1.0-0 gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad"
FATAL_ERRORS, MAP_READ, ERROR_MESSAGE = 1, 1, 1 << 1
NULL_STATE, PLAYING_STATE, FAILED = 1, 4, 0
STRING_TYPE = 16 << 2
NS = 1_000_000_000


class Error(ctypes.Structure):
    """GError."""

    _fields_ = [("domain", c_uint), ("code", c_int), ("message", c_char_p)]


class Value(ctypes.Structure):
    """GValue."""

    _fields_ = [("type", c_size_t), ("data", c_uint64 * 2)]


class Map(ctypes.Structure):
    """GstMapInfo."""

    _fields_ = [
        ("memory", c_void_p), ("flags", c_int), ("data", c_void_p), ("size", c_size_t), ("maxsize", c_size_t),
        ("user_data", c_void_p * 4), ("reserved", c_void_p * 4),
    ]  # fmt: skip


class Layout(ctypes.Structure):
    """GstVideoMeta as far as its strides."""

    _fields_ = [
        ("flags", c_int), ("info", c_void_p), ("buffer", c_void_p), ("frame_flags", c_int), ("format", c_int),
        ("id", c_int), ("width", c_uint), ("height", c_uint), ("planes", c_uint), ("offset", c_size_t * 4),
        ("stride", c_int * 4),
    ]  # fmt: skip


SELECT = ctypes.CFUNCTYPE(c_int, c_void_p, c_uint, c_void_p, c_void_p)
SIGNATURES = {
    "gst_init_check": (c_int, c_void_p, c_void_p, POINTER(POINTER(Error))),
    "gst_element_factory_find": (c_void_p, c_char_p),
    "gst_parse_launch_full": (c_void_p, c_char_p, c_void_p, c_int, POINTER(POINTER(Error))),
    "gst_bin_get_by_name": (c_void_p, c_void_p, c_char_p),
    "gst_element_set_state": (c_int, c_void_p, c_int),
    "gst_element_get_bus": (c_void_p, c_void_p),
    "gst_bus_timed_pop_filtered": (c_void_p, c_void_p, c_uint64, c_int),
    "gst_message_parse_error": (None, c_void_p, POINTER(POINTER(Error)), POINTER(c_void_p)),
    "gst_app_sink_try_pull_sample": (c_void_p, c_void_p, c_uint64),
    "gst_app_sink_is_eos": (c_int, c_void_p),
    "gst_sample_get_caps": (c_void_p, c_void_p),
    "gst_sample_get_buffer": (c_void_p, c_void_p),
    "gst_caps_get_structure": (c_void_p, c_void_p, c_uint),
    "gst_structure_get_int": (c_int, c_void_p, c_char_p, POINTER(c_int)),
    "gst_structure_get_string": (c_char_p, c_void_p, c_char_p),
    "gst_buffer_map": (c_int, c_void_p, POINTER(Map), c_int),
    "gst_buffer_unmap": (None, c_void_p, POINTER(Map)),
    "gst_buffer_get_video_meta": (POINTER(Layout), c_void_p),
    "gst_mini_object_unref": (None, c_void_p),
    "gst_object_unref": (None, c_void_p),
    "g_object_set_property": (None, c_void_p, c_char_p, POINTER(Value)),
    "g_value_init": (POINTER(Value), POINTER(Value), c_size_t),
    "g_value_set_string": (None, POINTER(Value), c_char_p),
    "g_value_unset": (None, POINTER(Value)),
    "g_error_free": (None, POINTER(Error)),
    "g_free": (None, c_void_p),
    "g_signal_connect_data": (c_ulong, c_void_p, c_char_p, SELECT, c_void_p, c_void_p, c_int),
}
"""Result, then arguments."""


@cache
def library() -> ctypes.CDLL:
    """The library with all its signatures, ready for use. Raises CameraError when it is not installed."""
    try:
        # Each brings libgstreamer and libgobject along, whose names are found through it.
        app, video = ctypes.CDLL("libgstapp-1.0.so.0"), ctypes.CDLL("libgstvideo-1.0.so.0")
        for name, (result, *arguments) in SIGNATURES.items():
            function = getattr(video if "video" in name else app, name)
            function.restype, function.argtypes = result, arguments
            setattr(app, name, function)
    except (OSError, AttributeError) as error:
        raise CameraError(f"GStreamer 1.10 or newer is not installed; apt install {APT}") from error
    fault = POINTER(Error)()
    if not app.gst_init_check(None, None, ctypes.byref(fault)):
        raise CameraError(f"GStreamer does not start: {_told(app, fault)}")
    return app


def has_element(name: str) -> bool:
    """Whether a plugin with this element is installed; False without GStreamer."""
    try:
        gst = library()
    except CameraError:
        return False
    factory = gst.gst_element_factory_find(name.encode())
    if factory:
        gst.gst_object_unref(factory)
    return bool(factory)


def _selects(_source: int, _number: int, form: int, _data: int) -> bool:
    """Whether one of the streams that a camera offers is wanted."""
    gst = library()
    return bool(gst.gst_structure_get_string(gst.gst_caps_get_structure(form, 0), b"media") == b"video")


_ONLY_VIDEO = SELECT(_selects)
"""Kept as long as the process, for GStreamer's threads call it."""


class Flow:
    """A pipeline that runs, whose last element is an appsink called `sink`.

    text: as for gst-launch-1.0. settings: strings by element and property; they may hold what must not stand in a
    text, for texts are quoted in errors. only_video: an rtspsrc that asks for nothing else. Raises CameraError.
    """

    def __init__(self, text: str, settings: Mapping[str, Mapping[str, str]], only_video: str = "") -> None:
        self._gst = library()
        fault = POINTER(Error)()
        self._pipeline = self._gst.gst_parse_launch_full(text.encode(), None, FATAL_ERRORS, ctypes.byref(fault))
        if not self._pipeline:
            raise CameraError(_told(self._gst, fault))
        self._bus = self._gst.gst_element_get_bus(self._pipeline)
        self._sink = self._gst.gst_bin_get_by_name(self._pipeline, b"sink")
        for element, values in settings.items():
            self._set(element, values)
        if only_video:
            source = self._gst.gst_bin_get_by_name(self._pipeline, only_video.encode())
            self._gst.g_signal_connect_data(source, b"select-stream", _ONLY_VIDEO, None, None, 0)
            self._gst.gst_object_unref(source)
        if self._gst.gst_element_set_state(self._pipeline, PLAYING_STATE) == FAILED:
            told = self.fault()
            self.close()
            raise CameraError(told or "the pipeline does not start")

    def next(self, timeout_s: float) -> Sample | None:
        """The newest picture; None when none came in time, after an error and at the end."""
        sample = self._gst.gst_app_sink_try_pull_sample(self._sink, int(timeout_s * NS))
        return Sample(self._gst, sample) if sample else None

    def fault(self) -> str:
        """What the first element that failed says, in GStreamer's words; empty when all is well."""
        message = self._gst.gst_bus_timed_pop_filtered(self._bus, 0, ERROR_MESSAGE)
        if not message:
            return "the stream ended" if self._gst.gst_app_sink_is_eos(self._sink) else ""
        fault, details = POINTER(Error)(), c_void_p()
        self._gst.gst_message_parse_error(message, ctypes.byref(fault), ctypes.byref(details))
        self._gst.gst_mini_object_unref(message)
        more = ctypes.cast(details, c_char_p).value or b""
        self._gst.g_free(details)
        return f"{_told(self._gst, fault)} {more.decode(errors='replace')}"

    def close(self) -> None:
        """Stops all elements and frees them; a second call does nothing. May hang where an element does."""
        if self._pipeline:
            self._gst.gst_element_set_state(self._pipeline, NULL_STATE)
            for held in (self._sink, self._bus, self._pipeline):
                self._gst.gst_object_unref(held)
            self._pipeline = None

    def _set(self, element: str, values: Mapping[str, str]) -> None:
        found = self._gst.gst_bin_get_by_name(self._pipeline, element.encode())
        for name, text in values.items():
            value = Value()
            self._gst.g_value_init(ctypes.byref(value), STRING_TYPE)
            self._gst.g_value_set_string(ctypes.byref(value), text.encode())
            self._gst.g_object_set_property(found, name.encode(), ctypes.byref(value))
            self._gst.g_value_unset(ctypes.byref(value))
        self._gst.gst_object_unref(found)


class Sample:
    """One picture in GStreamer's memory, until `close`. format: GStreamer's name of the order of its bytes."""

    def __init__(self, gst: ctypes.CDLL, sample: int) -> None:
        self._gst, self._sample = gst, sample
        self._buffer = gst.gst_sample_get_buffer(sample)
        form = gst.gst_caps_get_structure(gst.gst_sample_get_caps(sample), 0)
        width, height = c_int(), c_int()
        gst.gst_structure_get_int(form, b"width", ctypes.byref(width))
        gst.gst_structure_get_int(form, b"height", ctypes.byref(height))
        self.width, self.height = width.value, height.value
        self.format = (gst.gst_structure_get_string(form, b"format") or b"").decode()

    @contextmanager
    def pixels(self) -> Iterator[NDArray[np.uint8]]:
        """(h, w, 4), read-only and only inside the `with`. Raises CameraError when it cannot be that."""
        held = Map()
        if not self._gst.gst_buffer_map(self._buffer, ctypes.byref(held), MAP_READ):
            raise CameraError("a picture cannot be read from its memory")
        try:
            yield self._rows(np.frombuffer((c_uint8 * held.size).from_address(held.data), np.uint8))
        finally:
            self._gst.gst_buffer_unmap(self._buffer, ctypes.byref(held))

    def close(self) -> None:
        """Gives it back; once."""
        self._gst.gst_mini_object_unref(self._sample)

    def _rows(self, held: NDArray[np.uint8]) -> NDArray[np.uint8]:
        # A producer that pads its rows says so beside the buffer, not in the format.
        layout = self._gst.gst_buffer_get_video_meta(self._buffer)
        start, stride = (layout.contents.offset[0], layout.contents.stride[0]) if layout else (0, 4 * self.width)
        wide, high = 4 * self.width, self.height
        if min(wide, high) < 1 or stride < wide or start + stride * (high - 1) + wide > held.size:
            raise CameraError(f"a picture of {self.width}x{self.height} does not fit its {held.size} bytes")
        return as_strided(held[start:], (high, self.width, 4), (stride, 4, 1), writeable=False)


def _told(gst: ctypes.CDLL, fault: ctypes._Pointer[Error]) -> str:
    text = (fault.contents.message or b"").decode(errors="replace") if fault else ""
    if fault:
        gst.g_error_free(fault)
    return text
