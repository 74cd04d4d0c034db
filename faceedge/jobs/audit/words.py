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
        f"One comparison of two people as these were let in is a match at {level.threshold:.4f} in at most "
        f"{rate(match.likely)}, {sure}: {counted}, {worth}.",
        f"Without that estimate of how far pairs depend on each other it is at most {rate(match.assured)}, from "
        f"{search.people // 2:,} pairs that share nobody{_of_average(match.errors)}.",
        f"Of people as these were let in at most {rate(search.upper)} would be taken for one of the other "
        f"{search.people - 1:,}, {sure}: {rate(search.rate)} of these people would.",
    )


def limits(
    levels: Sequence[LevelFacts], advice: Sequence[Advice], door: LevelName, people: int, gate: float
) -> tuple[str, ...]:  # fmt: skip
    """What they do not show, whoever would like them to. gate: as for `Rates.advice`."""
    level = next(one for one in levels if one.name == door)
    wanted = next(one for one in advice if one.name == door)
    said: list[str] = []
    if people < 2:
        said.append("Nothing is shown of strangers: that takes the templates of at least two people.")
    if wanted.likely is not None and wanted.likely > wanted.fmr:
        takes = f"at the rate seen here that takes about {wanted.needed:,}" if wanted.needed else "more are seen"
        shown = f"A false-match rate of {rate(wanted.fmr)} at {wanted.threshold:.4f}"
        said.append(f"{shown} is not shown by {people:,} people: {takes}.")
    if level.false_match is not None:
        said.append(
            f"The rule of three over all pairs would say {rate(level.false_match.naive)}; nobody may claim that, for "
            "the pairs share people."
        )
    if level.false_match is not None:
        said.append(
            f"Who came as near as {gate:.4f} to somebody else was refused when they were enrolled, unless somebody "
            "insisted, and is not among these people: among strangers at the door there are more of that kind than "
            "these rates and bounds say."
        )
    if any(one.basis == "counted" for one in advice):
        said.append(
            "That a looser threshold keeps its rate is not shown: it was counted among people of whom the nearest had "
            "been refused."
        )
    if level.miss.rate is None:
        said.append("How often a person is missed is not shown: nobody has two templates.")
    else:
        said.append(
            f"{rate(level.miss.rate)} of the templates are missed by the others of their person, at most "
            f"{rate(level.miss.upper or 1.0)}; at the door light, pose and age differ more than in pictures taken for "
            "enrolment, so more are missed there."
        )
    said.append(
        "Strangers here are the people enrolled, who did not try: relatives, other groups of people than these, and "
        "whoever holds up a picture or wears a mask are not covered."
    )
    return tuple(said)


def rate(share: float) -> str:
    """As people read it: a percentage, or a power of ten."""
    if share <= 0:
        return "none"
    if share >= 1e-3:
        return f"{100 * share:.3g} %"
    digits, power = f"{share:.1e}".split("e")
    return f"{digits.removesuffix('.0')}e{int(power)}"


def _of_average(errors: float) -> str:
    return ", if these match as often as all do" if errors else ""


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == round(value) else f"{value:,.2f}"
