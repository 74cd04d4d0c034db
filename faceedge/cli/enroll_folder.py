"""`faceedge enroll --folder`: everybody of a folder, one transaction a person."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from faceedge.cli import noting, opening
from faceedge.cli.enrolled import alike_line, document, open_sheet, write_sheet
from faceedge.jobs.enroll import Wish
from faceedge.jobs.enroll_folder import Answer, candidates, enroll_folder
from faceedge.jobs.photos import shown

SOME_REFUSED = 2


def run(args: argparse.Namespace) -> int:
    """Enrols everybody that can be, and tells of the others why not."""
    people, beside = candidates(args.folder, Wish("", (), args.allow_duplicate, not args.no_crops))
    contact = open_sheet(args.sheet, [photo for person in people for photo in person.wish.photos])
    answers: list[Answer] = []
    with (
        noting.noted(args) as note,
        opening.open_gallery(args) as gallery,
        opening.progress_bar() as progress,
        opening.open_vision(args, progress) as vision,
    ):
        for answer in enroll_folder(gallery, vision, people, progress, contact.see if contact else None):
            answers.append(answer)
            if answer.enrolled is not None and answer.is_change:
                note("enrolment", answer.enrolled.entry())
    write_sheet(contact, args.sheet)
    if args.json:
        opening.print_json(_document(answers, beside))
    else:
        _show(answers, beside)
    return SOME_REFUSED if any(answer.refused for answer in answers) else 0


def _document(answers: Sequence[Answer], beside: Sequence[Path]) -> dict[str, Any]:
    return {
        "enrolled": [document(answer.enrolled) for answer in answers if answer.enrolled is not None],
        "refused": [{"name": answer.name, "reason": answer.refused} for answer in answers if answer.refused],
        "left_out": [str(path) for path in beside],
    }


def _show(answers: Sequence[Answer], beside: Sequence[Path]) -> None:
    names = [shown(Path(answer.name)) for answer in answers]
    width = max(map(len, names))
    for name, answer in zip(names, answers, strict=True):
        print(f"{name:<{width}}  {_told(answer)}")
        if answer.enrolled is not None and answer.enrolled.look_alikes:
            print(f"{'':<{width}}  {alike_line(answer.enrolled.look_alikes)}")
    refused = sum(answer.refused is not None for answer in answers)
    kept = "; the others are kept" if refused and refused < len(answers) else ""
    print(f"{len(answers) - refused} of {len(answers)} enrolled, {refused} refused{kept}")
    if beside:
        lie = opening.counted(len(beside), "photo")
        print(f"faceedge: {lie} left out: beside the folders, not in one of a person", file=sys.stderr)


def _told(answer: Answer) -> str:
    if answer.enrolled is None:
        return f"refused   {answer.refused}"
    added = sum(photo.added for photo in answer.enrolled.photos)
    verb = "enrolled" if answer.enrolled.is_new else "extended" if added else "unchanged"
    return f"{verb:<9} {opening.counted(answer.enrolled.person.templates, 'template')}, {added} new"
