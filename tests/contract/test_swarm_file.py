"""What `docker stack deploy` is given: deploy/swarm/stack, of the same compose files."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli.certificate_authority import service_names
from services.settings import SERVICES, port
from tests.contract.docker_compose import is_there
from tests.processes import REPOSITORY

pytestmark = pytest.mark.skipif(not is_there(), reason="docker compose is not installed")

REPLICATED = ("stt", "mt", "qe")
REGISTRY = "registry.example.org/"
TRACES = "http://traces.example.org:4317"


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The stack's services, once docker has found nothing to object to."""
    folder = str(tmp_path_factory.mktemp("of-the-stack"))
    kept = {key: value for key, value in os.environ.items() if not key.startswith("GLOSSA_")}
    own = {
        "GLOSSA_CERTIFICATES_DIR": folder,
        "GLOSSA_TOKENS_DIR": folder,
        "GLOSSA_MT_REPLICAS": "3",
        "GLOSSA_PROFILE": "cpu",
        "GLOSSA_REGISTRY": REGISTRY,
        "GLOSSA_TRACES_ENDPOINT": TRACES,
    }
    made = _done([str(REPOSITORY / "deploy" / "swarm" / "stack")], "", {**kept, **own})
    read = _done(["docker", "stack", "config", "--compose-file", "-"], made, kept)
    found: dict[str, Any] = yaml.safe_load(read)["services"]
    return json.loads(json.dumps(found))


def _done(command: list[str], given: str, environment: dict[str, str]) -> str:
    done = subprocess.run(
        command, input=given, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_gateway_asks_all_replicas_by_a_name_of_their_certificate(
    services: dict[str, Any],
) -> None:
    assert services.keys() == {"redis", *SERVICES}
    assert services["mt"]["deploy"]["replicas"] == 3
    for name in REPLICATED:
        variable = f"GLOSSA_GATEWAY_{name.upper()}_ADDRESS"
        assert services["gateway"]["environment"][variable] == f"dns:///tasks.{name}:{port(name)}"
        assert f"tasks.{name}" in service_names(name)
        assert float(services[name]["environment"][f"GLOSSA_{name.upper()}_CONNECTION_AGE_S"]) > 0


def test_its_images_come_from_the_registry_with_the_engines_of_the_profile(
    services: dict[str, Any],
) -> None:
    for name, service in services.items():
        tag = ":cpu" if name in REPLICATED else ""
        assert service["image"] == f"{REGISTRY}glossa-{name}{tag}"


def test_nothing_goes_unencrypted_and_only_what_people_use_is_published(
    services: dict[str, Any],
) -> None:
    published = {
        name: {(each["published"], each["mode"]) for each in service.get("ports", [])}
        for name, service in services.items()
    }
    assert {name: ports for name, ports in published.items() if ports} == {
        "gateway": {(port("gateway"), "host")},
        "captions": {(port("captions"), "host"), (port("captions_web"), "host")},
        "collector": {(port("collector_web"), "host")},
    }
    for name in SERVICES:
        environment = services[name]["environment"]
        assert environment[f"GLOSSA_{name.upper()}_ALLOW_PLAINTEXT"] == "false"
        assert environment["GLOSSA_CERTIFICATES_DIR"] == "/certificates"
        assert environment["GLOSSA_TRACES_ENDPOINT"] == TRACES
        assert Path(environment["GLOSSA_TOKENS_FILE"]).parent == Path("/etc/glossa/tokens")


def test_what_is_kept_or_called_stays_where_it_is_and_everything_within_its_limits(
    services: dict[str, Any],
) -> None:
    for name in services.keys() - set(REPLICATED):
        placement = services[name]["deploy"]["placement"]
        assert placement == {"constraints": ["node.labels.glossa == state"]}
    for name, service in services.items():
        assert service["deploy"]["endpoint_mode"] == "dnsrr", name
        assert service["deploy"]["update_config"]["failure_action"] == "rollback", name
        assert int(service["deploy"]["resources"]["limits"]["memory"]) >= 1 << 30, name
        assert service["read_only"], name
        assert {"type": "tmpfs", "target": "/tmp"} in service["volumes"], name
        assert service["cap_drop"] == ["ALL"], name
