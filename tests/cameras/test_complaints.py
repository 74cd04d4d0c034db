"""What FFmpeg prints while a camera opens becomes a reason, and nothing that it prints later is kept anywhere."""

from __future__ import annotations

import subprocess
import sys

import pytest

from faceedge.cameras.complaints import SILENT

PROGRAM = """
import os, sys
from faceedge.cameras.complaints import Complaints
asked, told = os.dup(1), sys.argv[1].encode()
with Complaints() as complaints:
    os.write(2, told)
    reason = complaints.reason()
after = {os.readlink(f"/proc/self/fd/{stream}") for stream in (1, 2)}
os.write(asked, f"{reason}|{','.join(after)}".encode())
"""


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ("method DESCRIBE failed: 401 Unauthorized", "it refuses the user or the password"),
        ("Connection to tcp://admin:hunter2@porch failed: Connection refused", "nothing listens there; check the port"),
        ("", SILENT),
    ],
)
def test_a_complaint_becomes_a_reason_of_ours_and_later_ones_go_nowhere(told: str, reason: str) -> None:
    said = subprocess.run([sys.executable, "-c", PROGRAM, told], capture_output=True, text=True, check=True, timeout=30)
    assert said.stdout == f"{reason}|/dev/null"
    assert said.stderr == ""
