"""A key reaches its controller as one line: over a pseudo-terminal, as a QR code, never half."""

from __future__ import annotations

import io
import os
import pty
import termios
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from faceedge.door import handover
from faceedge.errors import BadInput, StoreError
from tests.door.conftest import ADDRESS, KEY

LINE = "faceedge-door-1 dev main inner AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="


@pytest.fixture
def cable() -> Iterator[tuple[int, str]]:
    """Both ends of a serial line: what the controller reads from, and the name of the device's port."""
    controller, port = pty.openpty()
    yield controller, os.ttyname(port)
    os.close(port)
    os.close(controller)


def test_the_line_says_who_the_controller_is_and_its_key() -> None:
    assert handover.line(ADDRESS, KEY) == LINE
    assert handover.parse(LINE + "\r\n") == (ADDRESS, KEY)


@pytest.mark.parametrize(
    "text", ["", LINE[:-1], LINE.replace("-1", "-2"), LINE.replace("dev", "DEV"), f"{LINE} x", LINE.replace(" ", "")]
)
def test_what_is_no_such_line_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(BadInput) as caught:
        handover.parse(text)
    assert "AAECAw" not in str(caught.value)


def test_a_serial_line_gets_the_line_at_115200_8n1_and_nothing_else(cable: tuple[int, str]) -> None:
    controller, port = cable
    handover.speak(LINE, port)
    assert os.read(controller, 1000) == LINE.encode() + b"\r\n"
    _, oflag, cflag, lflag, ispeed, ospeed, _ = termios.tcgetattr(controller)
    assert (ispeed, ospeed) == (termios.B115200, termios.B115200)
    assert cflag & (termios.CSIZE | termios.PARENB | termios.CSTOPB | termios.CRTSCTS) == termios.CS8
    assert oflag & termios.OPOST == 0
    assert lflag & termios.ECHO == 0


def test_a_line_that_takes_nothing_is_given_up(cable: tuple[int, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handover, "PATIENCE_S", 0.05)
    with pytest.raises(StoreError, match="nobody takes the bytes"):
        handover.speak("x" * 1_000_000, cable[1])


def test_a_file_is_no_serial_line_and_stays_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious")
    with pytest.raises(BadInput, match="no serial line"):
        handover.speak(LINE, str(tmp_path / "file"))
    assert (tmp_path / "file").read_text() == "precious"
    with pytest.raises(BadInput, match="no serial line"):
        handover.speak(LINE, "/dev/null")
    with pytest.raises(StoreError, match="cannot be opened"):
        handover.speak(LINE, str(tmp_path / "none"))


def test_the_qr_code_fits_80_columns_and_24_rows_and_a_camera_reads_the_line() -> None:
    pytest.importorskip("segno")
    terminal = io.StringIO()
    handover.draw(LINE, terminal)
    rows = terminal.getvalue().splitlines()
    assert len(rows) <= 24
    assert max(len(row) for row in rows) <= 80
    assert cv2.QRCodeDetector().detectAndDecode(_photographed(rows))[0] == LINE


def _photographed(rows: list[str]) -> np.ndarray:
    """What a camera sees of half blocks on a dark terminal: each letter is one dot above another."""
    lit = {" ": (0, 0), "▀": (1, 0), "▄": (0, 1), "█": (1, 1)}
    dots = [[lit[letter][half] for letter in row] for row in rows for half in (0, 1)]
    picture = np.array(dots, np.uint8) * 255
    return cv2.copyMakeBorder(np.kron(picture, np.ones((8, 8), np.uint8)), *[40] * 4, cv2.BORDER_CONSTANT, value=255)
