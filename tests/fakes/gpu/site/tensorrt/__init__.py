"""`import tensorrt` of a child process: the stand-in of the version in FACEEDGE_STANDIN_TENSORRT."""

import os
import sys
from pathlib import Path

if "FACEEDGE_STANDIN_TENSORRT" not in os.environ:
    raise ImportError("FACEEDGE_STANDIN_TENSORRT names no version")
sys.path.append(str(Path(__file__).parents[5]))

from tests.fakes.gpu.module import load

sys.modules[__name__] = load(os.environ["FACEEDGE_STANDIN_TENSORRT"])
