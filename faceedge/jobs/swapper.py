"""The thread `model swap` of a running daemon: one order at a time, from the broker or from `faceedge model`.

It also sees to who is on trial: after ten minutes that is over, and packages that nobody needs any more go.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from faceedge.errors import BadInput, FaceedgeError
from faceedge.health.starts import Moment, now
from faceedge.jobs.former import prune
from faceedge.jobs.on_trial import settle
from faceedge.jobs.site import Site
from faceedge.jobs.swap import STEPS, Host, Order, Rejected, Step, Swapped, swap
from faceedge.jobs.swap_bodies import failed_body, swapped_body
from faceedge.jobs.swap_line import Progress, fresh_id, read_progress, take, withdraw, write_progress
from faceedge.manifest import Role
from faceedge.models.store import find_package

log = logging.getLogger(__name__)

LOOK_S = 0.2
"""Between two looks at what is wanted: who goes back waits for it."""
TRIALS_S = 1.0
"""Between two looks at who is on trial."""
WRITE_S = 1.0
"""Between two notes of how far a step is: more would wear flash memory out."""
STOP_WITHIN_S = 1.8
BUSY = "another swap is under way; wait for its end"
ENDED = "the daemon ended meanwhile"
BEFORE_THE_SWITCH = ("stage", "verify", "prepare")
Note = Callable[[dict[str, Any]], None]


class Swapper:
    """Make it, `start` it once the networks serve; `stop` it before they are closed.

    note: receives what came of each order, as in the journal. news: something of `as_json` has changed. first: done in
    the thread before all orders. clock: monotonic. moment: by the clock that trials are counted with.
    """

    def __init__(
        self, site: Site, host: Host[Any], note: Note, news: Callable[[], None] = lambda: None, *,
        first: Callable[[], object] = lambda: None, clock: Callable[[], float] = time.monotonic,
        moment: Callable[[], Moment] = now,
    ) -> None:  # fmt: skip
        self._site = site
        self._host = host
        self._note = note
        self._news = news
        self._clock = clock
        self._moment = moment
        self._first = first
        self._written = self._looked = float("-inf")
        self._next: Order | None = None
        self._now: Progress | None = None
        self._changed = threading.Condition()
        self._ending = threading.Event()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._work, name="model swap", daemon=True)

    def start(self) -> None:
        """What a process before this one has left half done is not taken up again."""
        withdraw(self._site.state)
        left = read_progress(self._site.state)
        if left is not None and not left.done:
            self._write(left.model_copy(update={"done": True, "ok": False, "why": ENDED}))
            if left.step in BEFORE_THE_SWITCH and (left.role or left.name):  # else it is told elsewhere what serves
                order = Order(left.role, left.name, by=left.by)
                self._note(failed_body(order, left.role or self._role(left.name), left.step, ENDED, {}))
        self._thread.start()

    def stop(self) -> bool:
        """Ends what is under way, and what serves goes on serving; False when that did not end in time."""
        self._ending.set()
        self._wake.set()
        with self._changed:
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(STOP_WITHIN_S)
        return not self._thread.is_alive()

    def submit(self, order: Order) -> str:
        """The id of an order that is carried out now; any thread. Raises BadInput while another one is."""
        name = fresh_id()
        with self._changed:
            if self._is_busy or self._ending.is_set():
                raise BadInput(BUSY)
            self._take(name, order)
        self._wake.set()
        return name

    def accept(self, order: Order) -> str:
        """Waits until an order is found good, but not for its end. Why it is not, or nothing; any thread."""
        try:
            name = self.submit(order)
        except BadInput as error:
            return str(error)
        with self._changed:
            self._changed.wait_for(lambda: self._ending.is_set() or self._is_judged(name))
            is_judged, mine = self._is_judged(name), self._now
        if not is_judged:
            return ENDED
        return mine.why if mine is not None and mine.id == name and mine.done and not mine.ok else ""

    def as_json(self) -> dict[str, Any] | None:
        """For `…/state`: how far the newest order of this process is; None before the first."""
        now = self._now
        return None if now is None else now.model_dump(mode="json", exclude={"outcome"})

    def turn(self) -> None:
        """One round of the thread: trials that are over, and the next order, if there is one."""
        self._look_after()
        if self._next is None:
            self._look_for_wish()
        if self._next is not None:
            self._carry_out(self._next)

    @property
    def _is_busy(self) -> bool:
        return self._next is not None

    def _work(self) -> None:
        turn = self._begin
        while not self._ending.is_set():
            try:
                turn()
            except Exception:  # thread top: one order costs nothing but itself
                log.exception("internal fault while networks were swapped")
            turn = self.turn
            self._wake.wait(LOOK_S)
            self._wake.clear()

    def _begin(self) -> None:
        try:
            self._first()
        except FaceedgeError as error:
            log.error("not as before the start: %s", error)

    def _look_for_wish(self) -> None:
        try:
            wanted = take(self._site.state)
            order = wanted.order() if wanted is not None else None
        except BadInput as error:
            log.warning("no swap: %s", error)
            return
        with self._changed:
            if wanted is not None and order is not None and not self._is_busy:
                self._take(wanted.id, order)

    def _take(self, name: str, order: Order) -> None:
        self._next = order
        self._now = Progress(id=name, by=order.by, role=order.role, name=order.name)

    def _carry_out(self, order: Order) -> None:
        mine = self._next
        try:
            self._show(self._under_way, at_once=True)
            done = swap(order, self._site, self._host, self._told, self._ending.is_set)
        except FaceedgeError as error:
            self._failed(order, str(error), error.report if isinstance(error, Rejected) else {})
        except Exception as error:  # the old network serves
            log.exception("internal fault while networks were swapped")
            self._failed(order, f"internal fault: {type(error).__name__}; see the log of the device", {})
        else:
            self._succeeded(order, done)
        finally:
            with self._changed:  # whatever went wrong, it is not begun again
                self._next = None if self._next is mine else self._next

    @property
    def _under_way(self) -> Progress:
        assert self._now is not None, "an order has been taken"
        return self._now

    def _told(self, step: Step, share: float, text: str) -> None:
        self._look_after()
        is_next = step != self._under_way.step
        self._show(self._under_way.model_copy(update={"step": step, "share": share, "text": text}), at_once=is_next)

    def _succeeded(self, order: Order, done: Swapped) -> None:
        body = swapped_body(order, done)
        log.info("%s serves in place of %s", done.label, done.before)
        try:
            if done.is_new:
                self._note(body)
        finally:
            self._end(ok=True, why=done.remark, outcome={**body, "changed": done.is_new}, role=done.role)

    def _failed(self, order: Order, why: str, report: Mapping[str, Any]) -> None:
        role = order.role or self._role(order.name)
        body = failed_body(order, role, self._under_way.step, why, report)
        log.warning("%s does not serve: %s", order.name or "the package before", why)
        try:
            self._note(body)
        finally:
            self._end(ok=False, why=why, outcome=body, role=role)

    def _role(self, name: str) -> Role | None:
        """Of a package; None when there is none, or it cannot be read."""
        try:
            return find_package(name, self._site.state, self._site.cache).manifest.role
        except FaceedgeError:
            return None

    def _end(self, **told: Any) -> None:
        share = {"step": STEPS[-1], "share": 1.0, "text": ""} if told["ok"] else {}
        self._show(self._under_way.model_copy(update={**share, **told, "done": True}), at_once=True)

    def _show(self, progress: Progress, *, at_once: bool) -> None:
        with self._changed:
            self._now = progress
            if progress.done:
                self._next = None
            self._changed.notify_all()
        if at_once or self._clock() - self._written >= WRITE_S:
            self._written = self._clock()
            self._write(progress)
            self._news()

    def _write(self, progress: Progress) -> None:
        try:
            write_progress(progress, self._site.state)
        except FaceedgeError as error:
            log.warning("how far a swap is cannot be told: %s", error)

    def _is_judged(self, name: str) -> bool:
        """Whether it has been verified, or has ended."""
        now = self._now
        return now is None or now.id != name or now.done or now.step not in ("stage", "verify")

    def _look_after(self) -> None:
        if self._clock() - self._looked < TRIALS_S:
            return
        self._looked = self._clock()
        try:
            for role in settle(self._site.state, self._moment):
                for label in prune(role, self._site.models.keep, self._site):
                    self._note({"done": "removed", "package": label, "by": "rule"})
        except FaceedgeError as error:
            log.warning("who is on trial: %s", error)
