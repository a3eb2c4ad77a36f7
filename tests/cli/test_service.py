"""Glossa as a service of systemd: its unit files, what systemd is told, and when it is refused."""

from __future__ import annotations

import shutil
import socket
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli import systemd
from cli.service import service
from cli.stack import REPOSITORY

UNITS = REPOSITORY / "deploy/systemd"


def installed(*arguments: str) -> str:
    done = CliRunner().invoke(service, ["install", "--print", *arguments])
    assert done.exit_code == 0, done.output
    return done.output


def value(unit: str, name: str) -> str:
    (line,) = [line for line in unit.splitlines() if line.startswith(f"{name}=")]
    return line.partition("=")[2]


def test_the_unit_names_this_checkout_the_profile_and_the_user() -> None:
    unit = installed("--profile", "cpu", "--lan", "--user", "media")
    assert value(unit, "ExecStart") == f"{REPOSITORY}/glossa up --no-qr --profile cpu --lan"
    assert value(unit, "ReadWritePaths") == f"{REPOSITORY}/var"
    assert value(unit, "User") == "media"
    assert "/srv/glossa" not in unit
    assert "glossa.timer" not in unit


def test_with_training_its_units_come_along() -> None:
    units = installed("--training")
    assert f"{REPOSITORY}/.venv/bin/python -m training.cycle" in units
    assert "OnCalendar=Mon" in units


def test_a_checkout_with_blanks_and_percent_signs_stays_one_word() -> None:
    template = (UNITS / "glossa.service").read_text(encoding="utf-8")
    unit = systemd.unit(template, root=Path("/srv/our church/100%"), user="glossa")
    assert value(unit, "ExecStart").startswith(r"/srv/our\x20church/100%%/glossa up ")


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed here")
@pytest.mark.parametrize("name", sorted(path.name for path in UNITS.iterdir()))
def test_systemd_understands_each_unit(name: str, tmp_path: Path) -> None:
    for path in UNITS.iterdir():
        text = systemd.unit(path.read_text(encoding="utf-8"), root=tmp_path, user="root")
        (tmp_path / path.name).write_text(text, encoding="utf-8")
    (tmp_path / ".venv/bin").mkdir(parents=True)
    for program in ("glossa", ".venv/bin/python"):
        shutil.copy(shutil.which("true") or "", tmp_path / program)
    verify = ["systemd-analyze", "verify", str(tmp_path / name)]
    done = subprocess.run(verify, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert str(tmp_path) not in done.stderr  # it only warns of a directive that it does not know
    (tmp_path / name).write_text((tmp_path / name).read_text() + "\n[NoSuchSection]\n")
    done = subprocess.run(verify, capture_output=True, text=True, timeout=60)
    assert "NoSuchSection" in done.stderr


@pytest.mark.parametrize("is_abstract", [False, True])
def test_systemd_is_told_that_the_stack_is_ready(
    is_abstract: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"@glossa-{tmp_path.name}" if is_abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(name.replace("@", "\0"))
        heard.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        systemd.notify("READY=1")
        assert heard.recv(100) == b"READY=1"


def test_without_systemd_nobody_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    systemd.notify("READY=1")


def test_training_without_a_plan_is_refused_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(UNITS, tmp_path / "deploy/systemd")
    monkeypatch.setattr("cli.stack.REPOSITORY", tmp_path)
    done = CliRunner().invoke(service, ["install", "--training"])
    assert done.exit_code == 1
    assert "cp training/cycle.toml church.toml" in done.output
    unit = (tmp_path / "deploy/systemd/glossa-training.service").read_text(encoding="utf-8")
    assert value(unit, "ExecStart").split()[4] == "/srv/glossa/church.toml"


@pytest.mark.skipif(Path("/run/systemd/system").is_dir(), reason="systemd runs this machine")
@pytest.mark.parametrize("verb", ["install", "uninstall"])
def test_a_machine_without_systemd_is_refused_with_what_to_do(verb: str) -> None:
    done = CliRunner().invoke(service, [verb])
    assert done.exit_code == 1
    assert "docker compose" in done.output


def test_an_unknown_profile_is_refused_with_the_known_ones() -> None:
    done = CliRunner().invoke(service, ["install", "--print", "--profile", "sunday"])
    assert done.exit_code == 2
    assert "embedded" in done.output
