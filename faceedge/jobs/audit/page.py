"""An audit as one page that loads nothing: what to do, what the site may claim, plots, tables. It names people.

In: an audit. Out: HTML. Every text is escaped; a strict policy in the page itself forbids all else.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from html import escape

from faceedge.fit import Basis
from faceedge.jobs.audit import plots
from faceedge.jobs.audit.findings import Audit, Kind, Reason, Suspect
from faceedge.jobs.audit.mend import proposals
from faceedge.jobs.audit.words import rate
from faceedge.quantize.html_page import banner, document, figure, table

MOST_ROWS = 50
KINDS: dict[Kind, str] = {
    "same_person": "one person, enrolled twice?", "one_template": "brought together by one bad template?",
    "look_alike": "two people who look alike",
}  # fmt: skip
REASONS: dict[Reason, str] = {
    "unlike_own": "unlike the person's others", "nearer_to_another": "nearer to somebody else",
    "lifts_ceiling": "alone brings two people too close", "blurred": "blurred", "low_quality": "poor picture",
    "short_vector": "hardly seen as a face",
}  # fmt: skip
BASES: dict[Basis, str] = {
    "measured": "measured here", "counted": "counted among the enrolled, no proof",
    "extrapolated": "estimated from the tail, no proof", "shipped": "as shipped",
}  # fmt: skip
STYLE = """
.grid { stroke: var(--line); stroke-width: 1; }
svg text { font-size: 12px; fill: var(--muted); }
svg text.title { font-size: 13px; }
svg text.name, svg text.count { fill: var(--ink); }
.area { stroke-width: 1.8; fill-opacity: .28; stroke-linejoin: round; }
.impostor { fill: var(--after); stroke: var(--after); }
.genuine { fill: var(--before); stroke: var(--before); }
.level { stroke: var(--muted); stroke-width: 1.2; stroke-dasharray: 2 3; }
.level.demanded { stroke: var(--ink); stroke-dasharray: none; stroke-width: 1.5; }
svg text.demanded { fill: var(--ink); font-weight: 600; }
.curve, .bound { fill: none; stroke-linejoin: round; }
.curve { stroke: var(--before); stroke-width: 2.2; }
.bound { stroke: var(--after); stroke-width: 2; stroke-dasharray: 6 3; }
.mark { fill: var(--ground); stroke: var(--ink); stroke-width: 2; }
svg text.note { fill: var(--ink); paint-order: stroke; stroke: var(--ground); stroke-width: 3px; }
.bar { fill: var(--before); fill-opacity: .75; }
.stem { stroke-width: 2; }
.over { fill: var(--bad); stroke: var(--bad); } .under { fill: var(--before); stroke: var(--before); }
.key::before {
  content: ""; display: inline-block; width: .8em; height: .8em; margin-right: .35em; border-radius: .15em;
  vertical-align: -.05em; background: var(--tone);
}
.key.a { --tone: var(--after); } .key.b { --tone: var(--before); } .key.r { --tone: var(--bad); }
.key { color: var(--ink); white-space: nowrap; margin-right: .9em; }
tbody td { white-space: normal !important; }
tbody th { min-width: 8rem; }
tbody .long { display: block; min-width: 9rem; overflow-wrap: anywhere; }
thead th { white-space: normal; vertical-align: bottom; }
@media print {
  :root {
    --ink: #1b1f24; --muted: #57606a; --line: #d8dee4; --ground: #ffffff; --card: #f6f8fa;
    --before: #2f6690; --after: #b8560b; --good: #17703f; --bad: #b3261e; --odd: #8a5a00;
  }
  body { font-size: 11pt; } * { print-color-adjust: exact; } tr { break-inside: avoid; }
}
"""


def page(audit: Audit) -> str:
    """The whole document."""
    parts = [
        _header(audit),
        _verdict(audit),
        _listed("What this site may claim", audit.claims),
        _listed("What it may not", audit.limits),
        _levels(audit),
        _advice(audit),
        figure("Scores", plots.scores(audit), _SCORES),
        figure("Error trade-off", plots.trade_off(audit), _trade_off(audit)),
        figure("Closest people", plots.pairs(audit), _PAIRS),
        _close_pairs(audit),
        _suspects(audit),
        figure("Templates of a person", plots.templates(audit), ""),
        figure("Age of the templates", plots.ages(audit), _age(audit)),
        _weakest(audit),
    ]
    return document("Audit of a gallery", parts, STYLE)


_SCORES = (
    '<span class="key a">different people</span><span class="key b">the same person</span>'
    "Each as shares of its own number; every line across is a tenth of the one above. What the first has to the right "
    "of a threshold are false matches, what the second has to the left of it is missed."
)
_PAIRS = (
    '<span class="key r">nearer than a door demands</span><span class="key b">apart</span>'
    "The best two templates of each pair of people."
)


def _trade_off(audit: Audit) -> str:
    return (
        '<span class="key b">as counted</span>'
        f'<span class="key a">upper bound, {audit.confidence:.4g} confidence (dashed)</span>'
        "Both axes are those of a normal distribution (DET, ISO/IEC 19795-1); lower and further left is better, and "
        "at the lower edge nobody is missed. The rings are the thresholds that serve, at the bound."
    )


def _header(audit: Audit) -> str:
    made = f"{_day(audit.made)}, {audit.recogniser}, space {audit.space}, {audit.metric}"
    left = f"; {audit.left_out:,} templates of other recognisers were left out" if audit.left_out else ""
    return (
        f'<header>\n<h1>Audit of a gallery</h1>\n<p class="muted">{len(audit.people):,} people, {audit.templates:,} '
        f"templates{left}. {escape(made)}. This page names people: keep it as the gallery is kept.</p>\n</header>"
    )


def _verdict(audit: Audit) -> str:
    removals, near = len(proposals(audit)), len(audit.close_pairs)
    found = [
        f"Proposed to be removed, a bad template or a person who is there twice: {removals}." if removals else "",
        f"Doubtful templates: {len(audit.suspects)}." if audit.suspects else "",
        f"Pairs of people nearer to each other than a door demands: {near}." if near else "",
    ]
    fix = "Removals, with a yes to each: faceedge gallery audit --fix" if removals else ""
    is_alike = any(pair.kind != "one_template" for pair in audit.close_pairs)
    flag = "Who looks alike is flagged by: faceedge gallery audit --flag" if is_alike else ""
    if not any(found):
        return banner("passed", "Nothing to mend", [_ceiling(audit)])
    return banner("unusual", "There is something to mend", [" ".join(filter(None, found)), fix, flag, _ceiling(audit)])


def _ceiling(audit: Audit) -> str:
    if audit.ceiling is None:
        return "There are no two people to compare."
    demanded = getattr(audit.thresholds, audit.demanded)
    return (
        f"The nearest two different people have {audit.ceiling:.3f}; a door demands {demanded:.3f} ({audit.demanded})."
    )


def _listed(title: str, sentences: Sequence[str]) -> str:
    items = "".join(f"<li>{escape(one)}</li>" for one in sentences)
    return f"<section>\n<h2>{title}</h2>\n<ul>{items}</ul>\n</section>" if items else ""


def _levels(audit: Audit) -> str:
    rows = [
        (
            f"{level.name}{' (a door)' if level.name == audit.demanded else ''}", f"{level.threshold:.4f}",
            f"{level.matches:,} of {level.comparisons:,}",
            _rate(level.false_match.likely if level.false_match else None),
            _rate(level.search.upper if level.search else None), _rate(level.miss.rate),
        )
        for level in audit.levels
    ]  # fmt: skip
    head = ("Level", "Threshold", "False matches", "Rate, at most", "Taken for another, at most", "Missed")
    return table("Thresholds that serve", head, rows)


def _advice(audit: Audit) -> str:
    rows = [
        (
            one.name, _rate(one.fmr), f"{one.shipped:.4f}", f"{one.threshold:.4f}", BASES[one.basis],
            f"about {one.needed:,} people" if one.needed else "",
        )
        for one in audit.advice
    ]  # fmt: skip
    head = ("Level", "Wanted false-match rate", "Shipped", "Recommended", "Basis", "What would prove it")
    return table("Thresholds for a stated rate", head, rows)


def _close_pairs(audit: Audit) -> str:
    rows = [
        (
            _name(audit, pair.one), _name(audit, pair.other), f"{pair.score:.3f}", f"{pair.median:.3f}",
            f"{pair.over} of {pair.pairs}", KINDS[pair.kind],
        )
        for pair in audit.close_pairs[:MOST_ROWS]
    ]  # fmt: skip
    head = ("Person", "and", "Best", "Median", "Too near", "Likely")
    return table("Nearer than a door demands", head, rows, _more(len(audit.close_pairs)))


def _suspects(audit: Audit) -> str:
    proposed = {one.key for one in proposals(audit)}
    rows = [_suspect(audit, one, one.facts.record.id in proposed) for one in audit.suspects[:MOST_ROWS]]
    head = ("Person", "Template", "With their own", "With somebody else", "Proposal")
    return table("Templates that do more harm than good", head, rows, _more(len(audit.suspects)))


def _suspect(audit: Audit, one: Suspect, is_proposed: bool) -> tuple[str, ...]:
    facts = one.facts
    propose = '<span class="bad">remove</span>' if is_proposed else '<span class="open">look at it</span>'
    nearest = "" if facts.nearest is None else _name(audit, facts.nearest)
    template = f'<code>{escape(facts.record.id[:8])}</code><span class="long">{escape(facts.record.source)}</span>'
    return (
        _name(audit, facts.record.person), template, _score(facts.own), f"{_score(facts.other)} {nearest}",
        f"{propose}<br>{', '.join(REASONS[why] for why in one.reasons)}",
    )  # fmt: skip


def _weakest(audit: Audit) -> str:
    people = sorted(
        (person for person in audit.people if person.weakest_score is not None),
        key=lambda person: person.weakest_score or 0.0,
    )
    rows = [
        (
            _name(audit, person.id), str(person.templates), _score(person.weakest_score),
            f"<code>{escape((person.weakest or '')[:8])}</code>", _day(person.oldest), _day(person.newest),
        )
        for person in people[:MOST_ROWS]
    ]  # fmt: skip
    head = ("Person", "Templates", "Weakest", "Which", "Oldest", "Newest")
    return table("Weakest template of each person", head, rows, _more(len(people)))


def _age(audit: Audit) -> str:
    ages = audit.ages
    return f"{ages.older:,} of {audit.templates:,} are older than {ages.limit_days:,} days." if ages.oldest else ""


def _more(count: int) -> str:
    return f'<p class="note">and {count - MOST_ROWS:,} more; --json has all of them</p>' if count > MOST_ROWS else ""


def _name(audit: Audit, person: str) -> str:
    return escape(audit.names.get(person, person))


def _score(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _rate(value: float | None) -> str:
    return "not shown" if value is None else escape(rate(value))


def _day(unix_s: int) -> str:
    return datetime.fromtimestamp(unix_s, timezone.utc).strftime("%Y-%m-%d")
