"""The demo's processes: each in a session of its own, its output read line by line, none left behind."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from faceedge.demo.ending import undisturbed
from faceedge.errors import FaceedgeError

STOP_S = 2.0
"""A child that has not ended this long after SIGTERM is killed."""


class Child:
    """One running process; its standard error goes to a log file. more: for its environment, beside ours."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        folder: Path,
        heard: queue.Queue[tuple[str, str]],
        more: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, env={**environment(), **(more or {})},
                text=True, encoding="utf-8", errors="replace", start_new_session=True,
            )  # fmt: skip
        self._heard = heard
        self._reader = threading.Thread(target=self._read, name=f"read-{name}", daemon=True)
        self._reader.start()

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None

    def code(self) -> int | None:
        """The exit code, None while it runs; negative is the signal that ended it."""
        return self.process.poll()

    def signal_group(self, number: signal.Signals) -> None:
        """Reaches the child and whatever it has started."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def wait(self, deadline: float) -> None:
        """Until it has ended or the monotonic deadline has passed."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(max(0.0, deadline - time.monotonic()))

    def finish(self) -> None:
        """After the end: everything it said has been heard."""
        self._reader.join(STOP_S)

    def last_words(self) -> str:
        """The last line of its log."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1] if lines else f"exit code {self.process.returncode}"

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                self._heard.put((self.name, line))


class Children:
    """All processes of a run; leaving the `with` block ends every one of them within `STOP_S`."""

    def __init__(self, folder: Path) -> None:
        self._heard: queue.Queue[tuple[str, str]] = queue.Queue()
        self._folder = folder
        self._all: list[Child] = []

    def start(self, name: str, command: Sequence[str]) -> Child:
        """Starts a process whose lines are heard under this name."""
        with undisturbed():
            self._all.append(Child(name, command, self._folder, self._heard))
        return self._all[-1]

    def hear(self, wait_s: float) -> list[tuple[str, str]]:
        """What was said since, as (name, line); empty when nobody spoke for `wait_s`.

        Raises FaceedgeError when a child has ended by itself.
        """
        with suppress(queue.Empty):
            return [self._heard.get(timeout=wait_s), *self.rest()]
        for child in self._all:
            if not child.is_running:
                child.finish()
                if self._heard.empty():
                    raise FaceedgeError(f"the {child.name} ended by itself: {child.last_words()}")
        return []

    def rest(self) -> list[tuple[str, str]]:
        """What was said and not yet heard, without waiting."""
        said = []
        with suppress(queue.Empty):
            while True:
                said.append(self._heard.get_nowait())
        return said

    def stop(self) -> None:
        """SIGTERM to all, then SIGKILL to those that are still there."""
        for child in self._all:
            child.signal_group(signal.SIGTERM)
        deadline = time.monotonic() + STOP_S
        for child in self._all:
            child.wait(deadline)
        for child in self._all:
            child.signal_group(signal.SIGKILL)
            child.process.wait()
            child.finish()

    def __enter__(self) -> Children:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def faceedge(*arguments: str) -> list[str]:
    """The command line of one of our own commands."""
    return [sys.executable, "-m", "faceedge", *arguments]


def environment() -> dict[str, str]:
    """Ours without the settings of another faceedge: the demo has a configuration of its own."""
    return {key: text for key, text in os.environ.items() if key == "FACEEDGE_CACHE" or not key.startswith("FACEEDGE")}
