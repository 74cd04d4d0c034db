"""What moves the strike: nothing at all, a GPIO line, or (http_relay.py) a relay of the network. And a door contact.

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
        self._request = _request(
            chip, line, direction=gpiod.line.Direction.OUTPUT, active_low=low, output_value=gpiod.line.Value.INACTIVE
        )

    @classmethod
    def parse(cls, text: str) -> GpioRelay:
        """From `/dev/gpiochip0:17`, or `/dev/gpiochip0:17:low`. Raises as the constructor, and BadInput."""
        chip, line, low = _parse(text)
        return cls(chip, line, low=low)

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


class GpioContact:
    """A contact between a line and ground, closed while the door is shut; the line's own resistor pulls it up.

    low: the other way round, closed while the door is open.
    """

    def __init__(self, chip: str, line: int, *, low: bool = False) -> None:
        """Takes the line. Raises MissingExtra, and StoreError when the line cannot be had."""
        gpiod = _gpiod()
        self._line = line
        self._open = gpiod.line.Value.ACTIVE
        self._request = _request(
            chip, line, direction=gpiod.line.Direction.INPUT, active_low=low, bias=gpiod.line.Bias.PULL_UP
        )

    @classmethod
    def parse(cls, text: str) -> GpioContact:
        """From `/dev/gpiochip0:18`, or `/dev/gpiochip0:18:low`. Raises as the constructor, and BadInput."""
        chip, line, low = _parse(text)
        return cls(chip, line, low=low)

    def __call__(self) -> bool:
        """Whether the door stands open; what cannot be read does not count as shut."""
        try:
            return bool(self._request.get_value(self._line) == self._open)
        except OSError:
            return True


def _parse(text: str) -> tuple[str, int, bool]:
    match = _LINE.fullmatch(text)
    if match is None:
        raise BadInput(f"{text} is no line: write chip and number as in /dev/gpiochip0:17, with :low for the inverse")
    return match[1], int(match[2]), match[3] is not None


def _request(chip: str, line: int, **settings: Any) -> Any:
    gpiod = _gpiod()
    try:
        return gpiod.request_lines(chip, {line: gpiod.LineSettings(**settings)}, "faceedge-door")
    except (OSError, ValueError) as error:
        raise StoreError(f"{chip} line {line}: {error}; see `gpioinfo` for lines, and who may use them") from error


def _gpiod() -> Any:
    try:
        import gpiod
        import gpiod.line
    except ImportError as error:
        raise MissingExtra("GPIO needs faceedge with its extra: pip install faceedge[gpio]") from error
    return gpiod
