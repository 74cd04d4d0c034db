"""faceedge: the appliance at a door, from a camera to a signed grant that a controller can trust."""

import os

__version__ = "0.1.0"

# From 1.31 on ONNX Runtime notes a device id and every process in ~/.cache, and holds an address to send them to.
# It reads this when it is imported, which happens in several places: here is before all of them.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
