"""A mosquitto with exactly the files and commands of examples/mosquitto; only paths, port and host name are its own."""

from __future__ import annotations

import os
import pwd
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from faceedge.config import Broker
from faceedge.door.broker import ATTEMPTS, LocalBroker, _free_port
from faceedge.errors import LinkError

EXAMPLE = Path(__file__).parents[2] / "examples" / "mosquitto"
ACCOUNTS = ("faceedge", "faceedge.main.main", "faceedge.main.inner", "site", "home")
OBSERVER = "test.observer"
"""An account of the tests only, which may read everything."""
HOST = "localhost"


class ExampleBroker(LocalBroker):
    """folder: where `prepare` has put everything."""

    def __init__(self, folder: Path, port: int) -> None:
        super().__init__("mosquitto", port, folder)

    def settings(self, account: str, port: int = 0) -> Broker:
        """How this account reaches it; by way of another port if one is given."""
        return Broker(
            host=HOST, port=port or self.port, tls=True, ca_file=self._folder / "ca.crt", username=account,
            password_file=self._folder / f"{account}.password",
        )  # fmt: skip

    def _write_settings(self) -> Path:
        text = (EXAMPLE / "mosquitto.conf").read_text(encoding="ascii")
        for old, new in (
            ("/etc/mosquitto/faceedge/", f"{self._folder}/"),
            ("listener 8883", f"listener {self.port} 127.0.0.1"),
        ):
            assert old in text
            text = text.replace(old, new)
        # mosquitto would leave root, and could not read our files any more
        text += f"\nuser {pwd.getpwuid(os.getuid()).pw_name}\nlog_dest stderr\nlog_type error\nlog_type warning\n"
        path = self._folder / "mosquitto.conf"
        path.write_text(text, encoding="ascii")
        return path


def commands() -> list[str]:
    """The shell blocks of the README, in their order."""
    return re.findall(r"^```sh\n(.*?)^```", (EXAMPLE / "README.md").read_text(encoding="utf-8"), re.M | re.S)


def prepare(folder: Path) -> None:
    """Certificates, passwords and rights, made as the README says."""
    certificates, passwords, _pin = commands()
    assert " ".join(ACCOUNTS) in passwords
    with_observer = passwords.replace(" ".join(ACCOUNTS), " ".join((*ACCOUNTS, OBSERVER)))
    for block in (certificates.replace("broker.local", HOST), with_observer):
        subprocess.run(["bash", "-euc", block], cwd=folder, check=True, capture_output=True, timeout=60)
    rights = (EXAMPLE / "acl").read_text(encoding="ascii")
    (folder / "acl").write_text(f"{rights}\nuser {OBSERVER}\ntopic read #\n", encoding="ascii")


@contextmanager
def example_broker(folder: Path) -> Iterator[ExampleBroker]:
    """Running; `prepare` the folder before."""
    for attempt in range(ATTEMPTS):
        broker = ExampleBroker(folder, _free_port())
        try:
            broker.start()
            break
        except LinkError:
            if attempt == ATTEMPTS - 1:
                raise
    try:
        yield broker
    finally:
        broker.stop()
