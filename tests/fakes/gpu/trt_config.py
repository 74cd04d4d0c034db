"""The stand-in's IBuilderConfig and what hangs on it: profiles, timing caches; and IHostMemory."""

from __future__ import annotations

import json
from typing import Any

from tests.fakes.gpu import trt_log
from tests.fakes.gpu.rules import Dims, StandinMisuse
from tests.fakes.gpu.trt_plan import here

_CACHE = b"standin-timing\x00"
_DEFAULTS = {
    "avg_timing_iterations": 1, "builder_optimization_level": 3, "max_aux_streams": -1, "progress_monitor": None,
    "DLA_core": -1, "max_num_tactics": -1, "profile_stream": 0, "int8_calibrator": None,
}  # fmt: skip


class HostMemory:
    """Bytes of the library. It is a buffer and nothing more: it has no length, `nbytes` tells."""

    def _begin(self, content: bytes) -> None:
        bytearray.extend(self, content)  # type: ignore[arg-type]

    @property
    def nbytes(self) -> int:
        """How many."""
        return bytearray.__len__(self)  # type: ignore[arg-type]

    @property
    def dtype(self) -> Any:
        """Bytes."""
        return self._trt.DataType.INT8  # type: ignore[attr-defined]


def _no_sequence(self: Any, *arguments: Any) -> Any:
    raise TypeError("object of type 'IHostMemory' is a buffer: it has no length and no members")


def _only_a_buffer(self: Any, name: str) -> Any:
    if not name.startswith("_") and name not in ("nbytes", "dtype"):
        raise AttributeError(f"'IHostMemory' object has no attribute {name!r}")
    return object.__getattribute__(self, name)


_HIDDEN = ("__len__", "__getitem__", "__setitem__", "__iter__", "__contains__", "__add__", "__eq__", "__lt__")
ONLY_A_BUFFER = {
    "__getattribute__": _only_a_buffer,
    **dict.fromkeys(_HIDDEN, _no_sequence),
    "__hash__": object.__hash__,
}


class TimingCache:
    """What was timed before, on one device by one version."""

    def _begin(self, content: bytes, logger: Any) -> None:
        self._logger = logger
        self._bound = vars(here(self._trt.__version__))
        self._entries: set[str] = set()
        if content:
            known = json.loads(content[len(_CACHE) :])
            self._bound, self._entries = known["bound"], set(known["entries"])

    def serialize(self) -> Any:
        """As bytes."""
        known = json.dumps({"bound": self._bound, "entries": sorted(self._entries)}, sort_keys=True)
        return self._trt.IHostMemory._make(content=_CACHE + known.encode())

    def combine(self, input_cache: Any, ignore_mismatch: bool) -> bool:
        """Takes over what another knows."""
        if input_cache._bound != self._bound and not ignore_mismatch:
            trt_log.error(self._logger, "Timing caches of different devices or versions cannot be combined.")
            return False
        self._entries |= input_cache._entries
        return True

    def reset(self) -> bool:
        """Forgets."""
        self._entries.clear()
        return True


class Profile:
    """Minimum, optimum and maximum of every dynamic input."""

    def _begin(self) -> None:
        self._shapes: dict[str, tuple[tuple[int, ...], ...]] = {}

    def set_shape(self, input: str, min: Any, opt: Any, max: Any) -> None:
        """Raises RuntimeError when they are not in order."""
        shapes = tuple(tuple(shape) for shape in (min, opt, max))
        ordered = len({len(s) for s in shapes}) == 1 and all(0 <= a <= b <= c for a, b, c in zip(*shapes, strict=True))
        if not ordered:
            raise RuntimeError("Shape provided is inconsistent with other provided shapes. Check min, opt, and max.")
        self._shapes[input] = shapes

    def get_shape(self, input: str) -> list[Any]:
        """The three, or nothing."""
        return [Dims(shape) for shape in self._shapes.get(input, ())]


class Config:
    """How to build. Flags are numbers of this version's enum."""

    def _begin(self, logger: Any) -> None:
        self._logger = logger
        self._flags: set[Any] = {self._trt.BuilderFlag.TF32}
        self._limits: dict[Any, int] = {}
        self._profiles: list[Any] = []
        self._cache: Any = None
        self._refused = ""
        self._values.update(_DEFAULTS, profiling_verbosity=self._trt.ProfilingVerbosity.LAYER_NAMES_ONLY)

    def set_flag(self, flag: Any) -> None:
        """Takes effect with the build, where it may be refused."""
        self._flags.add(flag)

    def clear_flag(self, flag: Any) -> None:
        """As it says."""
        self._flags.discard(flag)

    def get_flag(self, flag: Any) -> bool:
        """As it says."""
        return flag in self._flags

    @property
    def flags(self) -> int:
        """All, as bits."""
        return sum(1 << int(flag) for flag in self._flags)

    @flags.setter
    def flags(self, value: int) -> None:
        self._flags = {flag for flag in self._trt.BuilderFlag if value >> int(flag) & 1}

    @property
    def builder_optimization_level(self) -> int:
        """0 to 5."""
        level: int = self._values["builder_optimization_level"]
        return level

    @builder_optimization_level.setter
    def builder_optimization_level(self, value: int) -> None:
        if not 0 <= value <= 5:
            trt_log.error(self._logger, f"builderOptimizationLevel must be in [0, 5], given is {value}")
            return
        self._values["builder_optimization_level"] = value

    def set_memory_pool_limit(self, pool: Any, pool_size: int) -> None:
        """Bytes."""
        self._limits[pool] = int(pool_size)

    def get_memory_pool_limit(self, pool: Any) -> int:
        """Bytes; everything there is where nothing was set."""
        return self._limits.get(pool, 8 << 30)

    def add_optimization_profile(self, profile: Any) -> int:
        """Its index, or -1."""
        if not profile._shapes:
            trt_log.error(self._logger, "The optimization profile has no shapes.")
            self._refused = "add_optimization_profile"
            return -1
        self._profiles.append(profile)
        return len(self._profiles) - 1

    @property
    def num_optimization_profiles(self) -> int:
        """How many were added."""
        return len(self._profiles)

    def create_timing_cache(self, serialized_timing_cache: Any) -> Any:
        """From bytes; None, and a line, where they are no timing cache."""
        content = bytes(serialized_timing_cache)
        try:
            return self._trt.ITimingCache._make(content=content, logger=self._logger)
        except (ValueError, KeyError, TypeError):
            trt_log.error(self._logger, "The timing cache cannot be read; it is truncated or no timing cache.")
            return None

    def set_timing_cache(self, cache: Any, ignore_mismatch: bool) -> bool:
        """False, and a line, for one of another device or version."""
        if cache._bound != vars(here(self._trt.__version__)) and not ignore_mismatch:
            trt_log.error(self._logger, "The timing cache is of another device or another version of TensorRT.")
            return False
        self._cache = cache
        return True

    def get_timing_cache(self) -> Any:
        """The one that was set."""
        return self._cache

    def reset(self) -> None:
        """As new."""
        self._begin(self._logger)

    def _check_used(self) -> None:
        if self._refused:
            raise StandinMisuse(f"{self._refused} answered no, and nobody looked")


MODELS: dict[str, type] = {
    "IHostMemory": HostMemory, "ITimingCache": TimingCache, "IOptimizationProfile": Profile, "IBuilderConfig": Config,
}  # fmt: skip
