"""`./glossa audit`: whether a library of the locks is known to be vulnerable."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

_COULD_NOT_ASK = 2
_TIMEOUT_S = 900


@click.command()
def audit() -> None:
    """Ask PyPI's advisories about every library of constraints.txt and constraints-qe.txt.

    Exits with 0 when none is known to be vulnerable, with 1 when one is, and with 2 when an answer
    could not be had for all of them: nobody knows then, and it says so.
    """
    from cli.stack import REPOSITORY

    statuses = []
    for name in ("constraints.txt", "constraints-qe.txt"):
        vulnerable, unknown, asked = _asked(REPOSITORY / name)
        for line in vulnerable:
            click.echo(f"FIX  {line}")
        if unknown:
            click.echo(f"{name}: could not ask about {unknown} of {unknown + asked} libraries")
        else:
            click.echo(f"{name}: asked about {asked} libraries, {len(vulnerable)} are vulnerable")
        statuses.append(1 if vulnerable else _COULD_NOT_ASK if unknown or not asked else 0)
    raise SystemExit(1 if 1 in statuses else max(statuses))


def _asked(lock: Path) -> tuple[list[str], int, int]:
    """Vulnerable libraries, a line each; how many nobody answered for; how many were answered."""
    import tempfile

    pins = [
        line.partition(";")[0].strip()
        for line in lock.read_text(encoding="utf-8").splitlines()
        if "==" in line and not line.startswith("#")
    ]
    with tempfile.TemporaryDirectory() as folder:
        requirements = Path(folder) / "requirements.txt"
        # One first: where there is no answer, 200 would each wait for theirs.
        requirements.write_text(f"{pins[0]}\n", encoding="utf-8")
        if not (answers := _answers(requirements)) or "skip_reason" in answers[0]:
            return [], len(pins), 0
        requirements.write_text("\n".join(pins) + "\n", encoding="utf-8")
        answers = _answers(requirements)
    answered = [answer for answer in answers if "skip_reason" not in answer]
    vulnerable = [
        f"{answer['name']} {answer['version']}: {', '.join(one['id'] for one in answer['vulns'])}"
        for answer in answered
        if answer["vulns"]
    ]
    return vulnerable, len(pins) - len(answered), len(answered)


def _answers(requirements: Path) -> list[dict[str, Any]]:
    """What pip-audit was told of each library; empty when it was told nothing."""
    import json
    import subprocess
    import sys

    command = [sys.executable, "-m", "pip_audit", "-r", str(requirements), "-f", "json"]
    try:
        done = subprocess.run(
            [*command, "--no-deps", "--disable-pip", "--progress-spinner", "off"],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
        told: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, ValueError, KeyError, TypeError):
        return []
    return told
