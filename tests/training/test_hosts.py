"""A host over ssh: real rsync and host_files, and an ssh that leads to this machine."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from services.errors import InvalidInput
from training.deploy import deploy
from training.rollout.hosts import Host, host_of

# What ssh does with its words: options, the machine, and a line for the shell over there.
SSH = """#!/bin/sh
while [ "${1#-}" != "$1" ]; do [ "$1" = -o ] && shift; shift; done
shift
exec sh -c "$*"
"""


@pytest.mark.skipif(shutil.which("rsync") is None, reason="rsync is not installed")
def test_files_come_to_a_folder_whose_name_has_a_space(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ssh = tmp_path / "bin/ssh"
    ssh.parent.mkdir()
    ssh.write_text(SSH)
    ssh.chmod(0o755)
    monkeypatch.setenv("PATH", str(ssh.parent), prepend=":")
    source, models = tmp_path / "source", tmp_path / "all models"
    source.mkdir()
    (source / "model.bin").write_bytes(b"weights")
    host = Host("booth", str(models), "127.0.0.1:1", ssh="booth.local")
    host.copy(source, "first")
    assert (models / ".unfinished/first/model.bin").read_bytes() == b"weights"
    assert host.call("state", "first") == {"link": None, "is_taken": False}


def test_an_option_of_ssh_is_no_machine() -> None:
    with pytest.raises(InvalidInput, match="no machine"):
        host_of("-oProxyCommand=true:var/models@127.0.0.1:1")


@pytest.mark.parametrize("name", ["../elsewhere", "/srv/model", ".."])
def test_a_name_leads_to_nowhere_but_the_models_folder(tmp_path: Path, name: str) -> None:
    told = ["latest", "--registry", str(tmp_path), "--name", name]
    done = CliRunner().invoke(deploy, [*told, "--host", f"local:{tmp_path}@127.0.0.1:1"])
    assert done.exit_code == 2
    assert "--name must be" in done.output
