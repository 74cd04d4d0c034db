"""Can the clock on the wall be trusted? A wrong clock would open at the wrong hours, so doubt means no."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Literal

RELEASED = datetime(2026, 11, 1, tzinfo=timezone.utc)
"""No clock of a device that runs this version can truly show less. Raised with every release."""

NeedsSync = Literal["always", "if_known", "never"]


def is_valid(now: datetime, not_before: datetime, is_synchronised: bool | None, needs_sync: NeedsSync) -> bool:
    """now: what the clock says. not_before: the latest moment known to be past, such as the newest journal entry.

    is_synchronised: whether the system has set it from the network since it started, None when it cannot tell.
    needs_sync: `always`: must be known to be so; `if_known`: must not be known to be otherwise; `never`: a clock with a
    battery is enough.
    """
    if now < RELEASED:
        return False
    if is_synchronised:  # the network knows better than an entry that a wrong clock once made
        return True
    return now >= not_before and (needs_sync == "never" or (needs_sync == "if_known" and is_synchronised is None))
