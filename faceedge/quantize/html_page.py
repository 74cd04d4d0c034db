"""A page in one file that loads nothing: frame, tables, figures. A policy in the page itself forbids all else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from faceedge.quantize.report_style import STYLE

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"

MARKS = {"passed": "✓", "unusual": "!", "failed": "✗"}


def document(title: str, parts: Iterable[str], style: str = "") -> str:
    """The whole page. parts: HTML, empty ones are left out. style: rules after those that all pages share."""
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta name="color-scheme" content="light dark">\n<meta name="robots" content="noindex">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}{style}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(part for part in parts if part)
        + "\n</main>\n</body>\n</html>\n"
    )


def table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]], after: str = "") -> str:
    """Cells are HTML: what goes in is escaped by the caller. after: HTML below it. Nothing without rows."""
    if not rows:
        return ""
    first = "".join(f'<th scope="col">{cell}</th>' for cell in head)
    body = "\n".join(
        f'<tr><th scope="row">{row[0]}</th>' + "".join(f"<td>{cell}</td>" for cell in row[1:]) + "</tr>" for row in rows
    )
    return (
        f'<section>\n<h2>{title}</h2>\n<div class="scroll"><table>'
        + (f"<thead><tr>{first}</tr></thead>" if first else "")
        + f"<tbody>\n{body}\n</tbody></table></div>{after}\n</section>"
    )


def figure(title: str, svg: str, caption: str) -> str:
    """A plot with its title and caption (HTML). Nothing without a plot."""
    return f"<figure>\n<h2>{title}</h2>\n{svg}\n<figcaption>{caption}</figcaption>\n</figure>" if svg else ""


def banner(outcome: str, heading: str, sentences: Iterable[str]) -> str:
    """The verdict on top. outcome: one of `MARKS`; sentences: plain text."""
    said = "".join(f"<p>{escape(sentence)}</p>" for sentence in sentences if sentence)
    return (
        f'<section class="verdict {outcome}"><span class="mark" aria-hidden="true">{MARKS[outcome]}</span>'
        f"<div><h2>{escape(heading)}</h2>{said}</div></section>"
    )
