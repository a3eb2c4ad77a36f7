"""`--help` of any verb loads next to nothing."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys

import pytest

from cli.__main__ import VERBS
from cli.bench import BENCHES
from tests.processes import REPOSITORY

# Each of these takes longer to import than a help text may take to appear.
HEAVY = ("grpc", "numpy", "av", "rich", "onnxruntime", "jiwer", "sounddevice", "redis", "pydantic")
PRINT_HEAVY = f"""
import atexit, sys
atexit.register(lambda: print("LOADED", [name for name in {HEAVY!r} if name in sys.modules]))
from cli.__main__ import main
main()
"""

THERE = [name for name, verb in VERBS.items() if importlib.util.find_spec(verb.module)]
BENCHES_THERE = [name for name, verb in BENCHES.items() if importlib.util.find_spec(verb.module)]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-c", PRINT_HEAVY, *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=30,
    )


@pytest.mark.parametrize(
    "arguments", [(), *((name,) for name in THERE), *(("bench", name) for name in BENCHES_THERE)]
)
def test_help_loads_no_heavy_library(arguments: tuple[str, ...]) -> None:
    done = run(*arguments, "--help")
    assert done.returncode == 0, done.stderr
    assert "Usage:" in done.stdout
    assert done.stdout.rstrip().endswith("LOADED []")


def test_the_list_of_verbs_names_each_with_its_summary() -> None:
    listing = run("--help").stdout
    for name, verb in VERBS.items():
        assert f"  {name} " in listing
        assert verb.summary in listing


def test_an_unknown_verb_is_refused() -> None:
    done = run("sing")
    assert done.returncode == 2
    assert "No such command 'sing'" in done.stderr


def test_help_through_the_script_installs_nothing(tmp_path: object) -> None:
    """With no tool in sight a verb would install packages; its help must not try."""
    if not (REPOSITORY / ".venv" / ".glossa-stamp").exists():
        pytest.skip("the environment was not made by ./glossa")
    done = subprocess.run(
        [REPOSITORY / "glossa", "up", "--help"],
        env={"PATH": "/usr/bin:/bin", "HOME": os.environ.get("HOME", "/")},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 0
    assert "Usage: ./glossa up" in done.stdout
    assert "installing" not in done.stderr


def test_the_test_verb_passes_arguments_on_and_ends_as_pytest_does() -> None:
    done = run("test", "--no-checks", "-q", "-k", "no_such_test", "tests/cli/test_lazy_verbs.py")
    assert done.returncode == 5, done.stderr  # for "no tests"
    assert "deselected" in done.stdout
