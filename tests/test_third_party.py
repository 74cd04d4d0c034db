"""THIRD_PARTY.md is what setup.cfg and the catalogue say; the AGPL stays in a process of its own."""

from __future__ import annotations

import ast
import json
import re
from email import message_from_string
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from faceedge.__main__ import main
from faceedge.errors import BadInput
from faceedge.jobs.licences import NOT_SHIPPED, UNKNOWN, Licensed, licence_of, networks, packages, requirements
from faceedge.models.catalogue import read_catalogue
from scripts.make_third_party import asked_for

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "THIRD_PARTY.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \| ([^|]*) \|$", re.MULTILINE)
AGAIN = "out of date: run .venv/bin/python scripts/make_third_party.py"
FAMILIES = ("AGPL", "LGPL", "MPL", "EPL", "PSF", "Apache", "BSD", "BSL", "MIT", "ISC", "CC0")
WITH_JTOP = "faceedge.health.jtop_child"


def families(licence: str) -> set[str]:
    return {family for family in FAMILIES if re.search(rf"\b{family}", licence)}


def test_the_page_names_every_package_that_setup_cfg_asks_for_and_no_other() -> None:
    told = {(name, needed) for name, needed, *_ in ROW.findall(PAGE) if needed == "always" or "extra" in needed}
    asked = asked_for()
    expected = {(name, f"extra `{extra}`" if extra else "always") for extra, names in asked.items() for name in names
                if extra not in NOT_SHIPPED}  # fmt: skip
    assert told == expected, AGAIN
    tools = {name for extra in NOT_SHIPPED for name in asked[extra]} - {name for name, _ in expected}
    assert set(re.findall(r"([a-z0-9-]+) \(", PAGE.partition("on no device: ")[2].partition("\n")[0])) == tools, AGAIN


def test_the_page_names_every_network_with_its_licence() -> None:
    told = {name: licence for name, role, licence, _ in ROW.findall(PAGE) if role.startswith(("det", "rec", "qual"))}
    entries = read_catalogue(system=ROOT / "nowhere").values()
    assert told == {"dlib-mmod, dlib-resnet": "CC0-1.0"} | {
        f"{entry.name} {entry.version}": entry.licence for entry in entries
    }, AGAIN


def test_the_licences_of_the_page_are_of_the_kind_that_the_installed_packages_state() -> None:
    """Words differ between versions of a package, as between those for Python 3.10 and 3.12; the kind may not."""
    for name, needed, licence, _ in ROW.findall(PAGE):
        if needed != "always" and "extra" not in needed:
            continue
        try:
            stated = licence_of(metadata.metadata(name))
        except metadata.PackageNotFoundError:
            continue
        assert families(licence) & families(stated), f"{name}: {licence!r}, installed {stated!r}; {AGAIN}"


def test_all_that_is_installed_states_a_licence_and_none_is_copyleft_that_nobody_has_thought_of() -> None:
    found = {one.name: one.licence for one in packages()}
    assert {"numpy", "pydantic", "pydantic-core", "paho-mqtt"} <= found.keys(), "with what they need themselves"
    assert not {"pytest", "ruff", "faceedge"} & found.keys()
    assert [name for name, licence in found.items() if licence == UNKNOWN] == []
    strong = {name for name, licence in found.items() if re.search(r"\b(A?GPL|LGPL|MPL)", licence)}
    assert strong <= {"jetson-stats", "gpiod", "shtab"}


def test_the_command_lists_packages_as_a_table_and_as_json(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FACEEDGE_STATE", str(tmp_path))
    monkeypatch.setenv("FACEEDGE_CACHE", str(tmp_path))
    monkeypatch.delenv("FACEEDGE_CONFIG", raising=False)
    assert main(["licenses", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)["licences"]}
    assert rows["pydantic-core"]["needed_by"] == "pydantic"
    assert rows["paho-mqtt"]["licence"] == "EPL-2.0 OR BSD-3-Clause"
    assert main(["licenses"]) == 0
    head, *table = capsys.readouterr().out.splitlines()
    assert head.split() == ["kind", "name", "version", "licence", "needed", "by"]
    assert len(table) >= len(rows)


def test_who_runs_from_the_source_alone_is_told_how_to_install() -> None:
    with pytest.raises(BadInput, match=r"nobody-at-all runs from its source .* pip install"):
        packages("nobody-at-all")


def test_networks_are_told_with_what_their_manifests_say() -> None:
    source = SimpleNamespace(licence="", note="nobody knows")
    manifest = SimpleNamespace(name="mine", version="3", role="detector", source=source)
    found = [SimpleNamespace(package=SimpleNamespace(manifest=manifest)), SimpleNamespace(package=None)]
    assert networks(cast(Any, found)) == [Licensed("network", "mine", "3", UNKNOWN, "detector", "nobody knows")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("License-Expression: MIT OR Apache-2.0\nLicense: whatever", "MIT OR Apache-2.0"),
        ("License: Apache 2.0", "Apache-2.0"),
        ("License: The whole text\n of a licence", UNKNOWN),
        ("License: UNKNOWN\nClassifier: License :: OSI Approved :: MIT License", "MIT"),
        ("Classifier: License :: OSI Approved :: BSD License\nClassifier: Topic :: Home Automation", "BSD"),
        ("Name: nothing", UNKNOWN),
    ],
)
def test_a_package_may_state_its_licence_in_three_ways(text: str, expected: str) -> None:
    assert licence_of(message_from_string(text)) == expected


def test_requirements_are_those_of_the_extras_that_are_asked_for() -> None:
    lines = ["numpy>=2.2", 'tomli>=2; python_version < "3.11"', 'pwdlib[argon2]>=0.2 ; extra == "demo"',
             "pytest; extra == 'dev'"]  # fmt: skip
    found = list(requirements(lines, frozenset({"demo"})))
    assert [(one.name, one.extra, one.brings) for one in found] == [
        ("numpy", "", frozenset()), ("tomli", "", frozenset()), ("pwdlib", "demo", frozenset({"argon2"})),
    ]  # fmt: skip


def test_no_module_but_the_one_that_runs_alone_imports_jtop() -> None:
    importers: dict[str, set[str]] = {}
    for path in (ROOT / "faceedge").rglob("*.py"):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        text = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)) if "jtop" in text else ():
            for name in imported(node):
                importers.setdefault(name, set()).add(module)
    assert importers["jtop"] == {WITH_JTOP}
    assert WITH_JTOP not in importers, "it is run, with python -m, and never imported"
    assert "jtop_child" not in {name.rpartition(".")[2] for name in importers}


def imported(node: ast.AST) -> set[str]:
    """Names of modules in an import, and in a call of import_module or find_spec."""
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names}
    if isinstance(node, ast.ImportFrom):
        return {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
    if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
        return {str(each.value) for each in node.args if isinstance(each, ast.Constant)}
    return set()


def test_the_project_has_a_licence_of_its_own() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text
