"""What of our environment the programs that we start may see."""

from __future__ import annotations

import os
from collections.abc import Mapping

KEPT_OUT = ("FACEEDGE", "NOTIFY_SOCKET", "WATCHDOG_", "CREDENTIALS_DIRECTORY", "LISTEN_")
"""Addresses with passwords, and what only the daemon may tell systemd."""


def for_others(ours: Mapping[str, str] = os.environ) -> dict[str, str]:
    """All but that."""
    return {key: value for key, value in ours.items() if not key.startswith(KEPT_OUT)}
