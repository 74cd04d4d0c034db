"""Who was chosen just now is on trial: a bad end within ten minutes of the switch starts the one before again.

`<state>/models/on_trial.json` holds, by role, what serves since when and what stood before. It is written before the
choice itself, so that whatever ends the process, the next start knows the way back. A damaged file is no trial.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from faceedge.errors import StoreError
from faceedge.files import sync_folder, write_whole
from faceedge.health.starts import Moment, now
from faceedge.manifest import Role
from faceedge.models.active import Standing, stand, standing

log = logging.getLogger(__name__)

NAME = "on_trial.json"
TRIAL_S = 600.0
MOST_BYTES = 8192
Clock = Callable[[], Moment]


class Trial(BaseModel):
    """now: label of what was chosen. before: what stood then. boot, seconds: when it began to serve; None: not yet."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    now: str
    before: Standing
    boot: str = ""
    seconds: float | None = None

    def is_over(self, moment: Moment) -> bool:
        """Whether it has served for ten minutes of this boot."""
        return self.seconds is not None and self.boot == moment.boot and moment.seconds - self.seconds >= TRIAL_S


class Trials(BaseModel):
    """running: a daemon has them in use, and has not ended in order since."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    running: bool = False
    roles: dict[Role, Trial] = {}


@dataclass(frozen=True, slots=True)
class WentBack:
    """What a start has undone. package, before: labels; empty is the built-in one, or none."""

    role: Role
    package: str
    before: str


def put_on_trial(role: Role, chosen: str, before: Standing, state: Path, moment: Moment | None) -> None:
    """Call it before the choice is written. moment: when it begins to serve; None: with the next start of a daemon.

    Raises StoreError when the way back cannot be kept; then nothing may be chosen.
    """
    trial = Trial(
        now=chosen, before=before, boot=moment.boot if moment else "", seconds=moment.seconds if moment else None
    )
    found = read_trials(state)
    is_running = moment is not None or found.running
    try:
        _write(Trials(running=is_running, roles={**found.roles, role: trial}), state)
    except OSError as error:
        raise StoreError(f"{_path(state)}: cannot be written ({error.strerror}); nothing was activated") from error


def take_off_trial(role: Role, state: Path) -> None:
    """Something else serves; a trial that cannot be forgotten counts for nothing then."""
    found = read_trials(state)
    if role in found.roles:
        with suppress(StoreError):
            _keep({other: trial for other, trial in found.roles.items() if other != role}, found, state)


def put_back(trials: Trials, state: Path) -> None:
    """As it was before a switch that did not take place. Raises StoreError."""
    _keep(trials.roles, trials, state)


def begin(state: Path, clock: Clock = now) -> list[WentBack]:
    """Call it once a process, before networks are opened: after a bad end goes back. Raises StoreError when what
    serves cannot be read or written."""
    found, moment = read_trials(state), clock()
    gone: list[WentBack] = []
    kept: dict[Role, Trial] = {}
    for role, trial in found.roles.items():
        has_lasted = trial.is_over(moment) and not found.running
        if has_lasted or standing(role, state).active != trial.now:  # never chosen, or something else since
            continue
        if found.running and trial.boot == moment.boot:
            stand(role, trial.before, state)
            gone.append(WentBack(role, trial.now, trial.before.active))
            continue
        is_under_way = trial.boot == moment.boot and trial.seconds is not None
        kept[role] = (
            trial if is_under_way else trial.model_copy(update={"boot": moment.boot, "seconds": moment.seconds})
        )
    _keep(kept, Trials(running=True, roles=found.roles), state)
    return gone


def end(state: Path) -> None:
    """Call it after an end in order: who was on trial has not done anything wrong."""
    found = read_trials(state)
    if found.running:
        with suppress(StoreError):
            _keep(found.roles, Trials(running=False), state)


def settle(state: Path, clock: Clock = now) -> list[Role]:
    """Who has served for ten minutes is no longer on trial. Raises StoreError."""
    found, moment = read_trials(state), clock()
    over = [role for role, trial in found.roles.items() if trial.is_over(moment)]
    if over:
        _keep({role: trial for role, trial in found.roles.items() if role not in over}, found, state)
    return over


def read_trials(state: Path) -> Trials:
    """Who is on trial; nobody when the file is missing or damaged."""
    try:
        return Trials.model_validate_json(_path(state).read_bytes()[:MOST_BYTES])
    except FileNotFoundError:
        return Trials()
    except (OSError, ValidationError) as error:
        log.warning("%s: cannot be read, so no start will go back to other networks (%s)", _path(state), type(error))
        return Trials()


def _keep(roles: Mapping[Role, Trial], trials: Trials, state: Path) -> None:
    """Raises StoreError."""
    try:
        if roles:
            _write(Trials(running=trials.running, roles=dict(roles)), state)
        elif _path(state).exists():
            _path(state).unlink()
            sync_folder(_path(state).parent)
    except OSError as error:
        raise StoreError(
            f"{_path(state)}: cannot be changed ({error.strerror}); look at the state directory"
        ) from error


def _write(trials: Trials, state: Path) -> None:
    _path(state).parent.mkdir(parents=True, exist_ok=True)
    write_whole(_path(state), trials.model_dump_json().encode(), 0o600)


def _path(state: Path) -> Path:
    return state / "models" / NAME
