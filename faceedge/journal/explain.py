"""One decision as a paragraph for an operator: what happened, to whom, by which numbers, and what to do. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from faceedge.journal.words import CURES, LIMITS, LOST_CURES, REASON_CURES, REASONS

__all__ = ["REASONS", "REASON_CURES", "Matter", "advice", "paragraph"]

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Matter:
    """All that the journal says of one decision. names: of people by id, as the gallery has them now.

    asked: that a second factor was asked for. confirms: commands that gave one. answer: the decision it made, to which
    grants and verdicts then belong; answer_s: how long that took. alike: names of
    those whom the person looks like.
    """

    when: str
    seq: int
    decision: Body
    grants: Sequence[Body]
    verdicts: Sequence[Body]
    names: Mapping[str, str]
    asked: Sequence[Body] = ()
    confirms: Sequence[Body] = ()
    answer: Body | None = None
    answer_s: float | None = None
    alike: Sequence[str] = ()

    @property
    def last(self) -> Body:
        """The decision that counts in the end."""
        return self.answer or self.decision

    @property
    def who(self) -> str:
        """Name, id, or nobody."""
        person = self.decision.get("person")
        if not person:
            return "nobody known"
        return self.names.get(person) or f"somebody no longer in the gallery ({person})"


def paragraph(matter: Matter) -> str:
    """A few sentences."""
    parts = [
        _headline(matter),
        *_alike(matter),
        _numbers(matter),
        _picture(matter),
        *_own(matter),
        *_factor(matter),
        *_doors(matter),
        _times(matter),
    ]
    return " ".join(part for part in [*parts, _advice(matter)] if part)


def advice(matter: Matter) -> list[str]:
    """What may help, most likely first."""
    said = matter.decision
    cures = [LOST_CURES[why] for why in _whys(matter) if why in LOST_CURES]
    if said["outcome"] != "grant":
        poor = [CURES[word] for word in said.get("poor", ()) if word in CURES]
        own = [REASON_CURES[said["reason"]]] if said["reason"] in REASON_CURES else []
        cures += poor + own if said["reason"] == "low_quality" else own + poor
    return list(dict.fromkeys(cures))


def _headline(matter: Matter) -> str:
    said = matter.decision
    verdicts = {verdict["verdict"] for verdict in matter.verdicts}
    if matter.last["outcome"] == "grant":
        what = "opened" if "opened" in verdicts else "not opened" if verdicts else "granted"
        what += " after a second factor" if matter.answer else ""
    else:
        what = {"deny": "refused", "review": "not opened, a second factor would decide"}[matter.last["outcome"]]
    why = REASONS.get(said["reason"], str(said["reason"])).format(who=matter.who)
    link = "though" if what == "not opened" else "because"
    return f"{matter.when}, camera {said['camera']}, entry {matter.seq}: {what}, {link} {why}."


def _alike(matter: Matter) -> list[str]:
    """Whom the person may have been mistaken for, where that matters."""
    if not matter.alike or matter.decision["reason"] not in ("look_alike", "ambiguous"):
        return []
    *some, last = matter.alike
    return [f"{matter.who} looks like {', '.join(some)}{' and ' if some else ''}{last}."]


def _numbers(matter: Matter) -> str:
    said, limits = matter.decision, matter.decision.get("limits", {})
    votes = f"{said['votes']} of {said['shots']} pictures agreed"
    if needed := limits.get("votes"):
        votes += f", {needed} are needed"
    if said["similarity"] is None:
        return f"{votes}; no similarity was measured."
    return f"{votes}; similarity {said['similarity']:.3f}{_levels(limits)}{_margin(said, limits)}."


def _levels(limits: Body) -> str:
    if "match" not in limits:
        return ""
    return f" (match from {limits['match']:.3f}, doubt from {limits['grey']:.3f}, poor pictures {limits['strict']:.3f})"


def _margin(said: Body, limits: Body) -> str:
    if said["margin"] is None:
        return ""
    needed = f" (at least {limits['margin']:.3f})" if "margin" in limits else ""
    return f", ahead of the next person by {said['margin']:.3f}{needed}"


def _picture(matter: Matter) -> str:
    said, limits = matter.decision, matter.decision.get("limits", {})
    levels = f" (usable from {limits['usable']:g}, trusted from {limits['trusted']:g})" if "usable" in limits else ""
    words = f": {', '.join(said['poor'])}" if said.get("poor") else ""
    return f"Quality of the picture {said['quality']:.2f}{levels}{words}."


def _own(matter: Matter) -> list[str]:
    """Doors that are measured otherwise than the numbers above, and whether those numbers were met."""
    said, usual = matter.decision, matter.decision.get("limits", {})
    told = []
    for door, limits in said.get("own_limits", {}).items():
        words = [f"{LIMITS[name]} {value:g}" for name, value in limits.items() if name in LIMITS]
        met = ", and was met" if door in said.get("fit", ()) else ", and was not met"
        met = "" if said["outcome"] == "deny" else met
        told.append(f"Door {door} has its own measure ({', '.join(words)}){met}." if usual and words else "")
    return told


def _factor(matter: Matter) -> list[str]:
    """Asked, refused any number of times, and in the end perhaps confirmed."""
    told = [f"A second factor was asked for, to open {' and '.join(one['doors'])}." for one in matter.asked]
    sent = [one for one in matter.confirms if one["ok"] or one["why"].startswith("lost: ")]
    for one in matter.confirms:
        word = one["why"].removeprefix("refused: ")
        if one not in sent:
            told.append(
                f"Site key {one['key']} confirmed it in vain: {REASONS.get(word, word).format(who=matter.who)}."
            )
    if matter.answer is not None and matter.answer["outcome"] == "grant":
        key = f"site key {sent[0]['key']}" if sent else "a site key"
        after = f" after {matter.answer_s:.1f} s" if matter.answer_s is not None else ""
        told.append(f"It was confirmed by {key}{after}.")
    return told


def _doors(matter: Matter) -> list[str]:
    if not matter.verdicts and matter.last["outcome"] == "grant":
        doors = ", ".join(door for grant in matter.grants for door in grant.get("doors", ()))
        return [f"A grant for {doors} was written, and no verdict." if doors else "No door is configured for it."]
    return [_verdict(verdict) for verdict in matter.verdicts]


def _verdict(verdict: Body) -> str:
    door = f"Door {verdict['door']}" if verdict.get("door") else "The door"
    if verdict["verdict"] == "unsent":
        return "The grant was not sent, because the journal could not be written."
    if verdict["verdict"] == "opened":
        return f"{door}: the controller opened{_after(verdict)}."
    if verdict["verdict"] == "refused":
        return f"{door}: the controller refused{_after(verdict)}: {verdict['why']}."
    return f"{door}: the grant was lost: {verdict['why']}."


def _after(verdict: Body) -> str:
    answer_ms = verdict.get("answer_ms")
    return f" {answer_ms:.0f} ms after the grant was sent" if answer_ms is not None else ""


def _times(matter: Matter) -> str:
    age_ms = matter.last.get("age_ms")
    took = [f"the decision {age_ms:.0f} ms"] if age_ms is not None else []
    took += [
        f"the verdict of door {one.get('door')} {one['latency_ms']:.0f} ms"
        for one in matter.verdicts
        if one.get("latency_ms") is not None and one["verdict"] in ("opened", "refused")
    ]
    return f"Counted from the picture, {' and '.join(took)}." if took else ""


def _advice(matter: Matter) -> str:
    cures = advice(matter)
    return f"What to do: {'; '.join(cures)}." if cures else ""


def _whys(matter: Matter) -> list[str]:
    return ["journal" if one["verdict"] == "unsent" else one["why"] for one in matter.verdicts]
