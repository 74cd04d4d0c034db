"""`faceedge run` on a network camera with user and password: it opens the door, and nobody reads either anywhere."""

from __future__ import annotations

import os
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from faceedge.door.broker import LocalBroker
from tests.fakes.rtsp_server import RtspServer
from tests.system.at_the_door import FACEEDGE, wait_for
from tests.system.entrance import Listener

pytestmark = [pytest.mark.system, pytest.mark.broker]
CONFIG = """
[broker]
port = {port}
[[camera]]
name = "entry"
uri = "{uri}"
[[camera]]
name = "yard"
uri = "{uri}"
decode = "hardware"
[[camera]]
name = "gate"
uri = "{uri}/garage?token={token}"
[[door]]
name = "main"
"""


@dataclass
class Heard(Listener):
    """Every payload there was."""

    port: int
    all: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(self.port, "#")

    def _note(self, message: Any) -> None:
        super()._note(message)
        self.all.append(message.topic.encode() + b" " + message.payload)

    def camera(self, name: str) -> dict[str, Any]:
        cameras = self.json("faceedge/faceedge/state").get("cameras", [])
        found: dict[str, Any] = next((camera for camera in cameras if camera["name"] == name), {})
        return found


def processes() -> bytes:
    """What `ps e` shows of all of them."""
    shown = b""
    for place in Path("/proc").glob("[0-9]*"):
        for file in ("cmdline", "environ", "comm"):
            with suppress(OSError):  # it has ended
                shown += (place / file).read_bytes()
    return shown


@contextmanager
def daemon(folder: Path, environ: dict[str, str]) -> Iterator[Path]:
    """Running; the file in which all is that it says."""
    said = folder / "said.txt"
    command = [*FACEEDGE, "run", "--json", "--config", str(folder / "faceedge.toml")]
    with said.open("wb") as file, subprocess.Popen(command, env=environ, stdout=file, stderr=file) as child:
        try:
            yield said
        finally:
            child.terminate()
            assert child.wait(15) == 0


def test_user_and_password_of_a_camera_stand_in_the_configuration_and_nowhere_else(
    tmp_path: Path, broker: LocalBroker, standing: Path
) -> None:
    user, password, token = (secrets.token_hex(8) for _ in range(3))
    state = tmp_path / "state"
    environ = os.environ | {"FACEEDGE_STATE": str(state)}
    with RtspServer(size=(480, 270), clip=standing, user=user, password=password) as server:
        config = CONFIG.format(port=broker.port, uri=server.uri, token=token)
        (tmp_path / "faceedge.toml").write_text(config)
        added = [*FACEEDGE, "door", "add", "main", "--config", str(tmp_path / "faceedge.toml")]
        said = [subprocess.run(added, env=environ, check=True, capture_output=True).stdout]
        with Heard(broker.port) as heard, daemon(tmp_path, environ) as log:
            shown = [processes()]
            wait_for(lambda: b'"event": "decision"' in log.read_bytes(), 40)
            shown.append(processes())
            server.cut()
            wait_for(lambda: heard.camera("entry").get("fault") == "away", 15)
            why = [heard.camera(name)["why"] for name in ("entry", "yard", "gate")]
            server.start()
            wait_for(lambda: heard.camera("entry").get("ok"), 15)
            shown.append(processes())
    said += [log.read_bytes(), *heard.all, *shown]
    said += [path.read_bytes() for path in state.rglob("*") if path.is_file()]
    told = b"\n".join(said)
    assert all(words in told for words in (b"camera_fault", b"cameras.worker", b"no video decoder"))
    assert [word for word in (user, password, token) if word.encode() in told] == []
    assert "nothing listens" in why[0] or "stopped delivering" in why[0]
    assert "this board has no video decoder" in why[1]
