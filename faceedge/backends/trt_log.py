"""TensorRT's own words. It answers a failure with None or False and tells the reason only to its logger; here the
reason is kept for the error that follows. For whatever calls TensorRT.
"""

from __future__ import annotations

import threading
from collections import deque
from types import ModuleType
from typing import Any

from faceedge.errors import MissingExtra, one_line

_KEPT = 8
_logs: dict[ModuleType, Any] = {}
"""TensorRT holds its logger by a bare pointer: it has to outlive every object, so it lives as long as the process."""
_lock = threading.Lock()


def tensorrt() -> Any:
    """The module. Raises MissingExtra where it is absent, or its libraries are."""
    try:
        import tensorrt as module
    except ModuleNotFoundError as error:
        raise MissingExtra(
            "tensorrt is not installed; it comes with JetPack (apt install python3-libnvinfer) into a virtual "
            'environment that sees the system packages; the rest is the extra: pip install "faceedge[jetson]"'
        ) from error
    except (ImportError, OSError) as error:  # its loader opens libraries by name
        raise MissingExtra(
            f"tensorrt cannot be loaded ({one_line(str(error), 150)}); install it again: apt install nvidia-jetpack"
        ) from error
    return module


def log_of(trt: Any) -> Any:
    """The one log of this process: give it to Runtime, Builder and OnnxParser."""
    with _lock:
        if trt not in _logs:
            _logs[trt] = _log_class(trt)()
        return _logs[trt]


def _log_class(trt: Any) -> Any:
    """Made only once the module is there, as its base is one of the module's."""

    class Log(trt.ILogger):  # type: ignore[misc]
        """Keeps the newest errors. TensorRT calls `log` from threads of its own as well."""

        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self._errors: deque[str] = deque(maxlen=_KEPT)
            self._faults = (trt.ILogger.Severity.INTERNAL_ERROR, trt.ILogger.Severity.ERROR)

        def log(self, severity: Any, msg: str) -> None:
            if severity in self._faults:
                self._errors.append(msg)

        def forget(self) -> None:
            """Before a call, so that it is not blamed for what went before."""
            self._errors.clear()

        @property
        def silent(self) -> bool:
            """Whether nothing went wrong since `forget`."""
            return not self._errors

        def reason(self) -> str:
            """What the last error said, in one line; a phrase where TensorRT said nothing."""
            errors = list(self._errors)
            return one_line(errors[-1], 250) if errors else "TensorRT gives no reason"

    return Log
