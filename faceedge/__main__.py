"""`faceedge` and `python -m faceedge`: finds the command, runs it, turns errors into one line and an exit code."""

from __future__ import annotations

import errno
import logging
import os
import sys
from collections.abc import Sequence

from faceedge import logs
from faceedge.cli.parser import build_parser
from faceedge.errors import FaceedgeError, one_line

__all__ = ["build_parser", "main"]

INTERNAL_FAULT = 70
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code: 0 done, 1 no, 2 bad usage or input, 70 our own fault."""
    words = sys.argv[1:] if argv is None else argv
    args = build_parser(words).parse_args(words)
    logs.set_up()
    try:
        code = int(args.run(args))
        if sys.stdout is not None:
            sys.stdout.flush()  # here, where a failure can still be told
        return code
    except FaceedgeError as error:
        text = str(error)  # a path in it may hold anything, a line break too
        _complain(text if text.isprintable() else one_line(text, 2000))
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        _drop_output()
        return 0
    except Exception as error:
        if isinstance(error, OSError) and (words := _outside(error)):
            _complain(words)
            return FaceedgeError.exit_code
        logging.getLogger("faceedge").exception("internal fault, please report it with the lines above")
        return INTERNAL_FAULT


def _complain(words: str) -> None:
    print(logs.complaint(f"faceedge: {words}"), file=sys.stderr)  # noqa: T201


def _outside(error: OSError) -> str:
    """What is wrong where no command looks for it, and is not our fault; empty when it may be."""
    if error.errno in _FULL:
        _drop_output()
        return f"the output cannot be written ({error.strerror}); make room"
    if error.errno == errno.ENAMETOOLONG:
        return f"{one_line(str(error.filename), 60)}: is too long for a path; name another"
    return ""


def _drop_output() -> None:
    """What is still buffered cannot be written either, and would be tried again at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


if __name__ == "__main__":
    sys.exit(main())
