"""Dockerfile and compose files: what they publish, and what they build."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from cli.stack import read_profile
from services.captions.settings import CaptionsSettings
from services.mt.engine import RUNTIMES
from services.settings import SERVICES, port
from services.stt.engine import ENGINES
from tests.contract.docker_compose import (
    BASE,
    WITH_CUDA,
    WITH_SECRETS,
    WITH_TOKENS,
    build,
    compose,
    configuration,
    engine_is_there,
    is_there,
    run,
)
from tests.processes import REPOSITORY

PROFILES = sorted(path.stem for path in (REPOSITORY / "profiles").glob("*.env"))

needs_compose = pytest.mark.skipif(not is_there(), reason="docker compose is not installed")


@needs_compose
@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize(
    "files", [BASE, WITH_CUDA, WITH_SECRETS, WITH_TOKENS], ids=lambda files: "+".join(files)
)
def test_each_combination_of_compose_files_is_valid(files: tuple[str, ...], profile: str) -> None:
    done = compose("--profile", "*", "config", "-q", files=files, GLOSSA_PROFILE=profile)
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
def test_training_is_there_when_it_is_asked_for(tmp_path: Path) -> None:
    assert "training" not in configuration()
    for files in (BASE, WITH_CUDA):
        services = configuration("--profile", "training", files=files)
        training, mt = services["training"], services["mt"]
        has_card = "reservations" in training["deploy"]["resources"]
        assert has_card is (files is WITH_CUDA), "the card is the overlay's"
        assert training["build"]["args"]["SERVICE"] == "training"
        assert (training["read_only"], training["restart"]) == (True, "no")
        mounted = {each["target"]: each for each in training["volumes"]}
        _, models = mt["volumes"]
        assert mounted["/var/lib/glossa/models"]["source"] == models["source"]
        assert mounted["/run/glossa/trainer"]["read_only"]
        assert training["environment"]["GLOSSA_TRAINING_MT_ADDRESS"] == f"mt:{port('mt')}"
        assert training["environment"]["GLOSSA_TRAINING_STT_ADDRESS"] == f"stt:{port('stt')}"
    own = configuration("--profile", "training", GLOSSA_TRAINING_PLAN=str(tmp_path / "church.toml"))
    plans = [v for v in own["training"]["volumes"] if v["target"] == "/etc/glossa/cycle.toml"]
    assert [plan["source"] for plan in plans] == [str(tmp_path / "church.toml")]


@needs_compose
@pytest.mark.parametrize("name", ["stt", "mt", "qe", "client"])
def test_models_lie_in_a_volume_or_in_a_folder_of_the_machine(tmp_path: Path, name: str) -> None:
    for variables, kind, source in (
        ({}, "volume", "models"),
        ({"GLOSSA_MODELS_DIR": str(tmp_path)}, "bind", str(tmp_path)),
    ):
        service = configuration("--profile", "client", **variables)[name]
        mounted = {each["target"]: each for each in service["volumes"]}["/var/lib/glossa/models"]
        assert (mounted["type"], mounted["source"]) == (kind, source)
        assert not mounted.get("read_only")


@needs_compose
def test_the_cuda_overlay_gives_a_gpu_to_the_models_that_use_one() -> None:
    services = configuration("--env-file", "profiles/rtx3090.env", files=WITH_CUDA)
    with_gpu = {
        name
        for name, service in services.items()
        if service["deploy"]["resources"].get("reservations", {}).get("devices")
    }
    assert with_gpu == {"stt", "mt", "qe"}
    assert services["qe"]["build"]["args"]["ENGINES"] == "cometkiwi"
    assert services["qe"]["build"]["args"]["EXTRAS"] == "cuda-cublas"


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
@pytest.mark.parametrize("variable", ["GLOSSA_PAGES_PUBLISH_HOST", "GLOSSA_PUBLISH_HOST"])
def test_captions_knows_that_its_pages_are_open(variable: str) -> None:
    captions = configuration(**{variable: "0.0.0.0"})["captions"]
    assert captions["environment"]["GLOSSA_CAPTIONS_WEB_PUBLISHED_HOST"] == "0.0.0.0"
    at_home = configuration()["captions"]["environment"]
    assert at_home["GLOSSA_CAPTIONS_WEB_PUBLISHED_HOST"] == "127.0.0.1"


@needs_compose
def test_the_gateway_knows_that_its_port_is_open() -> None:
    for variables, host in (({}, "127.0.0.1"), ({"GLOSSA_PUBLISH_HOST": "0.0.0.0"}, "0.0.0.0")):
        gateway = configuration(**variables)["gateway"]
        assert gateway["environment"]["GLOSSA_GATEWAY_PUBLISHED_HOST"] == host


@needs_compose
def test_the_pages_can_be_opened_without_the_gateway() -> None:
    opened = [
        entry["published"]
        for service in configuration(GLOSSA_PAGES_PUBLISH_HOST="0.0.0.0").values()
        for entry in service.get("ports", ())
        if entry["host_ip"] == "0.0.0.0"
    ]
    assert opened == [str(port("captions_web"))]


@needs_compose
def test_captions_finds_the_certificate_in_a_folder_of_the_machine_and_has_files_for_phones(
    tmp_path: Path,
) -> None:
    captions = configuration(GLOSSA_WEB_CERTIFICATE_DIR=str(tmp_path))["captions"]
    _, mounted = captions["volumes"]
    assert (mounted["type"], mounted["source"]) == ("bind", str(tmp_path))
    assert (mounted["target"], mounted["read_only"]) == ("/web-certificate", True)
    assert captions["environment"]["GLOSSA_CERTIFICATES_DIR"] == ""
    more = configuration(GLOSSA_CAPTIONS_WEB_CONNECTIONS_PER_HOST="8000")["captions"]
    assert more["environment"]["GLOSSA_CAPTIONS_WEB_CONNECTIONS_PER_HOST"] == "8000"
    viewer_limit = CaptionsSettings.model_fields["viewer_limit"].default
    assert 2 * viewer_limit < captions["ulimits"]["nofile"] <= 20_000


@needs_compose
def test_the_review_page_is_opened_by_itself_and_knows_that_it_is() -> None:
    token = "a-token-of-this-test"
    collector = configuration(
        GLOSSA_REVIEW_PUBLISH_HOST="0.0.0.0", GLOSSA_COLLECTOR_REVIEW_TOKEN=token
    )["collector"]
    opened = [entry["published"] for entry in collector["ports"] if entry["host_ip"] == "0.0.0.0"]
    assert opened == [str(port("collector_web"))]
    environment = collector["environment"]
    assert environment["GLOSSA_COLLECTOR_WEB_PUBLISHED_HOST"] == "0.0.0.0"
    assert environment["GLOSSA_COLLECTOR_REVIEW_TOKEN"] == token


@needs_compose
def test_each_starts_once_those_that_it_calls_are_healthy() -> None:
    waits_for = {
        name: {other: how["condition"] for other, how in service.get("depends_on", {}).items()}
        for name, service in configuration().items()
    }
    healthy = "service_healthy"
    assert waits_for["gateway"] == {"stt": healthy, "mt": healthy, "qe": healthy}
    assert waits_for["captions"] == {"gateway": healthy}
    assert waits_for["collector"] == {"gateway": healthy, "redis": healthy}


@needs_compose
def test_each_service_is_built_restarted_and_given_time_to_drain() -> None:
    services = configuration()
    assert services.keys() == {"redis", *SERVICES}
    for name, service in services.items():
        assert service["restart"] == "unless-stopped"
        assert service["stop_grace_period"] == "15s"
        if name != "redis":
            assert service["build"]["args"]["SERVICE"] == name


def test_the_image_knows_the_port_of_each_health_check() -> None:
    dockerfile = (REPOSITORY / "Dockerfile").read_text()
    said = dict(re.findall(r"GLOSSA_(\w+)_GRPC_PORT=(\d+)", dockerfile))
    assert said == {name.upper(): str(port(name)) for name in SERVICES}


def test_each_service_and_each_engine_has_an_extra_that_its_image_installs() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].keys()
    assert extras >= set(SERVICES)
    engines = {name.replace("_", "-") for name in (*ENGINES, *RUNTIMES)}
    assert engines - extras == {"pocketsphinx", "apertium"}


def test_the_voice_detector_is_the_locked_one_wherever_it_is_installed() -> None:
    assert re.findall(r"^silero-vad==.+$", (REPOSITORY / "constraints.txt").read_text(), re.M)
    for name in ("glossa", "Dockerfile"):
        said = re.findall(r".*silero-vad.*", (REPOSITORY / name).read_text())
        assert said
        assert not [line for line in said if "silero-vad==" in line]


@pytest.mark.compose
@pytest.mark.skipif(not engine_is_there(), reason="no Docker engine answers here")
@pytest.mark.parametrize(
    ("chosen", "extras"),
    [
        ({"SERVICE": "mt", "PROFILE": "embedded"}, []),
        ({"SERVICE": "mt", "PROFILE": "embedded", "ENGINES": "marian"}, ["marian"]),
        ({"SERVICE": "mt", "PROFILE": "rtx2070", "EXTRAS": "cuda"}, ["cuda", "gguf", "marian"]),
        ({"SERVICE": "mt", "PROFILE": "rtx2070", "EXTRAS": "xllamacpp"}, ["marian", "xllamacpp"]),
        ({"SERVICE": "qe", "PROFILE": "embedded"}, []),
        ({"SERVICE": "qe", "PROFILE": "cpu"}, ["cometkiwi"]),
        ({"SERVICE": "qe", "PROFILE": "cpu", "ENGINES": "heuristic"}, []),
        ({"SERVICE": "collector", "PROFILE": "cpu", "EXTRAS": "cuda"}, []),
        ({"SERVICE": "collector", "PROFILE": "cpu", "TRACES": "yes"}, ["traces"]),
    ],
    ids=lambda value: " ".join(value.values()) if isinstance(value, dict) else "",
)
def test_a_profile_chooses_what_is_installed(chosen: dict[str, str], extras: list[str]) -> None:
    found = run(build("choice", **chosen), "cat", "/choice/extras")
    assert found.stdout.split() == extras, found.stderr


@pytest.mark.compose
@pytest.mark.skipif(not engine_is_there(), reason="no Docker engine answers here")
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("service", "module"), [("stt", "faster_whisper"), ("mt", "sentencepiece")]
)
def test_an_image_holds_the_engines_of_its_profile_and_no_more(service: str, module: str) -> None:
    look = (
        "import importlib.util, shutil\n"
        "import ctranslate2\n"
        f"import {module}\n"
        "print(importlib.util.find_spec('torch'), shutil.which('cc'), shutil.which('cmake'))\n"
    )
    found = run("--read-only", build(SERVICE=service, PROFILE="cpu"), "python", "-c", look)
    assert found.stdout == "None None None\n", found.stderr
