"""Runs checks side by side, none of them longer than it may, and none of them able to bring the others down."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

from faceedge.checks.doctor.base import Check, Finding, Findings, fail, told
from faceedge.errors import FaceedgeError

log = logging.getLogger(__name__)
Tell = Callable[[str, float], None]


class _Running:
    """One check in a thread of its own. The thread may outlive the examination: what hangs cannot be ended."""

    def __init__(self, check: Check) -> None:
        self.check = check
        self._lock = threading.Lock()
        self._found: list[Finding] = []
        self._is_done = threading.Event()
        self._ends = time.monotonic() + check.within_s
        threading.Thread(target=self._run, name=f"doctor {check.id}", daemon=True).start()

    def findings(self) -> list[Finding]:
        """Waits as long as the check may take. What it has found until then counts."""
        is_done = self._is_done.wait(max(0.0, self._ends - time.monotonic()))
        with self._lock:
            found = list(self._found)
        return found if is_done else [*found, _late(self.check)]

    def _run(self) -> None:
        try:
            for finding in guarded(self.check.id, self.check.run):
                with self._lock:
                    self._found.append(finding)
        finally:
            self._is_done.set()


def guarded(id: str, run: Callable[[], Findings]) -> Findings:
    """The findings, with a failure, also one of ours, as one of them."""
    try:
        yield from run()
    except FaceedgeError as error:
        yield told(id, error)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        yield fail(id, f"{where}{error.strerror or error}", "look at rights and disk, and run it as the service's user")
    except ImportError as error:
        yield fail(
            id, f"{error.name or 'a package'} cannot be imported: {error}", "install faceedge again, with its extras"
        )
    except Exception as error:  # a doctor who falls over has not examined anything
        log.debug("%s", id, exc_info=True)
        yield fail(id, f"internal fault: {type(error).__name__}: {error}", "please report this line")


def examine(checks: Sequence[Check], tell: Tell = lambda _name, _share: None) -> list[Finding]:
    """All findings, in the order of the checks. Takes as long as the slowest check, and no longer than it may."""
    running = [_Running(check) for check in checks]
    findings: list[Finding] = []
    for number, one in enumerate(running):
        tell(one.check.id, number / len(running))
        findings += one.findings()
    return findings


def is_green(findings: Sequence[Finding]) -> bool:
    """Nothing is red. Warnings are not."""
    return all(finding.status != "fail" for finding in findings)


def _late(check: Check) -> Finding:
    return Finding(check.id, check.late, f"no answer within {check.within_s:g} s", check.remedy)
