"""What every command keeps to, whatever it does: help, wrong words, a configuration that is missing or wrong."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from faceedge.__main__ import main
from faceedge.cli import PURPOSES, lockdown
from faceedge.cli.parser import build_parser, every_command, is_file
from faceedge.errors import BadInput

Words = tuple[str, ...]
NO_RESULT = {("completion",), ("man",)}
"""What they print is their result, and it is no document."""
EXPLAINS = ("doctor",)
NEEDS_NO_CONFIGURATION = ("site-key", "new")
OTHER_FAULT_FIRST = {
    ("enroll",), ("compare",), ("command",), ("people", "remove"), ("people", "set"), ("rules", "holiday"),
    ("gallery", "export"), ("gallery", "import"),
}  # fmt: skip
"""Something else is wrong with the words below, which these say before they look for a configuration."""


@cache
def parsers() -> dict[Words, argparse.ArgumentParser]:
    """Every command that does something, by its words."""
    return {path: parser for path, parser in every_command(build_parser()) if parser.get_default("run")}


def taking(option: str) -> list[Words]:
    """Who shows it in the help."""
    found = {path: parser._option_string_actions.get(option) for path, parser in parsers().items()}
    return [path for path, action in found.items() if action is not None and action.help != argparse.SUPPRESS]


each = pytest.mark.parametrize("path", parsers(), ids=" ".join)
each_with_config = pytest.mark.parametrize(
    "path", [path for path in taking("--config") if path != NEEDS_NO_CONFIGURATION], ids=" ".join
)


def needed(path: Words, folder: Path) -> list[str]:
    """Just enough words for this command: what it demands, and files that are not there."""
    words: list[str] = []
    for action in parsers()[path]._actions:
        is_demanded = action.required if action.option_strings else action.nargs not in ("?", "*")
        if is_demanded:
            words += [*action.option_strings[:1], word(action, folder)]
    return words


def word(action: argparse.Action, folder: Path) -> str:
    if action.choices:
        return str(next(iter(action.choices)))
    if is_file(action):
        return str(folder / "absent")
    return "1"


def told(words: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """Exit code, stdout, stderr."""
    try:
        code: object = main(words)
    except SystemExit as end:
        code = end.code
    assert isinstance(code, int)
    return (code, *capsys.readouterr())


@pytest.fixture(autouse=True)
def _nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No state, no configuration, nothing in the current folder."""
    for name, value in (("STATE", "state"), ("CACHE", "cache")):
        monkeypatch.setenv(f"FACEEDGE_{name}", str(tmp_path / value))
    monkeypatch.delenv("FACEEDGE_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)


@each
def test_help_says_what_it_is_for_and_ends_well(path: Words, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = told([*path, "--help"], capsys)
    assert (code, err) == (0, "")
    assert out.startswith(f"usage: faceedge {' '.join(path)} ")
    parser = parsers()[path]
    assert parser.description
    assert all(action.help for action in parser._actions), "an option that nobody explains"


@each
def test_an_unknown_option_is_told_in_one_line_before_anything_is_done(
    path: Words, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code, out, err = told([*path, *needed(path, tmp_path), "--nonsense"], capsys)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "--nonsense" in err
    assert "--help" in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", [path for path in parsers() if needed(path, Path())], ids=" ".join)
def test_words_that_are_missing_are_named_in_one_line(path: Words, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = told([*path], capsys)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("faceedge")


@each_with_config
def test_a_configuration_that_cannot_be_read_is_told_in_one_line(
    path: Words, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    config = tmp_path / "door.toml"
    words = [*path, *needed(path, tmp_path), "--config", str(config), "--json"]
    for text, expected in ((None, "cannot be read"), ("devise = 'x'", "did you mean 'device'")):
        if text is not None:
            config.write_text(text, encoding="utf-8")
        code, out, err = told(words, capsys)
        if path == EXPLAINS:
            assert (code, err) == (1, "")
            assert any("door.toml" in found["what"] for found in json.loads(out)["findings"])
            continue
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert err.startswith("faceedge: ")
        assert path in OTHER_FAULT_FIRST or (str(config) in err and expected in err), err


@pytest.mark.parametrize(
    ("raised", "code"), [(RuntimeError("it broke"), 70), (KeyboardInterrupt(), 130), (BadInput("say it so"), 2)]
)
def test_a_fault_of_ours_is_no_bad_usage_and_leaves_a_traceback_in_the_log_only(
    raised: BaseException, code: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    def broken(_: argparse.Namespace) -> int:
        raise raised

    monkeypatch.setattr(lockdown, "run", broken)
    ended, out, err = told(["lockdown", "show", "--json"], capsys)
    assert (ended, out) == (code, "")
    assert ("it broke" in caplog.text) == (code == 70)
    assert err == ("faceedge: say it so\n" if code == 2 else "")


def test_every_command_that_prints_a_result_takes_json() -> None:
    assert set(parsers()) - set(taking("--json")) == NO_RESULT


def test_the_page_of_all_commands_has_each_with_its_own_words() -> None:
    whole = next(action for action in build_parser()._actions if isinstance(action, argparse._SubParsersAction))
    assert {named.dest: named.help for named in whole._choices_actions} == PURPOSES


@pytest.mark.parametrize("words", [["--help"], ["--version"], [], ["nonsense"]])
def test_what_needs_no_command_imports_none(words: list[str]) -> None:
    assert heavy_after(f"build_parser({words!r})") == []


def test_words_and_help_of_the_light_commands_load_neither_numpy_nor_opencv() -> None:
    light = ["door", "lockdown", "site-key", "command", "journal", "model", "build", "config", "selftest", "completion"]
    assert set(heavy_after(f"[build_parser([word]) for word in {light!r}]")) <= {"pydantic"}


def test_no_command_loads_an_engine_or_a_plot_before_it_is_asked_to_work() -> None:
    assert not {"onnxruntime", "onnx", "matplotlib", "tensorrt", "pycuda", "jtop"} & set(heavy_after("build_parser()"))


def heavy_after(statement: str) -> list[str]:
    """Which of these are loaded after it, in a process of its own."""
    names = ["numpy", "cv2", "onnxruntime", "onnx", "matplotlib", "tensorrt", "pycuda", "jtop", "pydantic"]
    code = f"""import sys; from faceedge.cli.parser import build_parser
{statement}
print(*[name for name in {names} if name in sys.modules])"""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
