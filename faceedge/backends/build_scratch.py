"""The files of a build before and after: a lock, a scratch folder, the timing cache, the plan. For `build.py`."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from faceedge.backends.build_child import CACHE, KEPT_CACHE, PLAN
from faceedge.backends.build_order import BuildFailed, Order
from faceedge.backends.guarded import Refused, make_own_folder, read_own, read_signed, set_aside, signed
from faceedge.backends.plan import keep_plan
from faceedge.errors import one_line
from faceedge.files import write_whole

MAX_CACHE_BYTES = 64 << 20
_SCRATCH = ".build-"
_CACHE_KIND = b"faceedge-timing-1"


def prepare(order: Order, cleaning: ExitStack) -> Path:
    """A folder for the child, in it the kept timing cache if it is ours. Raises BuildFailed while another build is
    under way, Refused, OSError."""
    make_own_folder(order.engines)
    cleaning.enter_context(_alone(order))
    for stale in order.engines.glob(f"{_SCRATCH}*"):  # nobody else is at it: left by a process that was killed
        shutil.rmtree(stale, ignore_errors=True)
    scratch = Path(tempfile.mkdtemp(dir=order.engines, prefix=_SCRATCH))
    cleaning.callback(shutil.rmtree, scratch, ignore_errors=True)
    try:
        kept = read_signed(order.timing_cache, order.key, _CACHE_KIND, MAX_CACHE_BYTES)
        (scratch / KEPT_CACHE).write_bytes(kept)
    except FileNotFoundError:
        pass
    except Refused:
        set_aside([order.timing_cache], kept=1)
    return scratch


def keep(order: Order, scratch: Path) -> list[str]:
    """Puts what the child made in its place; notes, in sentences. Raises Refused, OSError, and then nothing changed."""
    keep_plan(order.place, scratch / PLAN, order.wanted, order.key, order.power_mode)
    try:
        fresh = read_own(scratch / CACHE, MAX_CACHE_BYTES)
        write_whole(order.timing_cache, signed(order.key, _CACHE_KIND, fresh), 0o600)
    except (Refused, OSError) as error:
        return [f"the timing cache was not kept ({told(error)}); the next build takes as long"]
    return []


def told(error: Refused | OSError) -> str:
    """Without the path."""
    return one_line(error.strerror or type(error).__name__ if isinstance(error, OSError) else str(error), 150)


@contextmanager
def _alone(order: Order) -> Iterator[None]:
    """Two builds at once would disturb each other's timing, and want the memory twice. The lock ends with the process,
    however that ends, and the child with it."""
    descriptor = os.open(order.engines / "build.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BuildFailed(f"{order.place.stem}: another engine is being built; try again after it") from error
        yield
    finally:
        os.close(descriptor)
