"""A keypad as the second factor of one door: signed requests of the device in, codes typed in, a signed `confirm` out.

Runs beside the keypad on a machine of the integrator that has faceedge installed; a USB keypad types into its standard
input, one code a line. Neither Home Assistant nor the broker ever sees the code or the key.

    second_factor.py --new-code code
    second_factor.py --config site.toml --door main --device-key journal.pub --key site.key --code code
"""

from __future__ import annotations

import argparse
import getpass
import hashlib
import hmac
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from faceedge import config as configuration
from faceedge.door.asking import Device, ask
from faceedge.door.contract import BadMessage, fresh_token
from faceedge.door.keys import read_secret
from faceedge.door.mqtt import MqttClient, Session
from faceedge.door.signed import SecondFactor, Verifies, unsign
from faceedge.door.site_key import read_site_secret
from faceedge.errors import FaceedgeError
from faceedge.files import write_whole
from faceedge.journal.signing import read_public

ANSWER_S = 5.0
LONGEST_PAUSE_S = 300.0


@dataclass(slots=True)
class Requests:
    """What the device asks for, at one door. clock: monotonic. `hear` and `only` may be called from any thread."""

    device: str
    door: str
    key: Verifies
    clock: Callable[[], float] = time.monotonic
    _open: dict[str, tuple[str, float]] = field(default_factory=dict)
    _seen: deque[str] = field(default_factory=lambda: deque(maxlen=1000))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def hear(self, wire: bytes) -> bool:
        """Takes a request that the device has signed for this door, once; says whether it did."""
        try:
            asked, _ = unsign(SecondFactor, wire, [self.key])
        except BadMessage:
            return False
        with self._lock:
            if asked.dev != self.device or self.door not in asked.doors or asked.id in self._seen:
                return False
            self._seen.append(asked.id)
            self._open[asked.decision] = (asked.sub, self.clock() + asked.valid_ms / 1000)
            return True

    def only(self) -> str | None:
        """The newest decision in doubt; None when nobody waits, or two people do: who of them typed the code?"""
        with self._lock:
            now = self.clock()
            self._open = {decision: (sub, until) for decision, (sub, until) in self._open.items() if until > now}
            if len({sub for sub, _ in self._open.values()}) != 1:
                return None
            return list(self._open)[-1]


@dataclass(slots=True)
class Code:
    """A code, known only as a salted hash. After each wrong one the next is looked at later: 2, 4, 8 … 300 s."""

    stored: str
    clock: Callable[[], float] = time.monotonic
    _wrong: int = 0
    _shut_until: float = 0.0

    @staticmethod
    def hashed(code: str, salt: bytes) -> str:
        """What is stored of a code."""
        digest = hashlib.scrypt(code.encode(), salt=salt, n=2**14, r=8, p=1)
        return f"{salt.hex()}:{digest.hex()}"

    def is_right(self, typed: str) -> bool:
        """Whether this is the code, and it is time to look at one."""
        if self.clock() < self._shut_until:
            return False
        salt, _, _ = self.stored.partition(":")
        if hmac.compare_digest(self.hashed(typed, bytes.fromhex(salt)), self.stored):
            self._wrong = 0
            return True
        self._wrong += 1
        self._shut_until = self.clock() + min(2.0**self._wrong, LONGEST_PAUSE_S)
        return False


def serve(
    typed: Iterable[str], requests: Requests, code: Code, confirm: Callable[[str], str], tell: Callable[[str], None]
) -> None:
    """One line in, one line out. The code is looked at first, so that nobody learns whether somebody waits."""
    for line in typed:
        if not code.is_right(line.strip()):
            tell("refused")
        elif (decision := requests.only()) is None:
            tell("nobody waits, or more than one")
        else:
            tell(confirm(decision))


def main() -> int:
    """Runs until the keypad is unplugged."""
    args = _parser().parse_args()
    try:
        return _new_code(args.new_code) if args.new_code else _run(args)
    except FaceedgeError as error:
        sys.stderr.write(f"second_factor: {error}\n")
        return 2


def _run(args: argparse.Namespace) -> int:
    settings = configuration.load(args.config)
    device = Device(args.device or settings.device, read_public(args.device_key))
    assert device.key is not None
    secret = read_site_secret(args.key)
    code = Code(read_secret(args.code, "a code is stored with --new-code").decode("ascii").strip())
    requests = Requests(device.name, args.door, device.key)

    def confirm(decision: str) -> str:
        try:
            answer = ask(settings.broker, device, secret, "confirm", {"decision": decision}, ANSWER_S)
        except FaceedgeError as error:
            return str(error)
        return "confirmed" if answer.ok and answer.is_proven else f"refused by the device: {answer.why}"

    topic = f"faceedge/{device.name}/event/second_factor"
    name = f"faceedge.{device.name}.keypad.{fresh_token()[:8]}"
    session = Session(name, ((topic, 1),), lambda: None, lambda: None, lambda _topic, wire: _heard(requests, wire))
    client = MqttClient(settings.broker, session)
    client.start()
    try:
        serve(sys.stdin, requests, code, confirm, _tell)
    finally:
        client.stop()
    return 0


def _heard(requests: Requests, wire: bytes) -> None:
    if requests.hear(wire):
        _tell("a second factor is waited for")


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _new_code(path: Path) -> int:
    typed = getpass.getpass("New code: ") if sys.stdin.isatty() else sys.stdin.readline()
    write_whole(path, f"{Code.hashed(typed.strip(), os.urandom(16))}\n".encode("ascii"), 0o600)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--new-code", type=Path, metavar="FILE", help="read a code and store its hash, then end")
    parser.add_argument("--config", type=Path, metavar="FILE", help="its [broker] is used, and its device")
    parser.add_argument("--device", help="name of the device (default: that of the configuration)")
    parser.add_argument("--door", default="main", help="the door that the keypad is at (default: main)")
    parser.add_argument("--device-key", type=Path, default=Path("journal.pub"), help="keys/journal.pub of the device")
    parser.add_argument("--key", type=Path, default=Path("site.key"), help="the private site key")
    parser.add_argument("--code", type=Path, default=Path("code"), help="the file that --new-code has written")
    return parser


if __name__ == "__main__":
    sys.exit(main())
