"""A plan is handed out only when it is whole, signed here, and built for what is wanted; else it is set aside."""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest

from faceedge.backends import plan
from faceedge.backends.fingerprint import BuildOptions, typing_of
from faceedge.backends.guarded import Refused, engines_key, mac, read_signed, signed
from faceedge.backends.plan import (
    Fingerprint,
    Place,
    Reading,
    fingerprint_of,
    keep_plan,
    kept_until_better,
    place_of,
    read_plan,
)
from faceedge.errors import BadInput, EngineError
from tests.fakes.plans import BUILD, KEY, MACHINE, PLAN, aside, fingerprint, kept, options, place

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


def read(where: Place, wanted: Fingerprint | None = None, key: bytes = KEY) -> Reading:
    return read_plan(where, wanted or fingerprint(), key, MACHINE.power_mode)


def refused(where: Place, words: str, wanted: Fingerprint | None = None, key: bytes = KEY) -> None:
    reading = read(where, wanted, key)
    assert reading.plan is None
    assert words in reading.reason
    assert reading.reason.isprintable()
    assert not os.path.lexists(where.plan)
    assert not os.path.lexists(where.sidecar)
    assert read(where).reason == "no engine has been built yet"


def test_a_plan_comes_back_as_it_was_kept(tmp_path: Path) -> None:
    where = kept(tmp_path)
    assert read(where) == Reading(PLAN)
    assert where.plan.stat().st_mode & 0o777 == where.sidecar.stat().st_mode & 0o777 == 0o600


def test_it_lies_beside_its_sidecar_in_a_folder_of_its_package(tmp_path: Path) -> None:
    where = kept(tmp_path)
    assert where.plan == tmp_path / "engines" / "toy@1" / "0123456789ab-fp16.plan"
    assert where.sidecar == tmp_path / "engines" / "toy@1" / "0123456789ab-fp16.json"


def test_a_plan_that_served_comes_back_when_the_new_one_must_not_serve(tmp_path: Path) -> None:
    where = kept(tmp_path)

    def built_anew() -> None:
        with kept_until_better(where):
            newer = tmp_path / "newer"
            newer.write_bytes(b"another plan")
            keep_plan(where, newer, fingerprint(), KEY)
            raise EngineError("wrong answers")

    with pytest.raises(EngineError, match="wrong answers"):
        built_anew()
    assert read(where) == Reading(PLAN)
    assert sorted(path.name for path in where.folder.iterdir()) == [where.sidecar.name, where.plan.name]


def test_a_better_plan_takes_the_place_of_the_one_before_and_leaves_nothing_of_it(tmp_path: Path) -> None:
    where = kept(tmp_path)
    with kept_until_better(where):
        newer = tmp_path / "newer"
        newer.write_bytes(b"another plan")
        keep_plan(where, newer, fingerprint(), KEY)
    assert read(where) == Reading(b"another plan")
    assert sorted(path.name for path in where.folder.iterdir()) == [where.sidecar.name, where.plan.name]


def test_a_first_build_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(EngineError), kept_until_better(place(tmp_path)):
        raise EngineError("out of tactics")
    assert read(place(tmp_path)).plan is None


def test_where_nothing_was_built_nothing_is_set_aside(tmp_path: Path) -> None:
    assert read(place(tmp_path)) == Reading(None, "no engine has been built yet")


@pytest.mark.parametrize("label", ["../toy@1", "toy/../..", "", "toy@1\n", "Toy@1", ".toy@1"])
def test_a_label_that_is_none_leads_nowhere(tmp_path: Path, label: str) -> None:
    with pytest.raises(BadInput):
        place_of(tmp_path, label, BUILD, "fp16")


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda content: content[:-1], "bytes instead of"),
        (lambda content: content + b"\0", "more than the"),
        (lambda content: b"X" + content[1:], "the plan was altered"),
        (lambda content: b"", "bytes instead of"),
    ],
)
def test_a_plan_that_changed_is_set_aside(tmp_path: Path, damage, words: str) -> None:
    where = kept(tmp_path)
    where.plan.write_bytes(damage(PLAN))
    refused(where, words)
    assert aside(where) == ["0123456789ab-fp16.json.bad-1", "0123456789ab-fp16.plan.bad-1"]


@pytest.mark.parametrize("path", ["plan", "sidecar"])
def test_half_a_pair_is_set_aside(tmp_path: Path, path: str) -> None:
    where = kept(tmp_path)
    getattr(where, path).unlink()
    refused(where, "the plan")


def test_a_plan_of_another_device_is_set_aside(tmp_path: Path) -> None:
    where = kept(tmp_path, key=engines_key(bytes(32)))
    refused(where, "signed by another device")


def test_nothing_is_parsed_before_its_signature_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where = kept(tmp_path)
    where.sidecar.write_bytes(where.sidecar.read_bytes().replace(b"10.3.0", b"10.3.1"))
    monkeypatch.setattr(plan, "_File", None)
    refused(where, "altered")


@pytest.mark.parametrize(
    ("field", "value"),
    [("tensorrt", "10.3.1"), ("cuda", "12.8"), ("l4t", "36.5.0"), ("module", "another"), ("l4t", "")],
)
def test_a_machine_that_changed_asks_for_a_new_plan(tmp_path: Path, field: str, value: str) -> None:
    where = kept(tmp_path)
    changed = dataclasses.replace(MACHINE, **{field: value})
    refused(where, f"built for {field} {getattr(MACHINE, field)}, this is {value or 'unknown'}", fingerprint(changed))


def test_a_graph_that_changed_asks_for_a_new_plan(tmp_path: Path) -> None:
    refused(kept(tmp_path), "built for graph_sha256", fingerprint(graph=b"another graph"))


@pytest.mark.parametrize(
    "change",
    [
        {"precision": "int8"}, {"workspace_mib": 65}, {"optimisation_level": 2},
        {"profile": {"x": ((1, 3, 8, 8), (2, 3, 8, 8), (8, 3, 8, 8))}},
    ],
)  # fmt: skip
def test_a_recipe_that_changed_asks_for_a_new_plan(tmp_path: Path, change) -> None:
    refused(kept(tmp_path), "other options", fingerprint(**change))


def test_a_pair_of_another_build_does_not_serve_for_this_one(tmp_path: Path) -> None:
    other = fingerprint_of("ba9876543210", "0" * 64, options(), MACHINE)
    refused(kept(tmp_path, wanted=other), "built for build ba9876543210")


def test_a_changed_power_mode_is_a_note_and_the_plan_serves(tmp_path: Path) -> None:
    where = kept(tmp_path)
    reading = read_plan(where, fingerprint(), KEY, "MAXN_SUPER")
    assert reading.plan == PLAN
    assert "power mode 25W, now it is MAXN_SUPER" in reading.note
    assert read_plan(where, fingerprint(), KEY, "").note == ""


def test_a_signed_sidecar_of_another_faceedge_is_refused(tmp_path: Path) -> None:
    where = kept(tmp_path)
    for body in (b'"sidecar": {}}\n', b'"sidecar": null}', b"]", b"\xff\xfe", b'"sidecar": ' + b"[" * 30_000):
        where.plan.write_bytes(PLAN)
        signature = mac(KEY, b"faceedge-plan-1", body).hex().encode()
        where.sidecar.write_bytes(b'{"mac": "' + signature + b'",\n' + body)
        where.sidecar.chmod(0o600)
        where.plan.chmod(0o600)
        refused(where, "another version of faceedge")


def test_a_signature_for_something_else_is_none(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(signed(KEY, b"faceedge-timing-1", b"content"))
    assert read_signed(path, KEY, b"faceedge-timing-1", 100) == b"content"
    with pytest.raises(Refused, match="altered"):
        read_signed(path, KEY, b"faceedge-plan-1", 100)


@pytest.mark.parametrize("what", ["plan", "sidecar"])
def test_a_link_is_set_aside_and_what_it_leads_to_stays(tmp_path: Path, what: str) -> None:
    where = kept(tmp_path)
    path: Path = getattr(where, what)
    elsewhere = path.rename(tmp_path / "elsewhere")
    path.symlink_to(elsewhere)
    refused(where, "is a link")
    assert elsewhere.is_file()


def test_a_folder_that_is_a_link_is_set_aside_whole(tmp_path: Path) -> None:
    where = kept(tmp_path)
    elsewhere = where.folder.rename(tmp_path / "elsewhere")
    where.folder.symlink_to(elsewhere, target_is_directory=True)
    refused(where, "its folder is a link")
    assert (elsewhere / where.plan.name).read_bytes() == PLAN
    assert (tmp_path / "engines" / "toy@1.bad-1").is_symlink()
    assert read(kept(tmp_path)).plan == PLAN


@as_root
@pytest.mark.parametrize("what", ["plan", "sidecar", "folder"])
def test_what_belongs_to_another_user_is_refused(tmp_path: Path, what: str) -> None:
    where = kept(tmp_path)
    os.chown(getattr(where, what), 12345, 12345)
    refused(where, "belongs to another user")


@pytest.mark.parametrize("what", ["plan", "sidecar", "folder"])
def test_what_others_may_write_is_refused(tmp_path: Path, what: str) -> None:
    where = kept(tmp_path)
    path: Path = getattr(where, what)
    path.chmod(path.stat().st_mode | 0o020)
    refused(where, "can be written by other users")


@pytest.mark.parametrize("what", ["plan", "sidecar"])
def test_what_is_no_file_neither_hangs_nor_crashes(tmp_path: Path, what: str) -> None:
    for make in (os.mkfifo, os.mkdir):
        where = kept(tmp_path)
        path: Path = getattr(where, what)
        path.unlink()
        make(path)
        refused(where, "is not a file")


def test_an_oversized_file_is_not_read(tmp_path: Path) -> None:
    where = kept(tmp_path)
    for path in (where.plan, where.sidecar):
        os.truncate(path, 1 << 40)
        refused(where, "more than the")
        kept(tmp_path)


def test_only_the_newest_bad_ones_stay(tmp_path: Path) -> None:
    for number in range(6):
        where = kept(tmp_path, content=bytes([number]))
        where.sidecar.write_bytes(b"{}")
        assert read(where).plan is None
    assert aside(where) == [f"0123456789ab-fp16.{end}.bad-{n}" for end in ("json", "plan") for n in (4, 5, 6)]
    assert [(where.folder / f"{where.plan.name}.bad-{n}").read_bytes() for n in (4, 5, 6)] == [b"\3", b"\4", b"\5"]


def test_one_that_cannot_be_set_aside_is_told_of_and_not_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = kept(tmp_path)
    where.plan.write_bytes(b"altered")

    def read_only(path: Path, target: Path) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "rename", read_only)
    reading = read(where)
    assert reading.plan is None
    assert "could not be set aside (Read-only file system)" in reading.reason


def test_a_disk_that_fails_sets_nothing_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where = kept(tmp_path)

    def broken(*_args: object) -> bytes:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(plan.guarded, "read_own", broken)
        assert read(where).reason.endswith("cannot be read (Input/output error); mend the disk")
    assert read(where).plan == PLAN


def test_a_power_cut_between_plan_and_sidecar_costs_a_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where = kept(tmp_path)

    @contextmanager
    def cut(*_args: object) -> Iterator[io.BytesIO]:
        yield io.BytesIO()
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(plan, "written_whole", cut)
        with pytest.raises(KeyboardInterrupt):
            kept(tmp_path, content=PLAN[::-1])
    refused(where, "the plan was altered")


def test_a_full_disk_leaves_the_old_pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where = kept(tmp_path)

    class Full(io.BytesIO):
        def flush(self) -> None:
            raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(plan, "written_whole", lambda *_args: nullcontext(Full()))
        with pytest.raises(OSError, match="No space left"):
            kept(tmp_path, content=PLAN[::-1])
    assert read(where).plan == PLAN


def test_a_plan_that_cannot_be_kept_leaves_the_old_one(tmp_path: Path) -> None:
    where = kept(tmp_path)
    (tmp_path / "empty").touch()
    for fresh, wrong in (("missing", FileNotFoundError), ("empty", Refused)):
        with pytest.raises(wrong):
            keep_plan(where, tmp_path / fresh, fingerprint(), KEY)
    assert read(where).plan == PLAN


def test_the_key_is_hkdf_of_the_device_key_with_a_label_of_its_own() -> None:
    device_key = bytes(range(32))
    extracted = hmac.digest(bytes(32), device_key, hashlib.sha256)
    assert engines_key(device_key) == hmac.digest(extracted, b"faceedge engines 1\x01", hashlib.sha256)


def test_precision_comes_from_flags_or_from_the_graph_by_version() -> None:
    by_version = {"10.3.0": "weak", "10.7.0": "weak", "10.12.0": "strong", "10.16.2.10": "strong", "11.4.1": "strong"}
    assert {version: typing_of(version) for version in by_version} == by_version
    with pytest.raises(EngineError, match="calls its version"):
        typing_of("unknown")


@pytest.mark.parametrize(
    "shapes",
    [((2, 3), (1, 3), (4, 3)), ((1, 3), (1, 3, 8), (4, 3)), ((0, 3), (1, 3), (4, 3)), ((1, 3), (4, 3), (2, 3))],
)
def test_shapes_that_do_not_grow_are_no_profile(shapes) -> None:
    with pytest.raises(ValueError, match="profile"):
        BuildOptions.model_validate({"precision": "fp16", "profile": {"x": shapes}})
