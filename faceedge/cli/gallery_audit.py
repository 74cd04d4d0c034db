"""`faceedge gallery audit`: is the gallery clean, and what do its numbers prove?"""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

from faceedge.cli import opening
from faceedge.cli.model_site import open_site
from faceedge.errors import BadInput
from faceedge.files import write_whole

if TYPE_CHECKING:
    from faceedge.gallery.store import Gallery
    from faceedge.jobs.audit.findings import Audit
    from faceedge.package import Package

NOT_CLEAN = 1


def add(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `audit` to `gallery`."""
    parser = actions.add_parser(
        "audit",
        help="find bad templates and people enrolled twice; say what the thresholds are worth here",
        description="Holds every template against every other: which do more harm than good, who is too close to whom, "
        "which false-match rate the thresholds have among these people, with bounds, and which thresholds a stated "
        "rate takes. Changes nothing without --fix or --flag. Exit code 1 when a template should go or somebody is "
        "enrolled twice; with --flag when not everybody could be compared.",
        epilog="Example: faceedge gallery audit --fmr 1e-4 --html audit.html     what each line means: docs/audit.md",
    )
    add_rate_flags(parser)
    parser.add_argument(
        "--older", metavar="DAYS", type=int, default=730, help="count templates older than this (default: 730)"
    )
    parser.add_argument("--html", metavar="FILE", type=opening.a_path, help="write a page with plots; it names people")
    mending = parser.add_mutually_exclusive_group()
    mending.add_argument("--fix", action="store_true", help="propose removals one by one, asking before each")
    mending.add_argument("--flag", action="store_true", help="flag the look-alikes found, as an enrolment does")
    opening.add_common_flags(parser)
    parser.set_defaults(run=run)


def add_rate_flags(parser: argparse.ArgumentParser) -> None:
    """What an audit and a calibration of thresholds both ask: the rate, the confidence, the recogniser, the crops."""
    parser.add_argument(
        "--fmr", metavar="RATE", type=float, default=1e-4,
        help="false-match rate of one comparison, at the threshold that a door demands (default: 1e-4)",
    )  # fmt: skip
    parser.add_argument(
        "--confidence", metavar="SHARE", type=float, default=0.95, help="of every bound, one-sided (default: 0.95)"
    )
    parser.add_argument("--recognizer", metavar="NAME", help="whose templates (default: the one that serves)")
    parser.add_argument("--no-crops", action="store_true", help="do not look at kept crops: faster, finds no blur")


def run(args: argparse.Namespace) -> int:
    """Audits, and mends where that was asked for."""
    from faceedge.cli import gallery_fix
    from faceedge.jobs.audit.document import document, is_clean

    gallery_fix.check(args)
    with opening.open_gallery(args) as gallery:
        package = recogniser(args)
        if args.flag and args.html is None:
            return gallery_fix.flag(args, gallery, package)
        seen = gallery.changes()
        audit = audited(args, gallery, package)
        if args.html is not None:
            _write_page(args, audit)
        if args.flag:
            return gallery_fix.flag(args, gallery, package)
        if args.fix:
            return gallery_fix.fix(args, gallery, audit, seen, lambda: audited(args, gallery, package))
    if args.json:
        opening.print_json(document(audit))
    else:
        from faceedge.cli.audit_text import print_audit

        print_audit(audit)
    return 0 if is_clean(audit) else NOT_CLEAN


def recogniser(args: argparse.Namespace) -> Package:
    """The recogniser that serves, or the one named."""
    from faceedge.models.store import find_package

    site = open_site(args)
    with opening.progress_bar() as progress:
        if args.recognizer:
            package = find_package(args.recognizer, site.state, site.cache, progress)
        else:
            present = site.present("recognizer", progress)
            assert present is not None, "the recogniser has a built-in package"
            package = present
    if package.manifest.role != "recognizer":
        raise BadInput(f"{package.label} is a {package.manifest.role}; name a recogniser with --recognizer")
    return package


def audited(args: argparse.Namespace, gallery: Gallery, package: Package) -> Audit:
    """The audit that the flags ask for."""
    from faceedge.jobs.audit.run import Asked, audit_gallery

    asked = Asked(args.fmr, args.confidence, getattr(args, "older", 730), not args.no_crops)
    with opening.progress_bar() as progress:
        return audit_gallery(gallery, package, asked, int(time.time()), progress)


def _write_page(args: argparse.Namespace, audit: Audit) -> None:
    from faceedge.jobs.audit.page import page

    try:
        write_whole(args.html, page(audit).encode("utf-8"), 0o600)
    except OSError as error:
        raise BadInput(f"{args.html}: cannot be written ({error.strerror}); name another file") from error
    if not args.json:
        print(f"page: {args.html}")
