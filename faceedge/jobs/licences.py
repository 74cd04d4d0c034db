"""Under which licences this installation stands: of every package that faceedge brings along, as the packages' own
metadata have it, and of every network, as its manifest has it. Reads; decides nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata

from faceedge.errors import BadInput
from faceedge.models.licence import spdx_hint
from faceedge.models.store import Found

US = "faceedge"
NOT_SHIPPED = frozenset({"dev", "bench"})
"""Extras of ours that no device has."""
UNKNOWN = "not stated"
MOST = 80
"""Characters of a licence's name; what is longer is its text."""
CLASSIFIERS = {
    "Apache Software License": "Apache-2.0",
    "MIT License": "MIT",
    "ISC License (ISCL)": "ISC",
    "Python Software Foundation License": "PSF-2.0",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "BSD License": "BSD",
    "GNU Affero General Public License v3 or later (AGPLv3+)": "AGPL-3.0-or-later",
}
"""Names of classifiers in those of SPDX; `BSD` stays as vague as it is."""
APART = {
    "jetson-stats": "only ever runs in a process of its own (faceedge.health.jtop_child), which the daemon starts and "
    "reads; nothing else imports it, and without it the kernel's files serve",
}
"""What must be known of a package beside its licence."""
_NAME = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[([^\]]*)\])?")
_EXTRA = re.compile(r"""extra\s*==\s*["']([^"']+)["']""")


@dataclass(frozen=True, slots=True)
class Licensed:
    """kind: `package` or `network`. needed_by: the package that asks for it, `faceedge[extra]`, or a role."""

    kind: str
    name: str
    version: str
    licence: str
    needed_by: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Requirement:
    """One line `Requires-Dist`. extra: of the asking package, empty where it always asks; brings: extras of `name`."""

    name: str
    extra: str
    brings: frozenset[str]


def packages(root: str = US) -> list[Licensed]:
    """Whatever of `root` and, transitively, of its requirements is installed, by name; without `root` itself.

    Raises BadInput when `root` is not installed: then nobody knows what it asks for.
    """
    found: dict[str, Licensed] = {}
    try:
        extras = frozenset(metadata.metadata(root).get_all("Provides-Extra") or ()) - NOT_SHIPPED
    except metadata.PackageNotFoundError as error:
        raise BadInput(f"{root} runs from its source and is not installed; install it with pip install .") from error
    waiting: list[tuple[str, frozenset[str]]] = [(root, extras)]
    while waiting:
        asking, wanted = waiting.pop(0)  # the nearest first: it is who is named
        for one in requirements(metadata.requires(asking) or (), wanted):
            name = folded(one.name)
            try:
                about = metadata.metadata(one.name)
            except metadata.PackageNotFoundError:
                continue
            if name not in found:
                needed_by = f"{asking}[{one.extra}]" if one.extra else asking
                found[name] = Licensed("package", name, about["Version"], licence_of(about), needed_by,
                                       APART.get(name, ""))  # fmt: skip
                waiting.append((one.name, one.brings))
    return [found[name] for name in sorted(found)]


def networks(found: Iterable[Found]) -> list[Licensed]:
    """Of the packages of networks that can be read."""
    manifests = [one.package.manifest for one in found if one.package is not None]
    return [
        Licensed("network", each.name, each.version, each.source.licence or UNKNOWN, each.role, each.source.note)
        for each in manifests
    ]


def requirements(lines: Iterable[str], extras: frozenset[str] = frozenset()) -> Iterator[Requirement]:
    """Of `Requires-Dist`, those that are asked for always or by one of these extras, whatever else they depend on: what
    another system or Python needs is not installed here, and so is not found."""
    for line in lines:
        text, _, marker = line.partition(";")
        named, asked = _NAME.match(text), _EXTRA.search(marker)
        extra = asked[1] if asked else ""
        if named is not None and (not extra or extra in extras):
            brings = frozenset(part.strip() for part in (named[2] or "").split(",") if part.strip())
            yield Requirement(named[1], extra, brings)


def licence_of(about: metadata.PackageMetadata) -> str:
    """SPDX where the package says so, else its own words, else its classifiers."""
    if expression := _first(about, "License-Expression"):
        return expression
    words = _first(about, "License")
    if words and "\n" not in words and len(words) <= MOST and words.upper() != "UNKNOWN":
        return spdx_hint(words) or words
    classified = [each.rpartition(" :: ")[2] for each in about.get_all("Classifier") or ()
                  if each.startswith("License ::")]  # fmt: skip
    named = [CLASSIFIERS.get(each, each) for each in classified if each != "OSI Approved"]
    return " AND ".join(named) or UNKNOWN


def _first(about: metadata.PackageMetadata, field: str) -> str:
    return str((about.get_all(field) or [""])[0]).strip()


def folded(name: str) -> str:
    """As an index spells it."""
    return re.sub(r"[-_.]+", "-", name).lower()
