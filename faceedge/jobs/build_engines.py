"""The thread `engine builds`: wishes in, one build at a time, what came of each told. Run by the daemon.

What fails is tried again at the next start, or by `faceedge build`: a door that builds all night serves nobody. The
thread ends when there is nothing to build, and comes back with the next wish.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from faceedge.errors import EngineError, FaceedgeError
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


class Fate:
    """What becomes of a wish. Any thread may ask, wait, or give it up."""

    def __init__(self) -> None:
        self.ending = Ending()
        self._share = 0.0
        self._fault: str | None = None
        self._changed = threading.Condition()

    @property
    def is_given_up(self) -> bool:
        return self.ending.is_set

    def give_up(self) -> None:
        """Nobody wants the engine any more: it is not built, or its build ends soon, and nothing is told of it."""
        self.ending.set()
        self.settle("its build was called off")

    def note(self, share: float) -> None:
        """So much of it is built, 0..1."""
        with self._changed:
            self._share = share
            self._changed.notify_all()

    def settle(self, fault: str = "") -> None:
        """It serves, or never will, and why; the first word counts."""
        with self._changed:
            self._fault = fault if self._fault is None else self._fault
            self._changed.notify_all()

    def wait(self, ending: Ending, told: Share) -> None:
        """Until the engine serves. told: the share that is built, 0..1, on this thread, whenever it has changed.

        Raises EngineError when it was not built, or `ending` was set before it was.
        """
        shown = -1.0
        with ending.calls(self._wake):
            while self._fault is None and not ending.is_set:
                if (share := self._next_share(shown, ending)) != shown:
                    told(shown := share)
        if self._fault is None:
            raise EngineError("its engine was not waited for")
        if self._fault:
            raise EngineError(self._fault)

    def _next_share(self, shown: float, ending: Ending) -> float:
        with self._changed:
            self._changed.wait_for(lambda: self._fault is not None or ending.is_set or self._share != shown)
            return self._share

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()


@dataclass(frozen=True, slots=True, eq=False)
class Wish:
    """An engine to be built. facts: what it is, for whoever is told. why: there is none yet.

    build: builds it and lets it serve, telling the share that is done; it ends soon after the ending is set. Raises
    FaceedgeError when it fails, also when it was ended. fate: what becomes of it.
    """

    role: Role
    label: str
    why: str
    facts: Mapping[str, Any]
    build: Callable[[Share, Ending], Mapping[str, Any]]
    fate: Fate = field(default_factory=Fate)


class Builder:
    """tell: receives what happened, from the thread: `done` is begun, serves or failed. Wishes may come from any thread
    at any time; nothing is built before `start` nor after `stop`."""

    def __init__(self, tell: Callable[[dict[str, Any]], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._tell = tell
        self._clock = clock
        self._wishes: deque[Wish] = deque()
        self._chores: deque[Callable[[], None]] = deque()
        self._standing: dict[Wish, str] = {}
        self._under_way: Wish | None = None
        self._may_build = self._is_over = False
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def wish(self, wish: Wish) -> None:
        """Built when those before it have been, unless it is given up until then."""
        with self._lock:
            self._forget_given_up()
            self._standing[wish] = "until its engine is built"
            if not self._is_over:
                self._wishes.append(wish)
        if self._is_over:
            wish.fate.give_up()
        self._go_on()

    def first(self, chore: Callable[[], None]) -> None:
        """Done before all wishes that wait, and untold. What it raises ends the builder: only the loss of the device
        should."""
        with self._lock:
            self._chores.append(chore)
        self._go_on()

    def start(self) -> None:
        """Begins to build what was wished, if anything was."""
        self._may_build = True
        self._go_on()

    def stop(self) -> None:
        """Ends the build that is under way; it is begun anew at the next start."""
        thread = self._thread
        for wish in self._end():
            wish.fate.give_up()
        if thread is not None:
            thread.join(STOP_WITHIN_S)

    def notices(self) -> list[str]:
        """A sentence for each network that has no engine yet."""
        with self._lock:
            self._forget_given_up()
            return [f"{wish.label} runs on ONNX Runtime {how}" for wish, how in self._standing.items()]

    def _go_on(self) -> None:
        with self._lock:
            if self._may_build and not self._is_over and self._thread is None and (self._wishes or self._chores):
                self._thread = threading.Thread(target=self._work, name="engine builds", daemon=True)
                self._thread.start()

    def _work(self) -> None:
        while (work := self._next()) is not None:
            if isinstance(work, Wish):
                self._fulfil(work)
                continue
            try:
                work()
            except FaceedgeError as error:
                log.warning("no engine is built: %s", error)
                for wish in self._end():
                    self._failed(wish, str(error))

    def _next(self) -> Wish | Callable[[], None] | None:
        """None is the end of the thread, of which whoever wishes next must know."""
        with self._lock:
            self._forget_given_up()
            self._under_way = None
            if self._chores:
                return self._chores.popleft()
            if self._wishes:
                self._under_way = self._wishes.popleft()
            else:
                self._thread = None
            return self._under_way

    def _end(self) -> list[Wish]:
        """Nothing more is begun. The wishes that were not fulfilled."""
        with self._lock:
            self._is_over = True
            left = [*([self._under_way] if self._under_way is not None else []), *self._wishes]
            self._wishes.clear()
            self._chores.clear()
            return left

    def _forget_given_up(self) -> None:
        self._wishes = deque(wish for wish in self._wishes if not wish.fate.is_given_up)
        self._standing = {wish: how for wish, how in self._standing.items() if not wish.fate.is_given_up}

    def _fulfil(self, wish: Wish) -> None:
        began = self._clock()
        about: dict[str, Any] = {"role": wish.role, "package": wish.label, **wish.facts}
        self._tell({**about, "done": "begun", "why": wish.why})
        try:
            found = wish.build(lambda share: self._note(wish, share), wish.fate.ending)
        except FaceedgeError as error:
            if wish.fate.is_given_up:
                return
            self._failed(wish, str(error))
            self._tell({**about, "done": "failed", "why": str(error)})
            return
        except Exception as error:  # ours: the door goes on with what it has
            log.exception("the engine of %s could not be built", wish.label)
            self._failed(wish, "internal fault")
            self._tell({**about, "done": "failed", "why": f"internal fault: {type(error).__name__}"})
            return
        with self._lock:
            self._standing.pop(wish, None)
        self._tell({**about, "done": "serves", "why": "", **found, "seconds": round(self._clock() - began, 1)})
        wish.fate.settle()

    def _failed(self, wish: Wish, why: str) -> None:
        self._stands(wish, f"as no engine could be built: {why}")
        wish.fate.settle(why)

    def _note(self, wish: Wish, share: float) -> None:
        self._stands(wish, f"until its engine is built ({share:.0%})")
        wish.fate.note(share)

    def _stands(self, wish: Wish, how: str) -> None:
        with self._lock:
            self._standing[wish] = how
