"""One opened network: package, engine, and what asks it. Several may use it at once: what serves, and what is to serve
next. The last one to leave closes it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from faceedge.backends.base import Engine, Preprocessor
from faceedge.jobs.engines import Engines
from faceedge.package import Package

W = TypeVar("W")
Make = Callable[[Engine, Preprocessor], W]


class Part(Generic[W]):
    """Made with one user. engine: as it was opened. preprocessor: makes its inputs. worker: asks it.

    around: gives what is used in place of the engine. Raises as `Engines.open` does, and what `make` raises.
    """

    def __init__(self, package: Package, opener: Engines, make: Make[W], around: Callable[[Engine], Engine]) -> None:
        self.package = package
        self._opener = opener
        self._make = make
        self._around = around
        self._users = 1
        self._lock = threading.Lock()
        self._use(opener.open(package))

    def joined(self) -> Part[W]:
        """The same, with one user more."""
        with self._lock:
            self._users += 1
        return self

    def leave(self) -> None:
        """One user less; without any it is closed."""
        with self._lock:
            self._users -= 1
            is_left = self._users <= 0
        if is_left:
            self.engine.close()

    def renew(self) -> None:
        """Opens the engine anew, by the thread that uses it. Raises EngineError, and then it is closed."""
        self._use(self._opener.renew(self.package, self.engine))

    def is_of(self, package: Package) -> bool:
        """Whether it would be opened for this package in the same way."""
        return (self.package.folder, self.package.build) == (package.folder, package.build)

    def _use(self, engine: Engine) -> None:
        self.engine = engine
        try:
            self.preprocessor = self._opener.preprocessor(engine)
            self.worker = self._make(self._around(engine), self.preprocessor)
        except BaseException:
            engine.close()
            raise
