"""Commands write into the journal, too: who was enrolled or removed, which key was made. Ids, never names."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from faceedge import config
from faceedge.door.events import Letter
from faceedge.errors import StoreError
from faceedge.journal.chain import Chain
from faceedge.journal.entry import Stamp


class Note(Protocol):
    """Writes one entry. letters: what the broker is to be told about it, once a daemon runs."""

    def __call__(self, kind: str, body: Mapping[str, Any], letters: Sequence[Letter] = ()) -> None: ...


def note(state: Path, kind: str, body: Mapping[str, Any], letters: Sequence[Letter] = ()) -> None:
    """Adds one entry about what was done. When that fails it is said, for what was done cannot be undone."""
    try:
        with Chain.open(state) as chain:
            chain.append([Stamp().draft(kind, body, letters)])
    except StoreError as error:
        print(f"faceedge: done, but not in the journal: {error}", file=sys.stderr)


def first(args: argparse.Namespace, kind: str, body: Mapping[str, Any]) -> None:
    """For what must not be done at all unless it is written down. Raises StoreError when it is not."""
    with Chain.open(config.state_dir(config.load(args.config))) as chain:
        chain.append([Stamp().draft(kind, body)])


@contextmanager
def noted(args: argparse.Namespace) -> Iterator[Note]:
    """For what must not be begun when it cannot be written down. Raises StoreError at the start."""
    state = config.state_dir(config.load(args.config))
    Chain.open(state).close()
    yield partial(note, state)
