"""A device that obeys commands over a real broker, without cameras and doors, and a site that sends them."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from faceedge.commands import Commands, Handler, Identity
from faceedge.config import Broker, EngineSettings, Models
from faceedge.database import one_at_a_time
from faceedge.door import site_key
from faceedge.door.site_key import TrustedKeys
from faceedge.door.uplink import Uplink
from faceedge.jobs.obey import handlers
from faceedge.jobs.offline import Offline
from faceedge.jobs.site import Site
from faceedge.jobs.swapper import Swapper
from faceedge.journal.chain import Keep
from faceedge.journal.reading import entries, reading
from faceedge.journal.signing import open_signer
from faceedge.journal.writer import Journal
from faceedge.lockdown import Lockdown


class Commanded:
    """The device `dev` in a `with` block. A site key lies in `key` and is trusted."""

    def __init__(self, folder: Path, broker: Broker, more: Mapping[str, Handler] | None = None) -> None:
        self.state, self.key = folder / "state", folder / "site.key"
        self.state.mkdir(exist_ok=True)
        if not self.key.exists():
            site_key.trust(self.state, site_key.make_secret(self.key))
        self.reloads = 0
        self.lies = ""
        self.shown = threading.Event()
        with one_at_a_time(self.state):
            signer = open_signer(self.state)
        self.public = self.state / "keys" / "journal.pub"
        self.journal = Journal.of(self.state, Keep(), lambda _why: None)
        self.lockdown = Lockdown(self.state)
        self.uplink = Uplink(broker, "dev")
        site = Site(self.state, folder / "cache", Models())
        identity = Identity("dev", signer, TrustedKeys(self.state))
        host = Offline(site, EngineSettings(backend="onnx"), lambda _vision: None)
        self.swapper = Swapper(site, host, lambda _body: None)
        own = handlers(self.lockdown, self.swapper.accept, self._reload)
        self.commands = Commands(self.uplink, identity, self.journal, {**own, **(more or {})}, self.show)

    def __enter__(self) -> Commanded:
        self.journal.start()
        self.swapper.start()
        self.commands.start()
        self.uplink.start()
        assert self.uplink.wait_connected(10)
        self.show()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self.swapper.stop()
        assert self.commands.stop()
        self.uplink.stop()
        self.journal.stop()

    def show(self) -> None:
        """Publishes the state, with the nonce of now or, if there is one, a wrong one."""
        state = {"nonce": self.lies or self.commands.nonce}
        self.uplink.retain(f"{self.uplink.prefix}/state", json.dumps(state).encode())

    def noted(self) -> list[dict[str, Any]]:
        """What the journal says of commands."""
        with reading(self.state / "journal.db") as connection:
            return [entry.body for entry in entries(connection, "kind = 'command'")]

    def _reload(self) -> None:
        self.reloads += 1
