"""Another network in place of the one that serves, in five steps, while the door goes on: `swap`.

Run by `jobs/swapper.py` in a daemon, and by `faceedge model activate|rollback` where none runs. What is swapped in
memory is the `Host`'s; what stands on disk is written here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeGuard

from faceedge.errors import BadInput, EngineError, FaceedgeError, StoreError
from faceedge.jobs.acquaint import ACQUAINTING, Acquaintance, beyond_help, check_known
from faceedge.jobs.aside import aside
from faceedge.jobs.choose_model import Choice, check_choice, choose, choose_former
from faceedge.jobs.former import has_served, note_served
from faceedge.jobs.on_trial import put_back, put_on_trial, read_trials, take_off_trial
from faceedge.jobs.site import ROLES, Site
from faceedge.jobs.swap_host import Host, R, Ready
from faceedge.jobs.swap_order import STEPS, Order, Step
from faceedge.manifest import Role
from faceedge.models.active import Standing, stand
from faceedge.package import Package

__all__ = ["STEPS", "Host", "Order", "Ready", "Rejected", "Step", "Swapped", "swap"]

log = logging.getLogger(__name__)

OPENED, EMBEDDED = 0.1, 0.6
"""Shares of `prepare` after which the networks are open, and everybody is known to them; the rest is the trial."""
Told = Callable[[Step, float, str], None]
"""Hears which step is at work, the share of it that is done (0..1), and what is being done, in words."""


class Rejected(FaceedgeError):
    """The trial says no. report: what it has shown."""

    def __init__(self, why: str, report: Mapping[str, Any]) -> None:
        super().__init__(why)
        self.report = report


@dataclass(frozen=True, slots=True)
class Swapped:
    """What serves a role now; package: None is no network at all. before: label of what served it until now. is_new:
    whether that is a change. is_return: it had served before that. embedded: people who got templates of it. unknown:
    how many must be enrolled again. report: of the trial. remark: what did not go well after the switch."""

    role: Role
    package: Package | None
    before: str
    is_new: bool
    is_return: bool = False
    embedded: int = 0
    unknown: int = 0
    report: Mapping[str, Any] = field(default_factory=dict)
    remark: str = ""

    @property
    def label(self) -> str:
        return self.package.label if self.package else "none"


def swap(
    order: Order, site: Site, host: Host[R], told: Told, ending: Callable[[], bool] = lambda: False
) -> Swapped:  # fmt: skip
    """Lets what is ordered serve. ending: whether to stop as soon as possible.

    Raises FaceedgeError: then what served before serves, in memory and on disk, and nothing is left open. Templates
    that were made of pictures stay, and need not be made again.
    """
    choice = _staged(order, site, partial(_heard, told, "stage"))
    _verify(choice, order, site, host, told)
    if choice.wanted == choice.standing.active and _is_served(choice, host):
        return Swapped(choice.role, choice.package, choice.before, False)
    told("prepare", 0.0, f"opening {choice.label} beside {choice.before}")
    ready = host.prepare({choice.role: choice.package}, dual=order.dual)
    try:
        people = None
        if choice.role == "recognizer":
            is_beside = host.serving() is not None
            people = Acquaintance(ready.vision, site.state, host.pace, ending, host.levels(ready), is_beside)
        embedded = _acquaint(choice, order, people, told)
        if order.shadow_s or order.canary:
            _try(order, ready, host, told)
            embedded += _acquaint(choice, order, people, told)  # whoever was enrolled meanwhile
        if ending():
            raise EngineError("the daemon ends; nothing was changed")
        told("switch", 0.0, f"{choice.label} takes over")
        _switch(choice, ready, site, host)
    except BaseException:
        host.drop(ready)
        raise
    told("retire", 0.0, f"{choice.before} ends")
    more, unknown, remark = _retire(choice, site, host, people, told)
    return Swapped(
        choice.role, choice.package, choice.before, True, choice.is_return, embedded + more, unknown,
        dict(ready.report), remark,
    )  # fmt: skip


def _heard(told: Told, step: Step, text: str, share: float) -> None:
    told(step, share, text)


def _staged(order: Order, site: Site, progress: Callable[[str, float], None]) -> Choice:
    """What is ordered lies in the store as a whole, beside what serves; a built-in package is brought there."""
    progress(f"looking for {order.name or 'the package before'}", 0.0)
    if not order.name:
        assert order.role is not None, "an order names a package or a role"
        return choose_former(order.role, site, progress)
    choice = choose(order.name, site, progress)
    if order.role not in (None, choice.role):
        raise BadInput(f"{choice.label} is a {choice.role}, not a {order.role}; name another")
    return choice


def _verify(choice: Choice, order: Order, site: Site, host: Host[R], told: Told) -> None:
    """Raises FaceedgeError for what may not serve; also when people would be unknown for whom nothing can be done."""
    progress = partial(_heard, told, "verify")
    progress(f"checking {choice.label}", 0.0)
    is_known = choice.package is not None and choice.is_return and has_served(choice.package, site.state)
    others = {role: _present(role, site, host) for role in ROLES if role != choice.role}
    accepted = order.accept_worse
    aside(lambda: check_choice(choice, others, site, progress, accept_worse=accepted, is_known=is_known))
    progress("looking for people whom it cannot know", 0.9)
    if choice.wanted != choice.standing.active and not (order.agreed or order.dual):
        unknown = beyond_help(choice.package.space, site.state) if _tells_apart(choice.package) else 0
        check_known(unknown, can_ask=bool(order.name))


def _tells_apart(package: Package | None) -> TypeGuard[Package]:
    return package is not None and package.manifest.role == "recognizer"


def _present(role: Role, site: Site, host: Host[R]) -> Package | None:
    """What serves a role; where nothing does, what the next start takes."""
    vision = host.serving()
    return vision.packages.get(role) if vision is not None else site.present(role)


def _is_served(choice: Choice, host: Host[R]) -> bool:
    """Whether the network that decides is this one; where none does, the next start sees to it."""
    vision = host.serving()
    return vision is None or vision.builds.get(choice.role) == (choice.package.build if choice.package else None)


def _acquaint(choice: Choice, order: Order, people: Acquaintance | None, told: Told) -> int:
    """Gets everybody known to what is to serve; how many. Raises BadInput when somebody stays unknown unasked."""
    if people is None or choice.is_return:
        return 0  # whoever goes back is in a hurry, and most people are known to that one already
    done = people.make(lambda share: told("prepare", OPENED + (EMBEDDED - OPENED) * share, ACQUAINTING))
    if not (order.agreed or order.dual):
        check_known(people.unknown())
    return done


def _retire(
    choice: Choice, site: Site, host: Host[R], people: Acquaintance | None, told: Told
) -> tuple[int, int, str]:  # fmt: skip
    """Whoever was enrolled meanwhile is made known, too: how many, how many are unknown now, and what did not go well:
    what serves, serves."""
    try:
        if choice.is_return:
            take_off_trial(choice.role, site.state)
        if choice.package is not None:
            note_served(choice.package, site.state)
        host.retire()
        if people is None:
            return 0, 0, ""
        return people.make(lambda share: told("retire", share, ACQUAINTING)), people.unknown(), ""
    except FaceedgeError as error:
        return 0, 0, f"it serves, but not everything after that went well: {error}"
    except Exception as error:  # of a thread that must not say that it does not serve
        log.exception("internal fault after other networks took over")
        return 0, 0, f"it serves, but after that there was an internal fault: {type(error).__name__}; see the log"


def _try(order: Order, ready: R, host: Host[R], told: Told) -> None:
    why = host.trial(
        ready, shadow_s=order.shadow_s, canary=order.canary,
        told=lambda share, text: told("prepare", EMBEDDED + (1 - EMBEDDED) * share, text),
    )  # fmt: skip
    if why:
        raise Rejected(why, dict(ready.report))


def _switch(choice: Choice, ready: R, site: Site, host: Host[R]) -> None:
    """First the way back, then the choice, then the networks: whatever ends the process, what stands on disk is the
    old choice or the new one, and the next start knows which to take."""
    choice.check_unchanged()
    role, before = choice.role, choice.standing
    vision = host.serving()
    # Where none serves, the present one may be broken, and be the reason.
    old = vision.packages.get(role) if vision is not None else site.at_hand(role)
    if old is not None:
        note_served(old, site.state)
    trials = read_trials(site.state)
    if not choice.is_return:  # what has served before is where one goes back to, and not from
        put_on_trial(role, choice.wanted, before, site.state, host.moment())
    try:
        stand(role, Standing(active=choice.wanted, previous=before.active), site.state)
        host.switch(ready)
    except BaseException:
        with suppress(StoreError):  # what went wrong first is what is told
            stand(role, before, site.state)
            put_back(trials, site.state)  # not without the other: then the next start goes back
        raise
