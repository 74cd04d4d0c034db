"""`faceedge` that traces its own memory from the moment a file `trace` lies in $FACEEDGE_SOAK_ORDERS, and leaks while
one named `leak` lies there. Until then it is the product as it is, and one thread that sleeps.

Every few seconds it adds a line to `traces.jsonl`: {"at": monotonic seconds, "lines": {"file:line": bytes}}.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import tracemalloc
from pathlib import Path

from faceedge import __main__ as program

FOLDER = Path(os.environ["FACEEDGE_SOAK_ORDERS"])
LOOK_S = 0.5
TRACE_EVERY_S = 3.0
LEAST_BYTES = 1024
"""Of a line of code: what holds less is not told."""
LEAK_EVERY_S, LEAK_BYTES = 10.0, 1 << 20
LEAK_STEPS = 20


def obey() -> None:
    told, leaked, held = time.monotonic(), time.monotonic(), []
    while True:
        time.sleep(LOOK_S)
        now = time.monotonic()
        if (FOLDER / "leak").exists() and now - leaked >= LEAK_EVERY_S / LEAK_STEPS:
            leaked = now
            held.append(os.urandom(LEAK_BYTES // LEAK_STEPS))
        if (FOLDER / "trace").exists() and now - told >= TRACE_EVERY_S:
            told = now
            trace(now)


def trace(now: float) -> None:
    """The first time it begins to trace: only what is allocated from then on is seen, and what grows is among it."""
    if not tracemalloc.is_tracing():
        tracemalloc.start(1)
        return
    found = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(False, tracemalloc.__file__)])
    lines = {f"{one.traceback[0].filename}:{one.traceback[0].lineno}": one.size for one in found.statistics("lineno")}
    whole = {"at": now, "lines": {name: size for name, size in lines.items() if size >= LEAST_BYTES}}
    with (FOLDER / "traces.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(whole) + "\n")


if __name__ == "__main__":
    threading.Thread(target=obey, name="soak-orders", daemon=True).start()
    sys.exit(program.main(sys.argv[1:]))
