"""What moves the strike: nothing at all, a GPIO line, or (http_relay.py) a relay of the network.

A relay is told and does not block; its order says later whether it obeyed. latch.py decides what it is told.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Protocol

from faceedge.errors import BadInput, MissingExtra, StoreError

_LINE = re.compile(r"(/[^:]+):([0-9]{1,4})(:low)?")


@dataclass(slots=True)
class Order:
    """What a relay was told. why: None until it has answered, then empty if it obeyed.

    is_void: given up by who gave it; a relay that has not begun with it must not.
    """

    why: str | None = None
    is_void: bool = False


class Relay(Protocol):
    """Off until told. One thread tells it; nothing here blocks but `close`."""

    def on(self, pulse_ms: int) -> Order:
        """Opens the door. pulse_ms: for a relay that can count for itself; whoever tells it ends the pulse, too."""

    def off(self) -> Order:
        """Lets the door go."""

    def close(self) -> str:
        """Off for good; lines and threads are free. Says why the relay did not obey, nothing if it did."""


class NoRelay:
    """For trying and testing: its events are the door."""

    def on(self, _pulse_ms: int) -> Order:
        """Obeys."""
        return Order("")

    def off(self) -> Order:
        """Obeys."""
        return Order("")

    def close(self) -> str:
        """Holds nothing."""
        return ""


class GpioRelay:
    """A line of the machine's own, through the kernel's character device. low: the relay pulls at 0 V.

    The kernel gives the line back when the process ends, however it ends; what the pin does then is up to the board.
    """

    def __init__(self, chip: str, line: int, *, low: bool = False) -> None:
        """Takes the line, off. Raises MissingExtra, and StoreError when the line cannot be had."""
        gpiod = _gpiod()
        self._line = line
        self._values = gpiod.line.Value
        settings = gpiod.LineSettings(
            direction=gpiod.line.Direction.OUTPUT, active_low=low, output_value=gpiod.line.Value.INACTIVE
        )
        try:
            self._request = gpiod.request_lines(chip, {line: settings}, "faceedge-door")
        except (OSError, ValueError) as error:
            raise StoreError(f"{chip} line {line}: {error}; see `gpioinfo` for lines, and who may use them") from error

    @classmethod
    def parse(cls, text: str) -> GpioRelay:
        """From `/dev/gpiochip0:17`, or `/dev/gpiochip0:17:low`. Raises as the constructor, and BadInput."""
        match = _LINE.fullmatch(text)
        if match is None:
            raise BadInput(f"--gpio {text}: write chip and line as in /dev/gpiochip0:17, with :low if it pulls at 0 V")
        return cls(match[1], int(match[2]), low=match[3] is not None)

    def on(self, _pulse_ms: int) -> Order:
        """At once."""
        return self._set(self._values.ACTIVE)

    def off(self) -> Order:
        """At once."""
        return self._set(self._values.INACTIVE)

    def close(self) -> str:
        """Off, and the line is free."""
        order = self.off()
        self._request.release()
        return order.why or ""

    def _set(self, value: Any) -> Order:
        try:
            self._request.set_value(self._line, value)
        except OSError as error:
            return Order(f"gpio: {error.strerror}")
        return Order("")


def _gpiod() -> Any:
    try:
        import gpiod
        import gpiod.line
    except ImportError as error:
        raise MissingExtra("--gpio needs faceedge with its extra: pip install faceedge[gpio]") from error
    return gpiod
