"""A key is replaced while the door goes on working, and a crash at any moment leaves a door that can be opened."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from faceedge.config import Door
from faceedge.door import rotation
from faceedge.door.challenges import Challenges
from faceedge.door.contract import DoorKey, Grant, fresh_token, seal
from faceedge.door.keys import key_path, keys_of, load_keys, make_key, next_path, read_key
from faceedge.door.verifier import Verifier
from faceedge.errors import BadInput, StoreError
from tests.door.conftest import ADDRESS
from tests.fakes.clock import FakeClock

DOOR = Door(name="main", controllers=("inner",))
AT = ("main", "inner")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A device with one controller."""
    make_key(tmp_path, *AT)
    return tmp_path


def opens(state: Path, controller_keys: tuple[DoorKey, ...]) -> bool:
    """Whether the device as it would start now opens a controller that has these keys."""
    clock = FakeClock()
    verifier = Verifier(ADDRESS, controller_keys, clock)
    known = Challenges(load_keys(state, [DOOR])[AT], clock)
    known.receive(verifier.challenge())
    heard = known.fresh()
    if heard is None:
        return False
    grant = Grant(
        id=fresh_token(), dev="dev", door="main", ctl="inner", kid=heard.key.kid, n=heard.nonce, ttl_ms=1500,
        reason="match", sub="", pulse_ms=100,
    )  # fmt: skip
    return verifier.judge(seal(heard.key, grant)).opens


def test_in_a_rotation_the_door_opens_with_the_old_key_with_both_and_with_the_new_one(state: Path) -> None:
    (old,) = keys_of(state, *AT)
    new, _ = rotation.begin(state, *AT)
    assert load_keys(state, [DOOR]) == {AT: (old, new)}
    assert [opens(state, keys) for keys in ((old,), (old, new), (new, old), (new,))] == [True] * 4
    assert rotation.finish(state, *AT) == (old, new)
    assert keys_of(state, *AT) == (new,)
    assert [opens(state, keys) for keys in ((new,), (new, old), (old,))] == [True, True, False]


def test_a_stranger_s_key_opens_at_no_time_of_a_rotation(state: Path) -> None:
    stranger = (DoorKey(b"x" * 32),)
    rotation.begin(state, *AT)
    assert not opens(state, stranger)
    rotation.finish(state, *AT)
    assert not opens(state, stranger)


def test_a_cancelled_rotation_leaves_all_as_it_was(state: Path) -> None:
    (old,) = keys_of(state, *AT)
    new, path = rotation.begin(state, *AT)
    assert rotation.cancel(state, *AT) == (old, new)
    assert keys_of(state, *AT) == (old,)
    assert not path.exists()
    assert not opens(state, (new,))


def test_the_new_key_is_private_and_lies_beside_the_old_one(state: Path) -> None:
    key, path = rotation.begin(state, *AT)
    assert path == next_path(state, *AT) == state / "keys" / "door-main.inner.next.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_key(path) == key


def test_a_second_rotation_is_refused_until_the_first_has_ended(state: Path) -> None:
    new, _ = rotation.begin(state, *AT)
    with pytest.raises(StoreError, match="door key finish"):
        rotation.begin(state, *AT)
    assert keys_of(state, *AT)[1] == new
    rotation.finish(state, *AT)
    rotation.begin(state, *AT)


@pytest.mark.parametrize("step", [rotation.finish, rotation.cancel])
def test_what_was_not_begun_cannot_be_ended(state: Path, step: object) -> None:
    with pytest.raises(StoreError, match="no rotation is under way"):
        step(state, *AT)  # type: ignore[operator]


def test_without_a_first_key_there_is_nothing_to_rotate(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="missing"):
        rotation.begin(tmp_path, *AT)
    assert rotation.on_disk(tmp_path) == set()


@pytest.mark.parametrize("step", [rotation.begin, rotation.finish, rotation.cancel])
@pytest.mark.parametrize("breaks", ["fsync", "link", "replace", "unlink"])
def test_a_crash_in_any_step_leaves_a_door_that_its_old_or_its_new_key_opens(
    state: Path, step: object, breaks: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The controller changes its key only after `begin`, and may have either one when a rotation ends."""
    (old,) = keys_of(state, *AT)
    holders = [old]
    if step is not rotation.begin:
        holders.append(rotation.begin(state, *AT)[0])

    def crash(*_: object, **__: object) -> None:
        raise OSError(5, "power is gone")

    with monkeypatch.context() as patch:
        patch.setattr(os, breaks, crash)
        try:
            step(state, *AT)  # type: ignore[operator]
            was_cut = False
        except (OSError, StoreError):
            was_cut = True
    keys = keys_of(state, *AT)
    assert keys[0] in holders
    usable = [holder for holder in holders if opens(state, (holder,))]
    assert usable
    if was_cut and step is not rotation.begin and len(keys) == 2:
        step(state, *AT)  # type: ignore[operator]  # tried again, it comes to its end
        assert len(keys_of(state, *AT)) == 1


def test_a_new_key_that_others_can_read_stops_the_start_by_name(state: Path) -> None:
    _, path = rotation.begin(state, *AT)
    path.chmod(0o644)
    with pytest.raises(StoreError, match=r"next\.key.*chmod 600"):
        load_keys(state, [DOOR])


def test_an_unfinished_rotation_is_nagged_about(state: Path) -> None:
    assert rotation.notices(load_keys(state, [DOOR])) == []
    rotation.begin(state, *AT)
    (notice,) = rotation.notices(load_keys(state, [DOOR]))
    assert "faceedge door key finish main --controller inner" in notice


def test_every_controller_is_listed_with_what_is_wrong_with_it(state: Path) -> None:
    make_key(state, "rear", "main")
    make_key(state, "shed", "main")
    key_path(state, "shed", "main").chmod(0o640)
    rotation.begin(state, *AT)
    (state / "keys" / "door-.bad.key").touch()
    doors = [DOOR, Door(name="rear", controllers=("main", "missing"))]
    rows = {(row.door, row.controller): row for row in rotation.holdings(state, doors)}
    assert list(rows) == [AT, ("rear", "main"), ("rear", "missing"), ("shed", "main")]
    assert rows[AT].is_rotating
    assert rows[AT].named
    assert "missing" in rows["rear", "missing"].fault
    assert "chmod 600" in rows["shed", "main"].fault
    assert not rows["shed", "main"].named
    assert rows["rear", "main"].fault == rows["rear", "main"].next_kid == ""


def test_removing_takes_both_keys(state: Path) -> None:
    rotation.begin(state, *AT)
    rotation.remove(state, *AT)
    assert list((state / "keys").iterdir()) == []


def test_the_only_controller_of_a_door_need_not_be_named(state: Path) -> None:
    assert rotation.the_controller(state, "main", None) == "inner"
    make_key(state, "main", "outer")
    with pytest.raises(BadInput, match="inner, outer"):
        rotation.the_controller(state, "main", None)
    assert rotation.the_controller(state, "main", "outer") == "outer"
    with pytest.raises(BadInput, match="has no key"):
        rotation.the_controller(state, "rear", None)
