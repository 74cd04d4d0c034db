"""One line an entry, whatever strangers put into it; what journald reads of it; and what is never in there."""

from __future__ import annotations

import json
import logging
import os
import shlex
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from faceedge.cli.run import log_event
from faceedge.config import load
from faceedge.errors import ConfigError
from faceedge.logs import MOST, Format, Lines, is_journal, priority, with_fields

NASTY = 'a path\nERROR faceedge: forged\r\x1b[31m "quoted" \\ =x \u2028 \x7f ü'
FORMS: tuple[Format, ...] = ("text", "logfmt", "json")


def record(message: str, *args: object, level: int = logging.INFO, **more: Any) -> logging.LogRecord:
    return logging.getLogger("faceedge.test").makeRecord(
        "faceedge.test", level, __file__, 1, message, args, more.pop("exc_info", None), extra=more or None
    )


def failed() -> logging.LogRecord:
    try:
        raise ValueError(NASTY)
    except ValueError:
        return record("it broke", level=logging.ERROR, exc_info=sys.exc_info())


def fields(line: str) -> dict[str, str]:
    """A line of logfmt, read as others read it."""
    pairs = shlex.shlex(line, posix=True)
    pairs.whitespace_split, pairs.commenters = True, ""
    return dict(pair.split("=", 1) for pair in pairs)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("has_priorities", [False, True])
def test_a_message_of_strangers_makes_one_line_and_moves_no_cursor(form: Format, has_priorities: bool) -> None:
    line = Lines(form, has_priorities=has_priorities).format(record("%s", NASTY, **with_fields(path=NASTY)))
    assert line.isprintable()
    assert len(line.splitlines()) == 1
    assert line.startswith("<6>") == has_priorities


@pytest.mark.parametrize("form", FORMS)
def test_nothing_makes_a_line_that_journald_would_cut(form: Format) -> None:
    line = Lines(form).format(record("%s", "x" * 10 * MOST, **with_fields(path="y" * MOST)))
    assert len(line) < 48 * 1024


def test_json_gives_back_what_was_put_in() -> None:
    entry = json.loads(Lines("json").format(record("%s", NASTY, **with_fields(number=1.5, absent=None, msg="lost"))))
    assert (entry["msg"], entry["level"], entry["logger"]) == (NASTY, "info", "faceedge.test")
    assert (entry["number"], entry["absent"], entry["thread"]) == (1.5, None, "MainThread")
    assert entry["time"].endswith("Z")


def test_logfmt_quotes_what_needs_it_and_nothing_else() -> None:
    line = Lines("logfmt").format(
        record("two words", **with_fields(camera="entry", ok=True, empty="", doors=["a", "b"], absent=None))
    )
    assert ' msg="two words" camera=entry ok=true empty="" doors="[\\"a\\", \\"b\\"]"' in line
    assert fields(line)["doors"] == '["a", "b"]'
    assert "absent" not in fields(line)


def test_a_traceback_is_a_field_of_its_entry_and_in_text_lines_of_the_same_priority() -> None:
    assert json.loads(Lines("json").format(failed()))["trace"].endswith(f"ValueError: {NASTY}")
    assert "trace=" in Lines("logfmt").format(failed())
    told = Lines("text", has_priorities=True).format(failed()).split("\n")
    assert told[:2] == ["<3>ERROR faceedge.test: it broke", "<3>Traceback (most recent call last):"]
    assert all(line.startswith("<3>") and line.isprintable() for line in told)


def test_levels_become_the_priorities_of_syslog() -> None:
    levels = (logging.DEBUG, logging.INFO, 25, logging.WARNING, logging.ERROR, logging.CRITICAL)
    assert [priority(level) for level in levels] == [7, 6, 6, 4, 3, 2]


def test_only_a_stream_that_systemd_has_connected_itself_is_the_journal(tmp_path: Path) -> None:
    with open(tmp_path / "one", "w") as one, open(tmp_path / "other", "w") as other:
        end = os.fstat(one.fileno())
        environ = {"JOURNAL_STREAM": f"{end.st_dev}:{end.st_ino}"}
        assert is_journal(one, environ)
        assert not is_journal(other, environ)
        assert not is_journal(one, {})
    assert not is_journal(one, environ), "it is closed"
    assert not is_journal(None, environ)


START = """
import os, sys
end = os.fstat(2)
os.environ["JOURNAL_STREAM"] = f"{end.st_dev}:{end.st_ino}"
from faceedge.__main__ import main
sys.exit(main(["run", "--once", "--config", sys.argv[1]]))
"""


def test_a_daemon_under_systemd_logs_as_the_configuration_says(tmp_path: Path) -> None:
    """stderr is a socket, as journald gives one. The detector does not exist, so the start ends early."""
    (tmp_path / "entry").mkdir()
    (tmp_path / "entry" / "1.png").touch()
    file = tmp_path / "door.toml"
    file.write_text(f'[log]\nformat = "logfmt"\n[[camera]]\nuri = "images:{tmp_path}/entry"\n', encoding="utf-8")
    ours, theirs = socket.socketpair()
    with ours, theirs:
        subprocess.run(
            [sys.executable, "-c", START, file], stderr=theirs.fileno(), check=False, timeout=60,
            env={**os.environ, "FACEEDGE_STATE": str(tmp_path), "FACEEDGE__MODELS__DETECTOR": "nowhere"},
        )  # fmt: skip
        theirs.close()
        told = b"".join(iter(lambda: ours.recv(4096), b"")).decode().splitlines()
    assert told[0].startswith("<4>time=")
    assert told[-1].startswith("<3>faceedge: ")
    assert "nowhere" in told[-1]


def test_an_unknown_format_is_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "door.toml"
    file.write_text('[log]\nformat = "xml"\n', encoding="utf-8")
    with pytest.raises(ConfigError, match=r"log\.format.*'text', 'logfmt' or 'json'"):
        load(file, {})


def test_a_decision_is_logged_with_fields_and_without_similarities(caplog: pytest.LogCaptureFixture) -> None:
    event = {
        "event": "decision", "outcome": "deny", "reason": "unknown", "camera": "entry", "track": 3, "person": None,
        "quality": 0.7, "verdict": None, "latency_ms": 210.5, "similarity": 0.61, "margin": 0.2, "box": [1, 2, 3, 4],
    }  # fmt: skip
    with caplog.at_level(logging.INFO):
        log_event(event)
    (told,) = caplog.records
    assert told.getMessage() == "deny unknown camera=entry track=3 person=None quality=0.7 verdict=None"
    entry = json.loads(Lines("json").format(told))
    assert (entry["msg"], entry["outcome"], entry["latency_ms"], entry["track"]) == ("decision", "deny", 210.5, 3)
    assert not entry.keys() & {"similarity", "margin", "box"}


def test_other_events_are_logged_whole_and_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        log_event({"event": "camera", "camera": "entry", "ok": False, "why": "no pictures"})
    (told,) = caplog.records
    line = Lines("logfmt").format(told)
    assert line.endswith('msg=camera event=camera camera=entry ok=false why="no pictures"')
    assert json.loads(told.getMessage())["why"] == "no pictures"
