"""TensorRT and pycuda where the configuration asks for them, and whether the plans on disk are for this machine."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from faceedge.backends.fingerprint import difference, typing_of
from faceedge.backends.guarded import Refused, engines_key
from faceedge.backends.machine_facts import Machine, cuda_of, l4t_of, module_of
from faceedge.backends.plan import look, place_of
from faceedge.checks.doctor.base import Finding, Findings, Patient, fail, ok, skip, warn
from faceedge.environment import for_others
from faceedge.errors import one_line
from faceedge.gallery.devicekey import candidates
from faceedge.jobs.engine_recipe import precision_of, read_recipe
from faceedge.jobs.site import ROLES, Site
from faceedge.package import Package

IMPORT_S = 25.0
"""TensorRT takes seconds, more from a cold disk."""
MODULES: Mapping[str, str] = {"engine.tensorrt": "tensorrt", "engine.pycuda": "pycuda.driver"}
SYSTEM_SITE = "install it, and make the environment with --system-site-packages, as scripts/flash_setup.sh does"
ASK = "import importlib, sys; module = importlib.import_module(sys.argv[1]); print(getattr(module, '__version__', ''))"


@dataclass(frozen=True, slots=True)
class Imported:
    """version: of a module that can be imported. fault: why it cannot, and then the version is empty."""

    version: str
    fault: str = ""


def check_engines(patient: Patient) -> Findings:
    """Both modules, then the plan of each network."""
    backend = patient.settings.engine.backend if patient.settings is not None else "auto"
    if backend == "onnx":
        yield skip("engine.tensorrt", 'the configuration says [engine] backend = "onnx"')
        return
    versions = {}
    for id, module in MODULES.items():
        found = importable(module, patient.environ)
        versions[id] = found.version
        yield _module(id, module, found, backend, patient)
    if all(versions.values()):
        yield from check_plans(patient, versions["engine.tensorrt"])


def check_plans(patient: Patient, tensorrt: str) -> Findings:
    """Each network's plan, against this machine and the package it was built from. tensorrt: version here."""
    machine = Machine(tensorrt, cuda_of(patient.root), l4t_of(patient.root), module_of(patient.root))
    if patient.settings is None:
        return
    site = Site(patient.state, patient.cache, patient.settings.models)
    for role in ROLES:
        if (package := site.at_hand(role)) is not None:
            yield _plan(f"engine.plan.{role}", patient, package, machine)


def importable(module: str, environ: Mapping[str, str]) -> Imported:
    """Tried in a process of its own, for a library that does not fit may take its process down with it."""
    command = [sys.executable, "-c", ASK, module]
    try:
        done = subprocess.run(
            command, env=for_others(environ), capture_output=True, text=True, timeout=IMPORT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return Imported("", f"{module} does not import within {IMPORT_S:g} s")
    if done.returncode == 0:
        return Imported(one_line(done.stdout, 40) or "unknown")
    last = (done.stderr.strip().splitlines() or [f"its process ended with {done.returncode}"])[-1]
    return Imported("", f"{module}: {one_line(last, 200)}")


def _module(
    id: str, module: str, found: Imported, backend: Literal["auto", "tensorrt"], patient: Patient
) -> Finding:  # fmt: skip
    if not found.fault:
        return ok(id, f"{module} {found.version}")
    if backend == "tensorrt":
        return fail(id, found.fault, SYSTEM_SITE)
    if l4t_of(patient.root):
        return warn(id, f"{found.fault}, so all networks run on the CPU", SYSTEM_SITE)
    return skip(id, f"no {module} here, ONNX Runtime serves")


def _plan(id: str, patient: Patient, package: Package, machine: Machine) -> Finding:
    remedy = f"faceedge build {package.manifest.role}, or let the daemon do it"
    precision = precision_of(package, read_recipe(package.manifest.role)[0], typing_of(machine.tensorrt))
    key = next(candidates(patient.state), None)
    place = place_of(patient.state, package.label, package.build, precision)
    if key is None or not (place.plan.exists() or place.sidecar.exists()):
        return warn(id, f"{package.label} has no {precision} engine yet, ONNX Runtime serves", remedy)
    try:
        built = look(place, engines_key(key.secret)).fingerprint
    except Refused as error:
        return fail(id, f"{package.label}: {error}", remedy)
    here = {
        "tensorrt": machine.tensorrt, "cuda": machine.cuda, "l4t": machine.l4t, "build": package.build,
        "module": machine.module or built.module, "graph_sha256": package.graph_digest(),
    }  # fmt: skip
    if changed := difference(built, built.model_copy(update=here)):
        return fail(id, f"the engine of {package.label} {changed}", remedy)
    return ok(id, f"{package.label}, {precision}, built for this machine")
