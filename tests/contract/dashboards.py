"""What the files of deploy/ ask Prometheus for."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

from tests.processes import REPOSITORY

PROMETHEUS = REPOSITORY / "deploy" / "prometheus"
GRAFANA = REPOSITORY / "deploy" / "grafana"
DASHBOARD = GRAFANA / "dashboards" / "glossa.json"


def panels() -> list[dict[str, Any]]:
    """Those that show something, in order."""
    dashboard = json.loads(DASHBOARD.read_text())
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def expressions_of(panel: dict[str, Any]) -> list[str]:
    """As Prometheus takes them: Grafana's interval is a minute."""
    return [target["expr"].replace("$__rate_interval", "1m") for target in panel.get("targets", ())]


def alerts() -> list[dict[str, Any]]:
    groups = read_yaml(PROMETHEUS / "alerts.yml")["groups"]
    return [rule for group in groups for rule in group["rules"]]


def all_expressions() -> list[str]:
    """Of the dashboard and of the alerts."""
    shown = [expression for panel in panels() for expression in expressions_of(panel)]
    return [*shown, *(alert["expr"] for alert in alerts())]


def metrics_of(expression: str) -> set[str]:
    """The names of this project's metrics, and of a process's, in an expression."""
    return set(re.findall(r"\b(?:glossa|process)_\w+", expression))


def read_yaml(path: Path) -> Any:
    return yaml.safe_load(path.read_text())
