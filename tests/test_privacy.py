"""No library that faceedge stands on keeps or sends word of the device."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

OPENED = """
import os
import faceedge, onnxruntime
onnxruntime.SessionOptions()
print(*(os.readlink(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd") if name.isdigit()
        and os.path.lexists(f"/proc/self/fd/{name}")), sep="\\n")
"""


def test_onnx_runtime_keeps_no_diary_of_the_device(tmp_path: Path) -> None:
    environ = {key: value for key, value in os.environ.items() if not key.startswith("ORT_")}
    environ |= {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    done = subprocess.run([sys.executable, "-c", OPENED], env=environ, capture_output=True, text=True, check=True)
    assert "/dev/null" in done.stdout or "pipe" in done.stdout
    assert "onnxruntime.db" not in done.stdout
    assert [path.name for path in tmp_path.rglob("*.db*")] == []
