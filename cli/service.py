"""`./glossa service`: Glossa as a service of systemd, on a machine without Docker."""

from __future__ import annotations

from pathlib import Path

import click

from cli.options import profile_option

_UNIT = "glossa.service"
_TRAINING = ("glossa-training.service", "glossa-training.timer")
_PLAN = "church.toml"  # as glossa-training.service has it
_UNITS = Path("/etc/systemd/system")


@click.group()
def service() -> None:
    """Have this machine start Glossa by itself (systemd; with Docker, compose does that).

    \b
    sudo ./glossa service install --profile cpu --lan
    systemctl status glossa
    sudo ./glossa service uninstall
    """


@service.command()
@profile_option
@click.option("--lan", "is_lan", is_flag=True, help="As ./glossa up --lan.")
@click.option("--user", default="glossa", show_default=True, help="Who runs it; made if missing.")
@click.option("--training", "trains", is_flag=True, help="Also train each Monday night.")
@click.option("--print", "only_prints", is_flag=True, help="Print the unit file and do nothing.")
def install(profile: str, is_lan: bool, user: str, trains: bool, only_prints: bool) -> None:
    """Install it, or bring what is installed up to date, and start it.

    \b
    An upgrade:     git pull && sudo ./glossa service install --profile cpu --lan
    And back:       git checkout v0.1.0 && sudo ./glossa service install --profile cpu --lan

    Settings beside the profile's go into /etc/glossa.env, a NAME=value a line; what they want is
    installed here, so run this again after a change. So with other options: the last ones count.
    """
    from cli.stack import REPOSITORY, read_profile
    from cli.systemd import unit
    from services.errors import InvalidInput

    try:
        read_profile(profile)
    except InvalidInput as error:
        raise click.BadParameter(error.message, param_hint="--profile") from error
    names = (_UNIT, *(_TRAINING if trains else ()))
    templates = {name: (REPOSITORY / "deploy/systemd" / name).read_text("utf-8") for name in names}
    up = f"up --no-qr --profile {profile}" + (" --lan" if is_lan else "")
    units = {
        name: unit(template, root=REPOSITORY, user=user, up=up)
        for name, template in templates.items()
    }
    if only_prints:
        click.echo("\n".join(units.values()), nl=False)
        return
    if trains and not (REPOSITORY / _PLAN).exists():
        raise click.ClickException(
            f"training wants a plan: cp training/cycle.toml {_PLAN}, and make it yours"
        )
    _check("install")
    _own_state(user, REPOSITORY / "var")
    _check_readable(user, REPOSITORY)
    for name, text in units.items():
        (_UNITS / name).write_text(text, encoding="utf-8")
        click.echo(f"wrote {_UNITS / name}")
    _systemctl("daemon-reload")
    _systemctl("enable", _UNIT, *_TRAINING[1:] if trains else ())
    if trains:
        _systemctl("start", _TRAINING[1])
    click.echo("starting; a large model takes minutes (journalctl -fu glossa)")
    _systemctl("restart", _UNIT)
    click.echo("Glossa runs, and starts with this machine. ./glossa status says how it is.")


@service.command()
def uninstall() -> None:
    """Stop it and take it away. The journal, models and all else in var/ stay where they are."""
    import subprocess

    _check("uninstall")
    there = [name for name in (_UNIT, *_TRAINING) if (_UNITS / name).exists()]
    if not there:
        click.echo("it is not installed; nothing is changed")
        return
    _systemctl("disable", "--now", *there)
    for name in there:
        (_UNITS / name).unlink()
        click.echo(f"removed {_UNITS / name}")
    _systemctl("daemon-reload")
    # One that failed would stay in `systemctl --failed`; the others may be forgotten already.
    subprocess.run(["systemctl", "reset-failed", *there], check=False, capture_output=True)


def _check(what: str) -> None:
    import os

    if not Path("/run/systemd/system").is_dir():
        raise click.ClickException(
            "systemd does not run this machine; keep ./glossa up running by what does, or use "
            "docker compose"
        )
    if os.geteuid() != 0:
        raise click.ClickException(f"this needs root: sudo ./glossa service {what}")


def _own_state(user: str, state: Path) -> None:
    """Makes the user, if need be, and gives it the folder that it writes to."""
    import pwd
    import subprocess

    try:
        pwd.getpwnam(user)
    except KeyError:
        subprocess.run(
            ["useradd", "--system", "--home-dir", str(state), "--shell", "/usr/sbin/nologin", user],
            check=True,
        )
        click.echo(f"made the user {user}")
    state.mkdir(exist_ok=True)
    # -h: a link in there that leads elsewhere is changed itself, not what it leads to.
    subprocess.run(["chown", "-Rh", f"{user}:", str(state)], check=True)


def _check_readable(user: str, root: Path) -> None:
    import subprocess
    import sys

    tried = ["runuser", "-u", user, "--", sys.executable, "-P", "-c", "import cli.up"]
    if subprocess.run(tried, cwd="/", check=False, capture_output=True).returncode:
        raise click.ClickException(
            f"the user {user} cannot read {root}; move it to /srv/glossa, or name its owner: --user"
        )


def _systemctl(*arguments: str) -> None:
    import subprocess

    done = subprocess.run(["systemctl", *arguments], check=False)
    if done.returncode:
        raise click.ClickException(
            f"systemctl {' '.join(arguments)} failed; journalctl -u glossa says why"
        )
