"""How hot the machine is, what it draws and whether it is being slowed down, from the kernel's own files.

Paths and types as on a Jetson Orin with L4T 36 (thermal zones, `*-throttle-alert` cooling devices, INA3221 rails,
`soctherm_oc`); none of it has run on one. A box without them tells what it has.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from faceedge.health.machine import ROOT, read_text

FREQUENCY_CAPS = ("cpufreq", "devfreq", "thermal-cpufreq", "thermal-devfreq", "Processor")
"""Cooling devices that slow processors down. A fan is none of them, nor is `hot-surface-alert`, which warns fingers."""
CAPPED_FROM = 0.25
"""Of a frequency cap's steps: below this a little is being shaved off, as on any warm day. Our choice. Alerts count
from their first step. What a governor or nvpmodel has set is no throttling, so frequencies themselves are not read."""
PLAUSIBLE_C = (-40.0, 150.0)


@dataclass(frozen=True, slots=True)
class Telemetry:
    """temperature_c: of the hottest zone, which has a name. gpu_load: 0..1. strain: what is too hot or overdrawn, for
    the operator; empty when nothing is. None: not told here."""

    source: Literal["sysfs", "jtop"]
    temperature_c: float | None = None
    zone: str = ""
    gpu_load: float | None = None
    power_w: float | None = None
    strain: str = ""


@dataclass(slots=True)
class SysfsReader:
    """Reads from below `root`; one thread, which a dead bus may hold up."""

    root: Path = ROOT
    _overdrawn: int | None = None
    _rose: bool = field(default=False)

    def read(self) -> Telemetry:
        """What can be read now."""
        zone, temperature_c = max(self._temperatures(), key=lambda hot: hot[1], default=("", None))
        strain = next(self._throttling(), "") or next(self._alarms(), "")
        # Read in any case, so that the next reading knows what was before.
        strain = self._overdraw() or strain
        return Telemetry("sysfs", temperature_c, zone, self._gpu_load(), self._power_w(), strain)

    def _temperatures(self) -> Iterator[tuple[str, float]]:
        for zone in (self.root / "sys/class/thermal").glob("thermal_zone*"):
            degrees = _number(zone / "temp")
            if degrees is not None and PLAUSIBLE_C[0] <= degrees / 1000 <= PLAUSIBLE_C[1]:
                yield read_text(zone / "type").strip().removesuffix("-thermal") or zone.name, degrees / 1000

    def _gpu_load(self) -> float | None:
        """The nodes tell per mille."""
        loads = (_number(path) for path in (self.root / "sys/class/devfreq").glob("*gpu*/device/load"))
        return max((min(1.0, load / 1000) for load in loads if load is not None and load >= 0), default=None)

    def _throttling(self) -> Iterator[str]:
        for device in (self.root / "sys/class/thermal").glob("cooling_device*"):
            kind, step = read_text(device / "type").strip(), _number(device / "cur_state") or 0
            if kind.endswith("-throttle-alert"):
                is_slowing = step > 0
            else:
                most = _number(device / "max_state") or 0
                is_slowing = kind.startswith(FREQUENCY_CAPS) and most > 0 and step / most >= CAPPED_FROM
            if is_slowing:
                yield f"too hot: {kind}"

    def _alarms(self) -> Iterator[str]:
        for sensor in self._sensors("ina"):
            for alarm in sorted(sensor.glob("curr[0-9]*_alarm")):
                if _number(alarm) == 1:
                    number = alarm.name.removeprefix("curr").partition("_")[0]
                    yield f"too much current: {_label(sensor, number) or alarm.name}"

    def _overdraw(self) -> str:
        """Events are counted by the kernel: under-voltage, average and peak current. One is a start-up; what has risen
        at two readings in a row goes on."""
        counts = [_number(path) for sensor in self._sensors("soctherm_oc") for path in sensor.glob("oc*_event_cnt")]
        total = sum(count for count in counts if count is not None)
        before, rose_before = self._overdrawn, self._rose
        self._overdrawn, self._rose = total, before is not None and total > before
        return "too much current: throttled by the module" if self._rose and rose_before else ""

    def _power_w(self) -> float | None:
        """Of the whole board where a rail says so (`VDD_IN`), else the sum of the rails there are."""
        rails = {label: watts for sensor in self._sensors("ina") for label, watts in _rails(sensor)}
        if not rails:
            return None
        return rails.get("VDD_IN", sum(rails.values()))

    def _sensors(self, name: str) -> list[Path]:
        sensors = sorted((self.root / "sys/class/hwmon").glob("hwmon*"))
        return [sensor for sensor in sensors if read_text(sensor / "name").startswith(name)]


def _rails(sensor: Path) -> Iterator[tuple[str, float]]:
    """mV times mA. Channels without a name of their own are shunt voltages and sums, no rails."""
    for current in sensor.glob("curr[0-9]*_input"):
        number = current.name.removeprefix("curr").removesuffix("_input")
        milliamperes, millivolts = _number(current), _number(sensor / f"in{number}_input")
        label = _label(sensor, number)
        if milliamperes is not None and millivolts is not None and label and "shunt" not in label:
            yield label, milliamperes * millivolts / 1e6


def _label(sensor: Path, number: str) -> str:
    return read_text(sensor / f"in{number}_label").strip()


def _number(path: Path) -> int | None:
    text = read_text(path).strip()
    digits = text.removeprefix("-")
    return int(text) if digits.isascii() and digits.isdecimal() and len(digits) <= 20 else None
