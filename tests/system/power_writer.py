"""A process that enrols, removes, rotates keys, writes the journal and posts events in a folder until its power is cut.

Reads folders from stdin, one a line, and forks a child for each, so that the imports are paid for once. The child says
on stdout what it is about to do and what has been acknowledged: what it has said is done must last.
"""

from __future__ import annotations

import itertools
import json
import logging
import os
import random
import sys
import time
from pathlib import Path

import numpy as np

from faceedge import database, files
from faceedge.door.connection import Message
from faceedge.door.contract import fresh_token
from faceedge.door.events import Letter
from faceedge.gallery import rotate
from faceedge.gallery.base import Origin, Person
from faceedge.gallery.store import Gallery
from faceedge.jobs.postman import Postman
from faceedge.journal.chain import Keep
from faceedge.journal.writer import Journal
from faceedge.types import Image, Template

SHOTS = 3
SPACE = "0123456789ab"
MOST_PEOPLE = 40


def template(seed: int) -> Template:
    vector = np.random.default_rng(seed).normal(size=128).astype(np.float32)
    return Template(vector / np.linalg.norm(vector), 1.5, SPACE)


def crop(seed: int) -> Image:
    return np.random.default_rng(seed).integers(0, 255, (40, 40, 3), np.uint8)


def say(**words: object) -> None:
    os.write(1, json.dumps(words).encode() + b"\n")


def enrol(gallery: Gallery, number: int) -> Person:
    with gallery.transaction():
        person = gallery.add_person(f"Person {number} {time.monotonic_ns()}")
        say(begin="enrol", id=person.id)
        for shot in range(SHOTS):
            gallery.add_template(person.id, template(number + shot), Origin(0.9, "made up", "build"), crop(number))
    say(done="enrol", id=person.id)
    return person


class Taken:
    """A receipt of a broker that answers at once."""

    refusal = ""

    def is_done(self) -> bool:
        return True

    def is_dead(self) -> bool:
        return False


class Post:
    """A broker that is there half of the time, and says what it takes before it answers."""

    @property
    def connected(self) -> bool:
        return time.monotonic() % 0.2 < 0.1

    def post(self, message: Message) -> Taken | None:
        if not self.connected:
            return None
        say(delivered=message.payload.decode())
        return Taken()


def note(journal: Journal, number: int) -> None:
    """An entry, and an event about it."""
    token = fresh_token()
    journal.append("note", {"number": number, "letter": token}, [Letter(token, "device", token.encode())])
    say(noted=number, at_s=time.monotonic())


def work(state: Path, dice: random.Random) -> None:
    """Until it is killed."""
    postman = Postman(state, Post(), "event")
    journal = Journal.of(state, Keep(), lambda trouble: None, postman.wake)
    journal.start()
    postman.start()
    with Gallery.open(state) as gallery:
        people = gallery.people()
        for number in itertools.count():
            people.append(enrol(gallery, number))
            note(journal, number)
            if dice.random() < 0.3 or len(people) > MOST_PEOPLE:
                gone = people.pop(dice.randrange(len(people)))
                say(begin="remove", id=gone.id)
                gallery.remove(gone)
                say(done="remove", id=gone.id)
            if dice.random() < 0.3:
                say(granted=journal.append_now("grant", {"number": number}, 2.0))
            if dice.random() < 0.1 and "--careless" not in sys.argv:
                rotate.rotate(state, data=dice.random() < 0.5, given=None, progress=lambda text, done: None)
                say(done="rotate", id="")


def be_careless() -> None:
    """Takes every fsync out: the test that uses this process must notice."""
    real = database.open_database

    def careless(*arguments: object, **more: object) -> object:
        connection = real(*arguments, **more)  # type: ignore[arg-type]
        connection.execute("PRAGMA synchronous = OFF")
        return connection

    for name, module in list(sys.modules.items()):
        if name.startswith("faceedge") and getattr(module, "open_database", None) is real:
            module.open_database = careless  # type: ignore[attr-defined]
    os.fsync = lambda descriptor: None
    assert files.os.fsync is os.fsync


def main() -> None:
    logging.disable()
    if "--careless" in sys.argv:
        be_careless()
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            say(child=os.getpid())
            try:
                work(Path(line.strip()), random.Random(time.monotonic_ns()))
            except BaseException as error:
                say(ended=f"{type(error).__name__}: {error}")
            os._exit(0)
        os.waitpid(child, 0)
        say(over=child)


if __name__ == "__main__":
    main()
