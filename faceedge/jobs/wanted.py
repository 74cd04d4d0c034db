"""The wish for engines: the file `<state>/engines/wanted`, which systemd watches (`faceedge-build.path`).

It holds roles, a line each; an empty one, as a script makes it with `touch`, wishes for all. It goes once a build has
ended, well or not: what fails is not tried for ever. A wish that comes meanwhile stays.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from faceedge.backends.guarded import make_own_folder
from faceedge.errors import StoreError
from faceedge.files import inode, sync_folder, write_whole

MOST_BYTES = 4096


def path_of(state: Path) -> Path:
    """Where the wish lies."""
    return state / "engines" / "wanted"


def wish(state: Path, roles: Sequence[str]) -> tuple[str, ...]:
    """Adds to what is wished already; no roles are all. What is wished now. Raises StoreError."""
    path = path_of(state)
    before = _read(path)
    wished = () if not roles or before == () else tuple(dict.fromkeys((*(before or ()), *roles)))
    try:
        make_own_folder(path.parent)
        write_whole(path, "".join(f"{role}\n" for role in wished).encode("ascii"), 0o600)
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}; run this as the user of the daemon") from error
    return wished


@contextmanager
def taken(state: Path) -> Iterator[tuple[str, ...] | None]:
    """The roles that are wished, () for all, None for no wish. After the block that wish is gone."""
    path = path_of(state)
    which, wished = inode(path), _read(path)
    try:
        yield wished
    finally:
        if which is not None and inode(path) == which:
            path.unlink(missing_ok=True)
            sync_folder(path.parent)


def _read(path: Path) -> tuple[str, ...] | None:
    """A wish that cannot be read is one for all."""
    try:
        with path.open("rb") as file:
            return tuple(dict.fromkeys(file.read(MOST_BYTES).decode("ascii").split()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        return ()
