"""What is handed to Prometheus and Grafana: read by Prometheus's own tool, and in step."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from services.settings import PORT_BASE, PORT_OFFSETS, SERVICES
from tests.contract.dashboards import (
    DASHBOARD,
    GRAFANA,
    PANELS,
    PROMETHEUS,
    alerts,
    all_expressions,
    expressions_of,
    panels,
    read_yaml,
)


def promtool(*arguments: str | Path) -> str:
    """What it says; it must be content."""
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    "name", ["prometheus.yml", "prometheus-encrypted.yml", "prometheus-local.yml"]
)
def test_prometheus_takes_its_configuration_with_every_service_in_it(name: str) -> None:
    # Files of certificates are those of a container, and not here.
    promtool("check", "config", "--syntax-only", PROMETHEUS / name)
    (job,) = read_yaml(PROMETHEUS / name)["scrape_configs"]
    targets = {
        each["labels"]["service"]: each["targets"][0].rpartition(":")
        for each in job["static_configs"]
    }
    assert sorted(targets) == sorted(SERVICES)
    for service, (host, _, number) in targets.items():
        assert host == ("127.0.0.1" if name == "prometheus-local.yml" else service)
        assert int(number) == PORT_BASE + PORT_OFFSETS[f"{service}_http"]


def test_with_certificates_the_same_is_asked_over_tls() -> None:
    encrypted = read_yaml(PROMETHEUS / "prometheus-encrypted.yml")
    (job,) = encrypted["scrape_configs"]
    assert job.pop("scheme") == "https"
    assert job.pop("tls_config") == {"ca_file": "/certificates/ca.pem"}
    assert encrypted == read_yaml(PROMETHEUS / "prometheus.yml")


def test_each_alert_fires_on_what_it_is_for_and_is_silent_else() -> None:
    promtool("test", "rules", PROMETHEUS / "alerts_test.yml")
    tests = read_yaml(PROMETHEUS / "alerts_test.yml")["tests"]
    names = [alert["alert"] for alert in alerts()]
    assert [test["name"] for test in tests] == ["all is well", *names]
    for test in tests[1:]:
        (firing,) = test["promql_expr_test"][0]["exp_samples"]
        assert firing["labels"] == f'{{alertname="{test["name"]}"}}'


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert["alert"])
def test_each_alert_says_how_urgent_it_is_and_what_to_do(alert: dict) -> None:
    assert alert["labels"]["severity"] in ("critical", "warning")
    assert alert["annotations"]["summary"].count(".") >= 1


def test_every_expression_of_the_dashboard_and_the_alerts_parses(tmp_path: Path) -> None:
    rules = [
        {"record": f"expression:{number}", "expr": expression}
        for number, expression in enumerate(all_expressions())
    ]
    path = tmp_path / "rules.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "all", "rules": rules}]}))
    assert f"{len(rules)} rules found" in promtool("check", "rules", path)
    assert len(rules) > 80


def test_every_panel_is_there_and_shows_what_it_is_for() -> None:
    shown = {panel["title"]: expressions_of(panel)[0] for panel in panels()}
    assert list(shown) == list(PANELS)
    for title, metric in PANELS.items():
        assert re.search(rf"\b{metric}\b", shown[title]), title


def test_panels_have_a_place_of_their_own_and_the_provisioned_source() -> None:
    (source,) = read_yaml(GRAFANA / "provisioning" / "datasources" / "prometheus.yml")[
        "datasources"
    ]
    places = set()
    for panel in panels():
        assert panel["datasource"]["uid"] == source["uid"]
        assert panel["title"]
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & places, panel["title"]
        places |= cells
    assert len({panel["title"] for panel in panels()}) == len(panels())
    (provider,) = read_yaml(GRAFANA / "provisioning" / "dashboards" / "glossa.yml")["providers"]
    assert Path(provider["options"]["path"]).name == DASHBOARD.parent.name
