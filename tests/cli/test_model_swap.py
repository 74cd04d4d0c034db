"""`faceedge model activate` beside a daemon that runs: it is asked, followed, and left alone by Ctrl-C."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from faceedge.cli import model_swap
from faceedge.jobs import swap_line
from faceedge.jobs.site import Site
from faceedge.jobs.swap_line import Progress, held, write_progress
from faceedge.jobs.swapper import Swapper
from faceedge.models.active import standing
from tests.cli.conftest import Run
from tests.jobs.swap_site import NEW, OLD, FakeHost, made, site

__all__ = ["made", "site"]


@pytest.fixture
def host(site: Site) -> Iterator[FakeHost]:
    """Of a daemon that runs, and carries out what it is asked."""
    host = FakeHost(site)
    noted: list[dict[str, Any]] = []
    swapper = Swapper(site, host, noted.append)
    with held(site.state):
        swapper.start()
        yield host
        swapper.stop()
    host.close()


def test_a_daemon_that_runs_is_asked_and_serves_at_once(run: Run, site: Site, host: FakeHost) -> None:
    answer = run("model", "activate", NEW, "--json")
    assert (answer.code, answer.document["live"], answer.document["changed"]) == (0, True, True)
    assert (answer.document["role"], answer.document["before"]) == ("recognizer", OLD)
    out = run("model", "rollback", "recognizer").out
    assert out.startswith(f"{OLD} is the recogniser now, in place of {NEW}")
    assert run("model", "activate", OLD).out == f"{OLD} is the recogniser already\n"


def test_what_a_trial_has_shown_is_told_in_lines(run: Run, host: FakeHost) -> None:
    out = run("model", "activate", NEW, "--shadow", "1", "--canary", "0.5").out
    assert host.tried == [(60.0, 0.5)]
    assert "shadow: agreement 98.0% of the shots by which either lets somebody in" in out.splitlines()


def test_why_a_daemon_refuses_is_told_and_the_old_one_serves(run: Run, site: Site, host: FakeHost) -> None:
    host.verdict = "they disagree"
    answer = run("model", "activate", NEW, "--canary", "0.1")
    assert (answer.code, answer.err.splitlines()[-1]) == (2, "they disagree")
    assert answer.err.startswith("shadow: agreement 98.0%")
    assert standing("recognizer", site.state).active == OLD


def test_ctrl_c_leaves_the_swap_going(run: Run, host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def wait(call: str) -> None:
        begun.set()
        go_on.wait(20)

    def interrupted(name: str, state: object, told: Callable[[Progress], None]) -> Progress:
        assert begun.wait(20)
        raise KeyboardInterrupt

    host.at = wait
    monkeypatch.setattr(swap_line, "follow", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run("model", "activate", NEW)
    said = run("model", "list").out
    assert f"a swap is under way, {NEW}, prepare" in said
    assert run("model", "activate", OLD).err == "another swap is under way; wait for it: faceedge model list"
    go_on.set()


def test_what_a_daemon_that_has_gone_left_is_no_swap_under_way(run: Run, site: Site) -> None:
    write_progress(Progress(id="0" * 16, step="prepare"), site.state)
    assert run("model", "list", "--json").document["swap"] is None


def test_without_a_daemon_the_choice_is_on_trial_from_the_next_start(run: Run, site: Site) -> None:
    answer = run("model", "activate", NEW)
    assert answer.out.startswith(f"{NEW} is the recogniser from the next start on, in place of {OLD}")
    rows = {row["package"]: row for row in run("model", "list", "--json").document["models"]}
    assert (rows[NEW]["on_trial"], rows[OLD]["on_trial"]) == (True, False)
    assert f"{NEW} is on trial" in run("model", "list").out


@pytest.mark.parametrize("words", [("--canary", "2"), ("--shadow", "-1"), ("--canary", "nan"), ("--shadow", "soon")])
def test_numbers_that_cannot_be_are_refused(run: Run, words: tuple[str, str]) -> None:
    answer = run("model", "activate", NEW, *words)
    assert answer.code == 2
    assert "is no number from 0 to" in answer.err


def test_the_bar_shows_each_of_the_five_steps() -> None:
    lines = [(model_swap._line(step, "x"), model_swap._overall(step, 0.5)) for step in ("stage", "retire")]
    assert lines == [("1/5 stage: x", 0.1), ("5/5 retire: x", 0.9)]
