"""Pairs are complete or drawn evenly, and nobody of the calibration set is among them."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from faceedge.errors import BadInput
from faceedge.quantize.pair_list import read_pairs
from faceedge.quantize.pairs import Pairs, all_pairs, digest_of, people_in, strangers

PEOPLE = np.array([0, 1, 0, 2, 1, 0])


def told(pairs: Pairs) -> set[tuple[int, int, bool]]:
    return {
        (min(one, two), max(one, two), same)
        for one, two, same in zip(pairs.first.tolist(), pairs.second.tolist(), pairs.same.tolist(), strict=True)
    }


def photographed(folder: Path, **people: int) -> Path:
    for name, count in people.items():
        (folder / name).mkdir(parents=True)
        for number in range(count):
            (folder / name / f"{number}.jpg").write_bytes(f"{name} {number}".encode())
    return folder


def listed(folder: Path, *rows: str, head: str = "imgA,imgB,same") -> Path:
    path = folder / "pairs.csv"
    path.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    return path


def test_all_pairs_are_all_pairs_once() -> None:
    expected = {(i, j, bool(PEOPLE[i] == PEOPLE[j])) for i, j in combinations(range(6), 2)}
    pairs = all_pairs(PEOPLE, seed=0)
    assert told(pairs) == expected
    assert len(pairs.same) == 15


def test_too_many_pairs_are_drawn_without_repeats_and_by_seed() -> None:
    people = np.repeat(np.arange(30), 8)
    pairs = all_pairs(people, seed=1, genuine=100, impostors=500)
    assert len(told(pairs)) == 600
    assert int(pairs.same.sum()) == 100
    assert (people[pairs.first] == people[pairs.second]).tolist() == pairs.same.tolist()
    assert told(pairs) == told(all_pairs(people, seed=1, genuine=100, impostors=500))
    assert told(pairs) != told(all_pairs(people, seed=2, genuine=100, impostors=500))


def test_drawn_pairs_touch_every_person_about_equally_often() -> None:
    people = np.repeat(np.arange(20), 10)
    pairs = all_pairs(people, seed=3, impostors=4000)
    counts = np.bincount(np.concatenate([people[pairs.first[~pairs.same]], people[pairs.second[~pairs.same]]]))
    assert counts.min() > 0.8 * 400
    assert counts.max() < 1.2 * 400


def test_one_person_with_most_photos_costs_no_memory() -> None:
    people = np.concatenate([np.zeros(20_000, np.int64), [1]])
    pairs = all_pairs(people, seed=0)
    assert int(pairs.same.sum()) == 200_000
    assert int((~pairs.same).sum()) == 20_000


def test_photos_without_a_face_take_their_pairs_with_them() -> None:
    keep = np.array([True, True, False, True, True, True])
    left, people = all_pairs(PEOPLE, seed=0).only(keep), PEOPLE[keep]
    assert told(left) == {(i, j, bool(people[i] == people[j])) for i, j in combinations(range(5), 2)}


def test_a_folder_of_people_is_read_by_name(tmp_path: Path) -> None:
    folder = photographed(tmp_path, ada=2, bob=1, nobody=0)
    (folder / "ada" / "notes.txt").write_text("no photo")
    (folder / "ada" / ".0.jpg").write_text("hidden")
    found = people_in(folder)
    assert found.names == ("ada", "bob")
    assert found.people.tolist() == [0, 0, 1]
    assert [image.name for image in found.images] == ["0.jpg", "1.jpg", "0.jpg"]


@pytest.mark.parametrize(("people", "words"), [({"ada": 3}, "fewer than two people"), ({}, "fewer than two people")])
def test_a_folder_that_cannot_make_pairs_is_refused(tmp_path: Path, people: dict[str, int], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        people_in(photographed(tmp_path, **people))


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be listed"):
        people_in(tmp_path / "nowhere")


def test_people_of_the_calibration_set_are_named_and_dropped(tmp_path: Path) -> None:
    labelled = people_in(photographed(tmp_path, ada=2, Bob=2, cyd=2, dan=1))
    digests = [digest_of(image) for image in labelled.images]
    keep, dropped = strangers(labelled, digests, names=["bob", "zoe"], seen=[digests[4], digests[0]])
    assert [(who.name, who.reason.split(" has ")[0][:20]) for who in dropped] == [
        ("Bob", "has a folder of that"),
        ("cyd", "has a photo that is "),
    ]
    left = labelled.only(keep)
    assert [image.parent.name for image in left.images] == ["ada", "ada", "dan"]
    assert left.people.tolist() == [1, 1, 3]


def test_names_are_compared_as_people_read_them(tmp_path: Path) -> None:
    labelled = people_in(photographed(tmp_path, Zoë=1, ada=1))
    keep, dropped = strangers(labelled, ["1", "2"], names=["zoe\u0308"], seen=[])
    assert [who.name for who in dropped] == ["Zoë"]
    assert keep.sum() == 1


def test_a_list_of_pairs_leaves_out_what_is_suspect(tmp_path: Path) -> None:
    path = listed(
        tmp_path, "a/1.jpg,a/2.jpg,1,0", "a/1.jpg,b/1.jpg,0,0", "b/1.jpg,c/1.jpg,1,1", head="imgA,imgB,same,suspect"
    )
    labelled, pairs = read_pairs(path, tmp_path)
    assert [str(image.relative_to(tmp_path)) for image in labelled.images] == ["a/1.jpg", "a/2.jpg", "b/1.jpg"]
    assert labelled.people.tolist() == [0, 0, 1]
    assert labelled.names == ("a", "b")
    assert told(pairs) == {(0, 1, True), (0, 2, False)}


def test_folders_that_the_list_calls_one_person_are_one_person(tmp_path: Path) -> None:
    labelled, _ = read_pairs(listed(tmp_path, "a/1.jpg,b/1.jpg,1", "a/2.jpg,c/1.jpg,0"), tmp_path)
    assert labelled.people.tolist() == [0, 0, 0, 1]


def test_in_one_flat_folder_only_the_list_says_who_is_who(tmp_path: Path) -> None:
    labelled, _ = read_pairs(listed(tmp_path, "1.jpg,2.jpg,1", "2.jpg,3.jpg,0", "2.jpg,4.jpg,1"), tmp_path)
    assert labelled.people.tolist() == [0, 0, 1, 0]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("a/1.jpg,b/1.jpg,yes", "line 2: same must be 0 or 1"),
        ("/etc/passwd,b/1.jpg,0", "line 2: .* no path below"),
        ("a/../../1.jpg,b/1.jpg,0", "line 2: .* no path below"),
        ("a/1.jpg", "line 2: '' is no path"),
        ("a/1.jpg,a/1.jpg,1", "line 2: a photo is paired with itself"),
        ("", "no pairs in it"),
    ],
)
def test_a_bad_line_is_refused_by_number(tmp_path: Path, row: str, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        read_pairs(listed(tmp_path, row), tmp_path)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"a,b\n1,2\n", b""])
def test_what_is_no_list_of_pairs_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "pairs.csv"
    path.write_bytes(content)
    with pytest.raises(BadInput):
        read_pairs(path, tmp_path)


@pytest.mark.assets
def test_the_projects_own_lists_are_read(assets: Path) -> None:
    dev = assets / "data" / "dev"
    labelled, pairs = read_pairs(dev / "pairs.csv", dev)
    assert len(pairs.same) == 1078
    assert len(labelled.names) == 38
    labelled, pairs = read_pairs(dev / "lfw" / "pairs.csv", dev)
    assert len(pairs.same) == 1800 - 4
    assert (labelled.people[pairs.first] == labelled.people[pairs.second]).tolist() == pairs.same.tolist()
