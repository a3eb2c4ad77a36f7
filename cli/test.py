"""`./glossa test`: the checks of the code, then its tests."""

from __future__ import annotations

from pathlib import Path

import click

_LONG_PARTS = ("engines", "training", "compose", "slow")
_AGAIN = 10
_SHOWN_ARGUMENTS = 5
_SOURCES = ("services", "cli", "bench", "training", "dashboard")
# Where a secret could stand; not the sentences and models, of which there are megabytes.
_TEXTS = (".py", ".js", ".html", ".md", ".toml", ".yml", ".yaml", ".json", ".env", ".sh", ".conf")


def _texts(repository: Path) -> list[str]:
    """The files to look for secrets in: those that git tracks; none where it is no clone of it."""
    import subprocess

    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=repository, capture_output=True, text=True, check=False
    )
    return [
        name
        for name in listed.stdout.split("\0")
        if name.endswith(_TEXTS) and "_pb2" not in name and (repository / name).is_file()
    ]


@click.command(context_settings={"ignore_unknown_options": True})
@click.option("--engines", is_flag=True, help="Also what needs larger model libraries.")
@click.option("--training", is_flag=True, help="Also what trains tiny models.")
@click.option("--compose", is_flag=True, help="Also what needs a Docker engine.")
@click.option("--all", "everything", is_flag=True, help="Everything, the minutes-long tests too.")
@click.option("--no-checks", is_flag=True, help="Only the tests: no linters, no type checker.")
@click.option(
    "--jobs",
    type=click.IntRange(1, 16),
    help="Files of tests at once.  [default: 2; 1 for a choice of tests and for the longer parts]",
)
@click.option(
    "--again",
    type=click.IntRange(0),
    metavar="COUNT",
    help="Failed tests that run a second time, alone; none when more failed.  [default: "
    f"{_AGAIN}; 0 for a choice of tests with one job]",
)
@click.argument("pytest_arguments", nargs=-1, type=click.UNPROCESSED)
def test(
    engines: bool,
    training: bool,
    compose: bool,
    everything: bool,
    no_checks: bool,
    jobs: int | None,
    again: int | None,
    pytest_arguments: tuple[str, ...],
) -> None:
    """Check the code and run its tests; other arguments go to pytest.

    On a busy machine a test may fail that is right. A few that fail run again at the end, with
    nothing beside them, and those that pass then are named as such. Exits with pytest's status.

    \b
    ./glossa test
    ./glossa test tests/cli/test_forget.py -k question
    """
    import shutil
    import subprocess
    import sys

    from cli import suite
    from cli.stack import REPOSITORY

    tools = Path(sys.executable).parent
    checks: dict[str, list[str]] = {
        "lint": ["ruff", "check", "."],
        "format": ["ruff", "format", "--check", "."],
        "types": ["mypy", "services", "training"],
        "imports": ["lint-imports"],
        "protos": ["buf", "lint"],
        "security": ["bandit", "-q", "-c", "pyproject.toml", "-r", *_SOURCES],
    }
    if no_checks:
        checks = {}
    elif shutil.which("git"):
        checks["secrets"] = [
            "detect-secrets-hook",
            # The names of a cluster's secrets are none, and of random-looking text sums are most.
            *("--exclude-lines", "secretName:"),
            *("--disable-plugin", "HexHighEntropyString"),
            *("--disable-plugin", "Base64HighEntropyString"),
            *_texts(REPOSITORY),
        ]
    else:
        click.echo("== secrets: left out, there is no git here to list the project's own files")
    failed = []
    for name, (tool, *arguments) in checks.items():
        more = " ..." if len(arguments) > _SHOWN_ARGUMENTS else ""
        click.echo(f"== {name}: {' '.join((tool, *arguments[:_SHOWN_ARGUMENTS]))}{more}")
        done = subprocess.run(
            [tools / tool, *arguments], cwd=REPOSITORY, capture_output=True, text=True
        )
        if done.returncode:
            click.echo(done.stdout + done.stderr)
            failed.append(name)
    if failed:
        click.echo(f"glossa: these checks failed: {', '.join(failed)}", err=True)
        raise SystemExit(1)

    wanted = {"engines": engines, "training": training, "compose": compose, "slow": False}
    left_out = [part for part in _LONG_PARTS if not (everything or wanted[part])]
    marks = ["-m", " and ".join(f"not {part}" for part in left_out)] if left_out else []
    # Most tests wait for a process, a socket or a browser. A file stays together: its tests share
    # what is dear to start. The longer parts fill the machine one by one.
    jobs = jobs or (1 if pytest_arguments or everything or any(wanted.values()) else 2)
    if again is None:
        again = 0 if pytest_arguments and jobs == 1 else _AGAIN
    raise SystemExit(suite.run([*marks, *pytest_arguments], jobs, again, REPOSITORY))
