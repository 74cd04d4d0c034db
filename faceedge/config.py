"""The configuration: one TOML file, declared here once. Only `daemon.py` and the command line see all of it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, ValidationInfo, model_validator

from faceedge.errors import ConfigError
from faceedge.logs import Format
from faceedge.overrides import ENV_PREFIX, explain, override
from faceedge.toml import read_toml

DEFAULT_PATH = Path("/etc/faceedge/faceedge.toml")
OTHER_CAMERAS = "cameras of another configuration"
"""Context of a validation that lets doors name cameras which are not there."""
Words = BeforeValidator(lambda value: value.split(",") if isinstance(value, str) else value)
"""A list that a variable of the environment names with commas."""
NAME = r"^[a-z0-9][a-z0-9_-]{0,31}$"
Name = Annotated[str, Field(pattern=NAME)]
Share = Annotated[float, Field(ge=0, le=1)]


class Section(BaseModel):
    """Base of every section: unknown keys are refused, values never change after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Broker(Section):
    """Where MQTT is. TLS is required off loopback unless `insecure` says otherwise, which shows in state.

    password_credential: name of a systemd credential, in place of password_file. pin: SHA-256 of the broker's
    certificate in hex, in place of ca_file.
    """

    host: str = "127.0.0.1"
    port: int = Field(1883, ge=1, le=65535)
    username: str = ""
    password_file: Path | None = None
    password_credential: str = Field("", pattern=r"^[A-Za-z0-9_.-]{0,64}$")
    tls: bool = False
    pin: str = Field("", pattern=r"^([0-9a-fA-F]{64})?$")
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    insecure: bool = False
    keepalive_s: int = Field(10, ge=2, le=120)

    @model_validator(mode="after")
    def _ways_in_hold(self) -> Broker:
        if self.password_file is not None and self.password_credential:
            raise ValueError("password_file and password_credential are two ways to say the same; keep one")
        if self.pin and not self.tls:
            raise ValueError("pin needs tls = true")
        if self.pin and self.ca_file is not None:
            raise ValueError("pin takes the place of ca_file; keep one")
        return self


class Models(Section):
    """Packages by `name`, `name@version` or folder path; a name here pins the role. Empty: what `faceedge model
    activate` chose, else the built-in one, for `quality` none. accept_licences: allowed beside the permissive ones,
    spelt as in the manifest. keep: packages a role that have served and do so no more; older ones are deleted."""

    detector: str = ""
    recognizer: str = ""
    quality: str = ""
    accept_licences: Annotated[tuple[str, ...], Words] = ()
    keep: int = Field(3, ge=1, le=100)


class EngineSettings(Section):
    """backend: `auto` is `tensorrt` where TensorRT and a device are there, else `onnx`. Of ONNX Runtime, which also
    serves until an engine is built: threads, per network, 1 leaves the other cores to the other stage; providers, of
    which the first that can run a layer does, the CPU is always the last."""

    backend: Literal["auto", "onnx", "tensorrt"] = "auto"
    threads: int = Field(1, ge=1, le=64)
    providers: Annotated[tuple[Literal["tensorrt", "cuda", "cpu"], ...], Words] = Field(("cpu",), min_length=1)


class Camera(Section):
    """uri: `file:clip.mp4`, `images:folder`, `rtsp://…`, `csi:0`, `/dev/video0` or a number. loop: start files over;
    of a live source it says that its pictures may come again, as those of a test do.
    width, height, fps: what a camera is asked for where it can be asked; another size is then a fault. decode: of a
    network camera; `auto` is `hardware` where the board has a decoder. roi: x0, y0, x1, y1 as shares of the picture;
    faces whose middle lies outside are not there."""

    name: str = Field("entry", pattern=NAME)
    uri: str = Field(min_length=1)
    loop: bool = False
    width: int | None = Field(None, ge=64, le=8192)
    height: int | None = Field(None, ge=64, le=8192)
    fps: int | None = Field(None, ge=1, le=240)
    decode: Literal["auto", "software", "hardware"] = "auto"
    roi: tuple[Share, Share, Share, Share] | None = None

    @model_validator(mode="after")
    def _roi_has_an_inside(self) -> Camera:
        if self.roi is not None and not (self.roi[0] < self.roi[2] and self.roi[1] < self.roi[3]):
            raise ValueError("roi is x0, y0, x1, y1 with x0 < x1 and y0 < y1, as in [0.25, 0.0, 0.75, 1.0]")
        return self

    @model_validator(mode="after")
    def _size_is_whole(self) -> Camera:
        if (self.width is None) != (self.height is None):
            raise ValueError("width and height belong together; give both or neither")
        return self


class Batch(Section):
    """max: frames or faces that a network may take at once, where its engine takes as many. max_wait_ms: a batch that
    is not full waits so long for more, and only while the device is busy."""

    max: int = Field(16, ge=1, le=64)
    max_wait_ms: int = Field(20, ge=0, le=200)


class Health(Section):
    """telemetry: where temperature and power come from; `auto` is jtop on a Jetson that has it, else the kernel's own
    files. metrics: where Prometheus finds them, as `127.0.0.1:9108` or `unix:/run/faceedge/metrics.sock`; empty: not at
    all. pictures: whose are watched for standing still, coming again and darkness; `all` takes files in, for tests."""

    telemetry: Literal["auto", "jtop", "sysfs", "off"] = "auto"
    pictures: Literal["live", "all"] = "live"
    metrics: str = Field("", pattern=r"^$|^(127\.0\.0\.1|localhost|\[::1\]):[0-9]{1,5}$|^unix:/.{1,100}$")


class Log(Section):
    """format: of the log of `faceedge run`, on stderr: `text` for people, `logfmt` or `json` for programs."""

    format: Format = "text"


class DoorDecide(Section):
    """Numbers of one door in place of the model's and of `[decide]`. Similarities are raw, as in `fit.toml`. What lets
    in more than the usual ones do is said at a start and in the state. lockout: false for a way out."""

    grey: float | None = Field(None, ge=-10, le=10)
    match: float | None = Field(None, ge=-10, le=10)
    strict: float | None = Field(None, ge=-10, le=10)
    margin: float | None = Field(None, ge=0, le=1)
    usable: float | None = Field(None, ge=0.4, le=1)
    trusted: float | None = Field(None, ge=0.4, le=1)
    votes: int | None = Field(None, ge=1, le=20)
    min_face_px: int | None = Field(None, ge=20, le=2000)
    lockout: bool | None = None


class Door(Section):
    """One door: which cameras look at it and how it is opened. liveness `off` is said in state. look_alikes: `review`
    asks whoever is flagged as looking like somebody else of the gallery for a second factor."""

    name: str = Field("main", pattern=NAME)
    cameras: tuple[str, ...] = ()
    controllers: tuple[Name, ...] = Field(("main",), min_length=1)
    liveness: Literal["required", "off"] = "off"
    look_alikes: Literal["review", "allow"] = "allow"
    ttl_ms: int = Field(1500, ge=200, le=5000)
    pulse_ms: int = Field(3000, ge=100, le=30000)
    decide: DoorDecide | None = None


class Decide(Section):
    """N (`votes`) of the last M (`of`) shots must agree; the newest is among them and younger than `max_age_ms`.
    margin: over the second person, raw; the model's own when it is left out. motion: only shots between which the face
    has moved, and not jumped, count as several."""

    votes: int = Field(3, ge=1, le=20)
    of: int = Field(5, ge=1, le=20)
    max_age_ms: int = Field(500, ge=50, le=5000)
    margin: float | None = Field(None, ge=0, le=1)
    min_face_px: int = Field(80, ge=20, le=2000)
    cooldown_s: float = Field(5.0, ge=0, le=600)
    motion: bool = True

    @model_validator(mode="after")
    def _votes_fit(self) -> Decide:
        if self.votes > self.of:
            raise ValueError(f"votes ({self.votes}) cannot exceed of ({self.of})")
        return self


class Clock(Section):
    """zone: of hours and dates an operator names, the system's when empty. require_sync: `rules.clock.is_valid`."""

    zone: str = ""
    require_sync: Literal["always", "if_known", "never"] = "if_known"

    @model_validator(mode="after")
    def _zone_exists(self) -> Clock:
        if self.zone:
            try:
                ZoneInfo(self.zone)
            except (KeyError, ValueError, OSError) as error:
                raise ValueError(f"{self.zone!r} is no time zone; use a name such as Europe/Berlin") from error
        return self


class JournalSettings(Section):
    """What is older than `keep_days`, or more than `keep_entries`, is erased, oldest first."""

    keep_days: int = Field(90, ge=1, le=3650)
    keep_entries: int = Field(1_000_000, ge=10_000, le=100_000_000)


class Events(Section):
    """Events that the broker has not taken yet: what is older, or more than these, is dropped, oldest first."""

    keep_days: int = Field(30, ge=1, le=365)
    keep_most: int = Field(100_000, ge=100, le=1_000_000)


class HomeAssistant(Section):
    """discovery: publish what Home Assistant needs to find this device, below `prefix`."""

    discovery: bool = False
    prefix: str = Field("homeassistant", pattern=r"^[A-Za-z0-9_-]{1,64}$")


class Capture(Section):
    """Crops of faces kept, sealed, to calibrate with; off unless `on`. crops: the most there are; none gets older than
    `days`. every_s: one a person, or a stranger's track, and band of quality in this time. strangers: also of people
    who are not enrolled."""

    on: bool = False
    crops: int = Field(2000, ge=10, le=5000)
    days: int = Field(30, ge=1, le=365)
    every_s: float = Field(60, ge=1, le=86_400)
    strangers: bool = True


class Config(Section):
    """The whole file."""

    device: str = Field("faceedge", pattern=NAME)
    state_dir: Path | None = None
    broker: Broker = Broker()
    models: Models = Models()
    engine: EngineSettings = EngineSettings()
    camera: tuple[Camera, ...] = ()
    door: tuple[Door, ...] = ()
    batch: Batch = Batch()
    decide: Decide = Decide()
    health: Health = Health()
    log: Log = Log()
    clock: Clock = Clock()
    journal: JournalSettings = JournalSettings()
    capture: Capture = Capture()
    events: Events = Events()
    home_assistant: HomeAssistant = HomeAssistant()

    @model_validator(mode="after")
    def _names_hold(self, info: ValidationInfo) -> Config:
        for kind, names in (("camera", [c.name for c in self.camera]), ("door", [d.name for d in self.door])):
            if len(set(names)) != len(names):
                raise ValueError(f"two [[{kind}]] entries share a name")
        for door in self.door:
            if len(set(door.controllers)) != len(door.controllers):
                raise ValueError(f"door {door.name!r} names a controller twice")
        known = {camera.name for camera in self.camera}
        for door in () if info.context == OTHER_CAMERAS else self.door:
            for camera in door.cameras:
                if camera not in known:
                    raise ValueError(f"door {door.name!r} names camera {camera!r}, which no [[camera]] declares")
        return self


def chosen_path(path: Path | None, environ: Mapping[str, str] = os.environ) -> Path | None:
    """`path`, or $FACEEDGE_CONFIG, or /etc/faceedge/faceedge.toml where it exists."""
    chosen = path or (Path(environ["FACEEDGE_CONFIG"]) if environ.get("FACEEDGE_CONFIG") else None)
    return DEFAULT_PATH if chosen is None and DEFAULT_PATH.exists() else chosen


def load(
    path: Path | None, environ: Mapping[str, str] = os.environ, instead: Mapping[str, object] | None = None
) -> Config:
    """Reads `chosen_path` and the overrides. instead: sections in place of the file's; doors may then name cameras that
    are not there, and are watched by none for it.

    Raises ConfigError with file, key and expectation.
    """
    chosen = chosen_path(path, environ)
    values = read_toml(chosen, ConfigError, "mend it or name another with --config") if chosen else {}
    values.update(instead or {})
    overrides = override(values, environ)
    try:
        return Config.model_validate(values, context=OTHER_CAMERAS if instead and "camera" in instead else None)
    except ValidationError as error:
        # An unknown key first: it is often the misspelling of one that is then found missing.
        fault = min(error.errors(), key=lambda fault: fault["type"] != "extra_forbidden")
        origin = overrides.get(tuple(map(str, fault["loc"])), chosen or "environment")
        raise ConfigError(f"{origin}: {explain(fault, _section)}") from error


def _section(steps: Sequence[str]) -> type[BaseModel]:
    """The part of the file that a fault lies in."""
    parts: dict[str, type[BaseModel]] = {
        "broker": Broker, "models": Models, "engine": EngineSettings, "camera": Camera, "door": Door, "decide": Decide,
        "batch": Batch, "health": Health, "log": Log, "clock": Clock, "journal": JournalSettings,
        "capture": Capture, "events": Events, "home_assistant": HomeAssistant,
    }  # fmt: skip
    return parts.get(steps[0], Config) if steps else Config


def state_dir(config: Config, environ: Mapping[str, str] = os.environ) -> Path:
    """Where databases and keys live: the file's `state_dir`, $FACEEDGE_STATE, or /var/lib/faceedge."""
    return config.state_dir or Path(environ.get("FACEEDGE_STATE") or "/var/lib/faceedge")


def state_dir_of(path: Path | None, environ: Mapping[str, str] = os.environ) -> Path:
    """The same of a file that may be wrong otherwise."""
    named = environ.get(f"{ENV_PREFIX}STATE_DIR")
    try:
        chosen = chosen_path(path, environ)
        named = named or (read_toml(chosen, ConfigError, "").get("state_dir") if chosen else None)
    except ConfigError:
        named = None
    return state_dir(Config(state_dir=Path(named) if isinstance(named, str) else None), environ)


def cache_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """Where imported default models live: $FACEEDGE_CACHE, or ~/.cache/faceedge."""
    return Path(environ.get("FACEEDGE_CACHE") or Path.home() / ".cache" / "faceedge")
