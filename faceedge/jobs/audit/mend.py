"""What an audit proposes to remove, one thing at a time, and the removal of one template."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from faceedge.gallery.store import Gallery
from faceedge.jobs import look_alikes
from faceedge.jobs.audit.findings import Audit, ClosePair, PersonFacts, Reason, Suspect
from faceedge.jobs.look_alikes import Measure

OF_OTHERS: frozenset[Reason] = frozenset({"nearer_to_another", "lifts_ceiling"})
"""Reasons that a wrong template gives to the right one that it is near to."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """One removal: of a template (`suspect`), or of a person who seems to be enrolled twice (`twice`). person: whose
    template, or who. key: names it, so that it is not proposed again."""

    key: str
    person: str
    suspect: Suspect | None = None
    twice: ClosePair | None = None


def proposals(audit: Audit) -> list[Proposal]:
    """What is sure enough to be proposed, people who are there twice first: their templates are near to another, too.

    Then templates, first the one that is most unlike its own and most like another: what comes near to a wrong template
    may be right itself, and the audit after that one is gone says so.
    """
    people = {person.id: person for person in audit.people}
    twice = [pair for pair in audit.close_pairs if pair.kind == "same_person"]
    doubled = {frozenset((pair.one, pair.other)) for pair in twice}
    sure = [one for one in audit.suspects if one.sure and _between(one) not in doubled]
    found = [
        Proposal("/".join(sorted((pair.one, pair.other))), _extra(people[pair.one], people[pair.other]), twice=pair)
        for pair in twice
    ]
    wrong: set[str | None] = set()
    for one in sorted(sure, key=_good):
        if not (one.facts.nearest_template in wrong and OF_OTHERS.issuperset(one.reasons)):
            found.append(Proposal(one.facts.record.id, one.facts.record.person, suspect=one))
            wrong.add(one.facts.record.id)
    return found


def next_proposal(audit: Audit, declined: Collection[str]) -> Proposal | None:
    """The first that was not declined."""
    return next((one for one in proposals(audit) if one.key not in declined), None)


def measure_of(audit: Audit) -> Measure:
    """How the doors of the audited recogniser compare people."""
    levels = audit.thresholds
    doubt, demanded = (levels.match, levels.strict) if audit.demanded == "strict" else (levels.grey, levels.match)
    return Measure(audit.space, audit.metric, doubt, demanded)


def remove_template(gallery: Gallery, audit: Audit, person: str, key: str) -> list[str]:
    """Erases one template, and the likenesses that rested on it alone: ids of those the person looks like no more.

    Raises BadInput when it is gone, or the last one of the person.
    """
    with gallery.transaction():
        gallery.remove_template(person, key)
        unlike = look_alikes.settle(gallery, measure_of(audit), person)
    gallery.empty_log()
    return unlike


def _between(suspect: Suspect) -> frozenset[str | None]:
    """The person of a template, and the other one it is near to."""
    return frozenset((suspect.facts.record.person, suspect.facts.nearest))


def _good(suspect: Suspect) -> float:
    """How much more a template is like its own than like others."""
    own, other = suspect.facts.own, suspect.facts.other
    return (-1.0 if own is None else own) - (-1.0 if other is None else other)


def _extra(one: PersonFacts, other: PersonFacts) -> str:
    """Whom to remove of two who are one: who has fewer templates, else whose are younger."""
    return min(one, other, key=lambda person: (person.templates, -person.oldest)).id
