"""Somebody follows docs/install.md and docs/operate.md on a fresh machine: what is typed here stands in these pages.

The test brings what a page cannot: photos, a film in place of the camera, a broker as Debian starts it, the disaster.
"""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from faceedge.demo.photos import admiral_path, astronaut, astronaut_path
from tests.guides import ANSWERS_NO, DOCS, Block, blocks
from tests.system.container import image
from tests.system.container.appliance import CONTROLLER, OFTEN, STATE, UNIT, Appliance, note
from tests.system.container.machine import copy_in

pytestmark = [pytest.mark.system, pytest.mark.broker, pytest.mark.timeout(900)]

INSTALL, OPERATE = DOCS / "install.md", DOCS / "operate.md"
HOUSE, DESK = "srv/house", "srv/desk"
ADA, GRACE = "Ada Lovelace", "Grace Hopper"
MADE_UP = "6f1f3f0e-2c9e-4f3a-9d38-1d6f3f9c2b11"
"""An id of the page; Ada's takes its place."""
BROKER = "listener 1883 127.0.0.1\nallow_anonymous true\n"
"""What mosquitto does by itself where nobody has configured it."""
HURRY = "--selftest skip"
"""It would take a minute; `tests/setup_script` and `tests/test_selftest.py` run it."""


@pytest.fixture(scope="session")
def offline(tmp_path_factory: pytest.TempPathFactory, default_models: Path) -> dict[str, Path]:
    """One version is enough here."""
    if reason := image.why_not():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("guides")
    made = image.offline(folder / "offline", image.source(folder / "source"))
    shutil.copytree(default_models, made / "cache" / "models")
    return {"first": made}


@pytest.fixture(scope="module")
def board(appliance: Appliance, standing: Path) -> Appliance:
    """Fresh, with what somebody brings: the checkout, a stick, photos."""
    tree = appliance.machine.tree
    (tree / HOUSE).mkdir(parents=True)
    for entry in image.CHECKOUT.iterdir():
        (tree / HOUSE / entry.name).symlink_to(f"/srv/checkout/{entry.name}")
    (tree / "media/stick").mkdir(parents=True)
    (tree / "media/stick/faceedge").symlink_to("/srv/first")
    copy_in(standing, tree / "srv/film.mp4")
    copy_in(astronaut_path(), tree / HOUSE / f"photos/{ADA}/1.png")
    copy_in(admiral_path(), tree / DESK / f"people/{GRACE}/1.jpg")
    for number, gain in ((1, 1.1), (2, 0.9)):
        picture = np.clip(astronaut() * gain, 0, 255).astype(np.uint8)
        cv2.imwrite(str(tree / DESK / f"ada-{number}.jpg"), picture)
    (tree / "etc/mosquitto/conf.d/usual.conf").write_text(BROKER)
    appliance.machine.call("systemctl", "restart", "mosquitto")
    return appliance


def test_who_follows_the_two_pages_gets_a_door_that_opens_again_after_everything_was_lost(board: Appliance) -> None:
    began = time.monotonic()
    install(board)
    board.edit(lambda text: text + OFTEN)
    board.machine.call("systemctl", "restart", UNIT)
    board.opens()
    note("guides: one command to a door", seconds=round(time.monotonic() - began, 1))
    for block in blocks(OPERATE, "sh"):
        if "tar -C /etc -xf" in block.body:
            lose_everything(board)
        said = typed(board, block, DESK)
        for word, holds in WITNESSES.items():
            if word in block.body:
                assert holds(board, said), said
    note("guides: both pages typed", seconds=round(time.monotonic() - began, 1))
    logged = board.machine.call("journalctl", "--output=json", "--all", "--no-pager")
    assert '"faceedge' in logged
    assert [line for line in logged.splitlines() if "Lovelace" in line] == [], "journald keeps commands of who logs"


WITNESSES: dict[str, Callable[[Appliance, str], object]] = {
    "enroll --folder": lambda _, said: ADA in said and GRACE in said,
    "rules add staff": lambda board, _: board.decides("deny", "not_here") is None,
    "why --last": lambda _, said: f"{ADA} was recognised, but no rule allows this door" in said,
    "rules add keyholders": lambda board, _: board.opens() >= 0,
    "faceedge restore": lambda board, said: ADA in said and GRACE in said and board.opens() >= 0,
    "door test": lambda board, said: "answers" in said and board.opens() >= 0,
    "people remove": lambda board, said: "nothing left" in said and GRACE not in board.faceedge("people", "list"),
    "device.key": lambda board, _: (
        not list((board.machine.tree / STATE / "keys").glob("device*")) and board.opens() >= 0
    ),
    "systemd-run": lambda _, said: ADA in said,
    "vault erase": lambda board, _: board.machine.attempt("faceedge", "people", "list").returncode == 2,
}
"""What must be so after a block with these words."""


def install(board: Appliance) -> None:
    """The command for a desk, and the option for a machine without a network, as the page has them."""
    shown = "".join(block.body for block in blocks(INSTALL, "sh"))
    command, offline = re.search(r"^.*--simulate.*$", shown, re.MULTILINE), re.search(r"--offline \S+", shown)
    assert command is not None
    assert offline is not None
    typed(board, Block("", "sh", f"{command[0]} {offline[0]} {HURRY}"), HOUSE)


def typed(board: Appliance, block: Block, where: str) -> str:
    """What the lines of a block say, typed by root in that folder; the fresh machine has no sudo."""
    lines = block.body
    if MADE_UP in lines:
        lines = lines.replace(MADE_UP, json.loads(board.faceedge("people", "show", ADA, "--json"))["id"])
    done = board.machine.attempt("bash", "-e", "-c", f'sudo() {{ "$@"; }}\ncd /{where}\n{lines}', within_s=240)
    expected = 1 if block.mark == ANSWERS_NO else 0
    assert done.returncode == expected, f"{lines}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def lose_everything(board: Appliance) -> None:
    """The disk has died: nothing of the state is left, and the new one is set up as the old one was."""
    board.machine.call("systemctl", "stop", UNIT, CONTROLLER)
    board.machine.call("rm", "-rf", f"/{STATE}", "/etc/faceedge")
    install(board)
