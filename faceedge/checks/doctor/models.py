"""The networks that would serve: there, unchanged, under a licence that is accepted, and fit for each other."""

from __future__ import annotations

import importlib.util

from faceedge.checks.doctor.base import Finding, Findings, Patient, fail, ok, skip, told, warn
from faceedge.errors import FaceedgeError
from faceedge.jobs.check_model import misfits
from faceedge.jobs.list_models import list_rows
from faceedge.jobs.site import ROLES, SPOKEN, Site
from faceedge.manifest import Role
from faceedge.models.active import chosen
from faceedge.models.defaults import FOLDER, is_whole
from faceedge.models.licence import check_licence
from faceedge.models.store import DEFAULTS

ADD_AGAIN = "faceedge model list shows what there is; faceedge model add NAME gets it again"
ACTIVE = ("active", "pinned")


def check_models(patient: Patient) -> Findings:
    """Each role, then what lies there beside them."""
    if patient.settings is None:
        yield skip("models", "which serve, the configuration says, and that is wrong")
        return
    site = Site(patient.state, patient.cache, patient.settings.models)
    for role in ROLES:
        yield _served(role, site)
    rows, _ = list_rows(site)
    broken = [row.found.label for row in rows if row.found.fault and row.standing not in ACTIVE]
    if broken:
        yield warn("models.others", f"damaged: {', '.join(broken)}", "faceedge model remove NAME, or add it again")
    packages = [site.at_hand(role) for role in ROLES]
    for package in packages[:1]:
        for fault in misfits(package, packages) if package is not None else ():
            yield fail("models.fit", fault, "activate two that fit: faceedge model activate NAME")


def _served(role: Role, site: Site) -> Finding:
    """Its digests are checked as it is read; what it answers, only `faceedge model verify` tries."""
    id = f"models.{role}"
    try:
        name = chosen(role, site.pinned(role), site.state)
        if not name:
            return skip(id, f"no {SPOKEN[role]} is configured")
        if name.partition("@")[0] in DEFAULTS and not is_whole(site.cache / FOLDER):
            return _not_imported(id, name)
        package = site.present(role)
        assert package is not None
        check_licence(package, site.models.accept_licences)
    except FaceedgeError as error:
        return told(id, error, "" if "licence" in str(error) else ADD_AGAIN)
    return ok(id, f"{package.label}, unchanged, licence {package.manifest.source.licence}")


def _not_imported(id: str, name: str) -> Finding:
    if importlib.util.find_spec("face_recognition_models") is None:
        return fail(id, f"{name} cannot be imported: face_recognition_models is missing", "pip install 'faceedge[cpu]'")
    return ok(id, f"{name}, built in, will be imported on first use")
