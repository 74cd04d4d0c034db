"""Every row of the table of failures in docs/door.md has one test, and every such test has a row."""

from __future__ import annotations

from tests.system import (
    test_failures,
    test_failures_access,
    test_failures_controller,
    test_failures_device,
    test_frozen_camera,
)
from tests.system.failure_table import EXECUTED, ROWS

EXECUTORS = (test_failures, test_failures_access, test_failures_controller, test_failures_device, test_frozen_camera)


def test_every_row_of_the_table_has_its_test() -> None:
    assert all(module.pytestmark for module in EXECUTORS)
    assert set(ROWS) == EXECUTED
