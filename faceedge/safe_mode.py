"""Safe mode: after a crash loop, cameras and batches of the configuration that worked last, and the plain engine.

Only `[camera]`, `[engine]` and `[batch]` are taken back: they decide whether there are pictures and networks at all.
Doors, rules, thresholds, keys and people are always the current ones, so nothing old opens a door. A door whose
cameras are not among the old ones has none, and stays shut.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from faceedge import config as configuration
from faceedge.config import Config
from faceedge.errors import ConfigError
from faceedge.files import write_whole
from faceedge.health.starts import WINDOW_S, Starts
from faceedge.overrides import ENV_PREFIX

log = logging.getLogger(__name__)

NAME = "worked.json"
SECTIONS = ("camera", "engine", "batch")
FALLBACK = {"backend": "onnx", "providers": ["cpu"]}
"""What runs everywhere; of the engine that worked only the number of threads is kept."""
WORKED_S = 60.0
"""A configuration has worked when frames came and no stage failed for so long. Where another one has worked before,
it must have lasted for longer than a crash loop is counted, too: else a configuration that ends every two minutes would
be what the safe mode falls back on."""
GAP_S = 5.0
RETRY_S = 3600.0


@dataclass(frozen=True, slots=True)
class SafeMode:
    """That a daemon runs so. cameras: of the configuration that worked last, or the current ones where none is kept.
    blind: doors that none of them looks at."""

    why: str
    cameras: Literal["last", "current"]
    blind: tuple[str, ...] = ()

    def notices(self) -> list[str]:
        """Sentences for the log and the state."""
        which = "the cameras that worked last" if self.cameras == "last" else "the current cameras"
        said = f"safe mode: {self.why}; {which} and the fallback engine run; mend the configuration, or reload"
        return [said, *(f"safe mode: no camera looks at door {door}, it stays shut" for door in self.blind)]

    def as_json(self) -> dict[str, Any]:
        """For `…/state`."""
        return {"on": True, "why": self.why, "cameras": self.cameras}


def remember(state: Path, config: Config) -> None:
    """Keeps what has worked; for the service alone, as addresses of cameras hold passwords. Raises OSError."""
    write_whole(state / NAME, json.dumps(_kept(config)).encode(), 0o600)


def recall(state: Path) -> dict[str, Any] | None:
    """What has worked last; None when nothing is kept, or it cannot be read."""
    try:
        kept = json.loads((state / NAME).read_bytes())
        return {name: kept[name] for name in SECTIONS}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def safe_settings(path: Path | None, state: Path, environ: Mapping[str, str] = os.environ) -> tuple[Config, SafeMode]:
    """The current configuration with what has worked in its place. Raises ConfigError when the rest is no good."""
    others = {key: text for key, text in environ.items() if not key.startswith(_OURS)}
    try:
        configuration.load(path, environ)
        why = "the daemon ended three times in ten minutes"
    except ConfigError as error:
        why = f"the configuration is wrong ({error})"
    if (kept := recall(state)) is not None:
        kept["engine"] = {**_threads(kept["engine"]), **FALLBACK}
        try:
            config = configuration.load(path, others, kept)
            return config, SafeMode(why, "last", _blind(config))
        except ConfigError as error:
            log.error("safe mode: what worked last cannot be used (%s)", error)
    config = configuration.load(path, others, {"engine": FALLBACK})
    return config, SafeMode(why, "current", _blind(config))


def fingerprint(path: Path | None, environ: Mapping[str, str] = os.environ) -> str:
    """Tells this configuration from others; of a file that cannot be read too."""
    found = configuration.chosen_path(path, environ)
    digest = hashlib.sha256(_bytes(found))
    for key in sorted(key for key in environ if key.startswith(ENV_PREFIX)):
        digest.update(f"\0{key}={environ[key]}".encode("utf-8", "replace"))
    return digest.hexdigest()[:32]


@dataclass(slots=True)
class Care:
    """What a daemon that is watched by systemd does for the next start. The main thread calls `look` every second.

    safe: that this one runs in safe mode. is_over: a run before it did, and this one tries without. now: tells the
    configuration as it is on disk from others. clock: monotonic.
    """

    state: Path
    config: Config
    starts: Starts
    safe: SafeMode | None
    now: Callable[[], str]
    clock: Callable[[], float] = time.monotonic
    is_over: bool = False
    _began: float = field(init=False)
    _well_since: float = field(init=False)
    _moved: float = field(init=False)
    _tried: float = field(init=False)
    _seen: str = field(init=False)
    _counts: tuple[int, int] = (0, 0)
    _lasts_s: float = field(init=False)
    _is_kept: bool = False
    _is_settled: bool = False

    def __post_init__(self) -> None:
        self._lasts_s = WORKED_S if recall(self.state) in (None, _kept(self.config)) else WINDOW_S
        self._began = self._well_since = self._moved = self._tried = self.clock()
        self._seen = self.now() if self.safe is not None else ""

    def look(self, frames: int, faults: int) -> bool:
        """Keeps the configuration once it has worked. frames, faults: since the start. True: it is time to leave the
        safe mode, because the configuration has changed, or for another try."""
        now = self.clock()
        self._note(now, frames, faults)
        if not self._is_kept and self.safe is None and now - self._well_since >= self._lasts_s:
            self._is_kept = True
            self._aside(lambda: remember(self.state, self.config))
        if not self._is_settled and now - self._began >= WINDOW_S:
            self._is_settled = True
            self._aside(self.starts.settle)
        return self.safe is not None and self._is_time(now)

    def _note(self, now: float, frames: int, faults: int) -> None:
        if frames != self._counts[0]:
            self._moved = now
        if faults != self._counts[1] or frames == 0 or now - self._moved > GAP_S:
            self._well_since = now
        self._counts = frames, faults

    def _is_time(self, now: float) -> bool:
        config = self.now()
        has_changed, self._seen = config != self._seen, config
        if has_changed or now - self._tried >= RETRY_S:
            self._tried = now
            return True
        return False

    @staticmethod
    def _aside(work: Callable[[], None]) -> None:
        """A disk that is slow must not hold up the main thread."""

        def run() -> None:
            try:
                work()
            except OSError as error:
                log.warning("safe mode: what works cannot be kept (%s)", error.strerror)

        threading.Thread(target=run, name="safe mode", daemon=True).start()


def _kept(config: Config) -> dict[str, Any]:
    return config.model_dump(mode="json", include=set(SECTIONS))


_OURS = tuple(f"{ENV_PREFIX}{name.upper()}__" for name in SECTIONS)


def _threads(engine: Any) -> dict[str, Any]:
    return {"threads": engine["threads"]} if isinstance(engine, dict) and "threads" in engine else {}


def _blind(config: Config) -> tuple[str, ...]:
    names = {camera.name for camera in config.camera}
    return tuple(door.name for door in config.door if door.cameras and not names & set(door.cameras))


def _bytes(path: Path | None) -> bytes:
    try:
        return path.read_bytes() if path is not None and path.is_file() else b""
    except OSError:
        return b""
