"""`faceedge gallery audit --fix` and `--flag`: what an audit has found is mended, by somebody who says yes to each."""

from __future__ import annotations

import argparse
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from faceedge import config
from faceedge.cli import noting, opening, removal
from faceedge.door_limits import Numbers
from faceedge.errors import BadInput, one_line
from faceedge.gallery.store import Gallery
from faceedge.jobs.audit.findings import Audit, ClosePair, Suspect
from faceedge.jobs.audit.flagging import MOST_PAIRS, flag_everybody
from faceedge.jobs.audit.mend import Proposal, next_proposal, proposals, remove_template
from faceedge.jobs.audit.page import REASONS
from faceedge.jobs.look_alikes import Measure, demanded
from faceedge.package import Package

LEFT = 1
CHANGED = "  the gallery has changed since it was looked at: nothing was removed, and it is looked at again"
NOT_ALL = (
    f"faceedge: not everybody was compared with everybody: more than {MOST_PAIRS:,} pairs look alike, or people came "
    "meanwhile. Try again; if it stays so, the thresholds do not fit these people: faceedge gallery audit"
)


@dataclass(slots=True)
class _Done:
    removed: list[dict[str, Any]] = field(default_factory=list)
    declined: set[str] = field(default_factory=set)


def check(args: argparse.Namespace) -> None:
    """Raises BadInput where nobody can be asked; call it before the audit, which takes long."""
    if args.fix and not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise BadInput("--fix asks before every removal, and nobody can be asked here; run it on a terminal")


def fix(args: argparse.Namespace, gallery: Gallery, audit: Audit, seen: int, again: Callable[[], Audit]) -> int:
    """Proposes one removal after the other and audits anew after each, and when the gallery changed while somebody
    thought. seen: its changes before the audit. again: the audit of the gallery as it is now.

    Exit code 1 when something was left. Raises BadInput where nobody can be asked.
    """
    check(args)
    done = _Done()
    with noting.noted(args) as note:
        while (proposal := next_proposal(audit, done.declined)) is not None:
            print("\n".join(_told(audit, proposal, len(proposals(audit)) - len(done.declined))), file=sys.stderr)
            answer = _asked() if not _is_blocked(gallery, proposal) else _by_hand(audit, proposal)
            if answer is None:
                break
            if not answer:
                done.declined.add(proposal.key)
                continue
            if gallery.changes() == seen:
                done.removed.append(_carry_out(gallery, audit, proposal, note))
            else:
                print(CHANGED, file=sys.stderr)
            seen = gallery.changes()
            audit = again()
    left = len(proposals(audit))
    if args.json:
        opening.print_json({"removed": done.removed, "left": left})
    else:
        print(f"{opening.counted(len(done.removed), 'removal')}, {opening.counted(left, 'proposal')} left")
    return LEFT if left else 0


def _is_blocked(gallery: Gallery, proposal: Proposal) -> bool:
    """With such a person the block would go, and another record of the same face would pass."""
    standing = gallery.book().people.get(proposal.person)
    return proposal.twice is not None and standing is not None and standing.blocked


def _by_hand(audit: Audit, proposal: Proposal) -> bool:
    name = audit.names[proposal.person]
    print(f"  {name} is blocked, and stays: block or remove the other by hand; faceedge people --help", file=sys.stderr)
    return False


def flag(args: argparse.Namespace, gallery: Gallery, package: Package) -> int:
    """Flags who looks alike, as an enrolment does, by the lowest scores of all doors. Exit code 1 when that is not
    everybody."""
    with opening.progress_bar() as progress:
        found = flag_everybody(gallery, _measure(args, package), lambda done: progress("comparing", done))
    for one, other in found.pairs:
        body = {"person": one, "other": other, "flagged": True, "by": "audit"}
        noting.note(gallery.path.parent, "look_alike", body)
    names = {person.id: person.name for person in gallery.people()}
    if not found.is_all:
        print(NOT_ALL, file=sys.stderr)
    if args.json:
        pairs = [[{"id": key, "name": names.get(key, key)} for key in pair] for pair in found.pairs]
        opening.print_json({"flagged": pairs, "all": found.is_all})
        return 0 if found.is_all else LEFT
    for one, other in found.pairs:
        print(f"flagged: {names.get(one, one)} and {names.get(other, other)} look alike")
    if not found.pairs:
        print("nobody was flagged who was not before")
    return 0 if found.is_all else LEFT


def _measure(args: argparse.Namespace, package: Package) -> Measure:
    settings, fit = config.load(args.config), package.fit
    assert fit is not None, "read_package refuses a recogniser without fit.toml"
    levels = fit.door_thresholds
    doors = Numbers.of(settings.door, settings.decide, levels, fit.judging)
    return Measure(package.space, package.manifest.metric, levels.grey, levels.match).down_to(demanded(doors))


def forget_typed() -> None:
    """What was typed before a question was there is no answer to it."""
    with suppress(OSError, ValueError, termios.error):  # not a terminal after all
        termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)


def _asked() -> bool | None:
    """Yes, no, or None for the end."""
    forget_typed()
    print("remove it? [y/N/q] ", end="", file=sys.stderr, flush=True)
    line = sys.stdin.readline()
    answer = line.strip().lower()
    return None if not line or answer in ("q", "quit") else answer in ("y", "yes")


def _carry_out(gallery: Gallery, audit: Audit, proposal: Proposal, note: noting.Note) -> dict[str, Any]:
    """The removal, in the journal too; what of it is told."""
    if proposal.suspect is None:
        receipt, looked = removal.erase(gallery, removal.find_person(gallery, proposal.person))
        removed = {"person": proposal.person, "templates": receipt.templates, "clean": looked.is_clean}
        if not looked.is_clean:
            print(f"not clean; see faceedge people remove --verify {proposal.person}", file=sys.stderr)
        return removed
    key, reasons = proposal.suspect.facts.record.id, list(proposal.suspect.reasons)
    unlike = remove_template(gallery, audit, proposal.person, key)
    body = {"person": proposal.person, "template": key, "reasons": reasons}
    note("removal", {**body, "by": "audit", **({"unlike": unlike} if unlike else {})})
    return body


def _told(audit: Audit, proposal: Proposal, left: int) -> Iterator[str]:
    """What is proposed and why, with the numbers."""
    name = audit.names[proposal.person]
    if proposal.suspect is not None:
        yield from _of_template(audit, proposal.suspect, name, left)
    if proposal.twice is not None:
        yield from _of_person(audit, proposal.twice, proposal.person, left)


def _of_template(audit: Audit, suspect: Suspect, name: str, left: int) -> Iterator[str]:
    facts = suspect.facts
    source = f", {one_line(facts.record.source, 80)}" if facts.record.source else ""
    yield f"\n{left} to decide. {name}: template {facts.record.id[:8]}{source}, quality {facts.record.quality:.2f}"
    yield f"  {', '.join(REASONS[why] for why in suspect.reasons)}"
    own = "none to compare with" if facts.own is None else f"{facts.own:.3f}"
    yield f"  with {name}'s others at most {own}{_against(audit, suspect)}"
    if suspect.ceiling is not None and suspect.without is not None and suspect.without < suspect.ceiling:
        yield f"  the nearest stranger to {name}: {suspect.ceiling:.3f} now, {suspect.without:.3f} without it"


def _against(audit: Audit, suspect: Suspect) -> str:
    nearest, score = suspect.facts.nearest, suspect.facts.other
    if nearest is None or score is None:
        return ""
    demanded = getattr(audit.thresholds, audit.demanded)
    return f"; with {audit.names[nearest]} {score:.3f} (a door demands {demanded:.3f})"


def _of_person(audit: Audit, pair: ClosePair, extra: str, left: int) -> Iterator[str]:
    templates = {person.id: person.templates for person in audit.people}
    name, other = (
        f"{audit.names[key]} ({opening.counted(templates[key], 'template')})"
        for key in (extra, pair.one if extra == pair.other else pair.other)
    )
    yield f"\n{left} to decide. {name} seems to be {other}, enrolled twice"
    yield f"  median {pair.median:.3f}, best {pair.score:.3f}; {pair.over} of {pair.pairs} comparisons open a door"
    yield "  if they are twins, say no, and flag them: faceedge gallery audit --flag"
    yield f"  to be removed, with all templates: {audit.names[extra]}"
