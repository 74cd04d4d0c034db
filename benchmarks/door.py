"""From a decision to the controller that has verified its grant, beside bare MQTT; and what verifying costs.

Device in this process, broker and controller in processes of their own. `python -m benchmarks.door PORT` is the echo
that bare MQTT is measured with.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from benchmarks.measure import Row, quartiles, timed
from faceedge.config import Broker, Door
from faceedge.door.broker import local_broker
from faceedge.door.connection import Message, Session
from faceedge.door.contract import Address, DoorKey, Grant, fresh_token, seal, unseal
from faceedge.door.contract import Challenge as Asked
from faceedge.door.keys import keys_of, make_key
from faceedge.door.link import DoorLink
from faceedge.door.mqtt import MqttClient
from faceedge.door.uplink import Uplink
from faceedge.door.verifier import Verifier
from faceedge.journal.chain import Keep
from faceedge.journal.writer import Journal
from faceedge.publish import Publisher
from faceedge.types import Decision, Evidence

GRANTS = int(os.environ.get("FACEEDGE_BENCH_GRANTS", "1000"))
WARM_UP = 50
GOAL_MS = 10.0
VERIFY_GOAL_MS = 5.0
VERIFICATIONS = 2000
DEVICE = "bench"
DOOR = Door(pulse_ms=100)
WORD = b"x" * 400
"""As long as a grant on the wire."""
QUESTION, ANSWER = "bare/question", "bare/answer"


def rows() -> list[Row]:
    """Times of 1000 turns, in each of which a decision, a bare grant and a bare message take their turn."""
    with tempfile.TemporaryDirectory(dir=".") as scratch:
        decided, granted, whole, bare = _measured(Path(scratch))
    return [
        *_against_goal(f"decision to verified, journal entry on disk included, {GRANTS} grants", decided),
        *_against_goal("the same without the journal", granted),
        _against_bare("a grant and its verdict, there and back, against bare MQTT", whole, bare),
        _verification("a genuine grant verified", _genuine()),
        _verification("a forged grant refused", _forged()),
    ]


def _against_goal(name: str, times_ms: list[float]) -> list[Row]:
    cuts, spread = quantiles(times_ms, n=100), {"ours": quartiles(times_ms), "theirs": [GOAL_MS] * 2}
    return [
        Row(f"{name}, against {GOAL_MS:g} ms, p{p}", round(cuts[p - 1], 2), GOAL_MS, "ms",
            round(GOAL_MS / cuts[p - 1], 2), 1.0 if p == 99 else None, spread)
        for p in (50, 95, 99)
    ]  # fmt: skip


def _against_bare(name: str, ours: list[float], theirs: list[float]) -> Row:
    a, b = median(ours), median(theirs)
    spread = {"ours": quartiles(ours), "theirs": quartiles(theirs)}
    return Row(name, round(a, 3), round(b, 3), "ms", round(b / a, 2), None, spread)


def _verification(name: str, times_ms: list[float]) -> Row:
    cuts = quantiles(times_ms, n=100)
    spread = {"ours": quartiles(times_ms), "theirs": [VERIFY_GOAL_MS] * 2}
    slow = f"{name}, median against {VERIFY_GOAL_MS:g} ms; 99 of 100 within {cuts[98]:.3f} ms"
    return Row(
        slow, round(median(times_ms), 4), VERIFY_GOAL_MS, "ms", round(VERIFY_GOAL_MS / median(times_ms), 1), 1.0, spread
    )


def _measured(scratch: Path) -> tuple[list[float], list[float], list[float], list[float]]:
    """Milliseconds: decision to verified, grant to verified, grant to its verdict, bare message there and back."""
    with ExitStack() as parts:
        broker = Broker(port=parts.enter_context(local_broker(kind="mosquitto")).port)
        make_key(scratch, DOOR.name, "main")
        config = scratch / "faceedge.toml"
        config.write_text(f'device = "{DEVICE}"\nstate_dir = "{scratch.absolute()}"\n[broker]\nport = {broker.port}\n')
        controller = parts.enter_context(_reading([sys.executable, "-m", "faceedge", "door", "simulate", "--json",
                                                   "--config", str(config)]))  # fmt: skip
        parts.enter_context(_reading([sys.executable, "-m", "benchmarks.door", str(broker.port)]))
        bench = parts.enter_context(_Bench.running(broker, scratch, controller))
        turns = [(bench.decide(), bench.grant(), bench.ask()) for _ in range(WARM_UP + GRANTS)][WARM_UP:]
    decided, granted, bare = zip(*turns, strict=True)
    return [one for one, _ in decided], [one for one, _ in granted], [whole for _, whole in granted], list(bare)


class _Bench:
    """The device's side: a publisher with its journal, the link below it, and a bare client."""

    def __init__(self, broker: Broker, state: Path, controller: queue.SimpleQueue[dict[str, Any]]) -> None:
        self._controller = controller
        self._answers: queue.SimpleQueue[float] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[float] = queue.SimpleQueue()
        self.uplink = Uplink(broker, DEVICE)
        keys = {(DOOR.name, "main"): keys_of(state, DOOR.name, "main")}
        self._link = DoorLink(self.uplink, DEVICE, [DOOR], keys, self._on_result)
        self.journal = Journal.of(state, Keep(), lambda _: None, None)
        self._publisher = Publisher(
            self._link, {"entry": [DOOR]}, lambda _: None, lambda *_: None, journal=self.journal
        )
        session = Session("bare", ((ANSWER, 1),), _silence, _nothing, self._on_answer)
        self.bare = MqttClient(broker, session)

    @classmethod
    @contextmanager
    def running(cls, broker: Broker, state: Path, controller: queue.SimpleQueue[dict[str, Any]]) -> Iterator[_Bench]:
        bench = cls(broker, state, controller)
        parts: tuple[Uplink | Journal | MqttClient, ...] = (bench.journal, bench.uplink, bench.bare)
        for part in parts:
            part.start()
        try:
            bench._until_answered()
            yield bench
        finally:
            for part in reversed(parts):
                part.stop()

    def decide(self) -> tuple[float, float]:
        """A decision through publisher, journal and link; ms until verified, and until its verdict."""
        now = time.monotonic()
        evidence = Evidence(0.9, 0.2, 0.9, 3, 3, now)
        made = Decision("entry", 1, 0, "grant", "match", "trusted", "somebody", evidence, now + 0.5, (DOOR.name,))
        return self._opened(lambda: self._publisher.publish(made))

    def grant(self) -> tuple[float, float]:
        """The same without the journal."""
        return self._opened(lambda: self._link.send_grant(
            DOOR.name, reason="match", sub="somebody", pulse_ms=DOOR.pulse_ms, ttl_ms=DOOR.ttl_ms, token="t"
        ))  # fmt: skip

    def ask(self) -> float:
        """A bare message there and back, in ms."""
        start = time.perf_counter()
        self.bare.publish(Message(QUESTION, WORD))
        return 1000 * (self._answers.get(timeout=5) - start)

    def _opened(self, send: Callable[[], object]) -> tuple[float, float]:
        while not self._link.has_challenge(DOOR.name):
            time.sleep(0.0005)
        sent, start = time.time(), time.perf_counter()
        send()
        answered = self._results.get(timeout=5)
        event = self._controller.get(timeout=5)
        while event["event"] != "opened":
            event = self._controller.get(timeout=5)
        return 1000 * (datetime.fromisoformat(event["time"]).timestamp() - sent), 1000 * (answered - start)

    def _until_answered(self) -> None:
        """Both ways are whole."""
        while not (self._link.has_challenge(DOOR.name) and self.bare.connected):
            time.sleep(0.01)
        while self._answers.empty():
            self.bare.publish(Message(QUESTION, WORD))
            time.sleep(0.1)
        while not self._answers.empty():
            self._answers.get()

    def _on_result(self, result: Any) -> None:
        if result.verdict != "opened":
            raise SystemExit(f"a grant of the benchmark did not open: {result}")
        self._publisher.result(result)
        self._results.put(time.perf_counter())

    def _on_answer(self, _topic: str, _payload: bytes) -> None:
        self._answers.put(time.perf_counter())


@contextmanager
def _reading(command: list[str]) -> Iterator[queue.SimpleQueue[dict[str, Any]]]:
    """A process until SIGTERM, and the JSON lines it says."""
    said: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        reader = threading.Thread(target=_read, args=(child, said))
        reader.start()
        try:
            yield said
        finally:
            child.send_signal(signal.SIGTERM)
            child.wait(5)
            reader.join()


def _read(child: subprocess.Popen[str], said: queue.SimpleQueue[dict[str, Any]]) -> None:
    assert child.stdout is not None
    for line in child.stdout:
        said.put(json.loads(line))


def _echo(port: int) -> None:
    """Answers each question with as many bytes as a verdict has, until SIGTERM."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    answer = Message(ANSWER, WORD[:200], qos=1)

    def on_question(_topic: str, _payload: bytes) -> None:
        client.publish(answer)

    client = MqttClient(Broker(port=port), Session("echo", ((QUESTION, 0),), _silence, _nothing, on_question))
    client.start()
    stop.wait()
    client.stop()


def _silence() -> Message:
    return Message("bare/will", b"gone")


def _nothing() -> None:
    """Nothing to do when the connection is up."""


KEY = DoorKey(bytes(range(32)))
ADDRESS = Address(DEVICE, DOOR.name, "main")


def _genuine() -> list[float]:
    """Milliseconds of each ruling on a grant that answers the newest challenge, its verdict sealed."""
    verifier = Verifier(ADDRESS, [KEY])
    times = []
    for _ in range(VERIFICATIONS):
        wire = seal(KEY, _grant(unseal(Asked, verifier.challenge(), [KEY])[0].n))
        times.append(1000 * timed(lambda wire=wire: verifier.answer(verifier.rule(wire))))  # type: ignore[misc]
    if verifier.counts["opened"] != VERIFICATIONS:
        raise SystemExit(f"genuine grants were refused: {dict(verifier.counts)}")
    return times


def _forged() -> list[float]:
    """The same for grants under another key."""
    verifier, stranger = Verifier(ADDRESS, [KEY]), DoorKey(bytes(32))
    verifier.challenge()
    wires = [seal(stranger, _grant(fresh_token())) for _ in range(VERIFICATIONS)]
    return [1000 * timed(lambda wire=wire: verifier.rule(wire)) for wire in wires]  # type: ignore[misc]


def _grant(nonce: str) -> Grant:
    return Grant(
        id=fresh_token(), dev=ADDRESS.device, door=ADDRESS.door, ctl=ADDRESS.controller, kid=KEY.kid, n=nonce,
        ttl_ms=DOOR.ttl_ms, reason="match", sub="6f9619ff-8b86-4d01-b42d-00cf4fc964ff", pulse_ms=DOOR.pulse_ms,
    )  # fmt: skip


if __name__ == "__main__":
    _echo(int(sys.argv[1]))
