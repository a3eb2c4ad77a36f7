"""`./glossa models` against a hub on this machine: whole, broken, gated, missing, damaged."""

from __future__ import annotations

import json
import os
import pickle
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.catalogue import catalogue, find, models_of, uses
from cli.stack import profile_names, read_profile
from services.model_files import find_model
from services.mt.engine import RUNTIMES
from services.qe.engine import ENGINES as QUALITY_ENGINES
from services.stt.engine import ENGINES
from tests.cli.hub import REVISION, Hub
from tests.cli.verb import run_verb
from tests.processes import REPOSITORY

SMALL = "Systran/faster-whisper-small.en"
GATED = "google/translategemma-4b-it"
# The hub's library writes 10 MiB at once; breaks come in the third of them.
WRITTEN = 20 * 1024 * 1024
WEIGHTS = bytes(range(256)) * 100_000


@pytest.fixture
def hub() -> Iterator[Hub]:
    hub = Hub()
    hub.repositories[SMALL] = {
        "config.json": b"{}",
        "model.bin": WEIGHTS,
        "tokenizer.json": b"{}",
        "vocabulary.txt": b"a\nb\n",
        "README.md": b"not wanted",
    }
    hub.repositories[GATED] = {
        "config.json": b"{}",
        "model.safetensors": b"weights",
        "tokenizer.model": b"pieces",
    }
    yield hub
    hub.close()


class Models:
    """`glossa models` with a folder of models and a home of its own."""

    def __init__(self, folder: Path, hub: Hub) -> None:
        self.folder = folder / "models"
        self.environment = {
            "HF_ENDPOINT": hub.url,
            "HF_HOME": str(folder / "home"),
            "GLOSSA_MODELS_DIR": str(self.folder),
            "NO_PROXY": "127.0.0.1",
        }

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return run_verb("models", *arguments, **{**self.environment, **environment})

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "cli", "models", *arguments],
            cwd=REPOSITORY,
            env={**os.environ, **self.environment},
            stderr=subprocess.PIPE,
            text=True,
        )


@pytest.fixture
def models(tmp_path: Path, hub: Hub) -> Models:
    return Models(tmp_path, hub)


def test_a_model_is_pulled_whole_with_a_manifest_and_found_by_its_name(
    models: Models, hub: Hub
) -> None:
    done = models.run("pull", "small.en")
    assert done.returncode == 0, done.stderr
    folder = find_model("small.en", models.folder, needs=("model.bin", "tokenizer.json"))
    assert (folder / "model.bin").read_bytes() == WEIGHTS
    assert not (folder / "README.md").exists()
    manifest = json.loads((folder / "glossa-manifest.json").read_text())
    assert manifest["revision"] == REVISION
    assert manifest["licence"] == "MIT"
    assert manifest["files"]["model.bin"]["bytes"] == len(WEIGHTS)
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []
    assert "licence MIT" in done.stderr

    asked = len(hub.ranges)
    again = models.run("pull", "small.en")
    assert (again.returncode, len(hub.ranges)) == (0, asked)
    assert "is here" in again.stderr


def test_a_connection_that_breaks_goes_on_in_the_middle_of_the_file(
    models: Models, hub: Hub
) -> None:
    hub.broken_after = WRITTEN + 1_000_000
    done = models.run("pull", "small.en")
    assert done.returncode == 0, done.stderr
    assert f"bytes={WRITTEN}-" in hub.ranges
    assert (models.folder / "small.en" / "model.bin").read_bytes() == WEIGHTS


def test_a_killed_pull_goes_on_where_it_stopped_and_shows_no_half_of_a_model(
    models: Models, hub: Hub
) -> None:
    hub.hold_at = WRITTEN + 1_000_000
    pulling = models.start("pull", "small.en")
    part = models.folder / ".unfinished" / "small.en" / REVISION / "model.bin"
    gives_up_at = time.monotonic() + 60
    while not (part.exists() and part.stat().st_size >= WRITTEN):
        assert pulling.poll() is None, pulling.communicate()[1]
        assert time.monotonic() < gives_up_at
        time.sleep(0.02)
    pulling.send_signal(signal.SIGKILL)
    pulling.communicate()
    hub.hold.set()
    assert not (models.folder / "small.en").exists()

    hub.hold_at = None
    hub.ranges.clear()
    done = models.run("pull", "small.en")
    assert done.returncode == 0, done.stderr
    assert f"bytes={WRITTEN}-" in hub.ranges
    assert (models.folder / "small.en" / "model.bin").read_bytes() == WEIGHTS


def test_a_file_that_arrives_damaged_is_not_taken_for_a_model(models: Models, hub: Hub) -> None:
    hub.wrong = {"model.bin"}
    done = models.run("pull", "small.en")
    assert done.returncode == 1
    assert "model.bin of small.en was damaged on the way" in done.stderr
    assert not (models.folder / "small.en").exists()
    hub.wrong = set()
    assert models.run("pull", "small.en").returncode == 0


@pytest.mark.parametrize("token", ["", "of someone who has not accepted"])
def test_a_gated_model_is_explained_with_where_to_accept_its_licence(
    models: Models, hub: Hub, token: str
) -> None:
    hub.gated = {GATED}
    done = models.run("pull", "translategemma-4b-it", HF_TOKEN=token)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 2  # what is pulled, and why not
    assert "MODEL_GATED" in done.stderr
    assert "https://huggingface.co/google/translategemma-4b-it" in done.stderr
    assert "HF_TOKEN" in done.stderr
    assert models.run("pull", "translategemma-4b-it", HF_TOKEN="accepted").returncode == 0


def test_a_model_that_is_not_on_the_hub_is_one_line(models: Models) -> None:
    done = models.run("pull", "tiny.en")
    assert done.returncode == 1
    assert "the hub has no Systran/faster-whisper-tiny.en" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_no_connection_is_one_line_that_says_what_else_can_be_done(models: Models) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        done = models.run("pull", "small.en", HF_ENDPOINT=url)
    assert done.returncode == 1
    assert "no connection to the hub" in done.stderr
    assert "--from" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_hub_that_is_down_is_one_line(models: Models, hub: Hub) -> None:
    hub.is_down = True
    done = models.run("pull", "small.en")
    assert done.returncode == 1
    assert "the hub answers 503" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_model_without_a_repository_says_how_it_is_made(models: Models) -> None:
    done = models.run("pull", "translategemma-4b-it-exl3")
    assert done.returncode == 1
    assert "exllamav3's convert.py" in done.stderr


def test_a_repository_outside_the_catalogue_is_pulled_by_its_name(models: Models, hub: Hub) -> None:
    hub.repositories["somebody/some-model"] = {"model.gguf": b"GGUF"}
    done = models.run("pull", "somebody/some-model")
    assert done.returncode == 0, done.stderr
    assert (find_model("somebody/some-model", models.folder) / "model.gguf").exists()
    assert "some-model" in models.run("list").stdout


def test_an_unknown_name_is_refused_with_status_2(models: Models) -> None:
    for name in ("whisperer", "../escape", "a/../b"):
        done = models.run("pull", name)
        assert done.returncode == 2
        assert "UNKNOWN_MODEL" in done.stderr
    assert models.run("pull").returncode == 2


def test_verify_names_what_is_damaged_and_pull_again_mends_it(models: Models) -> None:
    assert models.run("pull", "small.en").returncode == 0
    assert models.run("verify").stdout.startswith("ok   small.en: 4 files")
    damaged = models.folder / "small.en" / "model.bin"
    damaged.write_bytes(b"x" + WEIGHTS[1:])
    (models.folder / "small.en" / "config.json").unlink()
    done = models.run("verify")
    assert done.returncode == 1
    assert "model.bin is damaged" in done.stdout
    assert "config.json is missing" in done.stdout
    assert "tokenizer.json" not in done.stdout
    assert models.run("pull", "small.en", "--again").returncode == 0
    assert models.run("verify").returncode == 0


def test_what_comes_with_glossa_is_listed_and_verified_like_what_was_pulled(models: Models) -> None:
    listed = models.run("list")
    (row,) = [row for row in listed.stdout.splitlines() if row.startswith("glossa-en-es ")]
    assert row.split()[1] == "shipped"
    assert "embedded" in row
    for names in ((), ("glossa-en-es",)):
        done = models.run("verify", *names)
        assert "ok   glossa-en-es: " in done.stdout, done.stdout


def test_verify_of_what_is_not_here_fails(models: Models) -> None:
    done = models.run("verify", "small.en")
    assert done.returncode == 1
    assert "small.en is not here" in done.stdout


def test_models_are_brought_in_from_a_folder_of_models_without_the_hub(
    models: Models, hub: Hub, tmp_path: Path
) -> None:
    assert models.run("pull", "small.en").returncode == 0
    stick = tmp_path / "stick"
    models.folder.rename(stick)
    hub.is_down = True
    done = models.run("pull", "small.en", "--from", str(stick))
    assert done.returncode == 0, done.stderr
    manifest = json.loads((models.folder / "small.en" / "glossa-manifest.json").read_text())
    assert manifest["revision"] == REVISION  # what the copy says of itself is kept
    assert models.run("verify").returncode == 0


def test_a_damaged_copy_is_not_brought_in(models: Models, tmp_path: Path) -> None:
    assert models.run("pull", "small.en").returncode == 0
    stick = tmp_path / "stick"
    models.folder.rename(stick)
    (stick / "small.en" / "model.bin").write_bytes(b"x" + WEIGHTS[1:])
    done = models.run("pull", "small.en", "--from", str(stick))
    assert done.returncode == 1
    assert "model.bin is damaged" in done.stderr
    assert not (models.folder / "small.en").exists()


def test_a_link_out_of_a_copy_brings_nothing_of_this_machine_in(
    models: Models, tmp_path: Path
) -> None:
    assert models.run("pull", "small.en").returncode == 0
    stick = tmp_path / "stick"
    models.folder.rename(stick)
    private = tmp_path / "private.json"
    private.write_text("{}")
    (stick / "small.en" / "config.json").unlink()
    (stick / "small.en" / "config.json").symlink_to(private)
    done = models.run("pull", "small.en", "--from", str(stick))
    assert done.returncode == 2
    assert f"is a link to {private}" in done.stderr
    assert not (models.folder / "small.en").exists()


@pytest.mark.parametrize("name", ["../../escaped.json", "/tmp/escaped.json", "a/../../b.json"])
def test_a_hub_that_names_files_outside_the_folder_gets_nothing_written(
    models: Models, hub: Hub, name: str
) -> None:
    hub.repositories["somebody/some-model"] = {"model.gguf": b"GGUF", name: b"{}"}
    done = models.run("pull", "somebody/some-model")
    assert done.returncode == 1
    assert "MODEL_UNSAFE" in done.stderr
    assert hub.ranges == []


def test_a_pickle_from_the_hub_does_not_become_a_model(models: Models, hub: Hub) -> None:
    hub.repositories["somebody/some-model"] = {"pytorch_model.bin": pickle.dumps({"a": 1})}
    done = models.run("pull", "somebody/some-model")
    assert done.returncode == 1
    assert "pytorch_model.bin is a pickle" in done.stderr
    assert not (models.folder / "some-model").exists()


def test_verify_names_programs_and_files_that_nobody_listed(models: Models) -> None:
    assert models.run("pull", "small.en").returncode == 0
    (models.folder / "small.en" / "added.py").write_text("import os")
    done = models.run("verify", "small.en")
    assert done.returncode == 1
    assert "added.py is not in the manifest" in done.stdout
    assert "added.py is a program" in done.stdout


def test_one_file_is_brought_in_and_gets_a_manifest(models: Models, tmp_path: Path) -> None:
    file = tmp_path / "translategemma-4b-it.Q4_K_M.gguf"
    file.write_bytes(b"GGUF")
    done = models.run("pull", "translategemma-4b-it-Q4_K_M", "--from", str(file))
    assert done.returncode == 0, done.stderr
    assert models.run("verify").returncode == 0
    other = models.run("pull", "small.en", "--from", str(file))
    assert other.returncode == 2
    assert "has no config.json, which small.en needs" in other.stderr


def test_list_says_what_is_here_and_what_the_profile_still_needs(models: Models) -> None:
    done = models.run("list", "--profile", "cpu")
    assert done.returncode == 1
    assert "./glossa models pull --profile cpu" in done.stdout
    assert models.run("pull", "small.en").returncode == 0
    (line,) = [
        line
        for line in models.run("list", GLOSSA_PROFILE="cpu").stdout.splitlines()
        if line.startswith("small.en ")
    ]
    assert line.split()[1] == "here"
    assert "cpu" in line
    assert models.run("list").returncode == 0  # the embedded profile needs none


def test_a_disk_that_is_too_small_is_told_before_the_download(models: Models, hub: Hub) -> None:
    class Endless(bytes):
        def __len__(self) -> int:
            return 10**15

    hub.repositories[SMALL]["model.bin"] = Endless()
    done = models.run("pull", "small.en")
    assert done.returncode == 1
    assert "NO_SPACE" in done.stderr
    assert hub.ranges == []


def test_every_engine_of_a_profile_is_known_and_its_models_are_in_the_catalogue() -> None:
    assert set(profile_names()) == {
        *("embedded", "cpu", "rtx2070", "rtx3090", "mac", "bnb", "exl2"),
    }
    for profile in profile_names():
        variables = read_profile(profile)
        assert variables["GLOSSA_PROFILE"] == profile
        for use in uses(variables):
            assert use.engine in {**ENGINES, **RUNTIMES, **QUALITY_ENGINES}, profile
            if use.model:
                found = models_of((use,))
                assert found, (profile, use)
                assert all(use.engine in model.engines for model in found), (profile, use)


def test_each_engine_that_wants_a_model_has_a_usual_one_in_the_catalogue() -> None:
    for name, entry in {**ENGINES, **RUNTIMES, **QUALITY_ENGINES}.items():
        if entry.model:
            assert [model for model in catalogue() if name in model.engines], name
            assert find(entry.model if entry.model != "opus-mt" else "opus-mt-en-es")
        else:
            assert name in ("pocketsphinx", "apertium", "embedded", "heuristic", "agreement")


def test_one_variable_takes_a_profile_to_another_runtime_with_its_model() -> None:
    variables = {**read_profile("rtx2070"), "GLOSSA_MT_RUNTIME": "bitsandbytes"}
    assert "translategemma-4b-it" in {use.model for use in uses(variables)}


def test_a_model_brings_what_it_cannot_do_without() -> None:
    variables = {"GLOSSA_QE_ENGINE": "cometkiwi"}
    assert [model.name for model in models_of(uses(variables))] == [
        "wmt22-cometkiwi-da",
        "infoxlm-large",
    ]


def test_a_profile_is_pulled_without_the_model_that_it_can_do_without(
    models: Models, hub: Hub
) -> None:
    for model in models_of(uses(read_profile("cpu"))):
        hub.repositories[model.repo] = {name.replace("*", "x"): b"{}" for name in model.files}
    hub.gated = {*hub.gated, "Unbabel/wmt22-cometkiwi-da"}
    done = models.run("pull", "--profile", "cpu")
    assert done.returncode == 0, done.stderr
    assert "accept it at https://huggingface.co/Unbabel/wmt22-cometkiwi-da" in done.stderr
    assert "not for commercial use" in done.stderr
    assert "the profile cpu runs without wmt22-cometkiwi-da" in done.stderr
    assert (models.folder / "infoxlm-large" / "tokenizer.json").exists()
    assert models.run("list", "--profile", "cpu").returncode == 0
    # Asked for by its name, it is not optional.
    assert models.run("pull", "wmt22-cometkiwi-da").returncode == 1
