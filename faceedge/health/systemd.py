"""What systemd is told: ready, alive, stopping. Without systemd every call does nothing."""

from __future__ import annotations

import os
import time

import sdnotify


class Systemd:
    """sd_notify(3) through sdnotify; its text is ASCII because sdnotify drops anything else silently."""

    def __init__(self) -> None:
        # Without the variable sdnotify fails half-way and leaves a socket open.
        self._notifier = sdnotify.SystemdNotifier() if os.environ.get("NOTIFY_SOCKET") else None
        self._watched = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())

    def ready(self, status: str) -> None:
        """The daemon serves."""
        self._tell(f"READY=1\nSTATUS={status}")

    def alive(self) -> None:
        """Every stage makes progress; not calling this is how a stuck daemon is restarted."""
        if self._watched:
            self._tell("WATCHDOG=1")

    def reloading(self) -> None:
        """The daemon begins anew; `ready` ends it."""
        self._tell(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """The daemon leaves on purpose."""
        self._tell("STOPPING=1")

    def _tell(self, message: str) -> None:
        if self._notifier is not None:
            self._notifier.notify(message)

    def close(self) -> None:
        """Closes the socket that sdnotify leaves open."""
        channel = getattr(self._notifier, "socket", None)
        if channel is not None:
            channel.close()
