"""An audit as text for a terminal: what waits for a person first, then what the thresholds are worth."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone

from faceedge.cli.model_table import print_table
from faceedge.cli.opening import counted
from faceedge.errors import one_line
from faceedge.jobs.audit.document import is_clean
from faceedge.jobs.audit.findings import Advice, Audit, LevelFacts, Suspect
from faceedge.jobs.audit.page import BASES, KINDS, REASONS
from faceedge.jobs.audit.words import rate

MOST_LINES = 20
"""Of each list; --json and --html have them all."""


def print_audit(audit: Audit) -> None:
    """Prints on stdout."""
    people = "1 person" if len(audit.people) == 1 else f"{len(audit.people):,} people"
    print(f"{people}, {counted(audit.templates, 'template')} of {audit.recogniser}")
    if audit.left_out or audit.unknown:
        without = f"; {audit.unknown} people have none of this one" if audit.unknown else ""
        print(f"! left out: {counted(audit.left_out, 'template')} of other recognisers{without}")
    names = audit.names
    _print_suspects(audit, names)
    _print_pairs(audit, names)
    print("clean: nothing waits for you" if is_clean(audit) else "mend it: faceedge gallery audit --fix")
    _print_weakest(audit)
    _print_ages(audit)
    if audit.ceiling is not None:
        print(f"highest score between two people: {audit.ceiling:.4f}")
    print_levels(audit)
    _print_listed("this site may claim", audit.claims)
    _print_listed("it may not claim", audit.limits)


def _print_suspects(audit: Audit, names: Mapping[str, str]) -> None:
    for one in audit.suspects[:MOST_LINES]:
        print(f"{'!' if one.sure else '?'} {suspect_line(one, names)}")
    _print_rest(len(audit.suspects), "doubtful templates")


def suspect_line(one: Suspect, names: Mapping[str, str]) -> str:
    """One template in words, with whose it is and what speaks against it."""
    facts = one.facts
    words = ", ".join(REASONS[reason] for reason in one.reasons)
    near = f"; near to {names.get(one.near, one.near)!r} ({_score(facts.other)})" if one.near else ""
    own = f"; with its own {_score(facts.own)}" if facts.own is not None else "; the only one"
    source = f" ({one_line(facts.record.source, 80)})" if facts.record.source else ""
    return f"{names.get(facts.record.person, facts.record.person)!r} {facts.record.id[:8]}{source}: {words}{own}{near}"


def _print_pairs(audit: Audit, names: Mapping[str, str]) -> None:
    for pair in audit.close_pairs[:MOST_LINES]:
        mark = "!" if pair.kind == "same_person" else "?"
        print(
            f"{mark} {names.get(pair.one, pair.one)!r} and {names.get(pair.other, pair.other)!r}: {KINDS[pair.kind]} "
            f"(best {pair.score:.4f}, median {pair.median:.4f}, {pair.over} of {pair.pairs} reach the threshold)"
        )
    _print_rest(len(audit.close_pairs), "pairs of people")
    if audit.close_pairs:
        print("look-alikes are flagged by: faceedge gallery audit --flag")


def _print_rest(count: int, things: str) -> None:
    if count > MOST_LINES:
        print(f"  and {count - MOST_LINES} more {things}: see --json or --html")


def _print_weakest(audit: Audit) -> None:
    known = [one for one in audit.people if one.weakest_score is not None]
    weakest = sorted(known, key=lambda one: one.weakest_score or 0.0)[:5]
    if weakest:
        told = ", ".join(f"{one.name!r} {one.weakest_score:.4f}" for one in weakest)
        print(f"weakest templates, score with the nearest of their own: {told}")


def _print_ages(audit: Audit) -> None:
    ages = audit.ages
    if ages.oldest is not None and ages.newest is not None:
        print(
            f"templates from {_day(ages.oldest)} to {_day(ages.newest)}, {ages.older} older than {ages.limit_days} days"
        )


def print_levels(audit: Audit) -> None:
    """The thresholds that serve and those that are recommended, with their bounds."""
    print(f"\nfalse matches at the thresholds that serve (a door demands {audit.demanded}):")
    head = ("level", "threshold", "pairs of people", "rate", "at most", "for sure", "taken for another", "missed")
    print_table(head, [_level_row(one) for one in audit.levels], folds="level")
    print(f"\nthresholds for a false-match rate, bounds with {audit.confidence:.4g} confidence:")
    titles = ("level", "rate asked", "shipped", "threshold", "at most", "how")
    print_table(titles, [_advice_row(one) for one in audit.advice], folds="how")


def _level_row(one: LevelFacts) -> tuple[str, ...]:
    match, search = one.false_match, one.search
    pairs = "-" if match is None else f"{one.people_pairs:,} of {match.pairs:,}"
    rates = ("-", "-", "-") if match is None else (rate(match.rate), rate(match.likely), rate(match.assured))
    taken = "-" if search is None else f"{rate(search.rate)}, at most {rate(search.upper)}"
    missed = "-" if one.miss.rate is None else rate(one.miss.rate)
    return one.name, f"{one.threshold:.4f}", pairs, *rates, taken, missed


def _advice_row(one: Advice) -> tuple[str, ...]:
    needed = f"; {one.needed:,} people would show it" if one.needed is not None else ""
    likely = "-" if one.likely is None else rate(one.likely)
    how = f"{BASES[one.basis]}{needed}"
    return one.name, rate(one.fmr), f"{one.shipped:.4f}", f"{one.threshold:.4f}", likely, how


def _print_listed(title: str, sentences: tuple[str, ...]) -> None:
    if sentences:
        print(f"\n{title}:")
    for sentence in sentences:
        print(f"- {sentence}")


def _score(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _day(unix_s: int) -> str:
    return datetime.fromtimestamp(unix_s, timezone.utc).date().isoformat()
