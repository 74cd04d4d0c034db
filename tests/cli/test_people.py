"""`enroll` and `people`, from the first photo to the last trace."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.fakes.vision import Sitter, save


@pytest.fixture
def ada(tmp_path: Path) -> Path:
    return save(tmp_path / "ada.png", Sitter(1))


def test_enroll_answers_with_person_and_photos(run: Run, ada: Path, tmp_path: Path) -> None:
    dim = save(tmp_path / "dim.png", Sitter(1, 1, quality=0.5))
    answer = run("enroll", "Ada Lovelace", ada, dim, "--json")
    assert answer.code == 0
    document = answer.document
    assert document["person"]["name"] == "Ada Lovelace"
    assert document["person"]["templates"] == 2
    assert document["new"] is True
    assert document["photos"][0] == {
        "path": str(ada),
        "quality": pytest.approx(0.9, abs=0.01),
        "reasons": [],
        "added": True,
    }
    assert document["photos"][1]["reasons"] == ["too dark"]


def test_enroll_speaks_to_people(run: Run, ada: Path) -> None:
    answer = run("enroll", "Ada", ada)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out == f"{ada}  quality 0.90\nenrolled Ada: 1 template\n"
    again = run("enroll", "Ada", ada)
    assert again.out.endswith("(in the gallery already)\nextended Ada: 1 template\n")


def test_enroll_takes_a_folder(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for pose in range(3):
        save(folder / f"{pose}.png", Sitter(1, pose))
    assert run("enroll", "Ada", folder, "--json").document["person"]["templates"] == 3


def test_enroll_refuses_a_duplicate_until_told(run: Run, ada: Path) -> None:
    assert run("enroll", "Ada", ada).code == 0
    refusal = run("enroll", "Eve", ada, "--json")
    assert (refusal.code, refusal.out) == (2, "")
    assert "looks like 'Ada'" in refusal.err
    assert run("enroll", "Eve", ada, "--allow-duplicate").code == 0


def test_bad_input_ends_with_2_in_one_line_and_leaves_no_person(run: Run, ada: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()
    crowd, wall = save(tmp_path / "crowd.png", Sitter(1), Sitter(2)), save(tmp_path / "wall.png")
    for bad in (tmp_path / "nobody.jpg", tmp_path / "empty.jpg", "/dev/zero", crowd, wall):
        answer = run("enroll", "Ada", ada, bad)
        assert (answer.code, answer.out) == (2, "")
        assert str(bad) in answer.err
        assert "\n" not in answer.err
    assert run("people", "list", "--json").document == {"people": []}


def test_usage_errors_end_with_2(run: Run) -> None:
    assert run("enroll", "Ada").code == 2
    assert run("people", "dance").code == 2
    assert run("people", "set", "Ada").code == 2


def test_people_list_and_show(run: Run, ada: Path) -> None:
    person = run("enroll", "Ada", ada, "--json").document["person"]
    (listed,) = run("people", "list", "--json").document["people"]
    assert (listed["id"], listed["name"], listed["templates"]) == (person["id"], "Ada", 1)
    assert listed["created"].endswith("Z")
    shown = run("people", "show", "Ada", "--json").document
    assert run("people", "show", person["id"], "--json").document == shown
    (template,) = shown["templates"]
    assert set(template) == {"id", "created", "quality", "source", "space", "build", "dimension", "crop"}
    assert template["source"] == "ada.png"
    assert "Ada" in run("people", "list").out
    assert "ada.png" in run("people", "show", "Ada").out


def test_people_set_renames(run: Run, ada: Path) -> None:
    run("enroll", "Ada", ada)
    assert run("people", "set", "Ada", "--rename", "Ada King", "--json").document["name"] == "Ada King"
    assert run("people", "show", "Ada").code == 2
    assert run("people", "set", "Ada King", "--rename", "two\nlines").code == 2


def test_people_remove_erases(run: Run, ada: Path) -> None:
    person = run("enroll", "Ada", ada, "--json").document["person"]
    answer = run("people", "remove", "Ada", "--json")
    assert answer.document["removed"] == {"id": person["id"], "templates": 1, "crops": 1}
    assert run("people", "list", "--json").document == {"people": []}
    again = run("people", "remove", "Ada")
    assert again.code == 2
    assert "people list" in again.err


def test_an_empty_gallery_says_what_to_do(run: Run) -> None:
    assert "faceedge enroll" in run("people", "list").out


@pytest.mark.parametrize("argv", [("enroll",), ("people",), ("people", "set"), ("compare",), ("extract",)])
def test_help_teaches_with_an_example(run: Run, argv: tuple[str, ...]) -> None:
    answer = run(*argv, "--help")
    assert answer.code == 0
    assert "Example: faceedge " in answer.out
