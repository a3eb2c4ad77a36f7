"""Runs of tests, some of which fail, by real pytest processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cli.suite import run

# A line for each time that a test runs: its name, and the worker beside others or "alone".
_NOTED = """
import os, pathlib, pytest
RUNS = pathlib.Path(__file__).with_name("runs.txt")

@pytest.fixture(autouse=True)
def runs(request):
    with RUNS.open("a") as file:
        file.write(f"{request.node.name} {os.environ.get('PYTEST_XDIST_WORKER', 'alone')}\\n")
    return RUNS.read_text().count(request.node.name + " ")
"""
_FINE = "def test_fine(): pass\n"
_CROWDED = "def test_crowded(runs): assert runs > 1\n"
_BROKEN = "def test_broken(): assert False\n"


def _runs(folder: Path) -> list[str]:
    return sorted((folder / "runs.txt").read_text().splitlines())


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    # This test may itself run in a worker; the runs that it starts are none of its business.
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "conftest.py").write_text(_NOTED)
    return tmp_path


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_test_that_fails_among_others_and_passes_alone_is_named_and_excused(
    folder: Path, capfd: pytest.CaptureFixture[str], jobs: int
) -> None:
    (folder / "test_some.py").write_text(_FINE + _CROWDED)
    assert run([], jobs, 10, folder) == 0
    assert "passed only when run alone: test_some.py::test_crowded\n" in capfd.readouterr().out
    beside = "gw0" if jobs > 1 else "alone"
    assert _runs(folder) in (
        sorted([f"test_fine {worker}", f"test_crowded {worker}", "test_crowded alone"])
        for worker in (beside, "gw1" if jobs > 1 else beside)
    )


def test_a_test_that_fails_alone_too_fails_the_run(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (folder / "test_some.py").write_text(_CROWDED + _BROKEN)
    assert run([], 1, 10, folder) == 1
    told = capfd.readouterr().out
    assert "passed only when run alone: test_some.py::test_crowded\n" in told
    assert "failed again, alone: test_some.py::test_broken\n" in told


def test_more_failures_than_may_run_again_do_not(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (folder / "test_some.py").write_text(_CROWDED + _CROWDED.replace("crowded", "squeezed"))
    assert run([], 1, 1, folder) == 1
    assert "2 tests failed, too many to run again" in capfd.readouterr().out
    assert _runs(folder) == ["test_crowded alone", "test_squeezed alone"]


def test_no_test_is_left_out_because_another_one_failed(folder: Path) -> None:
    (folder / "test_some.py").write_text(_CROWDED + _BROKEN)
    assert run(["-x"], 1, 10, folder) == 1
    assert "test_broken alone" in _runs(folder)


def test_what_cannot_be_read_is_not_run_again(folder: Path) -> None:
    (folder / "test_some.py").write_text("import nothing_of_this_name\n")
    (folder / "test_other.py").write_text(_CROWDED)
    assert run([], 1, 10, folder) == 2
    assert not (folder / "runs.txt").exists()


def test_a_choice_of_tests_runs_once_unless_it_is_asked_for(folder: Path) -> None:
    (folder / "test_some.py").write_text(_CROWDED)
    glossa = [sys.executable, "-m", "cli", "test", "--no-checks"]
    chosen = [str(folder), "-c", str(folder / "pytest.ini"), "-p", "no:cacheprovider"]
    assert subprocess.run([*glossa, *chosen]).returncode == 1
    assert _runs(folder) == ["test_crowded alone"]
    (folder / "runs.txt").unlink()
    assert subprocess.run([*glossa, "--again", "1", *chosen[:-2]]).returncode == 0
    assert _runs(folder) == ["test_crowded alone"] * 2
