"""One version exchanged for another on a made-up Jetson: tried, taken back, cut off, refused."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from faceedge.gallery import schema as gallery
from faceedge.journal import schema as journal
from tests.setup_script.box import Box

pytestmark = pytest.mark.system


def test_an_upgrade_runs_and_keeps_the_version_before(door: Box, tmp_path: Path) -> None:
    kept = _state(door)
    done = door.setup("--yes", "--upgrade", "--offline", str(_offline(tmp_path, "0.2.0")))
    assert done.returncode == 0, done.stderr
    assert (door.root / "opt/faceedge/current").readlink() == Path("0.2.0")
    assert (door.root / "opt/faceedge/0.1.0/.complete").exists()
    assert _state(door) == kept


def test_an_upgrade_that_does_not_run_returns_to_the_version_before(door: Box, tmp_path: Path) -> None:
    kept = _state(door)
    for fault in ("DEAD", "CRASHING"):
        door.environ = {fault: "0.2.0"}
        ends = door.root / "var/lib/faceedge/starts.json"
        ends.write_text("three bad ends")
        done = door.setup("--yes", "--upgrade", "--offline", str(_offline(tmp_path / fault, "0.2.0")))
        assert done.returncode == 1
        assert "0.2.0 was not healthy within 60 s; version 0.1.0 runs again" in done.stderr
        assert (door.root / "opt/faceedge/current").readlink() == Path("0.1.0")
        assert (door.fake / "active").exists()
        assert not (door.fake / "crashing").exists()
        assert not ends.exists(), "the version before would start in safe mode for what the other did"
        assert _state(door) == kept


def test_an_upgrade_cut_before_its_proof_is_proven_or_taken_back_by_the_next_run(door: Box, tmp_path: Path) -> None:
    folder = str(_offline(tmp_path, "0.2.0"))
    cut = "find_version; switch_to 0.2.0; note_trial 0.1.0"
    assert door.call(cut, "--offline", folder).returncode == 0
    door.environ["DEAD"] = "0.2.0"
    assert "version 0.1.0 runs again" in door.setup("--yes", "--offline", folder).stderr
    assert not (door.root / "opt/faceedge/.trial").exists()


def test_a_version_that_refuses_the_configuration_changes_nothing(door: Box, tmp_path: Path) -> None:
    door.environ["FAILING"] = "config"
    done = door.setup("--yes", "--upgrade", "--offline", str(_offline(tmp_path, "0.2.0")))
    assert "refuses the configuration; nothing was changed" in done.stderr
    assert (door.root / "opt/faceedge/current").readlink() == Path("0.1.0")


def test_another_version_wants_the_word_upgrade(door: Box, tmp_path: Path) -> None:
    assert "add --upgrade" in door.setup("--yes", "--offline", str(_offline(tmp_path, "0.2.0"))).stderr


def test_a_new_version_brings_its_command_and_its_return_the_one_before(door: Box, tmp_path: Path) -> None:
    command, kept = door.root / "usr/local/bin/faceedge", door.root / "opt/faceedge/0.1.0/command"
    new = command.read_text()
    command.write_text("of 0.1.0")
    kept.write_text("of 0.1.0")
    door.environ["DEAD"] = "0.2.0"
    words = ("--yes", "--upgrade", "--offline", str(_offline(tmp_path, "0.2.0")))
    assert door.setup(*words).returncode == 1
    assert command.read_text() == "of 0.1.0"
    door.environ["DEAD"] = ""
    assert door.setup(*words).returncode == 0
    assert command.read_text() == new


def test_a_dry_upgrade_shows_the_exchange_and_changes_nothing(door: Box, tmp_path: Path) -> None:
    before = door.manifest()
    done = door.setup("--dry-run", "--upgrade", "--offline", str(_offline(tmp_path, "0.2.0")))
    assert done.returncode == 0, done.stderr
    assert f"would run: ln -sfn 0.2.0 {door.root}/opt/faceedge/.current.new" in done.stdout
    assert "--no-block restart faceedge.service" in done.stdout
    assert "systemctl stop" not in done.stdout
    assert door.manifest() == before


# ways back


@pytest.mark.parametrize("signal", ["HUP", "INT", "TERM", "PIPE"])
def test_an_upgrade_that_is_cut_off_returns_to_the_version_before(door: Box, tmp_path: Path, signal: str) -> None:
    door.environ = {"CUT_OFF": "0.2.0", "SIGNAL": signal}
    done = door.setup("--yes", "--upgrade", "--offline", str(_offline(tmp_path, "0.2.0")))
    assert done.returncode == 1
    assert f"SIG{signal} came" in done.stderr + door.log()
    assert "version 0.1.0 runs again" in done.stderr + door.log()
    _is_back(door)


def test_an_upgrade_that_fails_on_its_way_returns_to_the_version_before(door: Box, tmp_path: Path) -> None:
    (door.fake / "reload-fails").touch()
    done = door.setup("--yes", "--upgrade", "--offline", str(_offline(tmp_path, "0.2.0")))
    assert done.returncode == 1
    assert "systemd does not take the units" in done.stderr
    assert "the exchange did not come to its end; version 0.1.0 runs again" in done.stderr
    _is_back(door)


def test_a_process_that_was_there_before_proves_nothing(door: Box, tmp_path: Path) -> None:
    """systemd takes the restart, and the old process goes on."""
    door.environ["DEAF"] = "0.2.0"
    done = door.setup("--yes", "--upgrade", "--offline", str(_offline(tmp_path, "0.2.0")))
    assert "0.2.0 was not healthy within 60 s; version 0.1.0 runs again" in done.stderr
    _is_back(door)


# databases


@pytest.mark.parametrize(
    ("steps", "may"),
    [("gallery.db 5\\njournal.db 3\\n", True), ("gallery.db 4\\njournal.db 4\\n", False)],
    ids=["one step", "two steps"],
)
def test_a_version_that_goes_two_steps_with_a_database_is_refused_before_it_is_tried(
    door: Box, tmp_path: Path, steps: str, may: bool
) -> None:
    (door.root / "opt/faceedge/0.1.0/steps").write_text("gallery.db 4\njournal.db 2\n")
    door.environ["FAKE_STEPS"] = steps
    (door.fake / "log").unlink()
    done = door.setup("--yes", "--upgrade", "--offline", str(_offline(tmp_path, "0.2.0")))
    assert (done.returncode == 0) == may, done.stderr
    if not may:
        assert "version 0.1.0 could not read journal.db after 0.2.0" in done.stderr
        assert "one release at a time" in done.stderr
        assert not [words for words in door.called("systemctl") if "restart" in words]
        _is_back(door)


def test_a_version_that_is_too_old_for_a_database_is_refused_before_it_is_tried(door: Box, tmp_path: Path) -> None:
    with closing(sqlite3.connect(door.root / "var/lib/faceedge/gallery.db")) as connection:
        connection.execute(f"PRAGMA user_version = {len(gallery.MIGRATIONS) + 2}")
    done = door.setup("--yes", "--upgrade", "--offline", str(_offline(tmp_path, "0.0.9")))
    assert "version 0.0.9 is too old for gallery.db; nothing was changed" in done.stderr
    _is_back(door)


def test_a_version_tells_the_steps_of_its_databases_wherever_the_script_is_called(box: Box) -> None:
    box.write("checkout/faceedge/__init__.py", "raise SystemExit('another version')")
    said = box.call(f"step_python; cd {box.root}/checkout; steps_of 1.0").stdout.splitlines()
    assert said == [f"gallery.db {len(gallery.MIGRATIONS)}", f"journal.db {len(journal.MIGRATIONS)}"]


# the same release, other files


def test_another_state_of_the_same_release_is_installed_beside_it_once(door: Box, tmp_path: Path) -> None:
    """As after `git pull`: the number is the old one."""
    one, two = (str(_offline(tmp_path / text, "0.1.0", text)) for text in ("one", "two"))
    current = door.root / "opt/faceedge/current"
    done = door.setup("--yes", "--offline", one)
    assert done.returncode == 0, done.stderr
    assert "is not the very one of" in done.stderr
    assert current.readlink() == Path("0.1.0")
    assert door.setup("--yes", "--upgrade", "--offline", one).returncode == 0
    first = current.readlink()
    assert first.name.startswith("0.1.0-")
    before = door.manifest()
    for words in (("--upgrade",), ()):
        done = door.setup("--yes", *words, "--offline", one)
        assert (done.returncode, "is not the very one of" in done.stderr) == (0, False), done.stderr
        assert door.manifest() == before
    assert door.setup("--yes", "--upgrade", "--offline", two).returncode == 0
    assert current.readlink() not in (first, Path("0.1.0"))
    assert not (door.root / "opt/faceedge/0.1.0").exists()


def _is_back(door: Box) -> None:
    assert (door.root / "opt/faceedge/current").readlink() == Path("0.1.0")
    assert (door.fake / "active").exists()
    assert not (door.root / "opt/faceedge/.trial").exists()


def _offline(folder: Path, version: str, content: str = "") -> Path:
    wheels = folder / "offline/wheels"
    wheels.mkdir(parents=True)
    (wheels / f"faceedge-{version}-py3-none-any.whl").write_text(content)
    return folder / "offline"


def _state(box: Box) -> dict[str, str]:
    return {path: facts for path, facts in box.manifest().items() if path.startswith(("var/lib", "etc/faceedge"))}
