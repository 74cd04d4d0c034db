"""The address of a camera, as the configuration has it, taken apart once. `shown` is safe to log, the rest is not."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote

from faceedge.errors import CameraError

Kind = Literal["csi", "device", "network", "file", "images"]
NETWORK = ("rtsp", "rtsps", "http", "https")
LIVE: tuple[Kind, ...] = ("csi", "device", "network")
FORMS = "file:CLIP, images:FOLDER, rtsp://…, csi:0, /dev/videoN or a number"


@dataclass(frozen=True, slots=True, repr=False)
class Source:
    """kind, and what opens it: sensor number, device path, whole address, path of a clip or a folder.

    shown: names it in messages; of a network camera only the host, for paths too hold passwords.
    """

    kind: Kind
    what: str
    shown: str

    @property
    def is_live(self) -> bool:
        """It may be away now and come back; a clip or a folder that is not there is a mistake."""
        return self.kind in LIVE

    def cleaned(self, text: str) -> str:
        """A stranger's message about this source, without its address and what is secret in it."""
        if self.kind != "network":
            return text
        return self.shown.join(map(self._without_secrets, text.split(self.shown)))

    def _without_secrets(self, text: str) -> str:
        user, password = _credentials(self.what)
        for secret in (self.what, password, unquote(password), user, unquote(user)):
            if len(secret) > 1:
                text = text.replace(secret, "…")
        return re.sub(r"[a-zA-Z]+://\S+", "…", text)

    def __repr__(self) -> str:
        return f"Source({self.shown})"


def parse(uri: str) -> Source:
    """One source of `FORMS`. Whether it is there is found out at opening. Raises CameraError."""
    scheme, colon, rest = uri.partition(":")
    kind = scheme.lower()
    if kind in NETWORK and colon:
        return Source("network", f"{kind}:{rest}", _host(kind, rest))
    if kind == "csi" and colon:
        if not re.fullmatch(r"[0-9]{1,2}", rest):
            raise CameraError(f"{misspelt(uri)}: the number of a CSI sensor is needed, as in csi:0")
        return Source("csi", rest, f"csi:{int(rest)}")
    if uri.isascii() and uri.isdigit():
        return Source("device", f"/dev/video{int(uri)}", f"/dev/video{int(uri)}")
    if uri.startswith("/dev/"):
        return Source("device", uri, uri)
    if kind == "images" and colon:
        return Source("images", rest, rest)
    path = rest if kind == "file" and colon else uri
    return Source("file", path, misspelt(path))


def misspelt(text: str) -> str:
    """What was taken for a path may be the address of a network camera: without user, password and query."""
    tail = text.rpartition("@")[2]
    shown = text if tail == text else f"…@{tail}"
    return shown.partition("?")[0] if "//" in text or "@" in text else shown


def _host(scheme: str, rest: str) -> str:
    # After the last @ of all: a password that holds a slash unescaped would otherwise end up in the path.
    host, slash, _ = re.split(r"[?#]", rest.lstrip("/").rpartition("@")[2])[0].partition("/")
    return f"{scheme}://{host}{'/…' if slash else ''}"


def _credentials(address: str) -> tuple[str, str]:
    user, _, password = address.partition("://")[2].rpartition("@")[0].partition(":")
    return user, password
