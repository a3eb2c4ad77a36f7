"""A run of pytest, and a second one, alone, of the few tests that failed in it."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import click

_FAILED = 1  # pytest's status when all ran and some failed


def run(arguments: Sequence[str], jobs: int, again: int, cwd: Path) -> int:
    """pytest's status; 0, too, when what failed passed the second time.

    Tests share the machine with each other and with whatever else runs on it. So those that fail
    run again with nothing beside them, and are named when they pass then. More than `again` of
    them are no accident and do not run again.

    Args:
        jobs: files of tests at once.
        again: failed tests that run again, at most.
    """
    pytest = [sys.executable, "-P", "-m", "pytest"]
    spread = ["-n", str(jobs), "--dist", "loadfile"] if jobs > 1 else []
    if not again:
        return subprocess.call([*pytest, *spread, *arguments], cwd=cwd)
    with tempfile.TemporaryDirectory(prefix="glossa-test-") as cache:
        # Whatever else is asked for, all tests run: one that passes alone excuses no other.
        pytest += [*spread, *arguments, "--maxfail=0", "-o", f"cache_dir={cache}"]
        status = subprocess.call(pytest, cwd=cwd)
        failed = _last_failed(Path(cache))
        if status != _FAILED or not failed:
            return status
        if len(failed) > again:
            click.echo(f"== {len(failed)} tests failed, too many to run again (--again {again})")
            return status
        click.echo(f"== again, alone: {len(failed)}")
        alone = ["-n", "0"] if spread else []
        status = subprocess.call([*pytest, *alone, "--last-failed"], cwd=cwd)
        still = _last_failed(Path(cache))
    for outcome, names in (
        ("passed only when run alone", [each for each in failed if each not in still]),
        ("failed again, alone", still),
    ):
        if names:
            click.echo(f"{outcome}: {', '.join(names)}")
    return status


def _last_failed(cache: Path) -> list[str]:
    """Ids of the tests that failed when they last ran, as pytest notes them."""
    try:
        noted: dict[str, bool] = json.loads((cache / "v/cache/lastfailed").read_bytes())
    except FileNotFoundError:
        return []
    return list(noted)
