"""Downloads against a server that cuts, lies, trickles and leads astray: the right file arrives, or nothing does."""

from __future__ import annotations

import datetime
import gc
import hashlib
import os
import resource
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from faceedge.errors import PackageError
from faceedge.models import download, exact
from faceedge.models.catalogue import Entry
from faceedge.models.download import Progress, fetch, from_folder
from faceedge.models.https import Patience
from tests.fakes.https_server import (
    RESET,
    Answer,
    Authority,
    HttpsServer,
    Request,
    chunked,
    in_turn,
    reply,
    serves,
)

BODY = np.random.default_rng(4).bytes(200_000)
OTHER = np.random.default_rng(5).bytes(200_000)
DIGEST = hashlib.sha256(BODY).hexdigest()
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"a" * 64 + b"\nsize 200000\n"
PATIENT = Patience(pauses_s=(1.0, 2.0), sleep=lambda seconds: None)
HASTY = replace(PATIENT, read_s=0.15, answer_s=0.3, window_s=0.3)
Serve = Callable[[Answer], HttpsServer]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def certificate(authority: Authority) -> Path:
    return authority.signed()


@pytest.fixture(autouse=True)
def _trusted(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    for name in ("https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def serve(certificate: Path) -> Iterator[Serve]:
    servers = []

    def start(answer: Answer) -> HttpsServer:
        servers.append(HttpsServer(certificate, answer))
        return servers[-1]

    yield start
    for server in servers:
        server.__exit__(None, None, None)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "here").mkdir()
    return tmp_path / "here"


def fetched(
    server: HttpsServer | str, folder: Path, *, size: int | None = len(BODY), hosts: tuple[str, ...] = (),
    patience: Patience = PATIENT, progress: Progress | None = None,
) -> Path:  # fmt: skip
    url = server if isinstance(server, str) else server.url()
    return fetch(url, folder / "net.onnx", sha256=DIGEST, size=size, hosts=hosts, patience=patience, progress=progress)


def refused(server: HttpsServer | str, folder: Path, *, host: str = "localhost", **options: object) -> str:
    """The one line that says why, and names the host."""
    with pytest.raises(PackageError) as caught:
        fetched(server, folder, **options)  # type: ignore[arg-type]
    line = str(caught.value)
    assert "\n" not in line
    assert line.isprintable()
    assert host in line
    return line


def always(*blocks: bytes) -> Answer:
    return lambda request: blocks


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def begun(folder: Path, content: bytes, etag: str = '"one"') -> Path:
    """What an earlier run left."""
    part = folder / "net.onnx.part"
    part.write_bytes(content)
    (folder / "net.onnx.part.etag").write_text(etag)
    return part


# --- the right file ---


def test_the_whole_file_arrives_and_nothing_lies_beside_it(serve: Serve, folder: Path) -> None:
    server = serve(serves(BODY))
    assert fetched(server, folder).read_bytes() == BODY
    assert names(folder) == ["net.onnx"]
    head = server.requests[0].head
    assert head["accept-encoding"] == "identity"
    assert not {"authorization", "cookie", "range"} & set(head)


@pytest.mark.parametrize("size", [None, len(BODY)])
@pytest.mark.parametrize(
    "body", [reply(200, BODY), reply(200, chunked(BODY[:70_000], BODY[70_000:]), Transfer_Encoding="chunked")]
)
def test_a_file_whose_length_the_server_does_not_say_arrives(
    serve: Serve, folder: Path, body: bytes, size: int | None
) -> None:
    assert fetched(serve(always(body)), folder, size=size).read_bytes() == BODY


def test_a_file_that_is_right_already_is_not_asked_for(serve: Serve, folder: Path) -> None:
    (folder / "net.onnx").write_bytes(BODY)
    server = serve(serves(BODY))
    fetched(server, folder)
    assert server.requests == []


def test_a_wrong_file_of_that_name_is_replaced(serve: Serve, folder: Path) -> None:
    (folder / "net.onnx").write_bytes(OTHER)
    assert fetched(serve(serves(BODY)), folder).read_bytes() == BODY


def test_progress_rises_to_the_end_in_few_steps(serve: Serve, folder: Path) -> None:
    told: list[tuple[str, float]] = []
    fetched(serve(serves(BODY)), folder, progress=lambda text, share: told.append((text, share)))
    shares = [share for _, share in told]
    assert shares == sorted(shares)
    assert told[-1] == ("net.onnx: 0.2 of 0.2 MB", 1.0)
    assert len(told) <= 201


# --- cut and resumed ---


@pytest.mark.parametrize("offset", [1, 4095, 65_536, 131_073, len(BODY) - 1])
def test_a_cut_file_goes_on_where_it_stopped(serve: Serve, folder: Path, offset: int) -> None:
    server = serve(in_turn(serves(BODY, cut_at=offset), serves(BODY)))
    assert fetched(server, folder).read_bytes() == BODY
    assert server.requests[1].head["range"] == f"bytes={offset}-"
    assert server.requests[1].head["if-range"] == '"one"'
    assert names(folder) == ["net.onnx"]


def test_a_connection_that_is_reset_is_tried_again_after_the_given_pauses(serve: Serve, folder: Path) -> None:
    slept: list[float] = []
    server = serve(in_turn(serves(BODY, cut_at=90_000, ends=RESET), serves(BODY, cut_at=150_000), serves(BODY)))
    assert fetched(server, folder, patience=replace(PATIENT, sleep=slept.append)).read_bytes() == BODY
    assert slept == [1.0, 2.0]


def test_what_was_cut_too_often_is_kept_for_the_next_run(serve: Serve, folder: Path) -> None:
    line = refused(serve(serves(BODY, cut_at=50_000)), folder, patience=replace(PATIENT, pauses_s=()))
    assert "cut the connection" in line
    assert "--from DIR" in line
    part = folder / "net.onnx.part"
    assert part.read_bytes() == BODY[:50_000]
    assert stat.S_IMODE(part.stat().st_mode) == 0o600
    server = serve(serves(BODY))
    assert fetched(server, folder).read_bytes() == BODY
    assert server.requests[0].start == 50_000


def test_a_whole_part_is_only_checked(serve: Serve, folder: Path) -> None:
    begun(folder, BODY)
    server = serve(serves(BODY))
    fetched(server, folder)
    assert server.requests == []
    assert names(folder) == ["net.onnx"]


def test_a_server_that_ignores_ranges_begins_anew(serve: Serve, folder: Path) -> None:
    begun(folder, OTHER[:50_000])
    server = serve(always(reply(200, BODY, Content_Length=len(BODY))))
    assert fetched(server, folder).read_bytes() == BODY
    assert server.requests[0].start == 50_000


def test_a_file_that_changed_since_begins_anew(serve: Serve, folder: Path) -> None:
    begun(folder, OTHER[:50_000], '"old"')
    server = serve(serves(BODY, '"new"'))
    assert fetched(server, folder).read_bytes() == BODY
    assert [request.head.get("if-range") for request in server.requests] == ['"old"']


def test_a_rest_of_another_file_is_not_taken(serve: Serve, folder: Path) -> None:
    begun(folder, BODY[:50_000], '"old"')
    rest = reply(206, OTHER[50_000:], ETag='"new"', Content_Range=f"bytes 50000-{len(BODY) - 1}/{len(BODY)}")
    server = serve(in_turn(always(rest), serves(BODY)))
    told: list[float] = []
    assert fetched(server, folder, progress=lambda _, share: told.append(share)).read_bytes() == BODY
    assert server.requests[1].start == 0
    assert told.count(1.0) == 1


def test_pieces_that_do_not_fit_are_fetched_anew(serve: Serve, folder: Path) -> None:
    begun(folder, OTHER[:50_000])
    server = serve(serves(BODY))
    assert fetched(server, folder).read_bytes() == BODY
    assert [request.start for request in server.requests] == [50_000, 0]


def test_a_weak_etag_vouches_for_nothing(serve: Serve, folder: Path) -> None:
    server = serve(in_turn(serves(BODY, 'W/"one"', cut_at=1000), serves(BODY, 'W/"one"')))
    assert fetched(server, folder).read_bytes() == BODY
    assert server.requests[1].start == 1000
    assert "if-range" not in server.requests[1].head


def test_more_than_the_server_has_begins_anew(serve: Serve, folder: Path) -> None:
    begun(folder, BODY[:50_000])
    server = serve(in_turn(always(reply(416, Content_Length=0)), serves(BODY)))
    assert fetched(server, folder).read_bytes() == BODY


@pytest.mark.parametrize(
    "span", ["", "bytes 0-199999/200000", "bytes 50001-199999/200000", "bytes 50000-60000/200000", "bytes 5-x/*"]
)
def test_a_range_that_was_not_asked_for_is_refused(serve: Serve, folder: Path, span: str) -> None:
    begun(folder, BODY[:50_000])
    assert "another range" in refused(serve(always(reply(206, BODY[50_000:], Content_Range=span))), folder)
    assert names(folder) == []


def test_a_part_that_nobody_asked_for_is_refused(serve: Serve, folder: Path) -> None:
    answer = reply(206, BODY, Content_Range=f"bytes 0-{len(BODY) - 1}/{len(BODY)}")
    assert "another range" in refused(serve(always(answer)), folder)


def test_an_interrupt_keeps_what_has_come(serve: Serve, folder: Path) -> None:
    def stop(_text: str, share: float) -> None:
        if share > 0.4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetched(serve(serves(BODY)), folder, progress=stop)
    kept = (folder / "net.onnx.part").read_bytes()
    assert len(kept) > 80_000
    assert BODY.startswith(kept)
    fetched(serve(serves(BODY)), folder)


# --- lies ---


def test_another_file_leaves_nothing_of_it_and_what_was_there_alone(serve: Serve, folder: Path) -> None:
    (folder / "net.onnx").write_bytes(b"older")
    assert "sha256 differs" in refused(serve(serves(OTHER)), folder)
    assert names(folder) == ["net.onnx"]
    assert (folder / "net.onnx").read_bytes() == b"older"


@pytest.mark.parametrize("head", [{}, {"Transfer_Encoding": "chunked"}])
@pytest.mark.parametrize("size", [None, len(BODY)])
def test_a_body_without_end_is_stopped_at_the_bound(
    serve: Serve, folder: Path, monkeypatch: pytest.MonkeyPatch, head: dict[str, str], size: int | None
) -> None:
    for module in (download, exact):
        monkeypatch.setattr(module, "MOST_BYTES", 300_000)

    def endless(request: Request) -> Iterator[bytes]:
        yield reply(200, **head)
        while not request.closing.is_set():
            yield chunked(OTHER, ends=False) if head else OTHER

    largest = 0

    def look(_text: str, _share: float) -> None:
        nonlocal largest
        largest = max(largest, (folder / "net.onnx.part").stat().st_size)

    bound = size or 300_000
    assert f"more than {bound} bytes" in refused(serve(endless), folder, size=size, progress=look)
    assert names(folder) == []
    assert 0 < largest <= bound


@pytest.mark.parametrize("body", [BODY + b"x", BODY[:-1]])
def test_a_body_of_another_length_than_the_catalogues_is_refused(serve: Serve, folder: Path, body: bytes) -> None:
    answer = reply(200, chunked(body), Transfer_Encoding="chunked")
    server = serve(always(answer))
    assert "bytes" in refused(server, folder)
    assert names(folder) == []
    assert len(server.requests) == 1


@pytest.mark.parametrize("length", [len(BODY) + 1, len(BODY) - 1, 0, 10**18, -5, "many"])
def test_another_length_than_the_catalogues_is_refused_at_once(serve: Serve, folder: Path, length: int | str) -> None:
    told: list[float] = []
    server = serve(always(reply(200, BODY, Content_Length=length)))
    line = refused(server, folder, progress=lambda _, share: told.append(share))
    assert "bytes, not" in line or "does not answer as" in line
    assert told == []
    assert len(server.requests) == 1
    assert names(folder) == []


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # urllib3 leaves this socket to the GC
def test_two_lengths_are_refused(serve: Serve, folder: Path) -> None:
    server = serve(always(reply(200, BODY, Content_Length=f"{len(BODY)}, 7")))
    assert "does not answer as" in refused(server, folder)
    assert len(server.requests) == 1
    gc.collect()


def test_a_file_too_long_for_one_without_a_size_is_refused_at_once(serve: Serve, folder: Path) -> None:
    answer = reply(200, BODY, Content_Length=512_000_001)
    assert "at most 512000000" in refused(serve(always(answer)), folder, size=None)
    assert names(folder) == []


def test_a_login_page_does_not_cost_what_has_come(serve: Serve, folder: Path) -> None:
    part = begun(folder, BODY[:50_000])
    page = b"<html>please log in</html>"
    refused(serve(always(reply(200, page, Content_Length=len(page)))), folder)
    assert part.read_bytes() == BODY[:50_000]


@pytest.mark.parametrize("head", [{"Content_Encoding": "gzip"}, {"Transfer_Encoding": "gzip, chunked"}])
def test_an_encoded_body_is_refused(serve: Serve, folder: Path, head: dict[str, str]) -> None:
    assert "encoded" in refused(serve(always(reply(200, BODY, **head))), folder)
    assert names(folder) == []


@pytest.mark.parametrize(
    ("answer", "size"),
    [
        (reply(200, POINTER, Content_Length=len(POINTER)), len(BODY)),
        (reply(200, chunked(POINTER), Transfer_Encoding="chunked"), len(BODY)),
        (reply(200, POINTER), len(BODY)),
        (reply(200, POINTER), None),
    ],
)
def test_a_git_lfs_pointer_is_named(serve: Serve, folder: Path, answer: bytes, size: int | None) -> None:
    assert "Git LFS pointer" in refused(serve(always(answer)), folder, size=size)
    assert names(folder) == []


@pytest.mark.parametrize(("status", "tries"), [(404, 1), (403, 1), (204, 1), (304, 1), (500, 3), (503, 3), (429, 3)])
def test_a_server_that_says_no_is_named_with_its_answer(serve: Serve, folder: Path, status: int, tries: int) -> None:
    server = serve(always(reply(status, b"no", Content_Length=2)))
    assert f"HTTP {status}" in refused(server, folder)
    assert len(server.requests) == tries
    assert names(folder) == []


def test_garbage_instead_of_an_answer_is_refused(serve: Serve, folder: Path) -> None:
    refused(serve(always(b"\x15\x03\x01 SSH-2.0\r\n\r\n")), folder)
    assert names(folder) == []


# --- where it leads ---


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("https://127.0.0.1:{port}/net.onnx", "not among its hosts"),
        ("https://localhost/net.onnx", "not among its hosts"),
        ("https://localhost.:{port}/net.onnx", "not among its hosts"),
        ("http://localhost:{port}/net.onnx", "only https://"),
        ("file:///etc/passwd", "only https://"),
        ("https://me:secret@localhost:{port}/net.onnx", "user name"),
        ("https://[", "no address"),
        ("/there", "more than 5 times"),
        ("", "more than 5 times"),
        ("https://e\x1b[31mvil/", "redirects to"),
    ],
)
def test_a_redirect_astray_is_refused(serve: Serve, folder: Path, location: str, words: str) -> None:
    def answer(request: Request) -> list[bytes]:
        return [reply(302, Location=location.format(port=server.port), Content_Length=0)]

    server = serve(answer)
    line = refused(server, folder)
    assert words in line
    assert "secret" not in line
    assert len(server.requests) <= 6
    assert names(folder) == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_a_listed_host_is_followed_from_the_start_at_every_try(
    serve: Serve, folder: Path, status: int
) -> None:
    second = serve(in_turn(serves(BODY, cut_at=1000), serves(BODY)))
    first = serve(always(reply(status, Location=second.url("/deep/x.onnx", "127.0.0.1"), Content_Length=0)))
    fetched(first, folder, hosts=(f"127.0.0.1:{second.port}",))
    assert (folder / "net.onnx").read_bytes() == BODY
    assert [len(server.requests) for server in (first, second)] == [2, 2]
    assert second.requests[1].start == 1000


def test_a_host_that_is_listed_without_a_port_is_listed_for_that_of_https(serve: Serve, folder: Path) -> None:
    second = serve(serves(BODY))
    first = serve(always(reply(302, Location=second.url(host="127.0.0.1"), Content_Length=0)))
    assert "not among its hosts" in refused(first, folder, hosts=("127.0.0.1",))
    assert second.requests == []


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://localhost/net.onnx", "only https://"),
        ("ftp://localhost/net.onnx", "only https://"),
        ("net.onnx", "only https://"),
        ("https://", "only https://"),
        ("https://me:secret@localhost/net.onnx", "user name"),
    ],
)
def test_what_is_no_https_address_is_refused(folder: Path, url: str, words: str) -> None:
    line = refused(url, folder, host="")
    assert words in line
    assert "secret" not in line


# --- who it is ---


def test_a_certificate_of_a_stranger_is_refused(folder: Path, tmp_path: Path) -> None:
    with HttpsServer(Authority(tmp_path, "somebody else").signed(), serves(BODY)) as server:
        assert "certificate is refused" in refused(server, folder)
        assert server.requests == []
    assert names(folder) == []


@pytest.mark.parametrize(
    ("name", "valid_h", "words"), [("localhost", -1, "expired"), ("elsewhere.example", 1, "Hostname mismatch")]
)
def test_a_certificate_out_of_date_or_of_another_host_is_refused(
    authority: Authority, folder: Path, name: str, valid_h: int, words: str
) -> None:
    with HttpsServer(authority.signed(name, datetime.timedelta(hours=valid_h)), serves(BODY)) as server:
        assert words in refused(server, folder)
        assert server.requests == []


def test_where_there_is_no_network_it_says_so_at_once_and_names_the_way_without(folder: Path) -> None:
    slept: list[float] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    line = refused(f"https://localhost:{port}/net.onnx", folder, patience=replace(PATIENT, sleep=slept.append))
    assert "cannot be reached" in line
    assert "--from DIR" in line
    assert slept == []
    assert names(folder) == []


# --- who is slow ---


def trickled(before: bytes, block: bytes, pause_s: float) -> Answer:
    """A server that is never silent for long and never gets anywhere."""

    def answer(request: Request) -> Iterator[bytes]:
        yield before
        while not request.closing.wait(pause_s):
            yield block

    return answer


@pytest.mark.parametrize(
    "answer",
    [
        trickled(b"HTTP/1.1 200 OK\r\n", b"", 0.02),
        trickled(b"HTTP/1.1 200 OK\r\nX: ", b"a", 0.02),
        trickled(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.02),
        trickled(reply(200, BODY[:1000], Content_Length=len(BODY)), b"", 0.02),
        trickled(reply(200, b"", Content_Length=len(BODY)), BODY[:1], 0.02),
        trickled(reply(200, chunked(BODY)[:-2], Transfer_Encoding="chunked"), b"X: trailer\r\n", 0.02),
    ],
    ids=["no head", "slow head", "continue", "no body", "slow body", "slow trailer"],
)
def test_a_server_that_stalls_or_trickles_is_left(serve: Serve, folder: Path, answer: Answer) -> None:
    started = time.monotonic()
    assert "too slow" in refused(serve(answer), folder, patience=replace(HASTY, pauses_s=()))
    assert time.monotonic() - started < 3


def test_a_server_that_is_slow_but_steady_is_waited_for(serve: Serve, folder: Path) -> None:
    def steady(request: Request) -> Iterator[bytes]:
        yield reply(200, Content_Length=len(BODY))
        for at in range(0, len(BODY), 10_000):
            request.closing.wait(0.03)
            yield BODY[at : at + 10_000]

    patience = replace(PATIENT, answer_s=0.5, window_s=0.5, window_bytes=10_000, pauses_s=())
    assert fetched(serve(steady), folder, patience=patience).read_bytes() == BODY


# --- this machine ---


@contextmanager
def small_files(most_bytes: int) -> Iterator[None]:
    """A disk that is full, as far as a process can tell."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_named_and_is_not_kept_full(serve: Serve, folder: Path) -> None:
    server = serve(serves(BODY))
    with small_files(100_000):
        line = refused(server, folder, host=str(folder))
    assert "no space left" in line
    assert names(folder) == []
    assert len(server.requests) == 1


def test_two_at_once_do_not_write_one_file(serve: Serve, folder: Path) -> None:
    has_begun, go_on = threading.Event(), threading.Event()

    def held(request: Request) -> Iterator[bytes]:
        yield reply(200, BODY[:100_000], Content_Length=len(BODY))
        has_begun.set()
        go_on.wait(5)
        yield BODY[100_000:]

    server = serve(held)
    first = threading.Thread(target=fetched, args=(server, folder))
    first.start()
    assert has_begun.wait(5)
    assert "another download" in refused(server, folder, host=str(folder))
    go_on.set()
    first.join(5)
    assert (folder / "net.onnx").read_bytes() == BODY
    assert len(server.requests) == 1
    assert names(folder) == ["net.onnx"]


@pytest.mark.parametrize("kind", ["link", "second name", "pipe", "folder"])
def test_a_part_that_is_no_plain_file_is_refused(serve: Serve, folder: Path, tmp_path: Path, kind: str) -> None:
    victim, part = tmp_path / "victim", folder / "net.onnx.part"
    victim.write_bytes(b"precious")
    make = {
        "link": lambda: part.symlink_to(victim),
        "second name": lambda: part.hardlink_to(victim),
        "pipe": lambda: os.mkfifo(part),
        "folder": part.mkdir,
    }
    make[kind]()
    server = serve(serves(BODY))
    refused(server, folder, host=str(part))
    assert victim.read_bytes() == b"precious"
    assert server.requests == []


def test_a_folder_in_place_of_the_file_is_named(serve: Serve, folder: Path) -> None:
    (folder / "net.onnx").mkdir()
    refused(serve(serves(BODY)), folder, host=str(folder))


@contextmanager
def proxy() -> Iterator[tuple[int, list[str]]]:
    """A proxy that connects to this machine only; port, and the heads of what it was asked."""
    heads: list[str] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def pump(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while block := source.recv(65536):
                sink.sendall(block)
            sink.shutdown(socket.SHUT_WR)

    def run() -> None:
        with suppress(OSError):
            client, _ = listener.accept()
            with client:
                heads.append(client.recv(4096).decode())
                port = int(heads[0].split(" ")[1].rpartition(":")[2])
                with socket.create_connection(("127.0.0.1", port)) as server:
                    client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                    back = threading.Thread(target=pump, args=(server, client))
                    back.start()
                    pump(client, server)
                    back.join(5)

    thread = threading.Thread(target=run)
    thread.start()
    yield listener.getsockname()[1], heads
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(5)


def test_a_proxy_of_the_environment_is_used_and_sees_no_more_than_the_host(
    serve: Serve, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(serves(BODY))
    with proxy() as (port, heads):
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:secret@127.0.0.1:{port}")
        assert fetched(server, folder).read_bytes() == BODY
    assert heads[0].startswith(f"CONNECT localhost:{server.port} ")
    assert "Proxy-Authorization: Basic" in heads[0] or "proxy-authorization: basic" in heads[0].lower()
    assert "proxy-authorization" not in server.requests[0].head


def test_a_host_that_needs_no_proxy_is_asked_without(
    serve: Serve, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "localhost")
    assert fetched(serve(serves(BODY)), folder).read_bytes() == BODY


@pytest.mark.parametrize("address", ["http://127.0.0.1:1", "socks5://127.0.0.1:1"])
def test_a_proxy_that_does_not_work_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("HTTPS_PROXY", address)
    assert "HTTPS_PROXY" in refused("https://localhost/net.onnx", folder, host="")


# --- from a folder ---


def an_entry(**changes: object) -> Entry:
    parts: dict[str, object] = {
        "name": "net", "version": "1", "role": "detector", "recipe": "yunet", "licence": "MIT", "sha256": DIGEST,
        "size": len(BODY), "url": "https://example.org/net.onnx", "good_for": "tests",
    }  # fmt: skip
    return Entry.model_validate(parts | changes)


@pytest.mark.parametrize("name", ["net.onnx", "renamed.bin"])
def test_a_file_is_found_in_a_folder_by_name_or_content(folder: Path, name: str) -> None:
    (folder / "another.onnx").write_bytes(OTHER)
    (folder / name).write_bytes(BODY)
    assert from_folder(an_entry(), folder) == folder / name


def test_the_right_file_of_another_name_stands_in_for_a_wrong_one(folder: Path) -> None:
    (folder / "net.onnx").write_bytes(OTHER)
    (folder / "net (1).onnx").write_bytes(BODY)
    assert from_folder(an_entry(), folder).name == "net (1).onnx"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "No such file"),
        (OTHER, "sha256 differs"),
        (BODY[:-1], "199999 bytes, not 200000"),
        (POINTER, "Git LFS pointer"),
    ],
)
def test_a_folder_without_the_right_file_is_refused(folder: Path, content: bytes | None, words: str) -> None:
    if content is not None:
        (folder / "net.onnx").write_bytes(content)
    with pytest.raises(PackageError) as caught:
        from_folder(an_entry(), folder)
    assert words in str(caught.value)
    assert "https://example.org/net.onnx" in str(caught.value)


def test_pipes_devices_and_folders_are_never_read(folder: Path) -> None:
    (folder / "net.onnx").symlink_to("/dev/zero")
    os.mkfifo(folder / "pipe")
    (folder / "below").mkdir()
    (folder / "gone").symlink_to(folder / "nowhere")
    with pytest.raises(PackageError, match="is not a file"):
        from_folder(an_entry(), folder)


def test_a_folder_that_is_not_there_is_named(folder: Path) -> None:
    with pytest.raises(PackageError, match="no such folder"):
        from_folder(an_entry(), folder / "nowhere")
