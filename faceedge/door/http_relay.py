"""A relay of the network that opens for a GET, as Shelly, Tasmota and many others do. A thread of its own asks it.

Made by `faceedge door simulate --http-on`.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from math import ceil
from typing import Any

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager, Timeout, make_headers
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, LocationParseError
from urllib3.util import parse_url

from faceedge import __version__
from faceedge.door.relays import Order
from faceedge.errors import BadInput

ANSWER_S = 0.9
"""For the connection and the head of the answer together; below the time that latch.py waits for a relay."""
MOST_WAITING = 4
CLOSE_S = 2.0


class HttpRelay:
    """Two URLs. `{ms}` in them becomes the pulse, `{s}` the pulse in whole seconds, rounded up."""

    def __init__(self, on_url: str, off_url: str = "", user_password: str | None = None) -> None:
        """off_url: empty for a relay that counts for itself. Raises BadInput for URLs that cannot work."""
        for option, url in (("--http-on", on_url), ("--http-off", off_url)):
            if url:
                _check(option, url)
        if not off_url and "{ms}" not in on_url and "{s}" not in on_url:
            raise BadInput(
                "nothing would end the pulse: give --http-off, or {s} or {ms} in --http-on for its own timer"
            )
        self._on_url = on_url
        self._off_url = off_url
        self._headers = make_headers(user_agent=f"faceedge/{__version__}", basic_auth=user_password)
        self._http = PoolManager(num_pools=1, retries=False, timeout=Timeout(total=ANSWER_S))
        self._http.pool_classes_by_scheme = _pools(lambda: self._order.is_void)
        self._order = Order()
        """Being carried out."""
        self._waiting: queue.Queue[Callable[[], None] | None] = queue.Queue(MOST_WAITING)
        self._thread = threading.Thread(target=self._run, name="http relay", daemon=True)
        self._thread.start()

    def on(self, pulse_ms: int) -> Order:
        """Asks for the first URL, soon."""
        url = self._on_url.replace("{ms}", str(pulse_ms)).replace("{s}", str(ceil(pulse_ms / 1000)))
        return self._give(url)

    def off(self) -> Order:
        """Asks for the second URL, soon; without one the relay's own timer is trusted."""
        return self._give(self._off_url) if self._off_url else Order("")

    def close(self) -> str:
        """Off, and the thread ends, if the relay lets it."""
        order = self.off()
        try:
            self._waiting.put(None, timeout=CLOSE_S)
        except queue.Full:
            return "http: too slow"  # the thread hangs in the relay, and ends with the process
        self._thread.join(CLOSE_S)
        return "http: too slow" if order.why is None else order.why

    def _give(self, url: str) -> Order:
        order = Order()

        def ask() -> None:
            self._order = order
            order.why = "given up" if order.is_void else self._ask(url)

        try:
            self._waiting.put_nowait(ask)
        except queue.Full:
            order.why = "http: too slow"
        return order

    def _run(self) -> None:
        while (ask := self._waiting.get()) is not None:
            ask()

    def _ask(self, url: str) -> str:
        """Why it did not obey, without the URL, in which a secret may be. The body of the answer is not read."""
        try:
            answer = self._http.request(
                "GET", url, headers=self._headers, redirect=False, preload_content=False, decode_content=False
            )
            answer.close()
        except (HTTPError, OSError, ValueError) as error:
            return f"http: {type(error).__name__}"
        return "" if 200 <= answer.status < 300 else f"http: answer {answer.status}"


def _pools(is_void: Callable[[], bool]) -> dict[str, Any]:
    """Connections that ask nothing when the order was given up meanwhile: a name may take long to be looked up, and
    no timeout ends that. A door that opens then opens for whoever stands there by now.
    """

    def guarded(kind: Any) -> Any:
        class Guarded(kind):  # type: ignore[misc]
            def connect(self) -> None:
                super().connect()
                if is_void():
                    self.close()
                    raise TimeoutError("given up")

        return Guarded

    class Plain(HTTPConnectionPool):
        ConnectionCls = guarded(HTTPConnection)

    class Tls(HTTPSConnectionPool):
        ConnectionCls = guarded(HTTPSConnection)

    return {"http": Plain, "https": Tls}


def _check(option: str, url: str) -> None:
    try:
        parts = parse_url(url)
    except LocationParseError as error:
        raise BadInput(f"{option}: not a URL; it begins with http:// or https://") from error
    if parts.scheme not in ("http", "https") or not parts.host:
        raise BadInput(f"{option}: not a URL; it begins with http:// or https://")
    if parts.auth:
        raise BadInput(f"{option}: no password in the URL, every user of this machine can see it; use --http-password")
