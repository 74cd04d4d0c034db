"""`faceedge build` as a person uses it: without TensorRT a line, with the stand-in device engines and kernels."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from faceedge.cli import build as command
from faceedge.errors import FaceedgeError
from faceedge.jobs import engine_recipe
from faceedge.journal.reading import entries, reading
from tests.cli.conftest import Answer
from tests.fakes.gpu.fixture import StandinGpu
from tests.jobs.gpu_site import device, state, without_device  # noqa: F401 - fixtures

Run = Callable[..., Answer]
ONE = pytest.mark.parametrize("gpu", ["10.3.0"], indirect=True)


@pytest.fixture
def run(
    state: Path,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """`run("build", …)` where the recipes name two small packages."""
    monkeypatch.setenv("FACEEDGE_STATE", str(state))
    monkeypatch.delenv("FACEEDGE_CONFIG", raising=False)
    recipes = tmp_path / "recipes"
    recipes.mkdir()
    (recipes / "detector.toml").write_text('package = "yunet"\n')
    (recipes / "recognizer.toml").write_text('package = "edgeface-xxs"\n')
    monkeypatch.setattr(engine_recipe, "SITE", recipes)

    def call(*argv: object) -> Answer:
        parser = argparse.ArgumentParser(prog="faceedge")
        command.add(parser.add_subparsers(required=True))
        try:
            args = parser.parse_args([str(word) for word in argv])
            code = int(args.run(args))
        except FaceedgeError as error:
            captured = capsys.readouterr()
            return Answer(error.exit_code, captured.out, f"{captured.err}faceedge: {error}\n")
        captured = capsys.readouterr()
        return Answer(code, captured.out, captured.err)

    return call


@pytest.fixture
def kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiled for this machine, as the stand-in device is one."""
    from faceedge.backends import cuda_kernels
    from tests.fakes.host_kernels import host_image, why_not

    if reason := why_not():
        pytest.skip(reason)
    monkeypatch.setattr(cuda_kernels, "_compiled", lambda capability: host_image().read_bytes())


@pytest.mark.parametrize("module", ["tensorrt", "pycuda.driver"])
def test_without_tensorrt_or_pycuda_one_line_says_what_to_install(
    run: Run, module: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    if module == "pycuda.driver":
        monkeypatch.setitem(__import__("sys").modules, "tensorrt", argparse.Namespace(__version__="10.3.0"))
    monkeypatch.setitem(__import__("sys").modules, module, None)
    answer = run("build")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.count("\n") == 1
    assert "faceedge[jetson]" in answer.err


@ONE
def test_without_a_device_one_line_says_so(
    device: StandinGpu,  # noqa: F811
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    without_device(device, monkeypatch)
    answer = run("build", "--json")
    assert (answer.code, answer.out) == (2, "")
    assert "no CUDA device 0" in answer.err


def test_a_role_that_is_none_is_refused(run: Run) -> None:
    with pytest.raises(SystemExit) as left:
        run("build", "poet")
    assert left.value.code == 2


@ONE
@pytest.mark.system
@pytest.mark.usefixtures("kernels")
def test_it_builds_what_is_missing_keeps_what_is_there_and_force_builds_anew(
    device: StandinGpu,  # noqa: F811
    run: Run,
    state: Path,  # noqa: F811
) -> None:
    first = run("build", "recognizer", "--json")
    assert first.code == 0, first.err
    (engine,) = first.document["engines"]
    assert (engine["role"], engine["package"], engine["precision"], engine["is_new"]) == (
        "recognizer", "edgeface-xxs@1", "fp16", True,
    )  # fmt: skip
    plan = Path(engine["plan"])
    assert plan.parent == state / "engines" / "edgeface-xxs@1"
    assert engine["bytes"] == plan.stat().st_size
    assert engine["fingerprint"]["tensorrt"] == "10.3.0"
    assert engine["fingerprint"]["options"]["profile"]["input"] == [
        [1, 3, 112, 112],
        [1, 3, 112, 112],
        [8, 3, 112, 112],
    ]
    assert Path(first.document["kernels"]).parent == state / "engines"

    second = run("build", "recognizer", "--json").document["engines"][0]
    assert (second["is_new"], second["seconds"]) == (False, 0)
    third = run("build", "recognizer", "--force")
    assert third.code == 0
    assert third.out.splitlines()[0].startswith("recognizer: edgeface-xxs@1, fp16, ")
    assert "TensorRT 10.3.0" in third.out
    with reading(state / "journal.db") as connection:
        noted: list[Any] = [entry.body for entry in entries(connection) if entry.draft.kind == "engine"]
    assert [(body["done"], body["build"]) for body in noted] == [("built", engine["build"])] * 2


@ONE
@pytest.mark.system
@pytest.mark.usefixtures("kernels")
def test_one_role_that_fails_is_told_and_does_not_keep_the_others_from_being_built(
    device: StandinGpu,  # noqa: F811
    run: Run,
    state: Path,  # noqa: F811
) -> None:
    (engine_recipe.SITE / "detector.toml").write_text('package = "yunet"\nprecision = "int8"\n')
    answer = run("build", "--json")
    assert answer.code == 2
    assert [engine["role"] for engine in answer.document["engines"]] == ["recognizer"]
    (fault,) = answer.document["failed"]
    assert (fault["role"], fault["package"]) == ("detector", "yunet@n")
    assert "the recipe of its role says int8" in fault["why"]


@ONE
@pytest.mark.system
def test_a_failed_build_leaves_the_engine_that_was_there_and_without_nvcc_the_rest_is_built(
    device: StandinGpu,  # noqa: F811
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from faceedge.backends import cuda_kernels

    monkeypatch.setattr(cuda_kernels.shutil, "which", lambda name, path=None: None)
    first = run("build", "recognizer", "--json")
    assert first.code == 0
    assert first.document["kernels"] is None
    assert "nvcc" in first.document["kernels_why"]
    plan = Path(first.document["engines"][0]["plan"])
    before = plan.read_bytes()
    monkeypatch.setenv("FACEEDGE_STANDIN_BUILD_FAIL", "out of tactics")
    again = run("build", "recognizer", "--force")
    assert again.code == 2
    assert "out of tactics" in again.err
    assert again.err.count("\n") == 1
    assert plan.read_bytes() == before


def test_a_build_may_be_wished_for_and_a_wish_is_not_tried_for_ever(
    run: Run,
    state: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "tensorrt", None)
    assert run("build", "detector", "--later", "--json").document == {"wanted": ["detector"]}
    answer = run("build", "--wanted")
    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert not (state / "engines" / "wanted").exists()
    assert "no engine is wanted" in run("build", "--wanted").err


@pytest.mark.parametrize("words", [("--later", "--force"), ("--wanted", "--force"), ("detector", "--wanted")])
def test_a_wish_takes_roles_and_nothing_else(run: Run, words: tuple[str, ...]) -> None:
    answer = run("build", *words)
    assert (answer.code, answer.err.count("\n")) == (2, 1)
