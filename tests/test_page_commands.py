"""Every `faceedge …` of every page is run: as it stands by the test of its page, by a test named here, or here."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from faceedge.__main__ import main
from faceedge.cli import opening
from faceedge.journal.chain import Chain
from tests.cli.test_journal import DECISION
from tests.fakes.vision import FakeVision, Sitter, save
from tests.guides import DOCS, blocks
from tests.journal.made_up import grow, stamp

ROOT = DOCS.parent
PAGES = {page.name: page for page in (ROOT / "README.md", *DOCS.glob("*.md"))}
AS_THEY_STAND = {
    "calibration.md": "test_calibration_guide.py",
    "models.md": "test_models_guide.py",
    "operate.md": "system/container/test_guides.py",
    "privacy.md": "test_privacy_guide.py",
    "rules.md": "rules/test_page.py",
}
"""Pages whose blocks run whole, and the tests that do it."""
HERE = ("README.md", "deciding.md", "door.md", "journal.md", "mqtt.md")
ELSEWHERE = {
    "run": "test_who_follows_the_two_pages_gets_a_door_that_opens_again_after_everything_was_lost",
    "door simulate .*--http-on": "test_the_simulated_controller_opens_by_a_relay_of_the_network",
    "door simulate .*--gpio": "test_the_real_library_takes_what_the_fake_takes",
    "door simulate": "test_the_simulated_controller_opens_tells_it_as_json_and_ends_on_sigterm",
    "door add .*--serial": "test_add_hands_the_key_over_on_a_serial_line",
    "door add .*--qr": "test_a_qr_code_is_drawn_on_a_terminal_only_and_warns",
    "door test": "test_test_opens_once_journals_it_before_and_after_and_says_what_it_heard",
    "door key finish": "test_a_rotation_ends_only_with_the_key_that_the_controller_uses",
    "command lockdown": "test_a_lockdown_over_the_broker_is_on_the_disk_when_it_is_answered",
    "command confirm": "test_a_face_in_doubt_opens_the_door_once_it_is_confirmed_and_once_only",
    "gallery audit": "test_a_clean_gallery_says_so",
    "calibrate thresholds": "test_a_dry_run_writes_nothing",
    "doctor .*--bundle": "test_the_archive_is_written_beside_the_report",
    "doctor .*--picture": "test_a_picture_is_kept_on_request_for_its_owner_alone",
    "doctor .*--watch": "test_a_live_view_shows_cameras_stages_latencies_and_decisions_and_nobodys_id",
    "doctor": "test_all_green_is_exit_code_0_and_one_json_document",
    "completion bash": "test_bash_completes_commands_choices_options_and_files",
    "completion zsh": "test_zsh_completes_at_a_terminal",
    "completion fish": "test_fish_completes_the_same",
    "man": "test_programs_that_read_manuals_have_no_complaint",
    "chaos": "test_a_door_that_is_hurt_comes_back",
    "build": "test_it_builds_what_is_missing_keeps_what_is_there_and_force_builds_anew",
    "selftest": "test_without_a_gpu_the_rest_is_done_and_what_is_left_out_has_a_reason",
}
"""What wants a broker, hardware, other people or many minutes, and a test that runs it."""


def lines(page: Path) -> Iterator[str]:
    """The commands of a page's blocks, without the name of the program and without comments."""
    for block in blocks(page, "sh"):
        for line in block.body.replace("\\\n", " ").splitlines():
            if line.startswith("faceedge "):
                yield shlex.join(shlex.split(line, comments=True)[1:])


def elsewhere(line: str) -> str:
    """The test that runs it; empty when it is to be run here."""
    return next((test for pattern, test in ELSEWHERE.items() if re.match(pattern + r"\b", line)), "")


@cache
def sources() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))


def test_every_command_of_every_page_has_a_test_that_runs_it() -> None:
    left = {name: [line for line in lines(page) if not elsewhere(line)] for name, page in PAGES.items()}
    assert [name for name, rest in left.items() if rest and name not in (*HERE, *AS_THEY_STAND)] == []
    assert [test for test in ELSEWHERE.values() if f"def {test}(" not in sources()] == []
    for name, test in AS_THEY_STAND.items():
        assert name.removesuffix(".md") in (ROOT / "tests" / test).read_text(encoding="utf-8")


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with photos, a configuration, people, and a journal of 1234 entries."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FACEEDGE_STATE", str(tmp_path / "state"))
    monkeypatch.delenv("FACEEDGE_CONFIG", raising=False)
    monkeypatch.setattr(opening, "open_vision", lambda args, progress: FakeVision())
    (tmp_path / "door.toml").write_text(blocks(DOCS / "door.md", "toml")[0].body, encoding="utf-8")
    for name, person in (("ada-1", 1), ("ada-2", 1), ("passport", 1), ("selfie", 1), ("party", 2)):
        save(tmp_path / f"{name}.jpg", Sitter(person))
    for number, name in enumerate(("Ada", "Bob", "Eve"), 10):
        assert main(["enroll", name, str(save(tmp_path / f"{name}.png", Sitter(number)))]) == 0
    assert main(["people", "set", "Ada", "--look-alike", "Eve"]) == 0
    with Chain.open(tmp_path / "state") as chain:
        while chain.last().seq < 1233:  # signatures take numbers, too
            grow(chain, min(100, 1233 - chain.last().seq))
        chain.append([stamp().draft("decision", DECISION)])
        last = chain.last()
        head = chain.signer.head(last.seq, last.hash)
        (tmp_path / "state.json").write_text(json.dumps({"journal": {"head": head.as_json()}}), encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("name", HERE)
def test_the_commands_of_a_page_do_what_they_are_there_for(name: str, desk: Path) -> None:
    for line in lines(PAGES[name]):
        if not elsewhere(line):
            assert main(shlex.split(line)) == 0, line
