"""`./glossa audit`: whether a library of the locks is known to be vulnerable."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

_COULD_NOT_ASK = 2
_TIMEOUT_S = 900


@click.command()
@click.argument("locks", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
def audit(locks: tuple[Path, ...]) -> None:
    """Ask PyPI's advisories about every library of constraints.txt and constraints-qe.txt.

    Or about those of other LOCKS. Exits with 0 when none is known to be vulnerable, with 1 when one
    is, and with 2 when an answer could not be had for all of them: nobody knows then, and it says
    so, and why.
    """
    from cli.stack import REPOSITORY

    statuses = []
    for lock in locks or (REPOSITORY / "constraints.txt", REPOSITORY / "constraints-qe.txt"):
        told = _told_of(lock)
        for line in told.vulnerable:
            click.echo(f"FIX  {line}")
        if told.why_unknown:
            all_count = told.unknown_count + told.answered_count
            click.echo(
                f"{lock.name}: could not ask about {told.unknown_count} of {all_count} libraries: "
                f"{told.why_unknown}"
            )
        else:
            click.echo(
                f"{lock.name}: asked about {told.answered_count} libraries, "
                f"{len(told.vulnerable)} are vulnerable"
            )
        statuses.append(1 if told.vulnerable else _COULD_NOT_ASK if told.why_unknown else 0)
    raise SystemExit(1 if 1 in statuses else max(statuses))


@dataclass(frozen=True)
class _Told:
    """What was told of a lock.

    Args:
        vulnerable: a line for each library that is.
        why_unknown: of the first that nobody answered for; empty: all are known.
    """

    vulnerable: tuple[str, ...]
    answered_count: int
    unknown_count: int
    why_unknown: str = ""


def _told_of(lock: Path) -> _Told:
    import tempfile

    pins = [
        line.partition(";")[0].strip()
        for line in lock.read_text(encoding="utf-8").splitlines()
        if "==" in line and not line.startswith("#")
    ]
    if not pins:
        return _Told((), 0, 0, "it pins none")
    with tempfile.TemporaryDirectory() as folder:
        requirements = Path(folder) / "requirements.txt"
        # One first: where there is no answer, 200 would each wait for theirs.
        requirements.write_text(f"{pins[0]}\n", encoding="utf-8")
        told = _answers(requirements)
        if told.answered_count and len(pins) > 1:
            requirements.write_text("\n".join(pins) + "\n", encoding="utf-8")
            told = _answers(requirements)
    unknown_count = len(pins) - told.answered_count
    return _Told(told.vulnerable, told.answered_count, unknown_count, told.why_unknown)


def _answers(requirements: Path) -> _Told:
    """What pip-audit was told of each library; its own environment variables name the service."""
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
    except subprocess.TimeoutExpired:
        return _Told((), 0, 0, f"pip-audit had not ended after {_TIMEOUT_S} s")
    try:
        answers = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return _Told((), 0, 0, _why(done.stderr))
    skipped = [answer["skip_reason"] for answer in answers if "skip_reason" in answer]
    vulnerable = [
        f"{answer['name']} {answer['version']}: {', '.join(one['id'] for one in answer['vulns'])}"
        for answer in answers
        if answer.get("vulns")
    ]
    return _Told(tuple(vulnerable), len(answers) - len(skipped), len(skipped), "".join(skipped[:1]))


def _why(said: str) -> str:
    """Why pip-audit was told nothing: the network's own words, which stand above its last error."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    for beginning in ("requests.exceptions.", "ERROR:"):
        for line in lines:
            if line.startswith(beginning):
                return line.removeprefix(beginning).removeprefix("pip_audit._cli:")
    return lines[-1] if lines else "pip-audit said nothing"
