"""The stand-in `tensorrt`: pruned API of one version in, a module out. What the API does not name is not there, what
fits no recorded overload raises TypeError, what is named but not modelled says so.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.fakes.gpu import trt_build, trt_config, trt_context, trt_engine, trt_log, trt_parse
from tests.fakes.gpu.rules import Dims, OrderedEnum, StrictEnum, bind, has_type

API = Path(__file__).with_name("api")
MODELS: dict[str, type] = {
    name: model
    for part in (trt_log, trt_config, trt_parse, trt_build, trt_engine, trt_context)
    for name, model in part.MODELS.items()
}
_ALIASES = {
    "float32": "FLOAT", "float16": "HALF", "bfloat16": "BF16", "int8": "INT8", "int32": "INT32", "int64": "INT64",
    "bool": "BOOL", "uint8": "UINT8", "fp8": "FP8", "int4": "INT4",
}  # fmt: skip


def load(version: str) -> ModuleType:
    """The module of one version, each time a new one."""
    api = json.loads((API / f"{version}.json").read_text())
    module = ModuleType("tensorrt")
    names: dict[str, type] = {"Dims": Dims}
    for full, members in api["enums"].items():
        names[full] = _enum(full.split(".")[-1], members)
    for name in sorted(api["classes"], key=lambda n: len(api["classes"][n]["bases"])):
        names[name] = _class(module, name, api["classes"][name], names)
    for full, kind in names.items():
        owner, _, short = full.rpartition(".")
        setattr(names[owner] if owner else module, short, kind)
    severity = names["ILogger.Severity"]
    for member in severity:
        setattr(names["ILogger"], member.name, member)
    for alias, member in _ALIASES.items():
        setattr(module, alias, getattr(names["DataType"], member))
    for function in api["functions"]:
        setattr(module, function, trt_engine.FUNCTIONS[function](module))
    module.__dict__["__version__"] = api["version"]
    return module


def _enum(name: str, members: dict[str, int]) -> type:
    made: Any = (OrderedEnum if name == "Severity" else StrictEnum)(name, members)
    return made


def _class(module: ModuleType, name: str, spec: dict[str, Any], names: dict[str, type]) -> type:
    model = MODELS.get(name, object)
    inherited = tuple(names[base] for base in spec["bases"] if base in names) or (Pybind,)
    space: dict[str, Any] = {"_trt": module, "_name": name, "_constructors": spec["constructors"], "_names": names}
    for method, signatures in spec["methods"].items():
        space[method] = _method(name, method, signatures, getattr(model, method, None), names)
    for prop, (kind, access) in spec["properties"].items():
        space[prop] = _property(name, prop, kind, access, model, names)
    for hidden, value in vars(model).items():
        if hidden == "__del__" or (hidden.startswith("_") and not hidden.startswith("__")):
            space[hidden] = value
    bases = (*inherited, bytearray) if model is trt_config.HostMemory else inherited
    if model is trt_config.HostMemory:
        space.update(trt_config.ONLY_A_BUFFER)
    return _Meta(name, bases, space)


def _method(owner: str, name: str, signatures: Any, action: Callable[..., Any] | None, names: dict[str, type]) -> Any:
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        bound = bind(f"{owner}.{name}", signatures, args, kwargs, names)
        if action is None:
            raise NotImplementedError(f"the stand-in does not model tensorrt.{owner}.{name}; see tests/fakes/gpu")
        return action(self, **bound)

    call.__name__ = name
    return call


def _property(owner: str, name: str, kind: str, access: str, model: type, names: dict[str, type]) -> property:
    modelled = vars(model).get(name)

    def get(self: Any) -> Any:
        if isinstance(modelled, property) and modelled.fget:
            return modelled.fget(self)
        if name in self._values:
            return self._values[name]
        raise NotImplementedError(f"the stand-in does not model tensorrt.{owner}.{name}; see tests/fakes/gpu")

    def put(self: Any, value: Any) -> None:
        if value is not None and not has_type(kind, value, names):
            raise TypeError(f"{owner}.{name} cannot be a {type(value).__name__}")
        if isinstance(modelled, property) and modelled.fset:
            modelled.fset(self, value)
        else:
            self._values[name] = value

    return property(get, put if access == "rw" else None)


class _Meta(type):
    """A Python subclass that forgets the base's `__init__` is refused, as pybind11 refuses it."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        made = super().__call__(*args, **kwargs)
        if "_values" not in made.__dict__:
            raise TypeError(f"{cls._name}.__init__() must be called when overriding __init__")
        return made


class Pybind(metaclass=_Meta):
    """The base of every class of the module."""

    _trt: Any
    _name: str
    _constructors: Any
    _names: dict[str, type]
    _values: dict[str, Any]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if not self._constructors:
            raise TypeError(f"{self._name}: No constructor defined!")
        bound = bind(f"{self._name}.__init__", self._constructors, args, kwargs, self._names)
        self.__dict__["_values"] = {}
        self._begin(**bound)

    @classmethod
    def _make(cls, **given: Any) -> Any:
        """How the library itself makes one."""
        made = cls.__new__(cls)
        made.__dict__["_values"] = {}
        made._begin(**given)
        return made

    def _begin(self, **given: Any) -> None:
        self.__dict__.update({f"_{name}": value for name, value in given.items()})

    def __setattr__(self, name: str, value: Any) -> None:
        allowed = name.startswith("_") or hasattr(type(self), name) or "_name" not in type(self).__dict__
        if not allowed:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        super().__setattr__(name, value)
