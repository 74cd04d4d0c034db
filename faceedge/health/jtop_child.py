"""A process of its own that asks jtop and prints one JSON line a reading: `python -m faceedge.health.jtop_child`.

jtop is not imported anywhere else: it may hang for ever and burn a core, and its licence (AGPL) is not ours. This
process ends with its standard input, that is with the process that started it, however that one ends.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Mapping
from typing import Any

INTERVAL_S = 2.0
OFFLINE_C = -40.0
"""Sensors that are switched off show -256."""
UNAVAILABLE_EXIT = 3


def sample(jetson: Any) -> dict[str, Any]:
    """temperature_c, zone, gpu_load 0..1, power_w, strain, of an open jtop; None or empty where it does not tell."""
    zone, temperature_c = _hottest(jetson.temperature)
    power = jetson.power
    return {
        "temperature_c": temperature_c,
        "zone": zone,
        "gpu_load": _load(jetson.gpu),
        "power_w": power["tot"]["power"] / 1000 if power.get("tot") else None,
        "strain": _overdrawn(power.get("rail", {})),
    }


def _hottest(sensors: Mapping[str, Any]) -> tuple[str, float | None]:
    online = {name: float(told["temp"]) for name, told in sensors.items()
              if told.get("online", True) and told["temp"] > OFFLINE_C}  # fmt: skip
    name = max(online, key=lambda name: online[name], default="")
    return name, online.get(name)


def _load(gpus: Mapping[str, Any]) -> float | None:
    loads = [told["status"]["load"] / 100 for told in gpus.values() if "load" in told.get("status", {})]
    return max(loads, default=None)


def _overdrawn(rails: Mapping[str, Any]) -> str:
    over = [name for name, told in rails.items() if told.get("crit") and told["curr"] > told["crit"]]
    return f"too much current: {over[0]}" if over else ""


def _end_with_parent() -> None:
    while os.read(0, 1024):  # not through sys.stdin, whose lock would abort a regular end
        pass
    os._exit(0)


def main() -> int:
    """Until jtop has nothing to tell, or nobody listens."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.nice(10)
    try:
        from jtop import jtop

        with jtop(interval=INTERVAL_S) as jetson:
            while jetson.ok():
                sys.stdout.write(json.dumps(sample(jetson)) + "\n")
                sys.stdout.flush()
    except BrokenPipeError:
        os._exit(0)
    except Exception as error:  # jtop's own derive from nothing narrower
        sys.stderr.write(f"jtop: {error}\n")
    return UNAVAILABLE_EXIT


if __name__ == "__main__":
    sys.exit(main())
