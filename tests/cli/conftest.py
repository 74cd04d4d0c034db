"""The command line as a person uses it: argv in, exit code and text out, with a vision that needs no networks."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from faceedge.cli import backup, capture, compare, enroll, extract, gallery, model, opening, people, rules, vault
from faceedge.errors import FaceedgeError
from tests.fakes.vision import FakeVision


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        assert self.out.count("\n") == 1, "one JSON document on stdout"
        return json.loads(self.out)


Run = Callable[..., Answer]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """`run("people", "list")` on a state directory of its own."""
    monkeypatch.setenv("FACEEDGE_STATE", str(tmp_path / "state"))
    monkeypatch.delenv("FACEEDGE_CONFIG", raising=False)
    monkeypatch.setattr(opening, "open_vision", lambda args, progress: FakeVision())

    def call(*argv: object) -> Answer:
        parser = argparse.ArgumentParser(prog="faceedge")
        commands = parser.add_subparsers(required=True)
        for module in (enroll, people, rules, compare, extract, vault, backup, gallery, model, capture):
            module.add(commands)
        try:
            args = parser.parse_args([str(word) for word in argv])
            code = int(args.run(args))
        except FaceedgeError as error:
            captured = capsys.readouterr()
            return Answer(error.exit_code, captured.out, captured.err + str(error))
        except SystemExit as end:
            code = int(end.code or 0)
        captured = capsys.readouterr()
        return Answer(code, captured.out, captured.err)

    return call
