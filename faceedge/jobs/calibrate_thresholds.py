"""A site's own thresholds: the audit of its gallery in, the recogniser's package with them and their evidence out.

Run by `faceedge calibrate thresholds`. What would let in more than the package as it was shipped takes a reason.
"""

from __future__ import annotations

import datetime
import shutil
from collections.abc import Sequence
from dataclasses import dataclass

from faceedge.errors import BadInput
from faceedge.fit import Basis, Fit, SiteThresholds, Thresholds
from faceedge.jobs.audit.findings import LEVELS, Advice, Audit
from faceedge.jobs.audit.words import rate
from faceedge.jobs.site import Site
from faceedge.models.place import place, scratch_folder
from faceedge.models.store import DEFAULTS, write_parts
from faceedge.package import Package, read_package

OWN = "-own"
"""How the copy of a built-in package is called: the built-in one stays as it is."""
METHOD = (
    "impostor comparisons of the enrolled, of whom enrolment refused whoever looked like somebody else; bound by the "
    "jackknife over people, Clopper and Pearson"
)


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be written. looser: the levels that would lie below the shipped ones, in words."""

    source: Package
    fit: Fit
    advice: tuple[Advice, ...]
    looser: tuple[str, ...]

    @property
    def is_new(self) -> bool:
        """Whether any threshold would change."""
        return self.source.fit is not None and self.fit.thresholds != self.source.fit.thresholds


def plan(package: Package, audit: Audit, *, only_tighter: bool, accepted_risk: str, today: datetime.date) -> Plan:
    """The thresholds that an audit of this package's templates recommends. only_tighter: none below the shipped ones.

    Raises BadInput where there are no two people to learn from.
    """
    fit = package.fit
    assert fit is not None, "read_package refuses a recogniser without fit.toml"
    if len(audit.people) < 2:
        raise BadInput("thresholds are learnt from at least two people; enrol more: faceedge enroll NAME IMAGE…")
    advice = tuple(_held(one) if only_tighter else one for one in audit.advice)
    levels = Thresholds(**{one.name: one.threshold for one in advice})
    looser = tuple(
        f"{one.name} {one.threshold:.4f} is below the shipped {one.shipped:.4f}"
        for one in advice
        if one.threshold < one.shipped
    )
    site = _evidence(fit, audit, advice, accepted_risk if looser else "", today)
    alike = site.shipped_look_alike
    return Plan(
        package,
        fit.model_copy(
            update={
                "thresholds": levels, "site": site, "evidence": _words(site, audit),
                "look_alike": None if alike is None else min(alike, levels.match),
            }
        ),
        advice, looser,
    )  # fmt: skip


def check_risk(planned: Plan, accepted_risk: str) -> None:
    """Raises BadInput for thresholds that let in more than the shipped ones, without a reason."""
    if planned.looser and not accepted_risk:
        raise BadInput(
            f"{'; '.join(planned.looser)}: looser thresholds let more strangers in; keep those as shipped with "
            "--only-tighter, or say why with --accept-risk REASON"
        )
    if accepted_risk and not planned.looser:
        raise BadInput("--accept-risk: no threshold would be looser than shipped; leave that out")


def write(planned: Plan, site: Site) -> Package:
    """The package anew with these thresholds, whole or not at all; graph, build and space stay the same.

    Raises BadInput when the package was replaced meanwhile, StoreError when it cannot be written.
    """
    source = planned.source
    name = source.manifest.name + (OWN if source.manifest.name in DEFAULTS else "")
    manifest = source.manifest.model_copy(update={"name": name})
    with scratch_folder(site.state) as scratch:
        fresh = scratch / "package"
        shutil.copytree(source.folder, fresh)
        write_parts(fresh, manifest, planned.fit)
        if read_package(fresh).build != source.build:
            raise BadInput(f"{source.label}: was replaced while its thresholds were fitted; try again")
        return read_package(place(fresh, f"{name}@{manifest.version}", site.state, replace=True))


def restored(package: Package) -> Plan:
    """The thresholds as the package came with them. Raises BadInput where it has no others."""
    fit = package.fit
    assert fit is not None, "read_package refuses a recogniser without fit.toml"
    if fit.site is None:
        raise BadInput(f"{package.label} has its shipped thresholds; there is nothing to undo")
    back = {"thresholds": fit.site.shipped, "look_alike": fit.site.shipped_look_alike, "site": None,
            "evidence": fit.site.shipped_evidence}  # fmt: skip
    return Plan(package, fit.model_copy(update=back), (), ())


def _held(one: Advice) -> Advice:
    """Not below the shipped threshold."""
    if one.threshold >= one.shipped:
        return one
    return Advice(one.name, one.fmr, one.shipped, one.shipped, "shipped", one.likely, one.needed)


def _evidence(
    fit: Fit, audit: Audit, advice: Sequence[Advice], accepted_risk: str, today: datetime.date
) -> SiteThresholds:
    demanded = next(one for one in advice if one.name == audit.demanded)
    serving = next(one for one in audit.levels if one.name == audit.demanded).false_match
    grey, match, strict = (_basis(advice, name) for name in LEVELS)
    before = fit.site
    return SiteThresholds(
        shipped=fit.shipped, shipped_look_alike=before.shipped_look_alike if before else fit.look_alike,
        shipped_evidence=before.shipped_evidence if before else fit.evidence, fmr=demanded.fmr,
        confidence=audit.confidence, likely=demanded.likely, errors=serving.errors if serving else 0.0,
        pairs=serving.pairs if serving else 0, people=len(audit.people), templates=audit.templates,
        basis=(grey, match, strict), method=METHOD, made=today, accepted_risk=accepted_risk,
    )  # fmt: skip


def _basis(advice: Sequence[Advice], name: str) -> Basis:
    return next(one.basis for one in advice if one.name == name)


def _words(site: SiteThresholds, audit: Audit) -> str:
    bound = (
        "not bounded" if site.likely is None else f"at most {rate(site.likely)} with {site.confidence:.4g} confidence"
    )
    return (
        f"a site's own, made {site.made} on {site.people} enrolled people ({site.templates} templates, {site.pairs:,} "
        f"pairs of people) for a false-match rate of {rate(site.fmr)} at {audit.demanded}: {bound} there; grey, match, "
        f"strict {', '.join(site.basis)}"
    )
