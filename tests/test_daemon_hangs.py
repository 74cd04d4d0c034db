"""What a running daemon does with a part that hangs, dies, or does nothing but fail; made-up networks, real threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from faceedge import house as houses
from faceedge.care import Care
from faceedge.config import Config
from faceedge.daemon import BEGIN_ANEW, Daemon
from faceedge.errors import StoreError
from faceedge.gallery.base import Origin
from faceedge.gallery.store import Gallery
from faceedge.health import heartbeat
from faceedge.health.starts import Starts
from faceedge.journal.chain import Chain
from faceedge.journal.reading import entries, reading
from faceedge.safe_mode import SafeMode
from faceedge.seams import Seams, Stage
from tests.fakes.vision import Sitter, template
from tests.test_daemon_capture import FakeNetworks

ADA = 1
LIMIT_S = 20.0


class Networks(FakeNetworks):
    """Note how often they were opened anew."""

    def __init__(self) -> None:
        self.renewed: list[str] = []
        self.proved = 0

    def renew(self, role: str) -> None:
        self.renewed.append(role)

    def prove(self, width: int, height: int) -> None:
        assert (width, height) == (480, 270)
        self.proved += 1


class Living:
    """A daemon in a thread. trouble: runs in a stage, by its name, before every batch."""

    def __init__(self, state: Path, trouble: Callable[[str], None], care: Care | None = None) -> None:
        self.state = state
        self.told: list[dict[str, Any]] = []
        self.left: list[tuple[float, int]] = []
        self.code: int | None = None
        self.began = 0.0
        config = Config.model_validate({
            "camera": [{"name": "entry", "uri": f"images:{state.parent / 'entry'}", "loop": True}],
            "decide": {"cooldown_s": 0, "motion": False},  # pictures without a texture never move
        })  # fmt: skip
        self._trouble = trouble
        seams = Seams(stage=self._stage, leave=self._leave)
        self.daemon = Daemon(config, state, state, self.told.append, seams=seams, care=care)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def wait(self, happened: Callable[[], object]) -> None:
        limit = time.monotonic() + LIMIT_S
        while not happened():
            assert time.monotonic() < limit, "it did not happen"
            time.sleep(0.01)

    def end(self) -> int | None:
        self._thread.join(LIMIT_S)
        return self.code

    def stop(self) -> int | None:
        self.daemon.stop()
        return self.end()

    def decided(self) -> int:
        return sum(event["event"] == "decision" for event in self.told)

    def noted(self, kind: str) -> list[dict[str, Any]]:
        with reading(self.state / "journal.db") as connection:
            return [dict(entry.body) for entry in entries(connection) if entry.draft.kind == kind]

    def _run(self) -> None:
        self.code = self.daemon.run()

    def _leave(self, code: int) -> None:
        self.left.append((time.monotonic(), code))

    def _stage(self, name: str, work: Stage) -> Stage:
        def troubled(items: Sequence[Any]) -> list[Any]:
            if items:
                self._trouble(name)
            return work(items)

        return troubled


@pytest.fixture
def networks(monkeypatch: pytest.MonkeyPatch) -> Networks:
    made = Networks()
    monkeypatch.setattr(houses, "open_vision", lambda *_, **__: made)
    return made


@pytest.fixture
def state(tmp_path: Path, networks: Networks) -> Path:
    """Ada is enrolled, and stands before the camera."""
    state = tmp_path / "state"
    with Gallery.open(state) as gallery:
        ada = gallery.add_person("Ada")
        gallery.add_template(ada.id, template(Sitter(ADA, 99)), Origin(0.9, "photo", "fake0build00"))
    (tmp_path / "entry").mkdir()
    for number in range(12):
        picture = np.random.default_rng(number).integers(0, 255, (112, 112, 3), np.uint8)
        picture[0, 0] = (230, number, ADA)
        cv2.imwrite(str(tmp_path / "entry" / f"{number}.png"), picture)
    return state


Start = Callable[..., Living]


@pytest.fixture
def start(state: Path) -> Iterator[Start]:
    """Begins a daemon, which ends with the test at the latest."""
    made: list[Living] = []

    def begin(trouble: Callable[[str], None], care: Care | None = None) -> Living:
        made.append(Living(state, trouble, care))
        return made[-1]

    yield begin
    for living in made:
        living.stop()


@pytest.mark.parametrize("place", ["detect", "recognise", "journal"])
def test_a_part_that_hangs_ends_the_process_with_75_and_says_so_in_the_journal(
    start: Start, state: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("faceedge.pipeline.SILENCE_S", 0.5)
    monkeypatch.setattr("faceedge.journal.writer.SILENCE_S", 0.5)
    gate, hung = threading.Event(), list[float]()

    def hang(at: str) -> None:
        if at == place and living.decided() >= 1 and not gate.is_set():
            hung.append(time.monotonic())
            gate.wait(LIMIT_S)

    plain = Chain.append

    def append(self: Chain, drafts: Any, *, seal: bool = False) -> Any:
        hang("journal")
        return plain(self, drafts, seal=seal)

    monkeypatch.setattr(Chain, "append", append)
    living = start(hang)
    living.wait(lambda: living.left)
    at, code = living.left[0]
    gate.set()
    assert living.end() == code == 75
    assert at - hung[0] < 0.5 + 1.0, "half a second of silence, half a one for the last words"
    alert = {"what": "hang", "on": True, "why": f"{place} makes no progress"}
    assert {"event": "alert", **alert} in living.told
    if place != "journal":
        assert living.noted("alert") == [alert]


def test_last_words_that_hang_too_are_cut_short(start: Start, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("faceedge.pipeline.SILENCE_S", 0.3)
    monkeypatch.setattr("faceedge.daemon.LEAVE_WITHIN_S", 0.2)
    gate = threading.Event()

    def hang(_at: str) -> None:
        gate.wait(LIMIT_S)

    living = start(hang)
    monkeypatch.setattr("faceedge.journal.notes.Notes.hang", lambda *_: gate.wait(LIMIT_S))
    living.wait(lambda: living.left)
    assert not gate.is_set()
    gate.set()
    assert living.end() == 75


def test_a_stage_that_raises_now_and_then_begins_anew_and_its_engines_stay(
    start: Start, state: Path, networks: Networks
) -> None:
    seen: list[str] = []

    def trouble(at: str) -> None:
        seen.append(at)
        if at == "detect" and seen.count("detect") % 5 == 0:
            raise RuntimeError("now and then")

    living = start(trouble)
    living.wait(lambda: living.decided() >= 2)
    assert living.stop() == 0
    assert networks.renewed == []
    assert networks.proved == 1, "before it was ready"


def test_after_three_faults_in_a_row_the_engines_are_opened_anew(start: Start, state: Path, networks: Networks) -> None:
    def trouble(at: str) -> None:
        if at == "recognise" and not networks.renewed:
            raise RuntimeError("until it is opened anew")

    living = start(trouble)
    living.wait(lambda: living.decided() >= 1)
    faults = living.daemon._house.pipeline.hearts["recognise"].faults.total()
    assert living.stop() == 0
    assert (networks.renewed, faults) == (["recognizer"], 3)


def test_a_stage_that_does_nothing_but_fail_ends_the_process(
    start: Start, state: Path, networks: Networks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "FAILING_S", 0.4)

    def trouble(at: str) -> None:
        if at == "detect":
            raise RuntimeError("for ever")

    living = start(trouble)
    assert living.end() == 75
    assert networks.renewed[:2] == ["detector", "quality"]
    assert living.noted("alert")[0]["why"] == "detect does nothing but fail"


def test_a_safe_mode_is_told_and_left_when_the_configuration_changes(start: Start, state: Path) -> None:
    file = ["one"]
    config = Config.model_validate({"camera": [{"uri": "0"}]})
    care = Care(state, config, Starts(state), SafeMode("x is wrong", "last", ("back",)), lambda: file[0])
    living = start(lambda at: None, care)
    living.wait(lambda: living.decided() >= 1)
    shown = living.daemon._house.report.state()
    assert shown["safe_mode"] == {"on": True, "why": "x is wrong", "cameras": "last"}
    assert "safe mode: no camera looks at door back, it stays shut" in shown["notices"]
    assert living.daemon._house.report.status() == "cameras: 1 of 1; doors: 0; safe mode"
    file[0] = "two"
    assert living.end() == BEGIN_ANEW
    assert [event["on"] for event in living.told if event["event"] == "alert"] == [True]
    assert living.noted("alert") == [{"what": "safe_mode", "on": True, "why": "x is wrong"}]


def test_a_safe_mode_is_not_left_while_that_would_lift_a_lockdown(
    start: Start, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    file, asked = ["one"], list[str]()
    config = Config.model_validate({"camera": [{"uri": "0"}]})
    care = Care(state, config, Starts(state), SafeMode("x is wrong", "last"), lambda: asked.append("") or file[0])
    living = start(lambda at: None, care)
    living.wait(lambda: living.decided() >= 1)
    with monkeypatch.context() as disk:
        disk.setattr("faceedge.lockdown.write_whole", refuse)
        disk.setattr(Path, "touch", refuse)
        with pytest.raises(StoreError):
            living.daemon._house.lockdown.switch(True)
        file[0], asked[:] = "two", []
        living.wait(lambda: len(asked) >= 2)
        assert living.code is None
        with pytest.raises(StoreError):
            living.daemon._begin_anew()  # as the command reload does
        assert living.daemon._house.lockdown.is_on
    assert living.stop() == 0
