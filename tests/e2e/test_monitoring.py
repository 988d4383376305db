"""What Prometheus and Grafana are given: the rules do what they say, and nothing asks for what is not there."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from crmtray_server.monitor import Monitor

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "packaging" / "prometheus"
BOARD = ROOT / "packaging" / "grafana" / "crmtray.json"
OF_A_HISTOGRAM = ("_bucket", "_sum", "_count")
OF_PROMETHEUS = {"instance", "job", "le"}


def promtool(*arguments: str) -> str:
    found = shutil.which("promtool")
    assert found is not None, "promtool is not installed: scripts/system-packages test"
    done = subprocess.run([found, *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_rules_fire_when_they_should_and_not_before() -> None:
    promtool("test", "rules", str(PROMETHEUS / "crmtray-rules-test.yml"))


def test_every_rule_has_a_test() -> None:
    tested = {
        check["alertname"]
        for test in yaml.safe_load((PROMETHEUS / "crmtray-rules-test.yml").read_text())["tests"]
        for check in test["alert_rule_test"]
        if check["exp_alerts"]
    }
    assert tested == {rule["alert"] for rule in rules()}


def test_the_example_is_a_configuration() -> None:
    assert "1 rule files found" in promtool("check", "config", str(PROMETHEUS / "prometheus.yml"))


def rules() -> list[dict[str, Any]]:
    [group] = yaml.safe_load((PROMETHEUS / "crmtray-rules.yml").read_text())["groups"]
    return list(group["rules"])


def panels() -> Iterator[tuple[str, str]]:
    for panel in json.loads(BOARD.read_text())["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]


def metrics() -> dict[str, set[str]]:
    """The series that a server has, with their labels."""
    found = {"up": set[str]()}
    for collected in Monitor().registry._collector_to_names:
        labels = set(getattr(collected, "_labelnames", ()))
        for metric in collected.describe() if hasattr(collected, "describe") else collected.collect():
            counted = f"{metric.name}_total" if metric.type == "counter" else metric.name
            endings = OF_A_HISTOGRAM if metric.type == "histogram" else ("",)
            found |= {counted + ending: labels for ending in endings}
    found |= {metric.name + ("_total" if metric.type == "counter" else ""): set[str]() for metric in of_the_process()}
    return found


def of_the_process() -> Iterator[Any]:
    for metric in Monitor().registry.collect():
        if metric.name.startswith("process_"):
            yield metric


EXPRESSIONS = [(rule["alert"], rule["expr"]) for rule in rules()] + list(panels())


@pytest.mark.parametrize(("title", "expression"), EXPRESSIONS, ids=[title for title, _ in EXPRESSIONS])
def test_each_expression_asks_for_metrics_and_labels_that_exist(title: str, expression: str) -> None:
    there = metrics()
    named = set(re.findall(r"\b(?:crmtray|process)_\w+|\bup\b", expression))
    assert named and named <= set(there)
    given = {label.strip() for labels in re.findall(r"\bby \(([^)]*)\)", expression) for label in labels.split(",")}
    given |= set(re.findall(r"[{,]\s*(\w+)\s*(?:=~|=|!=)", expression))
    assert given <= OF_PROMETHEUS.union(*(there[name] for name in named))


def test_the_board_is_of_expressions_that_prometheus_understands(tmp_path: Path) -> None:
    made = [
        {"record": f"panel_{number}", "expr": expression.replace("$__rate_interval", "5m").replace("$instance", ".*")}
        for number, (_, expression) in enumerate(panels())
    ]
    file = tmp_path / "board.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "board", "rules": made}]}))
    assert f"{len(made)} rules found" in promtool("check", "rules", str(file)) and len(made) > 30


def test_every_metric_of_ours_is_on_the_board() -> None:
    shown = " ".join(expression for _, expression in panels())
    ours = {re.sub(r"_(bucket|sum|count)$", "", name) for name in metrics() if name.startswith("crmtray_")}
    assert {name for name in ours if name not in shown} == set()
