"""What systemd is told: ready, alive, stopping. Without systemd every call does nothing."""

from __future__ import annotations

import os

import sdnotify


class Systemd:
    """sd_notify(3) through sdnotify; its text is ASCII because sdnotify drops anything else silently."""

    def __init__(self) -> None:
        self._notifier = sdnotify.SystemdNotifier()
        self._watched = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())

    def ready(self, status: str) -> None:
        """The daemon serves."""
        self._notifier.notify(f"READY=1\nSTATUS={status}")

    def alive(self) -> None:
        """Every stage makes progress; not calling this is how a stuck daemon is restarted."""
        if self._watched:
            self._notifier.notify("WATCHDOG=1")

    def stopping(self) -> None:
        """The daemon leaves on purpose."""
        self._notifier.notify("STOPPING=1")

    def close(self) -> None:
        """Closes the socket that sdnotify leaves open."""
        channel = getattr(self._notifier, "socket", None)
        if channel is not None:
            channel.close()
