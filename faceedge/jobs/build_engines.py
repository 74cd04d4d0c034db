"""The thread `engine builds`: wishes in, one build at a time, what came of each told. Run by the daemon.

What fails is tried again at the next start, or by `faceedge build`: a door that builds all night serves nobody.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from faceedge.errors import FaceedgeError
from faceedge.manifest import Role

log = logging.getLogger(__name__)

STOP_WITHIN_S = 1.5
Share = Callable[[float], None]


class Ending:
    """Asks whoever builds to leave off. Any thread sets it."""

    def __init__(self) -> None:
        self._is_set = False
        self._callback: Callable[[], None] | None = None
        self._lock = threading.Lock()

    @property
    def is_set(self) -> bool:
        return self._is_set

    def set(self) -> None:
        """Calls back, once."""
        with self._lock:
            self._is_set = True
            if self._callback is not None:
                self._callback()
                self._callback = None

    @contextmanager
    def calls(self, callback: Callable[[], None]) -> Iterator[None]:
        """In the block, `set` calls this; at once where it was set before."""
        with self._lock:
            self._callback = callback
        if self._is_set:
            self.set()
        try:
            yield
        finally:
            with self._lock:
                self._callback = None


@dataclass(frozen=True, slots=True, eq=False)
class Wish:
    """An engine to be built. facts: what it is, for whoever is told. why: there is none yet.

    build: builds it and lets it serve, telling the share that is done; it ends soon after the ending is set. Raises
    FaceedgeError when it fails, also when it was ended.
    """

    role: Role
    label: str
    why: str
    facts: Mapping[str, Any]
    build: Callable[[Share, Ending], Mapping[str, Any]]


class Builder:
    """tell: receives what happened, from the thread: `done` is begun, serves or failed."""

    def __init__(self, tell: Callable[[dict[str, Any]], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._tell = tell
        self._clock = clock
        self._wishes: deque[Wish] = deque()
        self._chores: list[Callable[[], None]] = []
        self._standing: dict[Role, tuple[Wish, str]] = {}
        self._ending = Ending()
        self._thread = threading.Thread(target=self._work, name="engine builds", daemon=True)

    def wish(self, wish: Wish) -> None:
        """Before `start`."""
        self._wishes.append(wish)
        self._standing[wish.role] = (wish, "until its engine is built")

    def first(self, chore: Callable[[], None]) -> None:
        """Before `start`: done before everything else, and untold. What it raises ends the thread: only the loss of the
        device should."""
        self._chores.append(chore)

    def start(self) -> None:
        """Begins to build what was wished, if anything was."""
        if self._wishes or self._chores:
            self._thread.start()

    def stop(self) -> None:
        """Ends the build that is under way; it is begun anew at the next start."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join(STOP_WITHIN_S)

    def notices(self) -> list[str]:
        """A sentence for each network that has no engine yet."""
        return [f"{wish.label} runs on ONNX Runtime {how}" for wish, how in list(self._standing.values())]

    def _work(self) -> None:
        for chore in self._chores:
            try:
                chore()
            except FaceedgeError as error:
                log.warning("no engine is built: %s", error)
                return
        while self._wishes and not self._ending.is_set:
            self._fulfil(self._wishes.popleft())

    def _fulfil(self, wish: Wish) -> None:
        began = self._clock()
        about: dict[str, Any] = {"role": wish.role, "package": wish.label, **wish.facts}
        self._tell({**about, "done": "begun", "why": wish.why})
        try:
            found = wish.build(lambda share: self._note(wish, share), self._ending)
        except FaceedgeError as error:
            if self._ending.is_set:
                return
            self._standing[wish.role] = (wish, f"as no engine could be built: {error}")
            self._tell({**about, "done": "failed", "why": str(error)})
            return
        except Exception as error:  # ours: the door goes on with what it has
            log.exception("the engine of %s could not be built", wish.label)
            self._standing[wish.role] = (wish, "as no engine could be built: internal fault")
            self._tell({**about, "done": "failed", "why": f"internal fault: {type(error).__name__}"})
            return
        self._standing.pop(wish.role, None)
        self._tell({**about, "done": "serves", "why": "", **found, "seconds": round(self._clock() - began, 1)})

    def _note(self, wish: Wish, share: float) -> None:
        self._standing[wish.role] = (wish, f"until its engine is built ({share:.0%})")
