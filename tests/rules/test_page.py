"""The page for the operator is executed from top to bottom, and says what the commands say."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from faceedge.__main__ import main
from faceedge.gallery.store import Gallery
from faceedge.rules.answer import NEAREST
from tests.guides import DOCS, blocks

PAGE = DOCS / "rules.md"
ID = re.compile(r"\brule [0-9a-f]{8}\b")


def test_every_command_of_the_page_says_what_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "door.toml").write_text(blocks(PAGE)[0].body, encoding="utf-8")
    monkeypatch.setenv("FACEEDGE_CONFIG", str(tmp_path / "door.toml"))
    monkeypatch.setenv("FACEEDGE_STATE", str(tmp_path / "state"))
    with Gallery.open(tmp_path / "state") as gallery:
        for name in ("Ada Lovelace", "Charles Babbage"):
            gallery.add_person(name)
    compared = 0
    for _, language, body in blocks(PAGE):
        if language == "sh":
            for line in body.splitlines():
                assert main(shlex.split(line)[1:]) in (0, 1)
        if language == "text":
            said = capsys.readouterr().out
            assert ID.sub("rule ID", said) == ID.sub("rule ID", body)
            compared += 1
    assert compared == 5


def test_the_page_explains_every_reason_for_a_refusal() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert [reason for reason in (*NEAREST, "rules_unreadable") if f"`{reason}`" not in text] == []
