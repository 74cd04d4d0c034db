"""Which licences of weights a start accepts without being told: the permissive ones, by SPDX name. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from faceedge.errors import PackageError
from faceedge.package import MANIFEST, Package

PERMISSIVE = frozenset(
    {
        "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC-BY-4.0", "CC0-1.0", "ISC", "MIT",
        "Unlicense", "Zlib",
    }
)  # fmt: skip
_ALSO_CALLED = {
    "Apache 2": "Apache-2.0", "Expat": "MIT", "Boost 1.0": "BSL-1.0", "CC0": "CC0-1.0",
    "Simplified BSD": "BSD-2-Clause", "FreeBSD": "BSD-2-Clause", "BSD 2": "BSD-2-Clause",
    "New BSD": "BSD-3-Clause", "Modified BSD": "BSD-3-Clause", "Revised BSD": "BSD-3-Clause", "BSD 3": "BSD-3-Clause",
    "Creative Commons Attribution 4.0": "CC-BY-4.0", "Creative Commons Attribution 4.0 International": "CC-BY-4.0",
    "Creative Commons Zero 1.0": "CC0-1.0", "Creative Commons Zero 1.0 Universal": "CC0-1.0",
}  # fmt: skip


def is_allowed(licence: str, accepted: Sequence[str] = ()) -> bool:
    """Whether weights under this licence may run. accepted: what the configuration allows beside the permissive.

    Names count as they are spelt: one that is only near could be another licence. No name is no licence.
    """
    return bool(licence.strip()) and (licence in PERMISSIVE or licence in accepted)


def spdx_hint(licence: str) -> str | None:
    """The SPDX name of the permissive licence that this one spells in another way; None when it spells none."""
    return _KNOWN.get(_folded(licence))


def check_licence(package: Package, accepted: Sequence[str] = ()) -> None:
    """Raises PackageError unless the weights of `package` may run."""
    licence = package.manifest.source.licence
    if is_allowed(licence, accepted):
        return
    manifest = package.folder / MANIFEST
    if not licence.strip():
        raise PackageError(f"{package.label}: names no licence; find out which and write it into {manifest}")
    if hint := spdx_hint(licence):
        raise PackageError(
            f"{package.label}: its licence {licence!r} is not an SPDX name; write {hint!r} into {manifest}"
        )
    raise PackageError(
        f"{package.label}: its licence {licence!r} is not on the allowed list; if you may use these weights, "
        f"set [models] accept_licences = [{licence!r}]"
    )


def warned(packages: Iterable[Package], accepted: Sequence[str]) -> list[str]:
    """A sentence for each package that runs only because its licence was accepted."""
    labelled = [(package.label, package.manifest.source.licence) for package in packages]
    return [
        f"{label} runs under {licence!r}, accepted in [models]"
        for label, licence in labelled
        if licence not in PERMISSIVE and is_allowed(licence, accepted)
    ]


def _folded(licence: str) -> str:
    """What two spellings of one licence share."""
    words = re.sub(r"[^a-z0-9.]+", " ", licence.lower()).split()
    plain = [word for word in words if word not in ("the", "licence", "license", "version", "software", "clause")]
    return re.sub(r"^v(?=[0-9])| v(?=[0-9])|[ ]", "", " ".join(plain))


_KNOWN = {_folded(called): name for called, name in (*((name, name) for name in PERMISSIVE), *_ALSO_CALLED.items())}
