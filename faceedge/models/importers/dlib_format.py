"""Reads dlib's own serialisation: packed integers, floats as mantissa and exponent, tensors.

An integer is a control byte (0x80: negative, low four bits: 1..8 bytes) and little-endian bytes. A float is
two of them, mantissa and exponent. Nothing is allocated by a length that the rest of the file cannot hold.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from faceedge.errors import PackageError

MAX_FILE_BYTES = 256 << 20
REMEDY = "install it anew: pip install --force-reinstall face_recognition_models==0.3.0"


class Stream:
    """A cursor over one file. Every read raises PackageError naming the file when the bytes do not fit."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._at = 0
        try:
            if path.stat().st_size > MAX_FILE_BYTES:
                self.refuse("too large")
            self._bytes = path.read_bytes()
        except OSError as error:
            raise PackageError(f"{path}: cannot be read ({error.strerror}); {REMEDY}") from error

    @property
    def left(self) -> int:
        """Bytes not yet read."""
        return len(self._bytes) - self._at

    def refuse(self, reason: str) -> NoReturn:
        """Raises PackageError with the file, the position and a way out."""
        raise PackageError(f"{self._path}: not the dlib model expected, {reason} at byte {self._at}; {REMEDY}")

    def integer(self) -> int:
        """One packed integer."""
        control = self._take(1)[0]
        size = control & 0x0F
        if not 1 <= size <= 8 or control & 0x70:
            self.refuse("bad integer")
        value = int.from_bytes(self._take(size), "little")
        return -value if control & 0x80 else value

    def length(self) -> int:
        """A packed integer that counts things of at least one byte each."""
        value = self.integer()
        if not 0 <= value <= self.left:
            self.refuse("bad length")
        return value

    def number(self) -> float:
        """One float; infinities and NaN are refused."""
        mantissa, exponent = self.integer(), self.integer()
        if abs(exponent) > 2000:
            self.refuse("bad float")
        return math.ldexp(mantissa, exponent)

    def text(self) -> str:
        """One string."""
        return self._take(self.length()).decode("latin-1")

    def flag(self) -> bool:
        """One bool, stored as the digit 0 or 1."""
        digit = self._take(1)
        if digit not in (b"0", b"1"):
            self.refuse("bad flag")
        return digit == b"1"

    def expect(self, *versions: int) -> int:
        """A version number that must be one of `versions`."""
        version = self.integer()
        if version not in versions:
            self.refuse(f"unknown version {version}")
        return version

    def shape(self) -> tuple[int, int, int, int]:
        """Four sizes."""
        return self.integer(), self.integer(), self.integer(), self.integer()

    def tensor(self) -> NDArray[np.float32]:
        """A float32 array of four dimensions."""
        self.expect(2)
        shape = self.shape()
        count = math.prod(shape)
        if min(shape) < 0 or 4 * count > self.left:
            self.refuse("bad tensor")
        values = np.frombuffer(self._take(4 * count), "<f4").reshape(shape)
        if not np.isfinite(values).all():
            self.refuse("tensor with a value that is not finite")
        return values

    def end(self) -> None:
        """The file must end here."""
        if self.left:
            self.refuse("bytes left over")

    def integers(self) -> NDArray[np.int64]:
        """All packed integers up to the end of the file."""
        starts = np.fromiter(self._starts(), np.int64)
        raw = np.frombuffer(self._bytes + bytes(8), np.uint8)
        control = raw[starts]
        size = control & 0x0F
        if size.size == 0 or size.min() < 1 or size.max() > 8 or (control & 0x70).any():
            self.refuse("bad integer")
        if int(starts[-1]) + 1 + int(size[-1]) != len(self._bytes):
            self.refuse("cut short")
        value = np.zeros(len(starts), np.int64)
        for place in range(int(size.max())):
            byte = raw[starts + 1 + place].astype(np.int64)
            value |= np.where(place < size, byte << (8 * place), 0)
        self._at = len(self._bytes)
        return np.where(control & 0x80, -value, value)

    def _starts(self) -> Iterator[int]:
        at, data, end = self._at, self._bytes, len(self._bytes)
        while at < end:
            yield at
            at += 1 + (data[at] & 0x0F)

    def _take(self, count: int) -> bytes:
        if count > self.left:
            self.refuse("cut short")
        self._at += count
        return self._bytes[self._at - count : self._at]
