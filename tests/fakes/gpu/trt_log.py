"""How the stand-in TensorRT speaks: a severity and a line to the logger that it was given, never an exception."""

from __future__ import annotations

import sys
from typing import Any


class Logger:
    """TensorRT's own: to stderr."""

    def _begin(self, min_severity: Any = None) -> None:
        self._least = self._trt.ILogger.Severity.WARNING if min_severity is None else min_severity

    @property
    def min_severity(self) -> Any:
        """What is printed at least."""
        return self._least

    @min_severity.setter
    def min_severity(self, value: Any) -> None:
        self._least = value

    def log(self, severity: Any, msg: str) -> None:
        """Prints, where it is severe enough."""
        if int(severity) <= int(self._least):
            sys.stderr.write(f"[TRT] [{severity.name[0]}] {msg}\n")


class PureVirtual:
    """ILogger and IProgressMonitor: to be derived from."""


def error(logger: Any, line: str) -> None:
    """A fault: all that a None or a False is ever explained by."""
    logger.log(logger._trt.ILogger.Severity.ERROR, line)


def warning(logger: Any, line: str) -> None:
    """Something odd that is gone along with."""
    logger.log(logger._trt.ILogger.Severity.WARNING, line)


MODELS: dict[str, type] = {"Logger": Logger}
