"""The command line with a composed stack: models for its volume, and how its containers are."""

from __future__ import annotations

import json
import re
from pathlib import Path

from services.settings import SERVICES
from tests.cli.described_stack import describe_stack
from tests.cli.verb import run_verb
from tests.contract.docker_compose import ComposedStack, Done, on_engine

pytestmark = on_engine()

FILES = ("config.json", "model.bin", "tokenizer.json", "vocabulary.txt")


def models(stack: ComposedStack, *arguments: str, options: tuple[str, ...] = ()) -> Done:
    """`./glossa models` in a container; `options` are those of `docker compose run`."""
    return stack.compose(
        *("run", "--rm", "--no-deps", "-T", *options, "client", "models", *arguments)
    )


def test_a_model_that_the_client_brings_in_lies_where_the_services_look(
    stack: ComposedStack, tmp_path: Path
) -> None:
    folder = tmp_path / "small.en"
    folder.mkdir()
    for name in FILES:
        (folder / name).write_text("{}")
    for path, mode in ((tmp_path, 0o755), (folder, 0o755)):
        path.chmod(mode)  # the container's user is none of this machine
    pulled = models(
        *(stack, "pull", "small.en", "--from", "/media"), options=("-v", f"{tmp_path}:/media:ro")
    )
    assert pulled.returncode == 0, pulled.stdout + pulled.stderr
    try:
        for service in ("stt", "mt", "qe"):
            there = stack.said(service, "ls", "/var/lib/glossa/models/small.en").split()
            assert there == sorted([*FILES, "glossa-manifest.json"])
        listed = models(stack, "list", "--profile", "cpu")
        said = listed.stdout + listed.stderr
        (still,) = re.findall(r"the profile cpu still needs (.*):", said)
        assert "tiny.en" in still
        assert "small.en" not in still
    finally:
        stack.said("stt", "rm", "-r", "/var/lib/glossa/models/small.en")


def test_without_a_network_the_client_says_how_a_model_may_be_brought_in(
    stack: ComposedStack,
) -> None:
    nowhere = ("-e", "HF_ENDPOINT=http://127.0.0.1:9")
    refused = models(stack, "pull", "tiny.en", options=nowhere)
    assert refused.returncode == 1
    assert "no connection to the hub" in refused.stderr
    assert "--from" in refused.stderr


def test_status_shows_every_container_by_what_it_publishes(
    stack: ComposedStack, session: str, tmp_path: Path
) -> None:
    folder = describe_stack(tmp_path, stack.port_base)
    done = run_verb("status", "--json", GLOSSA_STATE_DIR=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert {name: each["state"] for name, each in found["services"].items()} == dict.fromkeys(
        SERVICES, "serving"
    )
    assert sum(found["pairs"]["by_band"].values()) > 0
    stack.compose("stop", "qe")
    try:
        told = run_verb("status", "--json", GLOSSA_STATE_DIR=folder)
        assert told.returncode == 1
        assert "qe is away" in json.loads(told.stdout.splitlines()[-1])["troubles"]
    finally:
        stack.up()
