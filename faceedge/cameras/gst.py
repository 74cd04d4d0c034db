"""CSI cameras, and network cameras with a hardware decoder, through GStreamer; in a process that can be killed."""

from __future__ import annotations

import re
import time

import cv2
import numpy as np

from faceedge.cameras.gst_library import Flow, Sample, has_element
from faceedge.cameras.gst_pipelines import CONVERTER, DECODER, Plan, csi, rtsp
from faceedge.errors import CameraError, one_line
from faceedge.types import Image

OPEN_TIMEOUT_S, READ_TIMEOUT_S = 4.0, 1.8
"""Shorter than the time after which the process is killed (`child.Limits`). Opening waits for the first key frame."""
STEP_S = 0.1
SENTENCES = {
    "Unauthorized": "it refuses the user or the password",
    "Not Found": "it has no such stream; check the path",
    "Could not open resource": "nobody answers at its address; check its power, cable and address",
    "Timeout while waiting": "it does not answer; check its power, cable and address",
    "not-linked": "it sends neither H.264 nor H.265; choose one of them in its settings",
    "no element": "an element of GStreamer is missing; on a Jetson apt install nvidia-l4t-gstreamer "
    "gstreamer1.0-plugins-good gstreamer1.0-plugins-bad",
}
"""For an installer, by words of GStreamer's."""


def hardware_decoder() -> str:
    """The element that decodes H.264 and H.265 without the CPU; empty where there is none."""
    return DECODER if has_element(DECODER) and has_element(CONVERTER) else ""


class GstCamera:
    """See Opened. It has its first picture when it is open; where GStreamer hangs, so does it."""

    def __init__(
        self, plan: Plan, *, open_timeout_s: float = OPEN_TIMEOUT_S, read_timeout_s: float = READ_TIMEOUT_S
    ) -> None:
        self._plan, self._timeout_s = plan, read_timeout_s
        self._sample: Sample | None = None
        self._is_taken = True
        until = time.monotonic() + open_timeout_s
        for number, text in enumerate(plan.texts, 1):
            try:
                self._begin(text, until)
                return
            except CameraError as error:
                if number == len(plan.texts) or not isinstance(error, _OtherCodec):
                    raise self._told("does not open:", error) from None

    def grab(self) -> float:
        """See Opened."""
        if self._is_taken:
            try:
                self._wait(time.monotonic() + self._timeout_s)
            except CameraError as error:
                raise self._told("stopped delivering:", error) from None
        self._is_taken = True
        return self._received

    def size(self) -> tuple[int, int]:
        """See Opened."""
        assert self._sample is not None, "grab comes first"
        return self._sample.height, self._sample.width

    def fetch(self, memory: Image) -> Image:
        """See Opened."""
        assert self._sample is not None, "grab comes first"
        try:
            return _as_bgr(self._sample, memory)
        except CameraError as error:
            raise self._told("sends what cannot be read:", error) from None

    def close(self) -> None:
        """See Opened."""
        self._let_go()
        self._flow.close()

    def _begin(self, text: str, until: float) -> None:
        self._flow = Flow(text, self._plan.settings, self._plan.only_video)
        try:
            self._wait(until)
        except CameraError:
            self._flow.close()
            raise
        self._is_taken = False

    def _wait(self, until: float) -> None:
        self._let_go()
        # In steps, because an error on the bus does not wake who waits for a picture.
        while (left_s := until - time.monotonic()) > 0:
            self._sample = self._flow.next(min(left_s, STEP_S))
            if self._sample is not None:
                self._received = time.monotonic()
                return
            if fault := self._flow.fault():
                raise _OtherCodec(fault) if "not-linked" in fault else CameraError(fault)
        raise CameraError("no picture came in time; check its power, and the load of its network")

    def _let_go(self) -> None:
        if self._sample is not None:
            self._sample.close()
            self._sample = None

    def _told(self, what: str, error: CameraError) -> CameraError:
        """One sentence, without addresses, places in GStreamer's source, and anything secret."""
        known = next((sentence for words, sentence in SENTENCES.items() if words in str(error)), "")
        text = re.sub(r"\S+://\S+|\S+\.c\(\d+\):.*", "", str(error), flags=re.DOTALL)
        for secret in sorted(self._plan.secrets, key=len, reverse=True):
            text = text.replace(secret, "…")
        return CameraError(f"{self._plan.name} {what} {known or one_line(text, 200).rstrip(' .')}")


def _as_bgr(sample: Sample, memory: Image) -> Image:
    if sample.format != "BGRx":
        raise CameraError(f"pictures come as {sample.format or 'nothing known'} where BGRx was asked for")
    with sample.pixels() as pixels:
        return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGRA2BGR, dst=memory), np.uint8)


class _OtherCodec(CameraError):
    """The stream has nothing that this pipeline understands."""


__all__ = ["GstCamera", "Plan", "csi", "hardware_decoder", "has_element", "rtsp"]
