"""Reports of self-tests, `<state>/selftest/<time>.json` with a signature by the device beside it, `.sig`."""

from __future__ import annotations

import base64
import json
from datetime import datetime
from pathlib import Path
from typing import Any

from faceedge.database import one_at_a_time
from faceedge.errors import BadInput, StoreError
from faceedge.files import write_whole
from faceedge.journal.signing import PublicKey, open_signer

FOLDER = "selftest"
LABEL = b"faceedge-selftest-1\n"
"""What is signed is this, then the file: no other statement of this key begins so."""
MOST_BYTES = 4 << 20


def store(state: Path, document: dict[str, Any], made: datetime) -> Path:
    """Writes and signs it; its name is the time. Raises StoreError when the state directory cannot be used."""
    body = (json.dumps(document, indent=1, ensure_ascii=True, allow_nan=False) + "\n").encode()
    try:
        with one_at_a_time(state):
            signer = open_signer(state)
        folder = state / FOLDER
        folder.mkdir(mode=0o700, exist_ok=True)
        path = folder / f"{made:%Y%m%dT%H%M%SZ}.json"
        write_whole(path, body, 0o600)
        write_whole(_beside(path), base64.urlsafe_b64encode(signer.sign(LABEL + body)) + b"\n", 0o600)
    except OSError as error:
        raise StoreError(
            f"{state}: {error.strerror or error}; the report needs a folder that can be written"
        ) from error
    return path


def read_signed(path: Path, key: PublicKey) -> dict[str, Any] | None:
    """What a report says; None when it is not as this key signed it. Raises BadInput for a file that is none."""
    body, held = _read(path), _read(_beside(path))
    try:
        signature = base64.urlsafe_b64decode(held.strip())
    except ValueError:
        return None
    if not key.verify(LABEL + body, signature):
        return None
    document: dict[str, Any] = json.loads(body)
    return document


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.sig")


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror}); name a report with its .sig beside it") from error
    if len(content) > MOST_BYTES:
        raise BadInput(f"{path}: is too long for a report; name another")
    return content
