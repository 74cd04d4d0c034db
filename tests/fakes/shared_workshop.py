"""One process for strangers' files for a whole test run: starting one takes longer than what tests ask of it."""

from __future__ import annotations

import atexit
from contextlib import nullcontext
from functools import cache

import pytest

from faceedge.jobs import add_model, choose_model
from faceedge.jobs.calibration import write as calibrate_write
from faceedge.models import workshop
from faceedge.models.workshop import Workshop


def share_workshop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever opens a workshop gets that one, and it stays open."""
    for module in (add_model, calibrate_write, choose_model, workshop):
        monkeypatch.setattr(module, "Workshop", lambda: nullcontext(_shop()))


@cache
def _shop() -> Workshop:
    shop = Workshop()
    atexit.register(shop.close)
    return shop
