"""Which package serves a role: the configuration, then what was activated, then the built-in one."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from faceedge.errors import StoreError
from faceedge.models import active
from faceedge.models.active import FILE, Standing, chosen, stand, standing


def test_the_built_in_networks_serve_until_something_is_chosen(tmp_path: Path) -> None:
    assert chosen("detector", "", tmp_path) == "dlib-mmod"
    assert chosen("recognizer", "", tmp_path) == "dlib-resnet"
    assert chosen("quality", "", tmp_path) == ""
    assert not (tmp_path / "models").exists()


def test_the_configuration_wins_over_what_was_activated(tmp_path: Path) -> None:
    stand("detector", Standing(active="yunet@n"), tmp_path)
    assert chosen("detector", "", tmp_path) == "yunet@n"
    assert chosen("detector", "retinaface", tmp_path) == "retinaface"
    stand("quality", Standing(active="lightqnet@1"), tmp_path)
    assert chosen("quality", "none", tmp_path) == ""


def test_one_role_is_chosen_without_touching_the_others(tmp_path: Path) -> None:
    stand("detector", Standing(active="a@1", previous="b@1"), tmp_path)
    stand("recognizer", Standing(active="c@1"), tmp_path)
    assert standing("detector", tmp_path) == Standing(active="a@1", previous="b@1")
    assert standing("recognizer", tmp_path) == Standing(active="c@1")


def test_two_who_choose_at_once_do_not_undo_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write, order = active.write_whole, []
    second = threading.Thread(target=stand, args=("recognizer", Standing(active="c@1"), tmp_path))

    def slowly(path: Path, content: bytes) -> None:
        order.append(threading.current_thread())
        if threading.current_thread() is not second:
            second.start()
            second.join(0.2)
        write(path, content)

    monkeypatch.setattr(active, "write_whole", slowly)
    stand("detector", Standing(active="a@1"), tmp_path)
    second.join()
    assert order[1:] == [second]
    assert standing("detector", tmp_path).active == "a@1"
    assert standing("recognizer", tmp_path).active == "c@1"


@pytest.mark.parametrize("content", ["detector = 7", "[detector]\nactve = 'x'", "[", "[liveness]\nactive = 'x'"])
def test_a_damaged_choice_is_refused_with_the_way_out(tmp_path: Path, content: str) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / FILE).write_text(content)
    with pytest.raises(StoreError, match="delete it to go back to the built-in models") as caught:
        chosen("detector", "", tmp_path)
    assert "\n" not in str(caught.value)


def test_a_choice_that_cannot_be_written_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file")
    with pytest.raises(StoreError, match="nothing was activated"):
        stand("detector", Standing(active="a@1"), tmp_path)
