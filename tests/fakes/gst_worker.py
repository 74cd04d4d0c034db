"""The process of a camera on a board with a hardware decoder, played by software: for `ChildCamera(command=…)`."""

from __future__ import annotations

import os
from functools import partial

from faceedge.cameras import gst, opened, worker

opened.DECODERS = (os.devnull,)
gst.hardware_decoder = lambda: "avdec_h264"
gst.rtsp = partial(gst.rtsp, decoder="avdec_{codec}", converter="videoconvert")

if __name__ == "__main__":
    worker.main()
