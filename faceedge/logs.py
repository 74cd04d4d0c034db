"""How the log is written: text, logfmt or JSON, one line an entry, on stderr. Set up by the command line.

Where stderr is the journal of systemd, every line begins with `<N>`, by which journald knows how grave it is
(sd-daemon(3)); it takes the prefix off again. What strangers have a say in (a path, a broker's words) can end no line.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any, Literal, TextIO

Format = Literal["text", "logfmt", "json"]

MOST = 4000
"""Characters of one message or value; journald would cut a line of more than 48 KiB in two."""
PRIORITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))
"""Lowest level of each priority of syslog(3); what is below is 7."""


def set_up(form: Format = "text", environ: Mapping[str, str] = os.environ) -> None:
    """From now on the process logs so on stderr, from INFO up; may be called again. Handlers of others stay."""
    lines = Lines(form, has_priorities=is_journal(sys.stderr, environ))
    root = logging.getLogger()
    ours = [handler for handler in root.handlers if isinstance(handler.formatter, Lines)]
    for handler in ours:
        handler.setFormatter(lines)
    if not root.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(lines)
        logging.basicConfig(level=logging.INFO, handlers=[handler])


def with_fields(said: str = "", /, **fields: object) -> dict[str, Any]:
    """`extra` of a log call: what logfmt and JSON show beside the message. Ids of people, never names.

    said: a word in place of the message, where that only spells out the fields.
    """
    return {"fields": fields, "said": said}


def is_journal(stream: TextIO | None, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether systemd has connected this stream to its journal (systemd.exec(5)) and nobody has redirected it."""
    try:
        end = os.fstat(stream.fileno()) if stream is not None else None
    except (OSError, ValueError):  # closed, or none that the system knows
        end = None
    if end is None:
        return False
    return environ.get("JOURNAL_STREAM") == f"{end.st_dev}:{end.st_ino}"


def complaint(text: str, environ: Mapping[str, str] = os.environ) -> str:
    """A last word for stderr; in the journal it is as grave as an error that is logged."""
    return f"<{priority(logging.ERROR)}>{text}" if is_journal(sys.stderr, environ) else text


class Lines(logging.Formatter):
    """One line an entry; in text a traceback follows as lines of its own."""

    def __init__(self, form: Format, *, has_priorities: bool = False) -> None:
        super().__init__("%(levelname)s %(name)s: %(message)s")
        self._form = form
        self._has_priorities = has_priorities

    def format(self, record: logging.LogRecord) -> str:
        """Without the last line break."""
        text = self._text(record) if self._form == "text" else self._shaped(record)
        if not self._has_priorities:
            return text
        prefix = f"<{priority(record.levelno)}>"
        return "\n".join(prefix + line for line in text.split("\n"))

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The line of text, without a traceback."""
        return plain(super().formatMessage(record))

    def _text(self, record: logging.LogRecord) -> str:
        head, *trace = super().format(record).split("\n")
        return "\n".join([head, *map(plain, trace)])

    def _shaped(self, record: logging.LogRecord) -> str:
        entry = self._entry(record)
        if self._form == "json":
            return _json(entry)
        return " ".join(f"{name}={_quoted(value)}" for name, value in entry.items() if value is not None)

    def _entry(self, record: logging.LogRecord) -> dict[str, Any]:
        at = datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds")
        entry: dict[str, Any] = {
            "time": at.replace("+00:00", "Z"), "level": record.levelname.lower(), "logger": record.name,
            "thread": record.threadName,
            "msg": getattr(record, "said", "") or record.getMessage()[:MOST],
        }  # fmt: skip
        own: Mapping[str, Any] = getattr(record, "fields", {})
        entry |= {name: value for name, value in own.items() if name not in entry}
        if record.exc_info:
            entry["trace"] = self.formatException(record.exc_info)[-MOST:]
        return entry


def priority(level: int) -> int:
    """Of syslog(3): 0 is the gravest, 7 is chatter."""
    return next((number for lowest, number in PRIORITIES if level >= lowest), 7)


def plain(text: str) -> str:
    """In one line, without what a terminal would obey, and not endless."""
    text = text[:MOST]
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def _quoted(value: object) -> str:
    """A value of logfmt: in quotation marks, escaped as JSON does, where it has spaces or the like."""
    text = _json(value) if isinstance(value, (dict, list, tuple, bool)) else str(value)[:MOST]
    if not text.isprintable():
        return _json(text)
    return text if text and not set(text) & set(' ="\\') else json.dumps(text, ensure_ascii=False)


def _json(value: object) -> str:
    return json.dumps(value, default=str).replace("\x7f", r"\u007f")  # printable, then
