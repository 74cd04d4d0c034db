"""The report of a trial as lines for a person. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

KINDS = {
    "both": "let in by both",
    "different": "let in as somebody else",
    "lost": "let in only by what serves",
    "gained": "let in only by what is on trial",
    "gained_other": "let in only by what is on trial, as somebody of whom what serves did not think",
    "neither": "let in by neither",
}


def lines(report: Mapping[str, Any]) -> list[str]:
    """Of what `Trial.report`, `Hearing.report` or `Shadow.report` gave; no line of what another version's lacks."""
    return [*_seen(report), *_measured(report), *_against(report)]


def _seen(report: Mapping[str, Any]) -> Iterator[str]:
    shots, tracks = report.get("shots", {}), report.get("tracks", {})
    if shots and tracks:
        skipped = f", no time for {report['skipped']} more" if report.get("skipped") else ""
        yield f"{tracks['all']} faces, {shots['all']} shots in {report['seconds']:.0f} s{skipped}"
    for kind, words in KINDS.items():
        if shots.get(kind):
            yield f"{words}: {tracks[kind]} faces, {shots[kind]} shots"
    if left_out := report.get("not_enrolled"):
        yield f"left out: {left_out} shots like people who are not enrolled for what is on trial"


def _measured(report: Mapping[str, Any]) -> Iterator[str]:
    if report.get("agreement") is not None:
        yield f"agreement {report['agreement']:.1%} of the shots by which either lets somebody in"
    if (shift := report.get("score_shift", {})).get("shots"):
        yield (
            f"score {shift['mean']:+.3f} against the own threshold of a match,"
            f" {shift['p5']:+.3f} to {shift['p95']:+.3f} in nine of ten shots"
        )
    if (took := report.get("latency_ms", {})).get("shots"):
        ours, theirs = took["serving"], took["second"]
        yield (
            f"one face takes {theirs['median']:.1f} ms (p95 {theirs['p95']:.1f}),"
            f" and takes what serves {ours['median']:.1f} (p95 {ours['p95']:.1f})"
        )
    if memory := report.get("memory_mb"):
        yield f"{_megabytes(memory['second'])} beside {_megabytes(memory['serving'])}, {memory['process']} MB in all"


def _against(report: Mapping[str, Any]) -> Iterator[str]:
    for what, count in report.get("errors", {}).get("most", ()):
        yield f"failed {count} times: {what}"
    if "against" in report:
        yield f"against it: {report['against']}" if report["against"] else "nothing speaks against it"


def _megabytes(by_role: Mapping[str, float]) -> str:
    return ", ".join(f"{role} {size:.1f} MB" for role, size in by_role.items()) or "nothing of its own"
