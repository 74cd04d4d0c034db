"""A process that writes events and posts them until it is killed, or kills itself before the step it was told.

Reads `STATE STEP` from stdin, a line a child, and forks for each. The child says on stdout what the broker took; only
then may it be acknowledged, and gone from the outbox. A step is an SQL statement, a letter posted, or an answer; step 0
never comes.
"""

from __future__ import annotations

import itertools
import json
import logging
import os
import signal
import sqlite3
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from faceedge.door.connection import Message
from faceedge.door.contract import fresh_token
from faceedge.door.events import Letter
from faceedge.jobs.postman import Postman
from faceedge.journal.chain import Chain
from faceedge.journal.entry import Stamp
from tests.fakes.clock import FakeClock
from tests.fakes.post_office import Posted, PostOffice, kind_of

KINDS = ("decision", "door")
ROUNDS = 12
TURN_S = 0.6


class Office(PostOffice):
    """Says what it took before it answers."""

    step: Callable[..., None]

    def post(self, message: Message) -> Posted | None:
        self.step()
        return super().post(message)

    def work(self, most: int = 1000) -> None:
        for _ in range(min(most, len(self.under_way))):
            before = len(self.taken)
            super().work(1)
            for message in self.taken[before:]:
                say(taken=json.loads(message.payload)["id"], kind=kind_of(message))
            self.step()


def say(**words: object) -> None:
    os.write(1, json.dumps(words).encode() + b"\n")


def suicidal(steps: Iterator[int], kill_at: int) -> Callable[..., None]:
    """Counts steps, and dies before the one that was named."""

    def step(*_: object) -> None:
        if next(steps) == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    return step


def letters(number: int) -> tuple[Letter, ...]:
    tokens = [fresh_token() for _ in range(3)]
    return tuple(
        Letter(token, KINDS[place % 2], json.dumps({"id": token, "number": number}).encode())  # type: ignore[arg-type]
        for place, token in enumerate(tokens)
    )


def live(state: Path, step: Callable[..., None]) -> None:
    """Some rounds of writing and posting; then posts what is left."""
    real = sqlite3.connect

    def watched(*arguments: Any, **more: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = real(*arguments, **more)
        connection.set_trace_callback(step)
        return connection

    sqlite3.connect = watched  # type: ignore[assignment]
    clock, office = FakeClock(), Office()
    office.step = step
    postman = Postman(state, office, "faceedge/test/event", clock=clock)
    with Chain.open(state) as chain:
        for number in range(ROUNDS):
            made = letters(number)
            body = {"letters": [[letter.kind, letter.id] for letter in made]}
            chain.append([replace(Stamp().draft("note", body), letters=made)])
            round_of(postman, office, clock, most=2)
    for _ in range(ROUNDS * 10):
        round_of(postman, office, clock, most=1000)
    postman.close()


def round_of(postman: Postman, office: Office, clock: FakeClock, most: int) -> None:
    postman.turn()
    office.work(most)
    clock.advance(TURN_S)


def main() -> None:
    logging.disable()
    for line in sys.stdin:
        state, kill_at = line.split()
        child = os.fork()
        if child == 0:
            steps = itertools.count(1)
            live(Path(state), suicidal(steps, int(kill_at)))
            say(steps=next(steps))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        say(over=os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main()
