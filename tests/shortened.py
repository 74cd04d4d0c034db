"""Long tables of cases: every run tries the first ones, `make soak` the rest as well."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def shortened(cases: Iterable[Any], count: int) -> list[Any]:
    """For `pytest.mark.parametrize`: those after the first `count` are marked `soak`. A case of several values is a
    tuple."""
    made = [case if isinstance(case, tuple) else (case,) for case in cases]
    return [pytest.param(*case, marks=[] if number < count else pytest.mark.soak) for number, case in enumerate(made)]
