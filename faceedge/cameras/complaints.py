"""Why FFmpeg could not open an address, in words of ours: its own hold the address, and the password in it."""

from __future__ import annotations

import os
from types import TracebackType

MOST_BYTES = 65_536
REASONS = (
    ("401 ", "it refuses the user or the password"),
    ("403 ", "it forbids this address to this user"),
    ("404 ", "it has no such stream; check the path"),
    ("refused", "nothing listens there; check the port"),
    ("resolve hostname", "its name cannot be found; check the spelling and the name server"),
    ("No route", "there is no way to it; check the cable and the network"),
    ("unreachable", "there is no way to it; check the cable and the network"),
    ("timed out", "it does not answer; check its power, cable and address"),
    ("certificate", "its certificate is not accepted"),
    ("Invalid data", "it answers, but with no video"),
)
SILENT = "it does not answer in time; check its power, cable and address"


class Complaints:
    """Catches what native code prints in a `with`, in the only thread of a process of its own; after it, all is lost.

    A flood ends where the disk of memory does: it lasts for the opening only.
    """

    def __enter__(self) -> Complaints:
        self._fd = os.memfd_create("faceedge-complaints", os.MFD_CLOEXEC)
        for stream in (1, 2):
            os.dup2(self._fd, stream)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        silence()
        os.close(self._fd)

    def reason(self) -> str:
        """The first of `REASONS` that was printed."""
        text = os.pread(self._fd, MOST_BYTES, 0).decode(errors="replace")
        return next((reason for phrase, reason in REASONS if phrase in text), SILENT)


def silence() -> None:
    """Whatever native code prints from now on goes nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
    os.close(nowhere)
