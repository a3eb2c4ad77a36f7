"""`./glossa chaos --short` on a real stack: nothing is lost, nothing comes twice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings

import pytest

from bench.chaos import rigs
from tests.cli.verb import run_verb
from tests.processes import REPOSITORY

_RUN_TIMEOUT_S = 1200.0  # seven minutes on two idle cores
SHORT_FORM = {
    *("kill", "freeze", "gateway", "redis", "network", "partition", "journal-full", "redis-full"),
    *("ladder", "overload", "clock", "journal-damage"),
}


@pytest.mark.slow
@pytest.mark.timeout(_RUN_TIMEOUT_S + 60)
def test_nothing_is_lost_or_doubled_whatever_is_broken() -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "cli", "chaos", "--short", "--json"],
        cwd=REPOSITORY,
        env={key: value for key, value in os.environ.items() if not key.startswith("GLOSSA_")},
        capture_output=True,
        text=True,
        timeout=_RUN_TIMEOUT_S,
    )
    assert done.stdout, done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])
    losses = {
        name: figures[name]
        for name in ("finals_lost", "finals_doubled", "pairs_lost", "pairs_doubled")
    }
    assert losses == dict.fromkeys(losses, 0), done.stderr
    assert set(figures["faults"]) == SHORT_FORM
    skipped = {
        name: each["skipped"] for name, each in figures["faults"].items() if "skipped" in each
    }
    for name, why in skipped.items():
        warnings.warn(f"{name} was not tried: {why}", stacklevel=1)
    disks = set() if rigs.can_mount() else {"journal-full", "redis-full"}
    assert set(skipped) == disks | (set() if rigs.faketime() else {"clock"})
    tried = {name: each for name, each in figures["faults"].items() if name not in skipped}
    assert all(each["finals"] > 0 for name, each in tried.items() if name != "journal-damage")
    assert not [line for each in tried.values() for line in each["failures"]], done.stderr
    assert done.returncode == 0


def test_the_faults_of_both_forms_are_named() -> None:
    long = run_verb("chaos", "--list")
    assert {"kill-gateway", "freeze-stt", "clock", "soak"} <= {
        line.split()[0] for line in long.stdout.splitlines()
    }
    short = run_verb("chaos", "--short", "--list")
    assert {line.split()[0] for line in short.stdout.splitlines()} == SHORT_FORM


def test_a_fault_that_does_not_exist_is_refused_with_those_that_do() -> None:
    done = run_verb("chaos", "--only", "earthquake")
    assert done.returncode == 2
    assert "earthquake" in done.stderr
    assert "kill-gateway" in done.stderr
