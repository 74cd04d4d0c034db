"""The process of a camera may hang, die, lie or babble: we get a sentence in time, and nothing of it is left."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from faceedge.cameras.base import Wish
from faceedge.cameras.child import ChildCamera, Limits
from faceedge.cameras.uri import parse
from faceedge.errors import CameraError

FAKES = Path(__file__).parents[1] / "fakes"
QUICK = Limits(load_s=0.3, open_s=0.3, first_s=0.2, read_s=0.2, grace_s=0.1)
PATIENT = Limits(open_s=20.0, first_s=20.0, read_s=20.0)
URI = "rtsp://admin:hunter2@porch/live?token=secrettoken"


def bad_camera(manner: str, limits: Limits = PATIENT, uri: str = URI) -> ChildCamera:
    command = [sys.executable, "-I", "-S", str(FAKES / "bad_camera.py"), manner]
    return ChildCamera(parse(uri), uri, None, command, limits)


def all_of(camera: ChildCamera) -> str:
    """Reads until it fails; what was said then."""
    try:
        for _ in range(50):
            camera.read()
    except CameraError as error:
        return str(error)
    finally:
        camera.close()
    raise AssertionError("it never failed")


def children() -> list[str]:
    tasks = Path("/proc/self/task").glob("*/children")
    return [child for task in tasks for child in task.read_text().split()]


def is_gone(pid: int) -> bool:
    """Ended; whether its new parent has taken note is none of our business."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except FileNotFoundError:
        return True


def until(fact: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 10.0
    while not fact() and time.monotonic() < deadline:
        time.sleep(0.01)
    return fact()


def held() -> tuple[int, int, int]:
    return len(os.listdir("/proc/self/fd")), threading.active_count(), len(children())


@pytest.mark.parametrize(
    ("manner", "sentence"),
    [
        ("exits", "has ended"),
        ("dies", "has ended"),
        ("noise", "nonsense"),
        ("babbles", "nonsense"),
        ("loads for ever", "nonsense"),
        ("too big", "cannot be taken"),
        ("too wide", "cannot be taken"),
        ("empty", "cannot be taken"),
        ("huge", "cannot be taken"),
        ("from the future", "nonsense"),
        ("from the past", "nonsense"),
        ("no time", "nonsense"),
    ],
)
def test_a_process_that_dies_or_lies_is_a_fault_with_a_sentence_and_nothing_of_it_is_left(
    manner: str, sentence: str
) -> None:
    before = held()
    told = all_of(bad_camera(manner))
    assert sentence in told
    assert "rtsp://porch/…" in told or sentence == "cannot be taken"
    assert held() == before


@pytest.mark.parametrize(
    ("manner", "sentence"),
    [
        ("never loads", "not ready in time"),
        ("deaf", "not ready in time"),
        ("hangs at opening", "does not open in time"),
        ("never shows", "stopped"),
        ("stops", "stopped"),
    ],
)
def test_a_process_that_hangs_is_killed_in_time(manner: str, sentence: str) -> None:
    before, start = held(), time.monotonic()
    limits = QUICK if "ready" in sentence else Limits(open_s=0.3, first_s=0.3, read_s=0.3)
    assert sentence in all_of(bad_camera(manner, limits))
    assert time.monotonic() - start < 10.0
    assert held() == before


def test_libraries_that_load_slowly_cost_the_camera_none_of_its_time() -> None:
    """A board's first start: GStreamer looks through its plugins for longer than an opening may take."""
    camera = bad_camera("loads slowly", Limits(open_s=0.4))
    assert camera.read().shape == (4, 6, 3)
    camera.close()


def test_what_a_process_says_of_its_camera_shows_no_secret() -> None:
    told = all_of(bad_camera("refuses"))
    assert "cannot open" in told
    for secret in ("hunter2", "admin", "secrettoken", "x:y"):
        assert secret not in told


def test_a_process_that_floods_its_output_delivers_all_the_same() -> None:
    camera = bad_camera("floods")
    assert [camera.read().shape for _ in range(5)] == [(4, 6, 3)] * 5
    camera.close()


def test_a_process_cannot_cut_the_shared_memory_short_under_our_feet() -> None:
    assert "has ended" in all_of(bad_camera("shrinks"))


def test_a_command_that_cannot_be_started_is_a_fault_with_a_sentence() -> None:
    before = held()
    with pytest.raises(CameraError, match="does not start"):
        ChildCamera(parse(URI), URI, None, ["/nowhere/camera"])
    assert held() == before


@pytest.mark.parametrize("lacking", ["os.memfd_create", "mmap.mmap", "socket.socketpair", "subprocess.Popen"])
def test_a_camera_that_cannot_be_started_for_want_of_descriptors_or_memory_may_be_tried_again(
    lacking: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    before = held()
    monkeypatch.setattr(lacking, fails)
    with pytest.raises(CameraError, match="does not start: Too many open files"):
        bad_camera("exits")
    monkeypatch.undo()
    assert held() == before


def test_while_a_driver_holds_the_last_process_in_the_kernel_no_other_is_started(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def held_up(process: subprocess.Popen[bytes], timeout: float | None = None) -> int:
        raise subprocess.TimeoutExpired(process.args, timeout or 0.0)

    before = held()
    with monkeypatch.context() as kernel:
        kernel.setattr("subprocess.Popen.wait", held_up)
        kernel.setattr("subprocess.Popen.poll", lambda _: None)
        bad_camera("never loads").close()
        for _ in range(2):
            with pytest.raises(CameraError, match="cannot be killed"):
                bad_camera("never loads")
        bad_camera("never loads", uri="rtsp://yard/live").close()
    for uri in (URI, "rtsp://yard/live"):
        assert until(lambda: open_again(uri))  # noqa: B023
    assert held() == before


def open_again(uri: str) -> bool:
    try:
        bad_camera("never loads", uri=uri).close()
    except CameraError:
        return False
    return True


def test_what_the_process_has_started_itself_dies_with_it(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    camera = bad_camera("has children", uri=f"{URI}#{note}")
    camera.read()
    orphan = int(note.read_text())
    assert not is_gone(orphan)
    camera.close()
    assert until(lambda: is_gone(orphan))


def test_waiting_for_a_camera_gives_the_caller_back_his_turn() -> None:
    camera = bad_camera("never loads")
    for _ in range(3):
        start = time.monotonic()
        assert camera.take(0.02) is None
        assert time.monotonic() - start < 1.0
    camera.close()


def test_after_a_fault_and_after_closing_there_is_nothing_to_read_and_closing_again_does_nothing() -> None:
    camera = bad_camera("exits")
    for _ in range(2):
        with pytest.raises(CameraError):
            camera.read()
    camera.close()
    camera.close()
    with pytest.raises(CameraError, match="is closed"):
        camera.take(0.0)


def test_neither_arguments_nor_environment_of_the_process_hold_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEEDGE__CAMERA__0__URI", URI)
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/hunter2")
    camera = bad_camera("never loads")
    process = Path(f"/proc/{children()[-1]}")
    assert until(lambda: b"bad_camera" in (process / "cmdline").read_bytes())
    seen = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
    camera.close()
    for secret in (b"hunter2", b"admin", b"secrettoken", b"porch"):
        assert secret not in seen


@pytest.mark.parametrize(("asked", "is_fine"), [((6, 4), True), ((4, 6), False)])
def test_a_camera_that_delivers_another_size_than_it_was_asked_for_has_a_fault(
    asked: tuple[int, int], is_fine: bool
) -> None:
    command = [sys.executable, "-I", "-S", str(FAKES / "bad_camera.py"), "behaves"]
    camera = ChildCamera(parse(URI), URI, Wish(*asked), command, PATIENT)
    if is_fine:
        assert camera.read().shape == (4, 6, 3)
    else:
        with pytest.raises(CameraError, match="delivers 6 x 4 px, not the 4 x 6 it was asked for"):
            camera.read()
    camera.close()


def test_a_picture_belongs_to_us_and_is_not_changed_by_the_next() -> None:
    command = [sys.executable, str(FAKES / "standin_camera.py"), "fast"]
    camera = ChildCamera(parse("0"), "0", Wish(320, 240), command, PATIENT)
    pictures = [camera.read() for _ in range(200)]
    camera.close()
    # The writer paints row by row and never rests: a torn picture would have two levels.
    assert all((picture == picture[0, 0, 0]).all() for picture in pictures)
    assert len({int(picture[0, 0, 0]) for picture in pictures}) > 100
