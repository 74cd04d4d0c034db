"""What the pages say is so: paths exist, commands parse, links lead somewhere, and the door's test vector holds."""

from __future__ import annotations

import argparse
import json
import re
import shlex
import subprocess
from functools import cache
from pathlib import Path

import pytest

from faceedge.__main__ import build_parser
from faceedge.config import load
from faceedge.door.contract import Body, Challenge, DoorKey, Grant, Status, Verdict, seal, unseal
from faceedge.door.keys import read_key
from tests.guides import DOCS, blocks, prose

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
KINDS: dict[str, type[Body]] = {"challenge": Challenge, "grant": Grant, "verdict": Verdict, "status": Status}

# A path in backticks: has a folder or a known ending, and nothing that stands for something else.
PATH = re.compile(r"`([\w./-]+(?:/|\.(?:py|md|toml|cfg|png|sh)))`")
LINK = re.compile(r"\]\(([^)#\s]*)(?:#([^)]*))?\)")
COMMAND = re.compile(r"`(faceedge [^`]+)`")
MADE_BY_USERS = {
    "door.toml", "faceedge.toml", "model.toml", "fit.toml", "models/", "keys/", "engines/", "receipts/", "selftest/",
    "photos/", "bench.json",
}  # fmt: skip
"""Files that pages name and that a user or the program makes."""

page_by_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def commands(page: Path) -> list[str]:
    """Every `faceedge …` of a page, from its sentences and from its shell blocks, without where its output goes."""
    lines = [
        line.strip().removeprefix(".venv/bin/") for block in blocks(page, "sh") for line in block.body.splitlines()
    ]
    return COMMAND.findall(prose(page)) + [line.split(" > ")[0] for line in lines if line.startswith("faceedge ")]


@cache
def anchors(page: Path) -> set[str]:
    """What its headings are called in links: small, without signs, hyphens for blanks."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def exists(page: Path, name: str) -> bool:
    return any((folder / name).exists() for folder in (ROOT, ROOT / "faceedge", page.parent))


@page_by_page
def test_every_path_that_a_page_names_exists(page: Path) -> None:
    named = {name for name in PATH.findall(prose(page)) if not name.startswith("/")} - MADE_BY_USERS
    assert [name for name in sorted(named) if not exists(page, name)] == []


@page_by_page
def test_every_link_between_pages_leads_to_a_file_and_a_heading_that_are_there(page: Path) -> None:
    targets = [(target, anchor) for target, anchor in LINK.findall(prose(page)) if "://" not in target]
    assert [target for target, _ in targets if not (page.parent / target).exists()] == []
    led = [(page.parent / target if target else page, anchor) for target, anchor in targets if anchor]
    assert [f"{other.name}#{anchor}" for other, anchor in led if anchor not in anchors(other)] == []


@page_by_page
def test_every_command_that_a_page_shows_is_understood(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in commands(page):
        words = shlex.split(command, comments=True)[1:]
        # A command that is only named, without its arguments, must at least have a help page.
        is_named_only = all(re.fullmatch("[a-z]+(-[a-z]+)*", word) for word in words)
        assert parses(words) or (is_named_only and parses([*words, "--help"])), f"{command}: {capsys.readouterr().err}"


def parses(words: list[str]) -> bool:
    try:
        parser().parse_args(words)
    except SystemExit as end:
        return not end.code
    return True


@cache
def parser() -> argparse.ArgumentParser:
    return build_parser()


@page_by_page
def test_every_make_target_that_a_page_names_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"(?:`|^)make ([a-z-]+)", page.read_text(encoding="utf-8"), re.MULTILINE))
    assert named <= targets


@page_by_page
def test_every_configuration_that_a_page_shows_is_accepted(page: Path, tmp_path: Path) -> None:
    for number, block in enumerate(blocks(page, "toml")):
        file = tmp_path / f"{number}.toml"
        file.write_text(block.body, encoding="utf-8")
        load(file, {})


def test_the_pages_show_commands_at_all() -> None:
    """Guards the expressions above: a page without matches would pass everything."""
    assert len(commands(ROOT / "docs" / "door.md")) >= 4
    assert PATH.findall(prose(ROOT / "docs" / "architecture.md"))


def vector() -> dict[str, str]:
    block = next(block for block in blocks(DOCS / "mqtt.md", "text") if "challenge" in block.body)
    return dict(line.split(maxsplit=1) for line in block.body.splitlines())


def test_the_key_of_the_vector_is_read_as_a_key_file_is(tmp_path: Path) -> None:
    file = tmp_path / "door-main.main.key"
    file.write_text(vector()["key"] + "\n", encoding="ascii")
    file.chmod(0o600)
    assert read_key(file) == DoorKey(bytes(range(32)))
    assert read_key(file).kid == vector()["kid"]


@pytest.mark.parametrize("name", KINDS)
def test_the_vector_of_the_mqtt_page_is_what_the_code_writes_and_reads(name: str) -> None:
    key, wire = DoorKey(bytes(range(32))), vector()[name].encode("ascii")
    body, signer = unseal(KINDS[name], wire, [key])
    assert signer == key
    assert seal(key, body) == wire


def test_the_vector_of_the_mqtt_page_is_a_published_one() -> None:
    published = {each["wire"] for each in json.loads((ROOT / "docs" / "schemas" / "vectors.json").read_text())["good"]}
    assert {vector()[name] for name in KINDS} <= published


def shell(mark: str) -> str:
    """What the shell block of the MQTT page with this mark in it prints."""
    (block,) = [block.body for block in blocks(DOCS / "mqtt.md", "sh") if mark in block.body]
    return subprocess.run(["bash", "-euc", block], check=True, capture_output=True, text=True, timeout=30).stdout


def test_the_shell_of_the_mqtt_page_makes_the_mac_without_faceedge() -> None:
    assert shell("dgst").strip() == vector()["challenge"][:43]


def test_the_shell_of_the_mqtt_page_checks_a_command_without_faceedge() -> None:
    assert shell("pkeyutl").strip() == "Signature Verified Successfully"


def test_every_question_has_a_short_answer_with_a_link() -> None:
    page = (DOCS / "faq.md").read_text(encoding="utf-8")
    answers = re.findall(r"^### (.+)\n((?:(?!#).*\n)+)", page, re.MULTILINE)
    assert len(answers) >= 30
    assert [question for question, answer in answers if "](" not in answer or len(answer.split()) > 80] == []
