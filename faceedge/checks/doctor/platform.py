"""What the machine is, and whether Python and packages are those that faceedge was made for."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterable
from importlib import metadata
from typing import TYPE_CHECKING

from faceedge import __version__
from faceedge.backends.machine_facts import l4t_fault, l4t_of
from faceedge.checks.doctor.base import Findings, Patient, fail, ok, skip
from faceedge.config import EngineSettings, Models
from faceedge.health.machine import machine_name
from faceedge.models.active import BUILT_IN
from faceedge.models.defaults import FOLDER, is_whole

if TYPE_CHECKING:
    from packaging.requirements import Requirement

OLDEST_L4T = (36, 4)
NEVER_ORIN = ((37, 0), (39, 2))
"""From, and below which, JetPack 7.0 and 7.1 lie: for Thor, not for Orin."""
INSTALL = "run scripts/flash_setup.sh again, or: pip install --upgrade faceedge"


def check_board(patient: Patient) -> Findings:
    """A Jetson with its release, or a Linux machine without one."""
    name, l4t = machine_name(patient.root), l4t_of(patient.root)
    if not l4t:
        yield ok("platform.board", f"{name}, Linux {platform.release()}, no Jetson; faceedge {__version__}")
        return
    what = f"{name}, L4T {l4t}; faceedge {__version__}"
    if fault := l4t_fault(l4t):
        said, _, mend = fault.rpartition("; ")
        yield fail("platform.board", f"{name}: {said}", f"{mend}, then reboot")
    elif _release(l4t) < OLDEST_L4T or NEVER_ORIN[0] <= _release(l4t) < NEVER_ORIN[1]:
        yield fail(
            "platform.board", f"{what} is too old, or not for Orin", "flash JetPack 6.2.2 or later, or 7.2 or later"
        )
    else:
        yield ok("platform.board", what)


def check_python(_patient: Patient) -> Findings:
    """Its version, against the range that our own package declares."""
    from packaging.specifiers import SpecifierSet

    wanted, here = metadata.metadata("faceedge")["Requires-Python"] or "", platform.python_version()
    if SpecifierSet(wanted).contains(here, prereleases=True):
        yield ok("platform.python", f"Python {here}")
    else:
        yield fail("platform.python", f"Python {here} is not {wanted}", "install faceedge with a Python of that range")


def check_packages(patient: Patient) -> Findings:
    """Everything that faceedge always needs, then the extras that this configuration needs."""
    from packaging.requirements import Requirement

    declared = [Requirement(line) for line in metadata.requires("faceedge") or ()]
    always = [one for one in declared if one.marker is None or one.marker.evaluate({"extra": ""})]
    if faults := _faults(always):
        yield fail("platform.packages", "; ".join(faults), INSTALL)
    else:
        yield ok("platform.packages", f"{len(always)} packages in the declared range")
    if patient.settings is None:
        yield skip("platform.extra", "which are needed, the configuration says, and that is wrong")
        return
    for extra, names in needed_extras(patient.settings.engine, patient.settings.models, patient).items():
        wanted = [one for one in declared if one.name in names and _is_of(one, extra)]
        if faults := _faults(wanted):
            yield fail(f"platform.extra.{extra}", "; ".join(faults), f"pip install 'faceedge[{extra}]'")
        else:
            yield ok(f"platform.extra.{extra}", f"extra {extra}: {', '.join(sorted(names))}")


def needed_extras(engine: EngineSettings, models: Models, patient: Patient) -> dict[str, set[str]]:
    """Extra -> the packages of it that this configuration cannot do without. ONNX Runtime serves until an engine is
    built, so it is always one of them; what imports the built-in networks is needed once, and not afterwards."""
    needed = {"onnxruntime"}
    is_built_in = any(not getattr(models, role) for role in BUILT_IN)
    if is_built_in and not is_whole(patient.cache / FOLDER):
        needed |= {"onnx", "face_recognition_models"}
    extras = {"cpu": needed}
    if engine.backend == "tensorrt":
        extras["jetson"] = {"pycuda"}
    return extras


def _faults(wanted: Iterable[Requirement]) -> list[str]:
    return [fault for one in wanted if (fault := _fault(one))]


def _fault(wanted: Requirement) -> str:
    try:
        here = metadata.version(wanted.name)
    except metadata.PackageNotFoundError:
        return f"{wanted.name} is not installed"
    is_good = wanted.specifier.contains(here, prereleases=True)
    return "" if is_good else f"{wanted.name} is {here}, wanted is {wanted.specifier}"


def _is_of(one: Requirement, extra: str) -> bool:
    return one.marker is not None and one.marker.evaluate({"extra": extra}) and not one.marker.evaluate({"extra": ""})


def _release(l4t: str) -> tuple[int, int]:
    major, minor = ([int(number) for number in re.findall(r"\d+", l4t)] + [0, 0])[:2]
    return major, minor
