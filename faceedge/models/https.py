"""One HTTPS request under rules: URL in, the answer's head and blocks of its body out; run by `models.download`.

Certificates are verified against the system's authorities (SSL_CERT_FILE counts), proxies come from the environment,
a redirect may lead only to the URL's own host or a listed one, nothing is decoded, and a server that trickles is left.
"""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urljoin
from urllib.request import getproxies, proxy_bypass

from urllib3 import BaseHTTPResponse, PoolManager, ProxyManager, Timeout, make_headers
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    InvalidHeader,
    NewConnectionError,
    ProxyError,
    SSLError,
)
from urllib3.util import Url, parse_url

from faceedge import __version__
from faceedge.errors import PackageError

REDIRECTS = 5
BLOCK_BYTES = 65536
OFFLINE = "on a site without internet add it from a folder (--from DIR) or a file"
_MOVED = (301, 302, 303, 307, 308)
_BUSY = (408, 425, 429, 500, 502, 503, 504)
"""Answers that may be others in a moment."""


class Interrupted(PackageError):
    """What another try may mend."""


class Unreachable(Interrupted):
    """There was no connection at all."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a server is waited for, and how often it is tried again after these pauses (s).

    answer_s: for all redirects and the head of the answer. window_s: for each further `window_bytes` of the body;
    together the slowest rate that is borne.
    """

    connect_s: float = 10.0
    read_s: float = 20.0
    answer_s: float = 40.0
    window_s: float = 30.0
    window_bytes: int = 65536
    pauses_s: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0)
    sleep: Callable[[float], None] = time.sleep


class Deadline:
    """A moment that every receiving call looks at, so that single bytes, sent just in time, gain nothing."""

    def __init__(self, seconds: float) -> None:
        self.move(seconds)

    def move(self, seconds: float) -> None:
        """From now on, so long."""
        self._at_s = time.monotonic() + seconds

    def check(self) -> None:
        """Raises TimeoutError when it has passed."""
        if time.monotonic() > self._at_s:
            raise TimeoutError("too slow")


class Answer:
    """Head and body of an answer. length: of the body in bytes, None is not said, -1 is nonsense. Close it."""

    def __init__(self, host: str, response: BaseHTTPResponse, deadline: Deadline, patience: Patience) -> None:
        self.host = host
        self.status = response.status
        self.location = response.headers.get("location", "")
        self.etag = response.headers.get("etag", "")
        self.content_range = response.headers.get("content-range", "")
        self.is_chunked = response.headers.get("transfer-encoding", "").lower() == "chunked"
        self.length = None if self.is_chunked else _length(response.headers)
        self._response = response
        self._deadline = deadline
        self._patience = patience

    def blocks(self) -> Iterator[bytes]:
        """The body as it is sent, at most 64 KiB at a time. Raises Interrupted when it is cut or too slow."""
        fresh = 0
        self._deadline.move(self._patience.window_s)
        while block := self._block():
            fresh += len(block)
            if fresh >= self._patience.window_bytes:
                fresh = 0
                self._deadline.move(self._patience.window_s)
            yield block

    def close(self) -> None:
        self._response.close()

    def refusal(self) -> PackageError | None:
        """What is wrong with an answer that is neither 200 nor 206, or whose body is not the plain file."""
        if self.status in _BUSY:
            return Interrupted(f"{self.host}: is not ready (HTTP {self.status}); try later, or {OFFLINE}")
        if self.status not in (200, 206):
            return PackageError(
                f"{self.host}: does not give the file (HTTP {self.status}); check the URL, or {OFFLINE}"
            )
        headers = self._response.headers
        coding = headers.get("content-encoding", "identity").lower()
        if coding != "identity" or headers.get("transfer-encoding", "chunked").lower() != "chunked":
            return PackageError(f"{self.host}: sends the file encoded, which is not accepted; {OFFLINE}")
        return _nonsense(self.host) if self.length == -1 else None

    def _block(self) -> bytes:
        try:
            return self._response.read1(BLOCK_BYTES, decode_content=False) or b""
        except (HTTPError, OSError) as error:
            raise _fault(self.host, error) from error


def get(url: str, hosts: Sequence[str], headers: Mapping[str, str], patience: Patience) -> Answer:
    """Asks for `url` and follows at most five redirects. hosts: `name` or `name:port` where they may lead.

    Raises PackageError for what cannot be, Interrupted for what another try may mend.
    """
    deadline = Deadline(patience.answer_s)
    asked = _parsed(url, f"{printable(url)}: ")
    places = {_place(asked), *(host if ":" in host else f"{host}:443" for host in hosts)}
    moved = ""
    for _ in range(REDIRECTS + 1):
        _check(asked, moved, places)
        answer = Answer(str(asked.host), _ask(asked, headers, deadline, patience), deadline, patience)
        if answer.status not in _MOVED:
            return answer
        answer.close()
        moved = f"{asked.host}: redirects to "
        asked = _parsed(answer.location, moved, asked.url)
    raise PackageError(f"{moved}the next one more than {REDIRECTS} times; {OFFLINE}")


def _parsed(url: str, moved: str, base: str = "") -> Url:
    try:
        return parse_url(urljoin(base, url))
    except ValueError as error:  # of urljoin, and LocationParseError
        raise PackageError(f"{moved}what is no address; only https:// is fetched; {OFFLINE}") from error


def _check(asked: Url, moved: str, places: set[str]) -> None:
    """Raises PackageError unless the URL is HTTPS, names nobody, and is of a host that was listed."""
    shown = f"{moved}{printable(f'{asked.scheme}://{asked.netloc}')}"
    if asked.scheme != "https" or not asked.host:
        raise PackageError(f"{shown}: only https:// is fetched; {OFFLINE}")
    if asked.auth:
        raise PackageError(f"{shown}: has a user name in it; take that out")
    if _place(asked) not in places:
        raise PackageError(f"{shown}, which is not among its hosts in the catalogue; {OFFLINE}")


def _place(url: Url) -> str:
    return f"{url.host}:{url.port or 443}"


def _ask(asked: Url, headers: Mapping[str, str], deadline: Deadline, patience: Patience) -> BaseHTTPResponse:
    sent = {"User-Agent": f"faceedge/{__version__}", "Accept-Encoding": "identity", "Connection": "close", **headers}
    pool = _pool(str(asked.host), deadline, patience)
    try:
        return pool.request("GET", asked.url, headers=sent, redirect=False, retries=False, preload_content=False)
    except (HTTPError, OSError) as error:
        raise _fault(str(asked.host), error) from error


def _pool(host: str, deadline: Deadline, patience: Patience) -> PoolManager:
    """Straight to the host, or through the proxy that the environment names."""
    timeout = Timeout(connect=patience.connect_s, read=patience.read_s)
    proxies = {} if proxy_bypass(host) else getproxies()
    address = proxies.get("https") or proxies.get("all")
    if not address:
        return PoolManager(ssl_context=_context(deadline), timeout=timeout)
    proxy = parse_url(address if "://" in address else f"http://{address}")
    if proxy.scheme not in ("http", "https") or not proxy.host:
        raise PackageError("HTTPS_PROXY: is no http:// or https:// address; mend it, or unset it")
    return ProxyManager(
        f"{proxy.scheme}://{proxy.netloc}",
        proxy_headers=make_headers(proxy_basic_auth=unquote(proxy.auth)) if proxy.auth else None,
        proxy_ssl_context=ssl.create_default_context(),
        ssl_context=_context(deadline),
        timeout=timeout,
    )


def _context(deadline: Deadline) -> ssl.SSLContext:
    """The system's authorities, names checked; every receiving call looks at the deadline."""

    class Hurried(ssl.SSLSocket):
        def recv_into(self, *args: Any, **options: Any) -> int:
            deadline.check()
            return super().recv_into(*args, **options)

    context = ssl.create_default_context()
    context.sslsocket_class = Hurried
    return context


def _fault(host: str, error: Exception) -> PackageError:
    """What went wrong on the wire, in words."""
    inner = error.args[0] if isinstance(error, SSLError) and error.args else None
    if isinstance(inner, ssl.SSLCertVerificationError):
        why = printable(inner.verify_message)
        return PackageError(f"{host}: its certificate is refused ({why}); check clock and network, or {OFFLINE}")
    if isinstance(error, ProxyError):
        return Unreachable(f"{host}: the proxy of HTTPS_PROXY does not lead there; mend it, or {OFFLINE}")
    if isinstance(error, (ConnectTimeoutError, NewConnectionError)):
        return Unreachable(f"{host}: cannot be reached; check network and name server, or {OFFLINE}")
    if isinstance(error, InvalidHeader):
        return _nonsense(host)
    return Interrupted(f"{host}: cut the connection or is too slow; run it again to go on from there, or {OFFLINE}")


def _nonsense(host: str) -> PackageError:
    return PackageError(f"{host}: does not answer as a web server does; check the URL, or {OFFLINE}")


def _length(headers: Mapping[str, str]) -> int | None:
    text = headers.get("content-length")
    if text is None:
        return None
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else -1


def printable(text: str) -> str:
    """What a server said, fit for a log: ASCII, without control characters, at most 120 characters."""
    return re.sub(r"[^ -~]", "?", text)[:120]
