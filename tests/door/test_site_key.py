"""Site keys: the private part stays with the integrator, the public part says whom a device obeys."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from faceedge.door import site_key
from faceedge.door.contract import fresh_token
from faceedge.door.signed import Command, sign, unsign
from faceedge.door.site_key import SiteKey, SiteSecret, TrustedKeys
from faceedge.errors import BadInput, StoreError
from tests.fakes.clock import FakeClock

SECRET = SiteSecret(bytes(range(32)))


def test_a_new_key_is_private_and_what_it_signs_the_public_part_verifies(tmp_path: Path) -> None:
    public = site_key.make_secret(tmp_path / "site.key")
    assert stat.S_IMODE((tmp_path / "site.key").stat().st_mode) == 0o600
    secret = site_key.read_site_secret(tmp_path / "site.key")
    assert secret.public == public == site_key.parse_public(public.text)
    order = Command(id=fresh_token(), dev="dev", cmd="ping", n=fresh_token(), args={})
    assert unsign(Command, sign(secret, order), [SECRET.public, public]) == (order, public)


def test_the_formats_are_as_the_page_shows_them(tmp_path: Path) -> None:
    (tmp_path / "site.key").write_text("faceedge-site-secret-1 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\n")
    (tmp_path / "site.key").chmod(0o600)
    public = site_key.read_site_secret(tmp_path / "site.key").public
    assert public.text == "faceedge-site-1 A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg"
    assert public.kid == "f5c04334"


@pytest.mark.parametrize("there", ["site.key", "site.pub"])
def test_a_key_file_is_never_overwritten(tmp_path: Path, there: str) -> None:
    (tmp_path / there).write_text("something dear")
    with pytest.raises(BadInput, match="exists already"):
        site_key.make_secret(tmp_path / "site.key")
    assert (tmp_path / there).read_text() == "something dear"
    assert len(list(tmp_path.iterdir())) == 1


def test_the_private_part_is_not_put_where_the_public_one_goes(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="place of the public part"):
        site_key.make_secret(tmp_path / "site.pub")


def test_the_public_part_lies_beside_the_private_one(tmp_path: Path) -> None:
    public = site_key.make_secret(tmp_path / "site.key")
    assert site_key.parse_public((tmp_path / "site.pub").read_text()) == public


def test_a_private_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    site_key.make_secret(tmp_path / "site.key")
    (tmp_path / "site.key").chmod(0o640)
    with pytest.raises(StoreError, match="others can read it"):
        site_key.read_site_secret(tmp_path / "site.key")


@pytest.mark.parametrize(
    "text",
    [
        "", "faceedge-site-secret-1", "faceedge-site-secret-1 " + "A" * 42, "faceedge-site-secret-1 " + "A" * 42 + "!",
        "faceedge-site-secret-1 " + "A" * 42 + "B", SECRET.public.text, "\xff" * 66,
    ],
)  # fmt: skip
def test_what_is_no_private_key_is_refused_without_showing_it(tmp_path: Path, text: str) -> None:
    path = tmp_path / "site.key"
    path.write_bytes(text.encode("latin-1"))
    path.chmod(0o600)
    with pytest.raises(BadInput) as refusal:
        site_key.read_site_secret(path)
    assert str(refusal.value) == f"{path}: no private site key; name the file that faceedge site-key new has made"


def test_a_private_key_that_is_missing_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="faceedge site-key new"):
        site_key.read_site_secret(tmp_path / "none")


def test_a_private_key_is_never_put_on_a_device(tmp_path: Path) -> None:
    site_key.make_secret(tmp_path / "site.key")
    text = (tmp_path / "site.key").read_text()
    with pytest.raises(BadInput, match="private part") as refusal:
        site_key.parse_public(text)
    assert text.split()[1] not in str(refusal.value)


@pytest.mark.parametrize("text", ["", "A" * 43, "faceedge-site-1 " + "A" * 44, "faceedge-site-1 " + "A" * 42 + "B"])
def test_what_is_no_public_key_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="no public site key"):
        site_key.parse_public(text)


def test_a_device_trusts_what_it_was_told_until_it_is_removed(tmp_path: Path) -> None:
    assert site_key.trusted(tmp_path) == ()
    other = SiteKey(SiteSecret(bytes(32)).public.octets)
    for key in (SECRET.public, other, other):
        site_key.trust(tmp_path, key)
    assert set(site_key.trusted(tmp_path)) == {SECRET.public, other}
    site_key.remove(tmp_path, SECRET.public.kid)
    assert site_key.trusted(tmp_path) == (other,)
    with pytest.raises(BadInput, match="not trusted here"):
        site_key.remove(tmp_path, SECRET.public.kid)


@pytest.mark.parametrize("kid", ["", "../journal", "f5c04334/../x", "F5C04334"])
def test_only_site_keys_are_removed(tmp_path: Path, kid: str) -> None:
    with pytest.raises(BadInput, match="no site key"):
        site_key.remove(tmp_path, kid)


def test_a_damaged_or_renamed_file_is_trusted_for_nothing_and_the_others_go_on(tmp_path: Path) -> None:
    site_key.trust(tmp_path, SECRET.public)
    (tmp_path / "keys" / "site-00000000.pub").write_text(SECRET.public.text)
    (tmp_path / "keys" / "site-11111111.pub").write_bytes(b"\xff" * 100_000)
    (tmp_path / "keys" / "site-22222222.pub").mkdir()
    bad: list[str] = []
    assert site_key.trusted(tmp_path, bad.append) == (SECRET.public,)
    assert [line.split(":")[0][-12:-4] for line in bad] == ["00000000", "11111111", "22222222"]


def test_there_is_an_end_to_how_many_keys_are_tried_for_every_message(tmp_path: Path) -> None:
    for number in range(8):
        site_key.trust(tmp_path, SiteSecret(bytes([number]) * 32).public)
    with pytest.raises(BadInput, match="8 site keys are trusted already"):
        site_key.trust(tmp_path, SECRET.public)
    site_key.trust(tmp_path, SiteSecret(bytes([3]) * 32).public)
    assert len(site_key.trusted(tmp_path)) == 8


def test_a_running_device_follows_within_a_second(tmp_path: Path) -> None:
    clock = FakeClock()
    keys = TrustedKeys(tmp_path, clock)
    assert keys() == ()
    site_key.trust(tmp_path, SECRET.public)
    clock.advance(1)
    assert keys() == (SECRET.public,)
    site_key.remove(tmp_path, SECRET.public.kid)
    clock.advance(1)
    assert keys() == ()
