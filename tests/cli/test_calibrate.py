"""`faceedge calibrate` and the gates at activation, as a person uses them; a made-up network, crops for photos."""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import shutil
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from faceedge.cli import calibrate as command
from faceedge.cli import model
from faceedge.config import cache_dir
from faceedge.errors import FaceedgeError
from faceedge.jobs import choose_model
from faceedge.jobs.calibration import case as calibrate_case
from faceedge.jobs.calibration.recipe import Recipe
from faceedge.journal.reading import entries, reading
from faceedge.models.active import chosen
from faceedge.package import MANIFEST
from faceedge.quantize.gates import Gates
from tests.cli.conftest import Answer
from tests.jobs.made_up_calibration import SMALL, hurry, people_folder, site_with

Run = Callable[..., Answer]
STRICT = SMALL.model_copy(update={"gates": Gates(min_crops=24, rounds=20, cosine_mean=1.0, cosine_p1=1.0)})


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    people_folder(folder / "images", range(30), 2)
    people_folder(folder / "people", range(100, 116), 3)
    return folder


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], default_models: Path
) -> Run:
    """`run("calibrate", …)` on a state directory with a small recogniser, by a recipe for small sets."""
    monkeypatch.setenv("FACEEDGE_STATE", str(tmp_path / "state"))
    monkeypatch.delenv("FACEEDGE_CONFIG", raising=False)
    monkeypatch.setattr(choose_model, "check_package", lambda package, shop: None)
    monkeypatch.setattr(choose_model, "check_photo", lambda packages: None)  # made-up weights know no face
    hurry(monkeypatch)
    use(monkeypatch, SMALL)
    site_with(tmp_path / "state")

    def call(*argv: object) -> Answer:
        code, text = called(*argv)
        captured = capsys.readouterr()
        return Answer(code, captured.out, captured.err + text)

    return call


def called(*argv: object) -> tuple[int, str]:
    """Exit code, and the line of a refusal."""
    parser = argparse.ArgumentParser(prog="faceedge")
    commands = parser.add_subparsers(required=True)
    for module in (command, model):
        module.add(commands)
    try:
        args = parser.parse_args([str(word) for word in argv])
        return int(args.run(args)), ""
    except FaceedgeError as error:
        return error.exit_code, str(error)
    except SystemExit as end:
        return int(end.code or 0), ""


def use(monkeypatch: pytest.MonkeyPatch, recipe: Recipe) -> None:
    monkeypatch.setattr(calibrate_case, "read_recipe", lambda role: (recipe, Path("made up")))


def words(pictures: Path, *more: object) -> tuple[object, ...]:
    given = ("--images", pictures / "images", "--people", pictures / "people", "--crops", "--model", "toy")
    return ("calibrate", "recognizer", *given, *more)


def journal(state: Path) -> list[dict[str, object]]:
    with reading(state / "journal.db") as rows:
        return [dict(entry.body) for entry in entries(rows, "kind = ?", "model")]


@pytest.fixture(scope="module")
def finished(pictures: Path, tmp_path_factory: pytest.TempPathFactory, default_models: Path) -> Path:
    """State directories after a calibration that held its gates, `held`, and one that did not, `failed`."""
    folder = tmp_path_factory.mktemp("finished")
    for name, recipe, code in (("held", SMALL, 0), ("failed", STRICT, 1)):
        site_with(folder / name)
        with pytest.MonkeyPatch.context() as patched, redirect_stdout(io.StringIO()):
            patched.setenv("FACEEDGE_STATE", str(folder / name))
            patched.delenv("FACEEDGE_CONFIG", raising=False)
            hurry(patched)
            use(patched, recipe)
            assert called(*words(pictures, "--most-float", "0", "--json")) == (code, "")
    return folder


@pytest.fixture
def held(run: Run, finished: Path, tmp_path: Path) -> Path:
    """The state that `run` works on, with a build whose gates held."""
    return taken(finished / "held", tmp_path / "state")


@pytest.fixture
def failed(run: Run, finished: Path, tmp_path: Path) -> Path:
    """The same with a build whose gates failed."""
    return taken(finished / "failed", tmp_path / "state")


def taken(finished: Path, state: Path) -> Path:
    shutil.rmtree(state)
    return Path(shutil.copytree(finished, state))


def test_the_document_says_everything_and_the_journal_what_was_done(run: Run, pictures: Path, tmp_path: Path) -> None:
    answer = run(*words(pictures, "--json"))
    assert answer.code == 0
    document = answer.document
    assert (document["package"], document["source"]) == ("toy@1-int8", "toy@1")
    assert document["verdict"] in ("passed", "unusual")
    assert document["weights_bytes"]["int8"] < document["weights_bytes"]["float"]
    assert document["chosen"] in ("toy@1", "toy@1-int8")
    assert Path(document["report"]).is_file()
    assert document["activated"] is None
    noted = journal(tmp_path / "state")[-1]
    assert noted["done"] == "calibrated"
    assert noted["package"] == "toy@1-int8"
    assert "p100" not in json.dumps(document)


def test_the_text_ends_with_the_command_that_activates_and_the_report(run: Run, pictures: Path) -> None:
    answer = run(*words(pictures))
    assert answer.code == 0
    assert "mean cosine to FP32" in answer.out
    assert "it serves after: faceedge model activate toy@1" in answer.out
    assert answer.out.splitlines()[-1].startswith("report: ")


def test_activate_lets_what_was_chosen_serve(run: Run, pictures: Path, tmp_path: Path) -> None:
    answer = run(*words(pictures, "--precision", "int8", "--activate", "--json"))
    assert answer.document["activated"] == "toy@1-int8"
    assert chosen("recognizer", "", tmp_path / "state") == "toy@1-int8"
    assert [one["done"] for one in journal(tmp_path / "state")] == ["calibrated", "activated"]


def test_a_failure_is_the_answer_no_and_says_how_to_insist(
    run: Run, pictures: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    use(monkeypatch, STRICT)
    answer = run(*words(pictures, "--most-float", "0", "--activate"))
    assert answer.code == 1
    assert "FAILED" in answer.out
    assert "faceedge model activate toy@1-int8 --accept-worse REASON" in answer.out
    assert chosen("recognizer", "", tmp_path / "state") == "dlib-resnet", "--activate does not insist"


def test_a_failed_build_is_refused_in_one_line_that_says_why(run: Run, failed: Path) -> None:
    answer = run("model", "activate", "toy@1-int8")
    assert answer.code == 2
    assert answer.err.count("\n") == 0
    assert "failed its gates (mean cosine to FP32" in answer.err
    assert "--accept-worse REASON" in answer.err


def test_a_worse_build_serves_for_a_reason_that_the_journal_keeps(run: Run, failed: Path, tmp_path: Path) -> None:
    reason = "heat: the float build throttles"
    assert run("model", "activate", "toy@1-int8", "--accept-worse", reason).code == 0
    assert chosen("recognizer", "", tmp_path / "state") == "toy@1-int8"
    assert journal(tmp_path / "state")[-1]["accepted_worse"] == reason


@pytest.mark.parametrize("text", ["", "  ", "x" * 400, "\n"])
def test_a_reason_must_say_something(run: Run, failed: Path, text: str, tmp_path: Path) -> None:
    answer = run("model", "activate", "toy@1-int8", "--accept-worse", text)
    assert answer.code == 2
    assert "say in 1 to 300 letters why" in answer.err
    assert chosen("recognizer", "", tmp_path / "state") == "dlib-resnet"


def test_nothing_is_accepted_as_worse_that_is_not(run: Run, held: Path) -> None:
    answer = run("model", "activate", "toy@1-int8", "--accept-worse", "why not")
    assert answer.code == 2
    assert "is no worse by its gates" in answer.err
    assert "is no worse by its gates" in run("model", "activate", "toy@1", "--accept-worse", "why not").err
    assert run("model", "activate", "toy@1-int8").code == 0


def test_rollback_asks_for_the_gates_too(run: Run, failed: Path) -> None:
    assert run("model", "activate", "toy@1-int8", "--accept-worse", "a trial").code == 0
    assert run("model", "activate", "toy@1").code == 0
    assert "--accept-worse REASON" in run("model", "rollback", "recognizer").err
    assert run("model", "rollback", "recognizer", "--accept-worse", "the trial goes on").code == 0


def test_int8_whose_gates_are_missing_is_refused(run: Run, held: Path) -> None:
    manifest = held / "models" / "toy" / "1-int8" / MANIFEST
    manifest.write_text(manifest.read_text().partition("[calibration]")[0])
    answer = run("model", "activate", "toy@1-int8")
    assert "nobody has measured what it costs: its gates are missing" in answer.err
    assert answer.code == 2


@pytest.mark.parametrize("spoiled", ["gone", "changed", "of another"])
def test_a_verdict_that_its_report_does_not_bear_out_is_refused(run: Run, held: Path, spoiled: str) -> None:
    folder = held / "models" / "toy" / "1-int8"
    report, manifest = folder / "report.json", folder / MANIFEST
    if spoiled == "gone":
        report.unlink()
    elif spoiled == "changed":
        report.write_text(report.read_text().replace('"seed": 1', '"seed": 2'))
    else:
        document = json.loads(report.read_text()) | {"graph": "0" * 64}
        before = hashlib.sha256(report.read_bytes()).hexdigest()
        report.write_text(json.dumps(document))
        after = hashlib.sha256(report.read_bytes()).hexdigest()
        manifest.write_text(manifest.read_text().replace(before, after))
    answer = run("model", "activate", "toy@1-int8")
    assert answer.code == 2
    assert "cannot show that its gates passed" in answer.err
    assert answer.err.count("\n") == 0


def test_list_and_verify_show_precision_and_verdict(run: Run, failed: Path, default_models: Path) -> None:
    rows = {row["package"]: row for row in run("model", "list", "--json").document["models"]}
    assert (rows["toy@1-int8"]["precision"], rows["toy@1-int8"]["verdict"]) == ("int8", "failed")
    assert rows["toy@1"]["verdict"] is None
    assert "int8, failed" in run("model", "list").out
    answer = run("model", "verify", "toy@1-int8", "--json")
    assert answer.code == 0, "it is what it was when it was made"
    assert "failed its gates" in answer.document["packages"][0]["doubt"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("recognizer",), "--images"),
        (("ears", "--images", "x"), "invalid choice"),
        (("quality",), "which photos"),
        (("quality", "x", "--crops"), "is not for quality"),
        (("quality", "x"), "x: cannot be listed"),
        (("recognizer", "x", "--images", "x"), "are for quality"),
        (("recognizer", "--output", "norm", "--images", "x"), "are for quality"),
        (("recognizer", "--images", "x", "--capture"), "not allowed with"),
        (("recognizer", "--images", "x", "--precision", "fp16"), "invalid choice"),
        (("recognizer", "--images", "x", "--limit", "-1"), "cannot be negative"),
        (("recognizer", "--images", ""), "an empty word is no file"),
    ],
)
def test_bad_words_end_with_two(run: Run, given: tuple[str, ...], said: str) -> None:
    answer = run("calibrate", *given)
    assert answer.code == 2
    assert said in answer.err


def test_a_folder_that_is_not_there_is_named(run: Run, tmp_path: Path) -> None:
    answer = run("calibrate", "recognizer", "--model", "toy", "--images", tmp_path / "none", "--crops")
    assert answer.code == 2
    assert str(tmp_path / "none") in answer.err


def test_the_cache_of_default_models_is_untouched(run: Run, pictures: Path) -> None:
    before = sorted(path.name for path in cache_dir().rglob("*.onnx"))
    shutil.rmtree(pictures / "unused", ignore_errors=True)
    run(*words(pictures, "--json"))
    assert sorted(path.name for path in cache_dir().rglob("*.onnx")) == before
