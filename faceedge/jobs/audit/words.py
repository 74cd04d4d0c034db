"""What a site can claim from the numbers of its gallery, and what it cannot, in sentences. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from faceedge.jobs.audit.findings import Advice, LevelFacts, LevelName


def claims(levels: Sequence[LevelFacts], door: LevelName, confidence: float) -> tuple[str, ...]:
    """What these comparisons show of the threshold that a door demands; nothing without two people."""
    level = next(one for one in levels if one.name == door)
    match, search = level.false_match, level.search
    if match is None or search is None:
        return ()
    sure = f"with {confidence:.4g} confidence"
    counted = f"{_number(match.errors)} false in {match.pairs:,} pairs of people"
    worth = f"which are worth {match.pairs / match.effect:,.0f} independent ones"
    return (
        f"One comparison with somebody else is a match at {level.threshold:.4f} in at most {_rate(match.likely)}, "
        f"{sure}: {counted}, {worth}.",
        f"Without that estimate of how far pairs depend on each other it is at most {_rate(match.assured)}, from "
        f"{search.people // 2:,} pairs that share nobody.",
        f"Of strangers like these people at most {_rate(search.upper)} would be taken for one of the other "
        f"{search.people - 1:,}, {sure}: {_rate(search.rate)} of these people would.",
    )


def limits(
    levels: Sequence[LevelFacts], advice: Sequence[Advice], door: LevelName, people: int
) -> tuple[str, ...]:  # fmt: skip
    """What they do not show, whoever would like them to."""
    level = next(one for one in levels if one.name == door)
    wanted = next(one for one in advice if one.name == door)
    said: list[str] = []
    if people < 2:
        said.append("Nothing is shown of strangers: that takes the templates of at least two people.")
    if wanted.needed is not None:
        said.append(
            f"A false-match rate of {_rate(wanted.fmr)} is not shown: with no error at all it takes about "
            f"{wanted.needed:,} people, and here are {people:,}."
        )
    if level.false_match is not None:
        said.append(
            f"The rule of three over all pairs would say {_rate(level.false_match.naive)}; nobody may claim that, for "
            "the pairs share people."
        )
    if level.miss.rate is None:
        said.append("How often a person is missed is not shown: nobody has two templates.")
    else:
        said.append(
            f"{_rate(level.miss.rate)} of the templates are missed by the others of their person, at most "
            f"{_rate(level.miss.upper or 1.0)}; at the door light, pose and age differ more than in pictures taken for "
            "enrolment, so more are missed there."
        )
    said.append(
        "Strangers here are the people enrolled, who did not try: relatives, other groups of people than these, and "
        "whoever holds up a picture or wears a mask are not covered."
    )
    return tuple(said)


def _rate(share: float) -> str:
    """As people read it: a percentage, or one in so many."""
    if share <= 0:
        return "none"
    return f"{share:.2g}" if share < 1e-3 else f"{100 * share:.3g} %"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == round(value) else f"{value:,.2f}"
