"""Is an INT8 package shown to be no worse than its source? Manifest and report in, what is doubtful in words out."""

from __future__ import annotations

from faceedge.errors import BadInput, PackageError, one_line
from faceedge.package import Package

LONGEST_REASON = 300


def doubt(package: Package) -> str:
    """Why it may be worse, in words that follow its label; empty when its gates passed, and for a float package."""
    record = package.manifest.calibration
    if package.manifest.precision != "int8":
        return ""
    from faceedge.quantize.report import read_report  # 60 ms to import, and float networks have no report

    if record is None:
        return "is INT8, but nobody has measured what it costs: its gates are missing"
    if package.manifest.strays:
        return f"failed its gates{_sentence(package)}"
    try:
        report = read_report(package.folder, record.report_sha256)
    except PackageError as error:
        return f"cannot show that its gates passed: {error}"
    graph = package.manifest.plain
    if not report.verdict.passed or graph is None or report.graph != graph.sha256:
        return "cannot show that its gates passed: its report is of another graph; calibrate again"
    return ""


def check_proven(package: Package, accepted: str) -> None:
    """accepted: reason for which a worse package is to serve all the same. Raises BadInput without one."""
    found = doubt(package)
    if accepted and not found:
        raise BadInput(f"--accept-worse: {package.label} is no worse by its gates; leave that out")
    if found and not accepted:
        raise BadInput(f"{package.label} {found}; to let it serve all the same, add --accept-worse REASON")


def reason(text: str, flag: str = "--accept-worse", what: str = "a worse network is to serve") -> str:
    """A reason as the journal keeps it: one line. Raises BadInput when it says nothing or too much. flag, what: that
    it was given with, and what it is for."""
    words = one_line(text, LONGEST_REASON + 1)
    if not words or len(words) > LONGEST_REASON:
        raise BadInput(f"{flag}: say in 1 to {LONGEST_REASON} letters why {what}")
    return words


def _sentence(package: Package) -> str:
    """What the report says of the failure, if it is to be had."""
    from faceedge.quantize.report import read_report

    record = package.manifest.calibration
    try:
        words = read_report(package.folder, record.report_sha256 if record else "").verdict.sentence
    except PackageError:
        return ""
    return f" ({one_line(words.removeprefix('Failed: ').rstrip('.'), 250)})"
