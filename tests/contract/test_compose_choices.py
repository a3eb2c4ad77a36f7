"""A machine's profile and overlays of compose: their images, and who keeps to the choice."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli.stack import profile_names
from tests.contract.docker_compose import (
    BASE,
    WITH_CUDA,
    WITH_SECRETS,
    WITH_TOKENS,
    configuration,
    is_there,
)
from tests.processes import REPOSITORY

pytestmark = pytest.mark.skipif(not is_there(), reason="docker compose is not installed")

CARD = "rtx2070"


def test_an_image_of_other_engines_has_another_name_and_so_is_never_taken_for_this_one() -> None:
    built: dict[str, Any] = {}
    for profile in profile_names():
        for files in (BASE, WITH_CUDA):
            services = configuration("--profile", "*", files=files, GLOSSA_PROFILE=profile)
            for name, service in services.items():
                if build := service.get("build"):
                    assert built.setdefault(service["image"], build) == build, (profile, name)
    assert {"glossa-mt:embedded", "glossa-mt:rtx2070", "glossa-mt:rtx2070-cuda"} < built.keys()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with what compose reads, and no `.env` yet."""
    for path in (*REPOSITORY.glob("docker-compose*.yml"), REPOSITORY / "profiles"):
        copy = shutil.copytree if path.is_dir() else shutil.copy
        copy(path, tmp_path / path.name)
    return tmp_path


def docker_page() -> str:
    return (REPOSITORY / "docs" / "docker.md").read_text(encoding="utf-8")


def test_with_the_env_file_of_the_page_a_plain_command_keeps_profile_card_and_tokens(
    checkout: Path,
) -> None:
    blocks = rf"```sh\n(GLOSSA_PROFILE={CARD}\nCOMPOSE_FILE=[^`]+)```"
    (said,) = re.findall(blocks, docker_page())
    (checkout / ".env").write_text(said)
    plain = configuration(files=(), folder=checkout)
    overlays = (*WITH_CUDA, *WITH_TOKENS[1:])
    assert plain == configuration(files=overlays, folder=checkout, GLOSSA_PROFILE=CARD)
    started = configuration("--env-file", f"profiles/{CARD}.env", files=WITH_CUDA, folder=checkout)
    assert plain["mt"]["image"] == started["mt"]["image"] == f"glossa-mt:{CARD}-cuda"


def test_with_the_line_for_secrets_a_plain_command_keeps_card_and_tokens_too(
    checkout: Path,
) -> None:
    (line,) = re.findall(r"^COMPOSE_FILE=.*secrets\.yml$", docker_page(), re.MULTILINE)
    assert f"# {line}\n" in (REPOSITORY / WITH_SECRETS[1]).read_text(encoding="utf-8")
    (checkout / ".env").write_text(f"GLOSSA_PROFILE={CARD}\n{line}\n")
    plain = configuration(files=(), folder=checkout)
    overlays = (*WITH_CUDA, *WITH_TOKENS[1:], *WITH_SECRETS[1:])
    assert plain == configuration(files=overlays, folder=checkout, GLOSSA_PROFILE=CARD)


def test_no_command_of_the_page_adds_a_second_line_of_overlays() -> None:
    assert not re.search(r"COMPOSE_FILE=.*>>", docker_page())


def test_the_client_knows_every_choice_that_a_profile_takes_from_outside(tmp_path: Path) -> None:
    texts = [path.read_text(encoding="utf-8") for path in (REPOSITORY / "profiles").glob("*.env")]
    choices = set(re.findall(r"\$\{(\w+)", "\n".join(texts)))
    chosen = tmp_path / "chosen.env"
    chosen.write_text("".join(f"{name}=other\n" for name in choices))
    options = ("--profile", "client", "--env-file", str(chosen))
    told = configuration(*options)["client"]["environment"]
    assert {name for name, value in told.items() if value == "other"} == choices
    plain = configuration("--profile", "client")["client"]["environment"]
    assert {plain[name] for name in choices} == {None}, "an empty one would blank the profile's"


def test_each_token_that_is_a_secret_is_given_to_the_service_that_reads_it(tmp_path: Path) -> None:
    with_secrets = configuration(files=WITH_SECRETS, GLOSSA_SECRETS_DIR=str(tmp_path))
    read = {
        name: {
            value
            for variable, value in service["environment"].items()
            if variable.endswith("_TOKEN_FILE")
        }
        for name, service in with_secrets.items()
        if name != "redis"
    }
    given = {
        name: {f"/run/secrets/{each['source']}" for each in service.get("secrets", ())}
        for name, service in with_secrets.items()
    }
    assert {name: paths for name, paths in read.items() if paths} == {
        name: paths for name, paths in given.items() if paths
    }
    assert read["captions"] == {"/run/secrets/operator", "/run/secrets/ingest"}
    assert read["collector"] == {"/run/secrets/review"}


def test_kubernetes_takes_the_images_by_the_names_under_which_compose_pushes_them() -> None:
    built = configuration(GLOSSA_REGISTRY="registry.example.org/")
    path = REPOSITORY / "deploy" / "kubernetes" / "kustomization.yaml"
    for image in yaml.safe_load(path.read_text(encoding="utf-8"))["images"]:
        pushed, _, tag = built[image["name"].removeprefix("glossa-")]["image"].partition(":")
        assert (image["newName"], image["newTag"]) == (pushed, tag or "latest")
