"""Inside the daemon that is put to the test: obeys orders to fail, at the places that `seams.py` names.

Orders come as datagrams on a socket in the workplace; `send` gives them. Only `faceedge chaos` makes such a daemon.
"""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from faceedge.backends.base import Engine, Input, Memory, Tensor, TensorSpec
from faceedge.errors import EngineError, FaceedgeError, NoMemory
from faceedge.seams import Seams, Stage

log = logging.getLogger(__name__)

Fails = Literal["raise", "hang", "engine", "memory", "wall", "end"]


@dataclass(frozen=True, slots=True)
class Order:
    """fails: what. where: the stage or the role of the engine. times: how often, 0 until `end`, which ends all.
    shift_s: of the wall clock."""

    fails: Fails
    where: str = ""
    times: int = 0
    shift_s: float = 0.0


class Obedient:
    """Takes orders from now on; use it in a `with` block."""

    def __init__(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._lock = threading.Lock()
        self._orders: dict[tuple[Fails, str], int] = {}
        self._shift_s = 0.0
        threading.Thread(target=self._listen, name="orders", daemon=True).start()

    def seams(self) -> Seams:
        """For the daemon."""
        return Seams(stage=self._stage, engine=self._engine, wall=lambda: time.time() + self._shift_s)

    def obey(self, order: Order) -> None:
        """Takes one up."""
        log.info("ordered: %s %s", order.fails, order.where)
        with self._lock:
            if order.fails == "end":
                self._orders.clear()
            elif order.fails != "wall":
                self._orders[order.fails, order.where] = order.times or -1
            self._shift_s = order.shift_s

    def is_due(self, fails: Fails, where: str) -> bool:
        """Whether this fails now; counts it."""
        with self._lock:
            left = self._orders.get((fails, where), 0)
            if left > 0:
                self._orders[fails, where] = left - 1
            return left != 0

    def __enter__(self) -> Obedient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()
        self._path.unlink(missing_ok=True)

    def _listen(self) -> None:
        with suppress(OSError):  # it was closed
            while True:
                self.obey(Order(**json.loads(self._socket.recv(4096))))

    def _stage(self, name: str, stage: Stage) -> Stage:
        def run(items: Sequence[Any]) -> list[Any]:
            if self.is_due("hang", name):
                threading.Event().wait()  # for ever, as a driver does that never answers
            if self.is_due("raise", name):
                raise RuntimeError(f"ordered: {name} raises")
            return stage(items)

        return run

    def _engine(self, role: str, engine: Engine) -> Engine:
        return FailingEngine(role, engine, self)


class FailingEngine:
    """An engine that fails when it is ordered to."""

    def __init__(self, role: str, engine: Engine, orders: Obedient) -> None:
        self._role = role
        self._engine = engine
        self._orders = orders
        self.inputs: tuple[TensorSpec, ...] = engine.inputs
        self.outputs: tuple[TensorSpec, ...] = engine.outputs

    @property
    def max_batch(self) -> int:
        return self._engine.max_batch

    @property
    def device(self) -> str:
        return self._engine.device

    @property
    def memory(self) -> Memory:
        return self._engine.memory

    def infer(self, arrays: Mapping[str, Input]) -> dict[str, Tensor]:
        """See Engine."""
        if self._orders.is_due("engine", self._role):
            raise EngineError(f"ordered: the {self._role} fails")
        if self._orders.is_due("memory", self._role):
            raise NoMemory(f"ordered: no memory is left for the {self._role}")
        return self._engine.infer(arrays)

    def takes(self, shapes: Mapping[str, tuple[int, ...]]) -> bool:
        """See `Engine.takes`."""
        return self._engine.takes(shapes)

    def trim(self) -> None:
        """See Engine."""
        self._engine.trim()

    def tidy(self) -> None:
        """See Engine."""
        self._engine.tidy()

    def close(self) -> None:
        """See Engine."""
        self._engine.close()


def send(path: Path, order: Order) -> None:
    """Raises FaceedgeError when nobody takes orders there."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as way:
        try:
            way.sendto(json.dumps(asdict(order)).encode("ascii"), str(path))
        except OSError as error:
            raise FaceedgeError(f"the daemon takes no orders ({error.strerror}); see its log with --keep") from error
