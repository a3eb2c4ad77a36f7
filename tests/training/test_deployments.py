"""The log of deployments, also after one that was killed while it wrote a line."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.errors import InvalidInput
from training.rollout.deployments import DeploymentLog, Place

BOOTH = Place("local", "var/models", "final", "glossa-en-es")


def test_half_a_line_is_left_out_and_set_aside_by_the_next(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = DeploymentLog(tmp_path)
    log.add(BOOTH, "deployed", version="one")
    whole = log.path.read_bytes()
    log.add(BOOTH, "deployed", version="two")
    torn = log.path.read_bytes()[len(whole) : -20]
    log.path.write_bytes(whole + torn)

    assert log.in_use()[BOOTH]["version"] == "one"
    assert "the last line is cut off" in capsys.readouterr().err
    assert log.path.read_bytes() == whole + torn, "to read changes nothing"

    log.add(BOOTH, "deployed", version="three")
    assert [entry["version"] for entry in log.entries()] == ["one", "three"]
    assert (tmp_path / "deployments.torn").read_bytes() == torn + b"\n"
    assert capsys.readouterr().err == ""


def test_a_line_amid_others_that_cannot_be_read_is_damage(tmp_path: Path) -> None:
    log = DeploymentLog(tmp_path)
    log.path.write_text("{\n{}\n")
    with pytest.raises(InvalidInput, match="cannot be read"):
        log.entries()
