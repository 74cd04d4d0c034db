"""Safe mode: after a crash loop, cameras and batches of the configuration that worked last, and the plain engine.

Only `[camera]`, `[engine]` and `[batch]` are taken back: they decide whether there are pictures and networks at all. A
camera's region, and whether films may be shown to it, are the current ones where the file can be understood. Doors,
rules, thresholds, keys and people are always the current ones, so nothing old opens a door. A door whose cameras are
not among the old ones has none, and stays shut.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from faceedge import config as configuration
from faceedge.cameras import is_live
from faceedge.config import Config
from faceedge.errors import CameraError, ConfigError
from faceedge.files import write_whole
from faceedge.overrides import ENV_PREFIX
from faceedge.toml import read_toml

log = logging.getLogger(__name__)

NAME = "worked.json"
SECTIONS = ("camera", "engine", "batch")
FALLBACK = {"backend": "onnx", "providers": ["cpu"]}
"""What runs everywhere; of the engine that worked only the number of threads is kept."""


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
    write_whole(state / NAME, json.dumps(sections(config)).encode(), 0o600)


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
        for current in (_as_written(path, environ), {}):
            try:
                config = configuration.load(path, others, {**kept, "camera": _limited(kept["camera"], current)})
                return config, SafeMode(why, "last", _blind(config))
            except ConfigError as error:
                refusal = error
        log.error("safe mode: what worked last cannot be used (%s)", refusal)
    config = configuration.load(path, others, {"engine": FALLBACK})
    return config, SafeMode(why, "current", _blind(config))


def fingerprint(path: Path | None, environ: Mapping[str, str] = os.environ) -> str:
    """Tells this configuration from others; of a file that cannot be read too."""
    found = configuration.chosen_path(path, environ)
    digest = hashlib.sha256(_bytes(found))
    for key in sorted(key for key in environ if key.startswith(ENV_PREFIX)):
        digest.update(f"\0{key}={environ[key]}".encode("utf-8", "replace"))
    return digest.hexdigest()[:32]


def sections(config: Config) -> dict[str, Any]:
    """What of it is kept."""
    return config.model_dump(mode="json", include=set(SECTIONS))


_OURS = tuple(f"{ENV_PREFIX}{name.upper()}__" for name in SECTIONS)


def _threads(engine: Any) -> dict[str, Any]:
    return {"threads": engine["threads"]} if isinstance(engine, dict) and "threads" in engine else {}


def _limited(cameras: Any, current: Mapping[str, dict[str, Any]]) -> Any:
    """With the region and the word on films of the current file, where it has a camera of that name: they say who is
    seen, not whether pictures come. Of others no live one may show films."""
    if not isinstance(cameras, list) or not all(isinstance(one, dict) for one in cameras):
        return cameras
    return [{**one, **current.get(str(one.get("name")), {"loop": _may_repeat(one)})} for one in cameras]


def _may_repeat(camera: Mapping[str, Any]) -> bool:
    try:
        return bool(camera.get("loop")) and not is_live(str(camera.get("uri")))
    except CameraError:
        return False


def _as_written(path: Path | None, environ: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Region and word on films of every camera of the file, by name, right or wrong."""
    chosen = configuration.chosen_path(path, environ)
    found = read_toml(chosen, ConfigError, "").get("camera") if chosen is not None else None
    cameras = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
    return {str(one.get("name", "entry")): {"roi": one.get("roi"), "loop": one.get("loop", False)} for one in cameras}


def _blind(config: Config) -> tuple[str, ...]:
    names = {camera.name for camera in config.camera}
    return tuple(door.name for door in config.door if door.cameras and not names & set(door.cameras))


def _bytes(path: Path | None) -> bytes:
    try:
        return path.read_bytes() if path is not None and path.is_file() else b""
    except OSError:
        return b""
