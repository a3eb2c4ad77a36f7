"""Dockerfile and compose files: what they publish, what they build, and that they run."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import subprocess
import time
import tomllib
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.stack import read_profile
from services.mt.engine import RUNTIMES
from services.settings import port
from services.stt.engine import ENGINES
from tests.processes import REPOSITORY

SERVICES = {"stt", "mt", "qe", "gateway", "captions", "collector"}
PROFILES = sorted(path.stem for path in (REPOSITORY / "profiles").glob("*.env"))
COMBINATIONS = (
    ("docker-compose.yml",),
    ("docker-compose.yml", "docker-compose.cuda.yml"),
)


def compose_is_there() -> bool:
    if shutil.which("docker") is None:
        return False
    asked = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
    return asked.returncode == 0


def engine_is_there() -> bool:
    if not compose_is_there():
        return False
    return subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0


needs_compose = pytest.mark.skipif(not compose_is_there(), reason="docker compose is not installed")


def compose(
    *arguments: str | Path, files: tuple[str | Path, ...] = COMBINATIONS[0], **variables: str
) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GLOSSA_")}
    return subprocess.run(
        ["docker", "compose", *(part for file in files for part in ("-f", file)), *arguments],
        cwd=REPOSITORY,
        env={**environment, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def configuration(*options: str, **variables: str) -> dict[str, Any]:
    """The services, by name; `options` are compose's own, before its verb."""
    done = compose(*options, "config", "--format", "json", **variables)
    assert done.returncode == 0, done.stderr
    services: dict[str, Any] = json.loads(done.stdout)["services"]
    return services


@needs_compose
@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("files", COMBINATIONS, ids=lambda files: "+".join(files))
def test_each_combination_of_compose_files_is_valid(files: tuple[str, ...], profile: str) -> None:
    done = compose("config", "-q", files=files, GLOSSA_PROFILE=profile)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@needs_compose
@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_given_as_an_env_file_selects_everything_by_itself(profile: str) -> None:
    file = f"profiles/{profile}.env"
    wanted = read_profile(profile)
    by_file = configuration("--env-file", file)
    assert by_file == configuration(GLOSSA_PROFILE=profile) | {
        name: by_file[name] for name in ("stt", "mt", "qe")
    }
    for name in ("stt", "mt", "qe"):
        assert by_file[name]["build"]["args"]["PROFILE"] == profile
        environment = by_file[name]["environment"]
        assert {key: environment[key] or "" for key in wanted} == wanted


@needs_compose
def test_one_variable_changes_a_runtime_and_what_its_image_holds() -> None:
    for chosen in (("--env-file", "profiles/rtx2070.env"), ()):
        mt = configuration(*chosen, GLOSSA_PROFILE="rtx2070", GLOSSA_MT_RUNTIME="bitsandbytes")[
            "mt"
        ]
        assert mt["environment"]["GLOSSA_MT_RUNTIME"] == "bitsandbytes"
        assert "bitsandbytes" in mt["build"]["args"]["ENGINES"]


@needs_compose
def test_a_second_mt_is_there_when_it_is_asked_for() -> None:
    assert "mt-alternative" not in configuration()
    asked = {"GLOSSA_MT_ALTERNATIVE_RUNTIME": "gguf", "GLOSSA_MT_ALTERNATIVE_MODEL": "other"}
    services = configuration("--profile", "alternative", GLOSSA_PROFILE="rtx3090", **asked)
    second = services["mt-alternative"]["environment"]
    assert second["GLOSSA_MT_RUNTIME"] == "gguf"
    assert second["GLOSSA_MT_MODEL"] == "other"
    assert services["mt"]["environment"]["GLOSSA_MT_MODEL"] == "translategemma-12b-it-Q4_K_M"
    gateway = services["gateway"]["environment"]
    assert gateway["GLOSSA_GATEWAY_MT_ALTERNATIVE_ADDRESS"] == f"mt-alternative:{port('mt')}"
    assert configuration()["gateway"]["environment"]["GLOSSA_GATEWAY_MT_ALTERNATIVE_ADDRESS"] == ""


@needs_compose
def test_models_lie_in_a_volume_or_in_a_folder_of_the_machine(tmp_path: Path) -> None:
    (volume,) = configuration()["mt"]["volumes"]
    assert (volume["type"], volume["source"]) == ("volume", "models")
    (bound,) = configuration(GLOSSA_MODELS_DIR=str(tmp_path))["mt"]["volumes"]
    assert (bound["type"], bound["source"]) == ("bind", str(tmp_path))


@needs_compose
def test_the_cuda_overlay_gives_a_gpu_to_the_models_that_use_one() -> None:
    done = compose("config", "--format", "json", files=COMBINATIONS[1])
    with_gpu = {
        name
        for name, service in json.loads(done.stdout)["services"].items()
        if "deploy" in service and service["deploy"]["resources"]["reservations"]["devices"]
    }
    assert with_gpu == {"stt", "mt", "qe"}


@needs_compose
def test_nothing_is_published_beyond_this_machine_by_default() -> None:
    published = [
        entry for service in configuration().values() for entry in service.get("ports", ())
    ]
    assert {entry["host_ip"] for entry in published} == {"127.0.0.1"}
    assert "ports" not in configuration()["redis"]


@needs_compose
def test_opening_it_publishes_the_gateway_and_the_captions_alone() -> None:
    opened = {
        int(entry["published"])
        for service in configuration(GLOSSA_PUBLISH_HOST="0.0.0.0").values()
        for entry in service.get("ports", ())
        if entry["host_ip"] == "0.0.0.0"
    }
    assert opened == {port("gateway"), port("captions"), port("captions_web")}


@needs_compose
def test_the_review_page_is_opened_by_itself_and_knows_that_it_is() -> None:
    token = "a-token-of-this-test"
    collector = configuration(GLOSSA_REVIEW_PUBLISH_HOST="0.0.0.0", GLOSSA_REVIEW_TOKEN=token)[
        "collector"
    ]
    opened = [entry["published"] for entry in collector["ports"] if entry["host_ip"] == "0.0.0.0"]
    assert opened == [str(port("collector_web"))]
    environment = collector["environment"]
    assert environment["GLOSSA_COLLECTOR_WEB_PUBLISHED_HOST"] == "0.0.0.0"
    assert environment["GLOSSA_COLLECTOR_REVIEW_TOKEN"] == token


@needs_compose
def test_each_service_is_built_restarted_and_given_time_to_drain() -> None:
    services = configuration()
    assert services.keys() == {"redis", *SERVICES}
    for name, service in services.items():
        assert service["restart"] == "unless-stopped"
        assert service["stop_grace_period"] == "15s"
        if name != "redis":
            assert service["build"]["args"]["SERVICE"] == name
            assert service["read_only"]
            assert service["cap_drop"] == ["ALL"]


def test_the_image_knows_the_port_of_each_health_check() -> None:
    dockerfile = (REPOSITORY / "Dockerfile").read_text()
    said = dict(re.findall(r"GLOSSA_(\w+)_HTTP_PORT=(\d+)", dockerfile))
    assert said == {name.upper(): str(port(f"{name}_http")) for name in SERVICES}


def test_each_service_and_each_engine_has_an_extra_that_its_image_installs() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].keys()
    assert extras >= SERVICES
    engines = {name.replace("_", "-") for name in (*ENGINES, *RUNTIMES)}
    assert engines - extras == {"pocketsphinx", "apertium"}


def test_the_voice_detector_is_the_locked_one_wherever_it_is_installed() -> None:
    assert re.findall(r"^silero-vad==.+$", (REPOSITORY / "constraints.txt").read_text(), re.M)
    for name in ("glossa", "Dockerfile"):
        said = re.findall(r".*silero-vad.*", (REPOSITORY / name).read_text())
        assert said
        assert not [line for line in said if "silero-vad==" in line]


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[tuple[str | Path, ...]]:
    """The compose files of a running stack whose ports are not published."""
    override = tmp_path / "unpublished.yml"
    unpublished = "".join(f"  {name}: {{ports: !reset []}}\n" for name in sorted(SERVICES))
    override.write_text(f"name: glossa-test-{secrets.token_hex(4)}\nservices:\n{unpublished}")
    files = (*COMBINATIONS[0], override)
    try:
        up = compose("up", "--build", "-d", "--wait", "--wait-timeout", "180", files=files)
        assert up.returncode == 0, up.stderr[-3000:] + compose("logs", files=files).stdout[-6000:]
        yield files
    finally:
        compose("down", "-v", "--timeout", "15", files=files)


@pytest.mark.compose
@pytest.mark.skipif(not engine_is_there(), reason="no Docker engine answers here")
@pytest.mark.timeout(900)
def test_the_stack_comes_up_healthy_serves_its_page_and_restarts_what_dies(
    stack: tuple[str | Path, ...],
) -> None:
    address = _inspect(
        stack, "captions", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
    )
    with urllib.request.urlopen(f"http://{address}:{port('captions_web')}/", timeout=5) as page:
        assert page.status == 200
    who = compose("exec", "-T", "gateway", "id", "-un", files=stack)
    assert who.stdout.strip() == "glossa"

    first_pid = _inspect(stack, "mt", "{{.State.Pid}}")
    subprocess.run(["kill", "-9", first_pid], check=True)
    gives_up_at = time.monotonic() + 90
    while True:
        pid, health = _inspect(stack, "mt", "{{.State.Pid}} {{.State.Health.Status}}").split()
        if pid not in ("0", first_pid) and health == "healthy":
            break
        assert time.monotonic() < gives_up_at, f"mt is {health} with pid {pid}"
        time.sleep(0.5)


@pytest.mark.compose
@pytest.mark.skipif(not engine_is_there(), reason="no Docker engine answers here")
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("service", "module"), [("stt", "faster_whisper"), ("mt", "sentencepiece")]
)
def test_an_image_holds_the_engines_of_its_profile_and_no_more(service: str, module: str) -> None:
    arguments = ("--build-arg", f"SERVICE={service}", "--build-arg", "PROFILE=cpu")
    built = subprocess.run(
        ["docker", "build", "-q", *arguments, "."],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr[-3000:]
    look = (
        "import importlib.util, shutil\n"
        "import ctranslate2\n"
        f"import {module}\n"
        "print(importlib.util.find_spec('torch'), shutil.which('cc'), shutil.which('cmake'))\n"
    )
    found = subprocess.run(
        ["docker", "run", "--rm", "--read-only", built.stdout.strip(), "python", "-c", look],
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.stdout == "None None None\n", found.stderr


def _inspect(files: tuple[str | Path, ...], service: str, template: str) -> str:
    container = compose("ps", "-q", service, files=files).stdout.strip()
    asked = subprocess.run(
        ["docker", "inspect", "-f", template, container], capture_output=True, text=True, check=True
    )
    return asked.stdout.strip()
