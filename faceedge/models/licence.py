"""Which licences of weights a start accepts without being told: the permissive ones, by SPDX name. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from faceedge.errors import PackageError
from faceedge.package import Package

PERMISSIVE = frozenset(
    {
        "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC-BY-4.0", "CC0-1.0", "ISC", "MIT",
        "Unlicense", "Zlib",
    }
)  # fmt: skip


def is_allowed(licence: str, accepted: Sequence[str] = ()) -> bool:
    """Whether weights under this licence may run. accepted: what the configuration allows beside the permissive."""
    return licence in PERMISSIVE or licence in accepted


def check_licence(package: Package, accepted: Sequence[str] = ()) -> None:
    """Raises PackageError unless the weights of `package` may run."""
    licence = package.manifest.source.licence
    if not is_allowed(licence, accepted):
        raise PackageError(
            f"{package.label}: its licence {licence!r} is not on the allowed list; if you may use these weights, "
            f"set [models] accept_licences = [{licence!r}]"
        )
