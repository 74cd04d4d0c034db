"""What may be expected of the daemon under every fault, and whether it was so. Pure.

docs/chaos.md gives each bound in words. Somebody stands before the camera every 1.5 s and needs about a second to be
decided about: that is part of every recovery.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from faceedge.chaos.observer import Decided, Opened
from faceedge.chaos.reel import Appearance

DEADLINE_S = 0.5
"""From the picture to the decision; `decide.DEADLINE_S`, repeated here so that the judge is not the judged."""
SLACK_S = 0.1
"""Between this process's notes and those of the daemon."""
REMEMBERED_S = 60.0
"""Whatever was held back on the way comes within this."""
CAMERA_S = 0.3
"""A picture may be so much older than the daemon can know: it has come through a pipe."""


@dataclass(frozen=True, slots=True)
class Bound:
    """detected_s: from the fault until the daemon says so; None: there is nothing to say. recovered_s: from the end of
    the fault until somebody gets a proper answer. lost: people without one meanwhile. shut: nobody who comes while the
    fault lasts may pass, the right person neither."""

    detected_s: float | None
    recovered_s: float
    lost: int
    shut: bool = False

    def eased(self, times: float) -> Bound:
        """For a machine that has other work: so many times the seconds and the people. Late and wrong stay at none."""
        first_s = None if self.detected_s is None else self.detected_s * times
        return replace(self, detected_s=first_s, recovered_s=self.recovered_s * times, lost=round(self.lost * times))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was seen of one fault. detected_s, recovered_s: None for never. opens: of the controller, in all."""

    detected_s: float | None
    recovered_s: float | None
    lost: int
    late: int
    wrong: int
    opens: int
    said: str = ""


BOUNDS = {
    "camera-cut": Bound(3.0, 6.5, 5),
    "camera-half-open": Bound(5.0, 6.5, 6),
    "frozen-frame": Bound(5.0, 6.5, 6, shut=True),
    "detect-raises": Bound(2.0, 5.0, 2),
    "recognise-raises": Bound(2.0, 5.0, 2),
    "detect-hangs": Bound(5.0, 10.0, 7),
    "recognise-hangs": Bound(5.0, 10.0, 7),
    "engine-error": Bound(3.0, 5.0, 4, shut=True),
    "out-of-memory": Bound(4.0, 5.0, 4),
    "broker-killed": Bound(4.0, 8.0, 6, shut=True),
    "link-half-open": Bound(6.0, 10.0, 8, shut=True),
    "link-held-up": Bound(6.0, 10.0, 8, shut=True),
    "disk-full": Bound(4.0, 6.5, 6),
    "disk-read-only": Bound(10.0, 10.0, 10, shut=True),
    "gallery-damaged": Bound(10.0, 10.0, 10, shut=True),
    "journal-damaged": Bound(10.0, 10.0, 10, shut=True),
    "clock-ahead": Bound(4.0, 5.0, 5, shut=True),
    "clock-behind": Bound(4.0, 5.0, 5, shut=True),
    "stopped": Bound(6.0, 10.0, 7),
    "killed": Bound(1.0, 5.0, 4),
    "memory-70": Bound(None, 5.0, 1),
    "memory-80": Bound(None, 5.0, 1),
    "memory-90": Bound(5.0, 10.0, 4),
}


def broken(bound: Bound, seen: Outcome) -> list[str]:
    """What was not as it must be, in words; empty when all was well."""
    faults = []
    if seen.wrong:
        faults.append(f"{_times(seen.wrong)} the door opened for the wrong person or while it had to be shut")
    if seen.late:
        faults.append(f"{_times(seen.late)} the door opened too late")
    if bound.detected_s is not None:
        faults += _within("detected", seen.detected_s, bound.detected_s)
    faults += _within("recovered", seen.recovered_s, bound.recovered_s)
    if seen.lost > bound.lost:
        faults.append(f"{seen.lost} decisions lost, at most {bound.lost}")
    return faults


def lost(shown: Sequence[Appearance], decided: Sequence[Decided], known: str) -> int:
    """How many of those shown got no proper answer: her door opens, the stranger is refused as one."""
    return sum(not any(is_proper(person, one, known) for one in decided) for person in shown)


def is_proper(shown: Appearance, one: Decided, known: str) -> bool:
    """Whether this decision is the answer to this appearance."""
    if not shown.start <= one.captured <= shown.end + CAMERA_S:
        return False
    if shown.known:
        return one.verdict == "opened" and one.person == known
    return one.outcome == "deny" and one.reason == "unknown"


def wrong(
    opens: Sequence[Opened], shown: Sequence[Appearance], known: str, ttl_s: float, shut: tuple[float, float] | None
) -> list[Opened]:
    """Opens for somebody else, at a time when she had not been there, or of her while the door must be shut.

    shut: from when to when; a grant that was on its way at the beginning is none of it.
    """
    way_s = DEADLINE_S + ttl_s + CAMERA_S
    hers = [(one.start, one.end + way_s) for one in shown if one.known]
    return [
        one for one in opens
        if one.person != known
        or not any(start <= one.at <= end for start, end in hers)
        or (shut is not None and shut[0] + way_s < one.at <= shut[1])
    ]  # fmt: skip


def late(opens: Sequence[Opened], decided: Sequence[Decided], ttl_s: float) -> list[Opened]:
    """Opens that no grant explains which was still good, after one without an open in time: it has arrived too late,
    whether the daemon took it for lost or not. opens: with those that earlier grants have led to.

    One that no decision at all is known of (a daemon was killed before it could tell) is judged by `wrong`.
    """
    grants = [one for one in decided if one.outcome == "grant" and one.verdict in ("opened", "lost")]
    unmet = [
        one for one in grants
        if one.verdict == "lost" or not any(_is_good(opened, [one], ttl_s) for opened in opens)
    ]  # fmt: skip
    return [one for one in opens if not _is_good(one, grants, ttl_s) and _is_old(one, unmet)]


def _is_good(opened: Opened, grants: Sequence[Decided], ttl_s: float) -> bool:
    most_s = DEADLINE_S + ttl_s + SLACK_S
    return any(grant.person == opened.person and -SLACK_S <= opened.at - grant.captured <= most_s for grant in grants)


def _is_old(opened: Opened, unmet: Sequence[Decided]) -> bool:
    return any(0 <= opened.at - grant.captured <= REMEMBERED_S for grant in unmet)


def _within(what: str, seconds: float | None, most_s: float) -> list[str]:
    if seconds is None:
        return [f"never {what}"]
    return [f"{what} after {seconds:.1f} s, at most {most_s:g} s"] if seconds > most_s else []


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
