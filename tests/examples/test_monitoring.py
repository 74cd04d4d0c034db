"""The rules and the dashboard of examples/monitoring speak of what the daemon serves, and promtool understands them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from tests.health.test_metrics_page import full

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "examples" / "monitoring"
PAGE = (ROOT / "docs" / "monitoring.md").read_text(encoding="utf-8")
DASHBOARD: dict[str, Any] = json.loads((FOLDER / "dashboard.json").read_text(encoding="utf-8"))
RULES: list[dict[str, Any]] = [
    rule for group in yaml.safe_load((FOLDER / "alerts.yml").read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
]  # fmt: skip
CASES: list[dict[str, Any]] = yaml.safe_load((FOLDER / "alerts_test.yml").read_text(encoding="utf-8"))["tests"]
OF_PROMETHEUS = {"up"}
NAME = re.compile(r"\b((?:faceedge|process|up)\w*)(?=[\s{\[)]|$)")
LABELS = re.compile(r"\b([a-z_]+)\{([^}]*)\}")
PROMTOOL = shutil.which("promtool")


def expressions() -> list[str]:
    panels = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
    return [
        *(rule["expr"] for rule in RULES), *panels, *(each["expr"] for each in DASHBOARD["annotations"]["list"])
    ]  # fmt: skip


def served() -> dict[str, set[str]]:
    """Labels by the name of every series there is."""
    names: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(generate_latest(full().registry).decode()):
        for sample in family.samples:
            names.setdefault(sample.name, set()).update(sample.labels)
    return names


def promtool(*words: str | Path) -> str:
    if PROMTOOL is None:
        pytest.skip("no promtool here: apt-get install --no-install-recommends prometheus")
    done = subprocess.run([PROMTOOL, *words], capture_output=True, text=True, check=False, cwd=FOLDER)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("expression", expressions())
def test_rules_and_dashboard_name_only_what_is_served(expression: str) -> None:
    names = served()
    used = set(NAME.findall(re.sub(r'"[^"]*"', '""', expression))) - OF_PROMETHEUS
    assert used or "up{" in expression
    assert used <= names.keys()
    for name, matchers in LABELS.findall(expression):
        labels = set(re.findall(r"([a-z_]+)(?:=~|!=|!~|=)", re.sub(r'"[^"]*"', '""', matchers)))
        assert labels <= names.get(name, set()) | {"job", "instance"}, name


def test_every_family_that_shows_trouble_is_looked_at() -> None:
    """Where something new is served, somebody decides whether it is shown."""
    shown = " ".join(expressions())
    families = {re.sub("_(bucket|count|sum)$", "", name) for name in served() if name.startswith("faceedge_")}
    assert {name for name in families if name not in shown} == {"faceedge_build_info", "faceedge_queue_items",
                                                               "faceedge_events_total"}  # fmt: skip


def test_every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_is_quiet() -> None:
    asked = [question for case in CASES for question in case["alert_rule_test"]]
    for rule in RULES:
        cases = [bool(question.get("exp_alerts")) for question in asked if question["alertname"] == rule["alert"]]
        assert set(cases) == {True, False}, rule["alert"]


def test_the_page_has_every_alert_with_its_severity_meaning_and_remedy() -> None:
    rows = re.findall(r"^\| `(Faceedge\w+)` \| (\w+) \| [^|]+ \| [^|]+ \|$", PAGE, re.MULTILINE)
    assert rows == [(rule["alert"], rule["labels"]["severity"]) for rule in RULES]


def test_promtool_accepts_rules_and_configuration_and_its_unit_tests_pass() -> None:
    assert "SUCCESS" in promtool("check", "config", "prometheus.yml")
    assert "SUCCESS" in promtool("test", "rules", "alerts_test.yml")


def test_promtool_understands_every_expression_of_the_dashboard(tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:{number}", "expr": expression.replace("$__rate_interval", "5m")}
        for number, expression in enumerate(expressions())
    ]
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}), encoding="utf-8")
    assert f"{len(rules)} rules found" in promtool("check", "rules", file)


def test_panels_lie_side_by_side_and_each_has_a_number_and_says_what_it_shows() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert all(panel["description"].endswith((".", "?")) for panel in panels)
    taken: set[tuple[int, int]] = set()
    for at in (panel["gridPos"] for panel in panels):
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken
        assert at["x"] + at["w"] <= 24
        taken |= cells
