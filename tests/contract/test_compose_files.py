"""What docker-compose.yml says of every container alike: rights, limits, versions, certificates."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from services.settings import SERVICES
from tests.contract.docker_compose import WITH_CUDA, configuration, is_there
from tests.processes import REPOSITORY

pytestmark = pytest.mark.skipif(not is_there(), reason="docker compose is not installed")

DIGEST = "example.org/image@sha256:" + 64 * "0"
# Where the variable of an image that is built from another one stands, among its arguments.
MADE_FROM = {"BASE": "GLOSSA_BASE_IMAGE", "REDIS": "GLOSSA_REDIS_IMAGE"}


def everything(**variables: str) -> dict[str, Any]:
    """The services of all profiles."""
    return configuration("--profile", "*", **variables)


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    return everything()


def limits(service: dict[str, Any]) -> dict[str, Any]:
    of_it: dict[str, Any] = service["deploy"]["resources"]["limits"]
    return of_it


def test_every_container_runs_without_rights_and_within_limits(services: dict[str, Any]) -> None:
    assert services.keys() > {"redis", *SERVICES, "training", "client", "prometheus", "grafana"}
    for name, service in services.items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert int(limits(service)["memory"]) >= 1 << 30, name
        assert limits(service)["pids"] >= 64, name
        assert service["logging"]["options"] == {"max-size": "10m", "max-file": "3"}, name


def test_a_larger_model_may_be_given_more_memory(services: dict[str, Any]) -> None:
    names = {name.removesuffix("-alternative") for name in services}
    raised = everything(**{f"GLOSSA_{name.upper()}_MEMORY": "31g" for name in names})
    assert {limits(service)["memory"] for service in raised.values()} == {str(31 << 30)}


def foreign_image(name: str, service: dict[str, Any]) -> tuple[str, str]:
    """The image that a container runs, or is made from: its variable and its name."""
    if "build" not in service:
        return f"GLOSSA_{name.upper()}_IMAGE", service["image"]
    arguments = service["build"]["args"]
    (key,) = MADE_FROM.keys() & arguments.keys()
    return MADE_FROM[key], arguments[key]


def images_from_elsewhere(**variables: str) -> dict[str, str]:
    """What is not made here, by the variable that names another: that of the overlay, too."""
    images = dict(foreign_image(*each) for each in everything(**variables).items())
    with_card = configuration(files=WITH_CUDA, **variables)
    return images | {"GLOSSA_CUDA_IMAGE": with_card["mt"]["build"]["args"]["BUILD_BASE"]}


def test_what_is_not_made_here_is_tagged_with_a_version_and_may_have_a_digest() -> None:
    images = images_from_elsewhere()
    for image in images.values():
        assert re.fullmatch(r"[a-z/]+:v?\d+(\.\d+)*[\w.-]*", image)
    pinned = images_from_elsewhere(**dict.fromkeys(images, DIGEST))
    assert set(pinned.values()) == {DIGEST}


def test_what_is_mounted_comes_with_the_repository(services: dict[str, Any]) -> None:
    """A folder that is not there Docker makes as root, which then is in the user's way."""
    mounted = {
        each["source"]
        for service in services.values()
        for each in service["volumes"]
        if each["type"] == "bind"
    }
    folders = {Path(path).relative_to(REPOSITORY).parts[0] for path in mounted}
    assert folders == {"deploy", "training"}
    assert all(Path(path).exists() for path in mounted)


def test_certificates_reach_every_service_and_the_command_line(
    services: dict[str, Any], tmp_path: Path
) -> None:
    given = everything(GLOSSA_CERTIFICATES_DIR=str(tmp_path))
    for name in {*SERVICES, "mt-alternative", "training", "client", "prometheus"}:
        mounted = {each["target"]: each for each in given[name]["volumes"]}["/certificates"]
        assert (mounted["source"], mounted["read_only"]) == (str(tmp_path), True)
        if name == "prometheus":
            assert (
                "--config.file=/etc/prometheus/prometheus-encrypted.yml" in given[name]["command"]
            )
            assert "--config.file=/etc/prometheus/prometheus.yml" in services[name]["command"]
            continue
        assert given[name]["environment"]["GLOSSA_CERTIFICATES_DIR"] == "/certificates"
        assert services[name]["environment"]["GLOSSA_CERTIFICATES_DIR"] == ""
