"""A table on a terminal: whole words, or plain columns where it is narrow."""

from __future__ import annotations

import sys

import pytest

from faceedge.cli.model_table import print_table

HEAD = ("package", "licence", "build")
ROW = ("mobilefacenet-casia@1", "none-stated, and a remark of many words behind it", "92e90158be6c")


@pytest.mark.parametrize(("columns", "is_set"), [(20, False), (40, False), (80, True), (200, True)])
def test_no_column_is_lost_on_a_narrow_terminal(
    columns: int, is_set: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", str(columns))
    print_table(HEAD, [ROW], folds="licence")
    told = capsys.readouterr().out
    for word in (*HEAD, ROW[0], ROW[2], *ROW[1].split()):
        assert word in told
    if not is_set:
        assert "  ".join(ROW) in told
