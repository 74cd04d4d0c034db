"""Built engines on disk, `<state>/engines/<package>/<build>-<precision>.plan` with a signed `.json` beside it: what the
plan was built from and for, and its digest. A plan is code: nothing of it is handed out unless all of that holds.
"""

from __future__ import annotations

import datetime
import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field, ValidationError

from faceedge.backends import guarded
from faceedge.backends.fingerprint import BuildOptions, Fingerprint, Precision, Shapes, difference, fingerprint_of
from faceedge.backends.guarded import FolderRefused, Refused
from faceedge.errors import BadInput, one_line
from faceedge.files import sync, written_whole
from faceedge.manifest import SHA256, Line, Part

__all__ = [
    "BuildOptions", "Fingerprint", "Place", "Precision", "Reading", "Shapes", "Sidecar", "fingerprint_of", "keep_plan",
    "kept_until_better", "look", "place_of", "read_plan",
]  # fmt: skip

MAX_PLAN_BYTES = 2 << 30
MAX_SIDECAR_BYTES = 64 << 10
_KIND = b"faceedge-plan-1"
_HEAD = re.compile(rb'\{"mac": "([0-9a-f]{64})",\n')
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*(@[a-z0-9][a-z0-9._-]*)?")


class Sidecar(Part):
    """What is signed. power_mode: when it was built; built: UTC, for people."""

    fingerprint: Fingerprint
    plan_sha256: str = Field(pattern=SHA256)
    plan_bytes: int = Field(ge=1, le=MAX_PLAN_BYTES)
    power_mode: Line = ""
    built: Line = ""


class _File(Part):
    sidecar: Sidecar


@dataclass(frozen=True, slots=True)
class Place:
    """Where a plan lies."""

    folder: Path
    stem: str

    @property
    def plan(self) -> Path:
        return self.folder / f"{self.stem}.plan"

    @property
    def sidecar(self) -> Path:
        return self.folder / f"{self.stem}.json"


@dataclass(frozen=True, slots=True)
class Reading:
    """plan: None when it has to be built, and then `reason` says why in one line. note: a plan that serves, but would
    better be built again some time."""

    plan: bytes | None
    reason: str = ""
    note: str = ""


def place_of(state: Path, label: str, build: str, precision: Precision) -> Place:
    """label: the package's, `name@version`."""
    for word in (label, build):
        if not _NAME.fullmatch(word):
            raise BadInput(f"{one_line(word, 100)!r} is not the label or build of a package")
    return Place(state / "engines" / label, f"{build}-{precision}")


def read_plan(place: Place, wanted: Fingerprint, key: bytes, power_mode: str = "") -> Reading:
    """The plan, if there is one that is whole, signed with `key` (`guarded.engines_key`) and as `wanted`; whatever else
    lies there is set aside. power_mode: the present one. Raises nothing that a file could cause."""
    try:
        sidecar, plan = _read_pair(place, wanted, key)
    except FileNotFoundError:
        return Reading(None, "no engine has been built yet")
    except Refused as error:
        is_all = isinstance(error, FolderRefused)
        failed = guarded.set_aside([place.folder] if is_all else [place.plan, place.sidecar])
        return Reading(None, one_line(f"{place.stem}: {error}; {failed or 'set aside, to be built again'}"))
    except OSError as error:
        return Reading(None, one_line(f"{place.stem}: cannot be read ({error.strerror or error}); mend the disk"))
    note = ""
    if power_mode and sidecar.power_mode and power_mode != sidecar.power_mode:
        note = (
            f"{place.stem}: built in power mode {sidecar.power_mode}, now it is {power_mode}; build it again some time"
        )
    return Reading(plan, note=note)


def look(place: Place, key: bytes) -> Sidecar:
    """What a plan says that it is, if it is whole and signed with `key`; for whoever only wants to know, and so nothing
    is set aside. Raises FileNotFoundError when there is none, Refused, OSError."""
    sidecar = _read_sidecar(place, key)
    _read_signed_plan(place, sidecar)
    return sidecar


def keep_plan(place: Place, fresh: Path, wanted: Fingerprint, key: bytes, power_mode: str = "") -> Sidecar:
    """Moves a plan that was just built to its place and signs it. A power cut between the two files leaves a pair that
    does not match and costs another build. Raises Refused, OSError; then what was there stays."""
    with guarded.open_own(fresh, MAX_PLAN_BYTES) as (descriptor, size):
        digest = _digest(descriptor)
    now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    try:
        sidecar = Sidecar(fingerprint=wanted, plan_sha256=digest, plan_bytes=size, power_mode=power_mode, built=now)
    except ValidationError as error:
        raise Refused(f"TensorRT answered with a plan of {size} bytes") from error
    body = _body(sidecar)
    guarded.make_own_folder(place.folder)
    fresh.chmod(0o600)
    sync(fresh)
    with written_whole(place.sidecar, 0o600) as file:
        file.write(b'{"mac": "' + guarded.mac(key, _KIND, body).hex().encode() + b'",\n' + body)
        file.flush()  # a full disk is met before the old plan is given up
        fresh.replace(place.plan)
    return sidecar


@contextmanager
def kept_until_better(place: Place) -> Iterator[None]:
    """What lies there comes back when the block raises: a plan is given up only for one that may serve. Raises
    OSError."""
    pairs = [(path, path.with_name(f"{path.name}.before")) for path in (place.plan, place.sidecar)]
    for path, before in pairs:
        before.unlink(missing_ok=True)
        if path.exists():
            os.link(path, before)
    try:
        yield
    except BaseException:
        for path, before in pairs:
            if before.exists():
                before.replace(path)
        raise
    finally:
        for _, before in pairs:
            before.unlink(missing_ok=True)


def _read_pair(place: Place, wanted: Fingerprint, key: bytes) -> tuple[Sidecar, bytes]:
    """Raises FileNotFoundError when neither file is there, Refused, OSError."""
    sidecar = _read_sidecar(place, key)
    if changed := difference(sidecar.fingerprint, wanted):
        raise Refused(changed)
    return sidecar, _read_signed_plan(place, sidecar)


def _read_sidecar(place: Place, key: bytes) -> Sidecar:
    """Raises as `_read_pair`."""
    try:
        held = guarded.read_own(place.sidecar, MAX_SIDECAR_BYTES)
    except FileNotFoundError:
        if not os.path.lexists(place.plan):
            raise
        raise Refused("the plan has no sidecar") from None
    return _opened(held, key)


def _read_signed_plan(place: Place, sidecar: Sidecar) -> bytes:
    """Raises Refused when it is not what was signed, OSError."""
    try:
        plan = _read_exactly(place.plan, sidecar.plan_bytes)
    except FileNotFoundError:
        raise Refused("the plan is missing") from None
    if hashlib.sha256(plan).hexdigest() != sidecar.plan_sha256:
        raise Refused("the plan was altered")
    return plan


def _opened(held: bytes, key: bytes) -> Sidecar:
    """The signature is over the bytes as they are, and holds before they are parsed."""
    head = _HEAD.match(held)
    if head is None or not guarded.is_signed(key, _KIND, held[head.end() :], bytes.fromhex(head[1].decode())):
        raise Refused("its sidecar was altered, or signed by another device")
    try:
        return _File.model_validate_json(b"{" + held[head.end() :]).sidecar
    except ValidationError:
        raise Refused("was built by another version of faceedge") from None


def _read_exactly(path: Path, size: int) -> bytes:
    plan = guarded.read_own(path, size)
    if len(plan) != size:
        raise Refused(f"the plan has {len(plan)} bytes instead of {size}")
    return plan


def _body(sidecar: Sidecar) -> bytes:
    return b'"sidecar": ' + sidecar.model_dump_json(indent=1).encode() + b"}\n"


def _digest(descriptor: int) -> str:
    digest, offset = hashlib.sha256(), 0
    while block := os.pread(descriptor, 1 << 20, offset):
        digest.update(block)
        offset += len(block)
    return digest.hexdigest()
