"""The installed command becomes the user of the service and leaves no trace of what was typed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.setup_script.box import CHECKOUT

TYPED = ("enroll", "Ada Lovelace", "a photo.jpg")


@pytest.mark.parametrize(
    ("user", "by"), [("root", "setpriv --reuid=faceedge"), ("faceedge", "env "), ("porter", "sudo -u faceedge")]
)
def test_who_types_a_command_becomes_the_service_without_a_session_that_is_logged(
    tmp_path: Path, user: str, by: str
) -> None:
    for program in ("setpriv", "env", "sudo", "runuser"):
        (tmp_path / program).write_text(f'#!/bin/sh\nprintf "%s\\n" "{program} $*"; printf "<%s>" "$@"\n')
    (tmp_path / "id").write_text(f"#!/bin/sh\necho {user}\n")
    for path in tmp_path.iterdir():
        path.chmod(0o755)
    command = ["/bin/sh", str(CHECKOUT / "scripts/setup/faceedge"), *TYPED]
    said = subprocess.run(command, env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=True).stdout
    assert said.startswith(by)
    assert said.endswith("<enroll><Ada Lovelace><a photo.jpg>")
    assert "<HOME=/var/cache/faceedge>" in said
