"""`selftest` as a person uses it: on a machine without a GPU, its report, its exit code, and what it refuses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from faceedge import selftest
from faceedge.__main__ import main
from faceedge.backends.onnx import OnnxEngine
from faceedge.checks import latency, memory
from faceedge.checks.base import Check, failed
from faceedge.jobs import open_vision
from faceedge.jobs.engines import engines_of
from faceedge.manifest import SelfTest
from faceedge.models.selftest import answers, picture, tensor
from faceedge.models.store import make_package
from faceedge.package import as_toml, read_package
from tests.fakes.small_networks import crop_network, yunet_network

GPU_ROWS = {check.name for check in selftest.CHECKS} - {
    "ONNX Runtime, self-test vectors", "memory of 1000 runs", "latency by batch", "film through the flow",
}  # fmt: skip


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The configuration of a door with two small networks, without a GPU, and checks that are soon done."""
    state = tmp_path / "state"
    make_package(crop_network(tmp_path / "crop.onnx", {"embedding": 512}), "edgeface-xxs", state / "models")
    make_package(yunet_network(tmp_path / "yunet.onnx"), "yunet", state / "models")
    settings = {"state_dir": str(state), "models": {"detector": "yunet", "recognizer": "edgeface-xxs"}}
    config = tmp_path / "faceedge.toml"
    config.write_text(tomli_w.dumps(settings))
    for module in (memory, latency):
        monkeypatch.setattr(module, "TIME_SHARE", 0.02)
    monkeypatch.setattr(
        open_vision, "engines_of", lambda *words, **_: engines_of(words[0], words[1], is_there=lambda name: False)
    )
    return config


def answer(capsys: pytest.CaptureFixture[str], *argv: object) -> tuple[int, str, str]:
    try:
        code = main([str(word) for word in argv])
    except SystemExit as end:
        code = int(end.code or 0)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def report_of(site: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    code, out, _ = answer(capsys, "selftest", "--minutes", 0.05, "--config", site, "--json")
    assert (code, out.count("\n")) == (0, 1)
    read: dict[str, Any] = json.loads(out)
    return read


def test_without_a_gpu_the_rest_is_done_and_what_is_left_out_has_a_reason(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = report_of(site, capsys)
    rows = {row["check"]: row for row in document["rows"]}
    assert document["passed"] is True
    assert {rows[name]["said"] for name in GPU_ROWS} == {"TensorRT or pycuda is not installed here"}
    assert rows["ONNX Runtime, self-test vectors"]["verdict"] == "passed"
    assert rows["latency by batch"]["verdict"] == "passed"
    assert rows["film through the flow"]["said"] == "takes more than a minute; give --minutes 2 or more"
    assert document["models"]["detector"]["package"] == "yunet@n"


@pytest.mark.parametrize(("change", "verdict"), [(0.0, "passed"), (0.1, "failed")])
def test_a_network_is_held_against_what_its_package_notes(
    change: float, verdict: str, site: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = tmp_path / "state" / "models" / "yunet" / "n"
    package = read_package(folder)
    engine = OnnxEngine(package.graph, max_batch=1)
    seen = answers(engine.infer({"input": tensor(picture(64, 48))}))  # a size that no engine is built for
    wrong = {
        name: one.model_copy(update={"values": tuple(v + change for v in one.values)}) for name, one in seen.items()
    }
    noted = package.manifest.model_copy(update={"selftest": SelfTest(width=64, height=48, outputs=wrong)})
    (folder / "model.toml").write_text(as_toml(noted))
    code, out, _ = answer(capsys, "selftest", "--minutes", 0.05, "--config", site, "--json")
    (row,) = [row for row in json.loads(out)["rows"] if row["check"].startswith("ONNX")]
    assert (row["verdict"], code) == (verdict, int(verdict == "failed"))
    assert "from its self-test vector" in row["said"]


def test_the_report_holds_with_the_key_of_the_device_until_it_is_changed(
    site: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = Path(report_of(site, capsys)["report"])
    assert path.parent == tmp_path / "state" / "selftest"
    code, out, _ = answer(capsys, "selftest", "--verify", path, "--config", site)
    assert code == 0
    assert out.splitlines()[-1].endswith("unchanged")
    assert "✓" in out
    key = shutil.copy(tmp_path / "state" / "keys" / "journal.pub", tmp_path / "sent.pub")
    code, out, _ = answer(capsys, "selftest", "--verify", path, "--key", key, "--json")
    assert (code, json.loads(out)["holds"]) == (0, True)
    path.write_text(path.read_text().replace("not run", "passed"))
    code, out, err = answer(capsys, "selftest", "--verify", path, "--config", site)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "was changed since" in err


def test_a_failed_row_is_exit_code_1_and_the_report_is_there_all_the_same(
    site: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = Check("[kernels]", lambda bench: "", lambda bench, tell: failed("they differ; build them anew"))
    monkeypatch.setattr(selftest, "CHECKS", (broken,))
    code, out, _ = answer(capsys, "selftest", "--config", site)
    assert code == 1
    assert "FAILED" in out
    assert "[kernels]" in out
    assert "they differ; build them anew" in out
    assert len(list((tmp_path / "state" / "selftest").glob("*.json"))) == 1


def test_batches_are_shown_with_engine_precision_and_time(
    site: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    row = {"engine": "TensorRT", "role": "detector", "package": "d@1", "precision": "fp16", "batch": 4, "ms": 4.256}
    check = Check("latency", lambda bench: "", lambda bench, tell: latency.told([row]))
    monkeypatch.setattr(selftest, "CHECKS", (check,))
    _, out, _ = answer(capsys, "selftest", "--config", site)
    assert any(line.split() == ["detector", "d@1", "TensorRT", "fp16", "4", "4.26"] for line in out.splitlines())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--minutes", "0"], "--minutes is 0.05 to 60"),
        (["--minutes", "nan"], "--minutes is 0.05 to 60"),
        (["--key", "a.pub"], "--key goes with --verify"),
        (["--verify", ""], "an empty word is no file"),
        (["--detector", "nobody"], "no model package 'nobody'"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line(
    words: list[str], said: str, site: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code, out, err = answer(capsys, "selftest", "--config", site, *words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert said in err
    assert not (tmp_path / "state" / "selftest").exists()


def test_a_report_that_is_not_there_is_told(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report_of(site, capsys)
    code, _, err = answer(capsys, "selftest", "--config", site, "--verify", "missing.json")
    assert code == 2
    assert "missing.json: cannot be read" in err
