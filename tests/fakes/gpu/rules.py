"""What pybind11 holds callers to: names, numbers and types of arguments, enums that are no numbers. Pruned API in,
checks out; `module.py` applies them.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Any

Signature = list[list[str]]


class StandinMisuse(AssertionError):
    """The stand-in was used in a way that the real library would not forgive: the code under test has a bug."""


class StrictEnum(enum.Enum):
    """An enum of pybind11: `int(x)` is its number, but it is neither equal to numbers nor can it be shifted."""

    def __int__(self) -> int:
        return int(self.value)

    def __index__(self) -> int:
        return int(self.value)


class OrderedEnum(StrictEnum):
    """One that was bound with arithmetic: severities can be compared."""

    def __lt__(self, other: Any) -> bool:
        return int(self) < int(other)

    def __le__(self, other: Any) -> bool:
        return int(self) <= int(other)

    def __gt__(self, other: Any) -> bool:
        return int(self) > int(other)

    def __ge__(self, other: Any) -> bool:
        return int(self) >= int(other)


class Dims:
    """A shape. Like the real one it has a length and members, equals tuples and lists only, and cannot be a key."""

    MAX_DIMS = 8

    def __init__(self, shape: Sequence[int] = ()) -> None:
        self._shape = [int(size) for size in shape]

    def __len__(self) -> int:
        return len(self._shape)

    def __getitem__(self, index: Any) -> Any:
        return self._shape[index]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, list | tuple):
            raise TypeError("Dims.__eq__(): incompatible function arguments")
        return self._shape == list(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return str(tuple(self._shape))


def bind(what: str, signatures: list[Signature], args: Any, kwargs: Any, names: dict[str, type]) -> dict[str, Any]:
    """Arguments by name, by the first overload that they fit. Raises TypeError, as pybind11 does."""
    for signature in signatures:
        bound = _fit(signature, args, kwargs, names)
        if bound is not None:
            return bound
    given = [*(type(a).__name__ for a in args), *(f"{k}: {type(v).__name__}" for k, v in kwargs.items())]
    raise TypeError(f"{what}(): incompatible function arguments ({', '.join(given)})")


def _fit(signature: Signature, args: Any, kwargs: Any, names: dict[str, type]) -> dict[str, Any] | None:
    known = [parameter[0] for parameter in signature]
    bound = dict(zip(known, args))  # noqa: B905 - fewer are given where the rest has defaults or comes by name
    if len(args) > len(known) or set(bound) & set(kwargs) or set(kwargs) - set(known):
        return None
    bound.update(kwargs)
    for name, kind, *optional in signature:
        if name not in bound and not optional:
            return None
        if name in bound and not has_type(kind, bound[name], names):
            return None
    return bound


def has_type(kind: str | None, value: Any, names: dict[str, type]) -> bool:  # noqa: PLR0911 - a table, read downwards
    """Whether pybind11 takes the value for a parameter of this recorded type."""
    if kind is None or kind == "object":
        return True
    short = (
        kind.split("::")[-1].replace("typing_extensions.", "").replace("typing.", "").replace("collections.abc.", "")
    )
    if short in ("int", "SupportsInt"):
        return hasattr(value, "__index__") and not isinstance(value, StrictEnum)
    if short in ("float", "SupportsFloat"):
        return hasattr(value, "__float__")
    if short in ("str", "bool", "tuple", "list"):
        return isinstance(value, {"str": str, "bool": bool, "tuple": tuple, "list": list}[short])
    if short in ("buffer", "Buffer"):
        return _is_buffer(value)
    if short == "Dims":
        return isinstance(value, Dims) or _all_have("int", value, names)
    if "[" in short:  # List[int], Sequence[str] …
        return _all_have(short[short.index("[") + 1 : -1], value, names)
    return isinstance(value, names[short]) if short in names else False


def _is_buffer(value: Any) -> bool:
    try:
        memoryview(value)
    except TypeError:
        return False
    return True


def _all_have(kind: str, value: Any, names: dict[str, type]) -> bool:
    return isinstance(value, list | tuple) and all(has_type(kind, item, names) for item in value)
