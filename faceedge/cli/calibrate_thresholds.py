"""`faceedge calibrate thresholds`: grey, match and strict for the people enrolled here, with their evidence."""

from __future__ import annotations

import argparse
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from faceedge.cli import gallery_audit, noting, opening
from faceedge.cli.model_site import open_site
from faceedge.errors import BadInput
from faceedge.fit import Thresholds

if TYPE_CHECKING:
    from faceedge.jobs.audit.findings import Audit
    from faceedge.jobs.calibrate_thresholds import Plan
    from faceedge.package import Package

_FLAGS = ("fmr", "confidence", "accept_risk", "only_tighter", "undo", "dry_run")
_OTHERS = (
    "photos", "images", "capture", "crops", "people", "pairs", "limit", "seed", "method", "budget_s", "most_float",
    "activate", "show_pairs", "output", "replace",
)  # fmt: skip


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The flags of `calibrate thresholds`."""
    own = parser.add_argument_group("of thresholds, which are learnt from the gallery")
    own.add_argument(
        "--fmr", metavar="RATE", type=float,
        help="false-match rate of one comparison at what a door demands (default: 1e-4); the levels beside it are ten "
        "times looser or stricter",
    )  # fmt: skip
    own.add_argument("--confidence", metavar="SHARE", type=float, help="of the bounds, one-sided (default: 0.95)")
    own.add_argument("--only-tighter", action="store_true", help="keep what would be looser than shipped as shipped")
    own.add_argument(
        "--accept-risk", metavar="REASON", help="let thresholds be looser than shipped, and why; journalled"
    )
    own.add_argument("--dry-run", action="store_true", help="show what would be written, and write nothing")
    own.add_argument("--undo", action="store_true", help="go back to the thresholds that the package came with")


def refuse_flags(args: argparse.Namespace) -> None:
    """Raises BadInput where a flag of thresholds is given for another role."""
    _refuse(args, _FLAGS, "is for thresholds")


def _refuse(args: argparse.Namespace, names: tuple[str, ...], why: str) -> None:
    for name in names:
        if getattr(args, name) not in (None, False, "", []):
            raise BadInput(f"--{name.replace('_', '-')} {why}; leave it out")


def run(args: argparse.Namespace) -> int:
    """Audits the gallery, shows the thresholds, and writes them."""
    from faceedge.jobs import calibrate_thresholds as job
    from faceedge.jobs.proof import reason

    _refuse(args, _OTHERS, "is not for thresholds, which are learnt from the gallery")
    risk = "" if args.accept_risk is None else reason(args.accept_risk, "--accept-risk", "looser thresholds may serve")
    args.recognizer, args.no_crops = args.model, True
    package = gallery_audit.recogniser(args)
    if args.undo:
        _refuse(args, ("fmr", "confidence", "accept_risk", "only_tighter"), "does not go with --undo")
        return _finish(args, job.restored(package), None, "")
    args.fmr = 1e-4 if args.fmr is None else args.fmr
    args.confidence = 0.95 if args.confidence is None else args.confidence
    with opening.open_gallery(args) as gallery:
        audit = gallery_audit.audited(args, gallery, package)
    today = datetime.now(timezone.utc).date()
    planned = job.plan(package, audit, only_tighter=args.only_tighter, accepted_risk=risk, today=today)
    if not args.dry_run:
        job.check_risk(planned, risk)
    return _finish(args, planned, audit, risk)


def _finish(args: argparse.Namespace, planned: Plan, audit: Audit | None, risk: str) -> int:
    from faceedge.jobs import calibrate_thresholds as job

    if not args.json:
        _show(planned, audit)
    written: Package | None = None
    if not args.dry_run:
        if risk:
            accepted = {"done": "risk_accepted", "role": "recognizer", "reason": risk}
            noting.first(args, "model", accepted | {"thresholds": planned.fit.thresholds.model_dump()})
        with noting.noted(args) as note:
            written = job.write(planned, open_site(args))
            note("model", _noted(planned, written, undone=audit is None, risk=risk))
    if args.json:
        opening.print_json(_document(planned, written, undone=audit is None))
    else:
        _tell(planned, written)
    return 0


def _noted(planned: Plan, written: Package, *, undone: bool, risk: str) -> dict[str, Any]:
    site = planned.fit.site
    body: dict[str, Any] = {
        "done": "thresholds_undone" if undone else "thresholds", "role": "recognizer", "package": written.label,
        "build": written.build, "thresholds": planned.fit.thresholds.model_dump(),
    }  # fmt: skip
    body |= {"fmr": site.fmr, "people": site.people, "basis": list(site.basis)} if site else {}
    return body | ({"accepted_risk": risk} if risk else {})


def _document(planned: Plan, written: Package | None, *, undone: bool) -> dict[str, Any]:
    fit, before = planned.fit, planned.source.fit
    return {
        "role": "thresholds", "source": planned.source.label, "package": written.label if written else None,
        "written": written is not None, "undone": undone, "before": before.thresholds.model_dump() if before else None,
        "thresholds": fit.thresholds.model_dump(), "shipped": fit.shipped.model_dump(), "looser": list(planned.looser),
        "site": fit.site.model_dump(mode="json") if fit.site else None, "evidence": fit.evidence,
    }  # fmt: skip


def _show(planned: Plan, audit: Audit | None) -> None:
    from faceedge.cli.audit_text import print_levels
    from faceedge.jobs.audit.document import is_clean

    if audit is not None:
        if not is_clean(audit):
            print("! the gallery is not clean, which drives thresholds up: faceedge gallery audit --fix")
        print_levels(audit)
        print()
    before = planned.source.fit
    print(f"{planned.source.label}: {_levels(before.thresholds) if before else '-'}")
    print(f"{'':<{len(planned.source.label)}}  {_levels(planned.fit.thresholds)}")
    for line in planned.looser:
        print(f"! {line}")


def _levels(levels: Thresholds) -> str:
    return f"grey {levels.grey:.4f}  match {levels.match:.4f}  strict {levels.strict:.4f}"


def _tell(planned: Plan, written: Package | None) -> None:
    if written is None:
        print("nothing was written (--dry-run)")
    elif written.label == planned.source.label:
        print(f"written to {written.label}: they count from the next start on")
    else:
        print(f"written to {written.label}: they count after faceedge model activate {written.label}")
    if written is not None and planned.looser:
        print("once they count, compare everybody for look-alikes anew: faceedge gallery audit --flag")
    if written is not None and planned.fit.site is not None:
        print(f"back to the shipped ones: faceedge calibrate thresholds --undo --model {written.label}")
