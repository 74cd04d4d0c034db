"""The part of gpiod 2.x that a relay needs, with its signatures and its refusals, over lines in memory."""

from __future__ import annotations

import errno
import sys
from dataclasses import dataclass, field
from enum import Enum
from types import ModuleType

import pytest


class Value(Enum):
    INACTIVE = 0
    ACTIVE = 1


class Direction(Enum):
    AS_IS = 1
    INPUT = 2
    OUTPUT = 3


class Bias(Enum):
    AS_IS = 1
    PULL_UP = 4


@dataclass
class LineSettings:
    direction: Direction = Direction.AS_IS
    bias: Bias = Bias.AS_IS
    active_low: bool = False
    output_value: Value = Value.INACTIVE


@dataclass
class Board:
    """pins: volts are there or not, by line. breaks: from now on the kernel refuses."""

    path: str = "/dev/gpiochip0"
    lines: int = 32
    pins: dict[int, bool] = field(default_factory=dict)
    taken: dict[int, str | None] = field(default_factory=dict)
    breaks: bool = False

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """As the module `gpiod`."""
        module, line = ModuleType("gpiod"), ModuleType("gpiod.line")
        line.Value, line.Direction, line.Bias = Value, Direction, Bias  # type: ignore[attr-defined]
        module.line, module.LineSettings, module.request_lines = line, LineSettings, self.request_lines  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "gpiod", module)
        monkeypatch.setitem(sys.modules, "gpiod.line", line)

    def request_lines(
        self,
        path: str,
        config: dict[int, LineSettings | None],
        consumer: str | None = None,
        event_buffer_size: int | None = None,
        output_values: dict[int, Value] | None = None,
    ) -> Request:
        if path != self.path:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory")
        ((line, settings),) = config.items()
        assert settings is not None
        if line >= self.lines:
            raise ValueError("line offset of out range")
        if line in self.taken:
            raise OSError(errno.EBUSY, "Device or resource busy")
        self.taken[line] = consumer
        request = Request(self, line, settings)
        if settings.direction is Direction.OUTPUT:
            request.set_value(line, settings.output_value)
        return request


class Request:
    """A line that was had; needs to be an output to be set."""

    def __init__(self, board: Board, line: int, settings: LineSettings) -> None:
        self._board, self._line, self._settings = board, line, settings

    def set_value(self, line: int, value: Value) -> None:
        if self._board.breaks:
            raise OSError(errno.EIO, "Input/output error")
        if self._settings.direction is not Direction.OUTPUT:
            raise OSError(errno.EPERM, "Operation not permitted")
        assert line == self._line in self._board.taken
        self._board.pins[line] = (value is Value.ACTIVE) != self._settings.active_low

    def get_value(self, line: int) -> Value:
        """A line that nobody drives is where its resistor pulls it."""
        if self._board.breaks:
            raise OSError(errno.EIO, "Input/output error")
        is_high = self._board.pins.get(line, self._settings.bias is Bias.PULL_UP)
        return Value.ACTIVE if is_high != self._settings.active_low else Value.INACTIVE

    def release(self) -> None:
        del self._board.taken[self._line]
