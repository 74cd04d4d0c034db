"""`enroll` for a folder of people, with a contact sheet, and from a camera."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import pytest

from faceedge.jobs.contact import TILE_PX
from tests.cli.conftest import Run
from tests.fakes.vision import FakeVision, Sitter, photo, save


@pytest.fixture
def people(tmp_path: Path) -> Path:
    folder = tmp_path / "people"
    for who, name in enumerate(("Ada", "Bob"), start=1):
        (folder / name).mkdir(parents=True)
        save(folder / name / "0.png", Sitter(who))
    return folder


def test_a_folder_is_enrolled_and_answers_0(run: Run, people: Path) -> None:
    answer = run("enroll", "--folder", people)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.splitlines() == [
        "Ada  enrolled  1 template, 1 new",
        "Bob  enrolled  1 template, 1 new",
        "2 of 2 enrolled, 0 refused",
    ]
    assert "unchanged" in run("enroll", "--folder", people).out


def test_some_refused_answers_2_names_them_and_keeps_the_others(run: Run, people: Path) -> None:
    save(people / "Bob" / "crowd.png", Sitter(2), Sitter(3))
    answer = run("enroll", "--folder", people, "--json")
    assert answer.code == 2
    assert [one["person"]["name"] for one in answer.document["enrolled"]] == ["Ada"]
    (refused,) = answer.document["refused"]
    assert (refused["name"], "2 faces found" in refused["reason"]) == ("Bob", True)
    assert "1 of 2 enrolled, 1 refused; the others are kept" in run("enroll", "--folder", people).out


def test_words_that_do_not_go_together_are_refused(run: Run, people: Path) -> None:
    assert run("enroll", "Ada", "--folder", people).code == 2
    assert run("enroll", "Ada", people / "Ada", "--camera", "0").code == 2
    assert run("enroll").code == 2


def test_an_option_may_stand_between_name_and_photos(run: Run, people: Path) -> None:
    assert run("enroll", "Ada", "--json", people / "Ada").document["person"]["name"] == "Ada"


def test_a_look_alike_is_told_by_name(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeVision, "look_alike", 0.3)
    run("enroll", "Ada", save(tmp_path / "a.png", Sitter(1)))
    like = save(tmp_path / "e.png", Sitter(1, 200))
    document = run("enroll", "Eve", like, "--json").document
    (other,) = document["look_alikes"]
    assert (other["name"], other["similarity"] >= 0.3) == ("Ada", True)
    assert "looks like Ada (0." in run("enroll", "Eve", like).out


def test_the_sheet_shows_every_photo_also_of_a_refusal(run: Run, people: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.png"
    photos = [save(tmp_path / "dim.png", Sitter(1, quality=0.2)), people / "Ada" / "0.png", save(tmp_path / "wall.png")]
    answer = run("enroll", "Ada", *photos, "--sheet", sheet)
    assert answer.code == 2
    assert "dim.png" in answer.err
    picture = cv2.imread(str(sheet))
    assert picture is not None
    assert picture.shape[1] == 2 * TILE_PX
    assert picture.shape[0] > 2 * TILE_PX


def clip(folder: Path, poses: int) -> str:
    folder.mkdir()
    for seq in range(poses):
        cv2.imwrite(str(folder / f"{seq:03}.png"), photo(Sitter(1, seq)))
    return f"images:{folder}"


def test_a_camera_enrols_five_shots(run: Run, tmp_path: Path) -> None:
    sheet = tmp_path / "shots.png"
    answer = run("enroll", "Ada", "--camera", clip(tmp_path / "clip", 30), "--yes", "--json", "--sheet", sheet)
    assert answer.code == 0, answer.err
    assert answer.document["person"]["templates"] == 5
    assert [one["path"] for one in answer.document["photos"]] == [f"shot {number}" for number in range(1, 6)]
    assert sheet.exists()


def test_a_camera_is_called_by_its_name_so_that_its_password_need_not_be_typed(run: Run, tmp_path: Path) -> None:
    config = tmp_path / "faceedge.toml"
    config.write_text(f'[[camera]]\nname = "porch"\nuri = "{clip(tmp_path / "clip", 30)}"\n')
    answer = run("enroll", "Ada", "--camera", "porch", "--yes", "--json", "--config", config)
    assert answer.code == 0, answer.err
    assert answer.document["person"]["templates"] == 5


def test_a_clip_that_ends_too_early_says_what_stood_in_the_way(run: Run, tmp_path: Path) -> None:
    answer = run("enroll", "Ada", "--camera", clip(tmp_path / "clip", 4), "--yes")
    assert answer.code == 2
    assert "with 2 of 5 good shots" in answer.err
    assert "move your head a little" in answer.err
    assert run("people", "list", "--json").document == {"people": []}


def test_without_a_terminal_a_camera_needs_a_yes(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    answer = run("enroll", "Ada", "--camera", clip(tmp_path / "clip", 30))
    assert answer.code == 2
    assert "--yes" in answer.err


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("said", "code", "people"), [("n\n", 1, 0), ("", 1, 0), ("y\n", 0, 1)])
def test_the_operator_decides(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, code: int, people: int
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(said))
    answer = run("enroll", "Ada", "--camera", clip(tmp_path / "clip", 30))
    assert answer.code == code
    shots = Path(answer.err.split("until you answer: ")[1].splitlines()[0])
    assert not shots.exists(), "faces are not left in the temporary folder"
    assert len(run("people", "list", "--json").document["people"]) == people
