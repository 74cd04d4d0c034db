"""What every command shares: one line for wrong words, and for an output that cannot be written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from faceedge.__main__ import build_parser, main


@pytest.mark.parametrize("words", [[], ["nonsense"], ["compare", "a"], ["people"], ["extract", "a", "--nonsense"]])
def test_wrong_words_are_told_in_one_line(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(words)
    captured = capsys.readouterr()
    assert (end.value.code, captured.out, captured.err.count("\n")) == (2, "", 1)
    assert captured.err.startswith("faceedge")
    assert "--help" in captured.err


def test_a_full_disk_is_told_in_one_line(tmp_path: Path) -> None:
    with open("/dev/full", "w") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "faceedge", "people", "list", "--json"],
            env={"FACEEDGE_STATE": str(tmp_path)}, stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert ended.returncode == 2
    assert ended.stderr == "faceedge: the output cannot be written (No space left on device); make room\n"


@pytest.mark.parametrize(
    "words",
    [
        ["model", "add"],
        ["model", "add", "yunet", "--from"],
        ["bench", "--clip"],
        ["model", "list", "--config"],
    ],
)
def test_a_word_too_long_for_a_path_is_told_in_one_line(
    words: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FACEEDGE_STATE", str(tmp_path))
    monkeypatch.setenv("FACEEDGE_CACHE", str(tmp_path))
    assert main([*words, "a" * 5000 + ".onnx"]) == 2
    told = capsys.readouterr().err
    assert told.startswith("faceedge: ")
    assert told.count("\n") == 1


def test_a_line_break_in_a_path_does_not_break_the_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FACEEDGE_STATE", str(tmp_path))
    monkeypatch.delenv("FACEEDGE_CONFIG", raising=False)
    assert main(["model", "add", "sface", "--from", str(tmp_path / "one\nfaceedge: two\x1b[31m")]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "one faceedge: two [31m: no such folder" in told


def test_every_command_is_understood_without_the_modules_of_the_others() -> None:
    actions = build_parser()._subparsers
    assert actions is not None
    commands = list(next(iter(actions._group_actions)).choices or ())
    assert len(commands) > 20
    for command in commands:
        with pytest.raises(SystemExit) as ended:
            build_parser([command]).parse_args([command, "--help"])
        assert ended.value.code == 0


RUN = ("run", "careful", "generations", "lines", "parser", "way_back", "noting")
"""Modules of the command line that a door needs."""


def test_a_door_that_starts_imports_no_other_command() -> None:
    names = "import sys; from faceedge.__main__ import build_parser; build_parser(['run']); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", names], capture_output=True, text=True, check=True).stdout.split()
    families = {name for name in loaded if name.startswith("faceedge.cli.")}
    assert families <= {f"faceedge.cli.{name}" for name in RUN}
    assert "rich" not in loaded
