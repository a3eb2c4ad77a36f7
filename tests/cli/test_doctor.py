"""`./glossa doctor`: what a profile needs, what is here, and one line that says what to do."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cli.catalogue import find, models_of, uses
from cli.model_folder import write_manifest
from cli.readiness import _MODULES, examine_profile
from cli.stack import read_profile
from services.marian import FILES
from services.model_manifest import KeptFile, Manifest
from services.mt.engine import OWN_MODEL
from tests.cli.verb import run_verb


def card_of(folder: Path, mebibytes: int) -> str:
    """A PATH with an nvidia-smi that tells of a card with this much memory."""
    tool = folder / "bin" / "nvidia-smi"
    tool.parent.mkdir(parents=True)
    tool.write_text(f"#!/bin/sh\necho 'NVIDIA GeForce RTX, {mebibytes}'\n")
    tool.chmod(0o755)
    return f"{tool.parent}:{os.environ['PATH']}"


def put_model(models_dir: Path, name: str, data: bytes = b"weights") -> Path:
    """A model that looks whole: one file and its manifest."""
    folder = models_dir / find(name).folder
    folder.mkdir(parents=True)
    (folder / "model.bin").write_bytes(data)
    kept = {"model.bin": KeptFile(len(data), "")}
    write_manifest(folder, Manifest(name, "", "", "MIT", kept))
    return folder


def examined(profile: str, models_dir: Path, **variables: str) -> dict[str, bool]:
    """Each finding's line, and whether it is good."""
    environment = {
        **read_profile(profile),
        "GLOSSA_MODELS_DIR": str(models_dir),
        **variables,
    }
    return {str(finding): finding.good for finding in examine_profile(profile, environment)}


def line(lines: dict[str, bool], beginning: str) -> tuple[str, bool]:
    (found,) = [entry for entry in lines.items() if entry[0].startswith(beginning)]
    return found


def test_a_missing_library_and_a_missing_model_are_named_with_what_to_do(tmp_path: Path) -> None:
    done = run_verb("doctor", "--profile", "exl2", GLOSSA_MODELS_DIR=str(tmp_path))
    assert done.returncode == 1
    assert "FIX  exl2 lacks exllamav3 or exllamav2: ./glossa up --profile exl2" in done.stdout
    assert "FIX  model large-v3-turbo (1.62 GB) is missing" in done.stdout
    assert "./glossa models pull --profile exl2" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("next ")


def test_the_embedded_profile_ends_with_how_to_start() -> None:
    done = run_verb("doctor", "--profile", "embedded")
    assert "engines installed: " in done.stdout
    assert "pocketsphinx" in done.stdout
    assert "ok   translates with glossa-en-es and Apertium\n" in done.stdout
    assert "model " not in done.stdout
    last = done.stdout.splitlines()[-1]
    assert last.startswith("next ./glossa up") or done.returncode == 1


def test_an_unknown_profile_is_one_line() -> None:
    done = run_verb("doctor", "--profile", "cathedral")
    assert done.returncode == 2
    assert "there is no profile 'cathedral'; there is bnb, cpu, " in done.stderr


def test_models_are_here_missing_or_damaged(tmp_path: Path) -> None:
    put_model(tmp_path, "small.en")
    damaged = put_model(tmp_path, "tiny.en")
    (damaged / "model.bin").write_bytes(b"less")
    put_model(tmp_path, "opus-mt-en-es")
    lines = examined("cpu", tmp_path)
    assert lines["model small.en"]
    assert line(lines, "model tiny.en is damaged")[1] is False
    assert lines["model opus-mt-en-es"]
    # One direction is enough to begin with.
    assert line(lines, "model opus-mt-es-en is not here")[1] is True


def test_the_model_that_comes_with_glossa_stands_in_for_one_that_was_not_pulled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = tmp_path / "shipped"
    monkeypatch.setattr("services.model_files.SHIPPED", shipped)
    assert line(examined("cpu", tmp_path), "model opus-mt-en-es")[1] is False
    (shipped / OWN_MODEL).mkdir(parents=True)
    text, good = line(examined("cpu", tmp_path), "model opus-mt is not here")
    assert good
    assert f"{OWN_MODEL}, which comes with Glossa, stands in" in text
    assert "./glossa models pull --profile cpu" in text
    put_model(tmp_path, "opus-mt-en-es")
    assert examined("cpu", tmp_path)["model opus-mt-en-es"]


def test_a_profile_whose_own_model_is_missing_starts_and_says_that_apertium_speaks_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.model_files.SHIPPED", tmp_path / "shipped")
    text, good = line(examined("embedded", tmp_path), "Apertium translates alone")
    assert good
    assert f"{OWN_MODEL} is not here" in text
    folder = tmp_path / "shipped" / OWN_MODEL
    folder.mkdir(parents=True)
    for name in FILES:
        assert line(examined("embedded", tmp_path), "Apertium translates alone")
        (folder / name.partition("|")[0]).touch()
    assert examined("embedded", tmp_path)[f"translates with {OWN_MODEL} and Apertium"]
    monkeypatch.setitem(_MODULES, "marian", ("ctranslate2", "no_such_library"))
    text, good = line(examined("embedded", tmp_path), "Apertium translates alone")
    assert good
    assert "no_such_library is not installed" in text


def test_a_model_outside_the_catalogue_is_looked_for_where_the_engine_looks(
    tmp_path: Path,
) -> None:
    own = tmp_path / "own-model"
    missing = examined("cpu", tmp_path, GLOSSA_STT_MODEL="own-model")
    assert line(missing, "model own-model is neither")[1] is False
    own.mkdir()
    assert not [
        entry
        for entry in examined("cpu", tmp_path, GLOSSA_STT_MODEL="own-model")
        if own.name in entry
    ]


@pytest.mark.parametrize(
    ("profile", "mebibytes", "fits"),
    [
        ("rtx2070", 8192, True),
        ("bnb", 8192, True),
        ("rtx2070", 4096, False),
        ("rtx3090", 24576, True),
        ("rtx3090", 8192, False),
    ],
)
def test_the_models_are_held_against_the_memory_of_the_card(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, profile: str, mebibytes: int, fits: bool
) -> None:
    monkeypatch.setenv("PATH", card_of(tmp_path, mebibytes))
    text, good = line(examined(profile, tmp_path), "video memory, estimated")
    assert good is fits, text


def test_without_a_card_the_profiles_for_one_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert line(examined("rtx2070", tmp_path), "no NVIDIA card answers")[1] is False
    assert not [text for text in examined("cpu", tmp_path) if "card" in text]


def test_the_8_gb_profiles_leave_room_for_the_desktop() -> None:
    """What `rtx2070` loads is estimated at under 7.2 GB with its CUDA contexts."""
    variables = read_profile("rtx2070")
    on_card = [use for use in uses(variables) if use.device == "cuda"]
    estimated = sum(
        model.memory_bytes(use.compute_type) for use in on_card for model in models_of((use,))
    )
    assert 4e9 < estimated < 6.4e9


def test_a_missing_estimate_of_quality_is_noted_and_keeps_nothing_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.stack._QE_ENVIRONMENT", tmp_path / "none")
    found = examined("cpu", tmp_path)
    text, good = line(found, "model wmt22-cometkiwi-da")
    assert good
    assert "qe runs without it" in text
    assert "licence (CC-BY-NC-SA-4.0" in text
    assert "HF_TOKEN" in text
    assert line(found, "model infoxlm-large")[1]
    assert line(found, "cometkiwi is not installed")[1]
    assert not [
        text for text in examined("cpu", tmp_path, GLOSSA_QE_ENGINE="heuristic") if "kiwi" in text
    ]


def test_the_environment_of_the_learned_estimate_is_seen(tmp_path: Path) -> None:
    found = examined("cpu", tmp_path, GLOSSA_QE_PYTHON="/elsewhere/python")
    assert line(found, "cometkiwi by /elsewhere/python")[1]


def test_the_free_space_is_that_of_the_state_folder_in_use(tmp_path: Path) -> None:
    done = run_verb("doctor", GLOSSA_STATE_DIR=str(tmp_path / "not" / "made" / "yet"))
    assert f"GiB free in {tmp_path}\n" in done.stdout
