"""Plans on disk and the machine they are for; TensorRT and pycuda as modules that can be imported, and no more."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from faceedge.backends.fingerprint import typing_of
from faceedge.backends.guarded import engines_key
from faceedge.backends.machine_facts import Machine
from faceedge.backends.plan import Place, fingerprint_of, keep_plan, place_of
from faceedge.checks.doctor.base import Finding
from faceedge.checks.doctor.engines import importable
from faceedge.gallery.vault import device_key_path
from faceedge.jobs.engine_recipe import precision_of, read_recipe
from faceedge.models.store import find_package
from tests.doctor.breaks import jetson, set_to
from tests.doctor.ward import Ward
from tests.fakes.plans import MACHINE, options


@pytest.fixture
def board(ward: Ward) -> Ward:
    """A Jetson as files tell it, with modules of the right names."""
    set_to("engine", to={"backend": "tensorrt"})(ward)
    jetson(MACHINE.l4t)(ward)
    modules = ward.folder / "modules"
    for name in ("tensorrt", "pycuda"):
        (modules / name).mkdir(parents=True)
        (modules / name / "__init__.py").write_text(f"__version__ = {MACHINE.tensorrt!r}\n")
    (modules / "pycuda" / "driver.py").touch()
    ward.more["environ"] = ward.environ(PYTHONPATH=str(modules))
    return ward


def built(ward: Ward, machine: Machine = MACHINE) -> Place:
    """The recogniser's plan, as a build on that machine leaves it."""
    package = find_package("edgeface-xxs", ward.state, ward.state)
    precision = precision_of(package, read_recipe("recognizer")[0], typing_of(machine.tensorrt))
    place = place_of(ward.state, package.label, package.build, precision)
    fresh = ward.folder / "fresh"
    fresh.write_bytes(b"a plan")
    wanted = fingerprint_of(package.build, package.graph_digest(), options(precision=precision), machine)
    keep_plan(place, fresh, wanted, engines_key(device_key_path(ward.state).read_bytes()))
    return place


def plan(ward: Ward) -> Finding:
    findings = {one.id: one for one in ward.findings("engine")}
    assert findings["engine.tensorrt"].status == findings["engine.pycuda"].status == "ok"
    return findings["engine.plan.recognizer"]


def test_a_plan_of_this_machine_is_good(board: Ward) -> None:
    built(board)
    assert plan(board).status == "ok"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"module": "NVIDIA Jetson AGX Orin Developer Kit (p3701-0005)"}, "was built for module NVIDIA Jetson AGX"),
        ({"l4t": "36.4.4"}, "was built for l4t 36.4.4, this is 36.4.3"),
    ],
)
def test_a_plan_of_another_machine_is_named(board: Ward, change: dict[str, str], said: str) -> None:
    built(board, replace(MACHINE, **change))
    finding = plan(board)
    assert (finding.status, said in finding.what, finding.remedy.startswith("faceedge build")) == ("fail", True, True)


def test_an_altered_plan_is_named_and_left_where_it_is(board: Ward) -> None:
    place = built(board)
    place.plan.write_bytes(b"a plot")
    place.plan.chmod(0o600)
    before = sorted(path.name for path in place.folder.iterdir())
    finding = plan(board)
    assert (finding.status, "the plan was altered" in finding.what) == ("fail", True)
    assert sorted(path.name for path in place.folder.iterdir()) == before


def test_a_network_without_a_plan_is_told(board: Ward) -> None:
    finding = plan(board)
    assert (finding.status, "ONNX Runtime serves" in finding.what) == ("warn", True)


def test_a_module_that_takes_its_process_down_is_named(tmp_path: Path) -> None:
    (tmp_path / "falls.py").write_text("import os; os.abort()")
    found = importable("falls", {**os.environ, "PYTHONPATH": str(tmp_path)})
    assert found.version == ""
    assert "ended with -6" in found.fault
