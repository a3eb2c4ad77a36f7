"""What a log may not show."""

from __future__ import annotations

from typing import Literal

import pytest
import structlog

from services import logs


@pytest.mark.parametrize("output", ["console", "json"])
def test_a_traceback_shows_no_local_variable(
    output: Literal["console", "json"], capfd: pytest.CaptureFixture[str]
) -> None:
    before = structlog.get_config()
    logs.configure("gateway", output=output)
    try:
        fail("".join(["blessed are", " the poor"]))
    except ValueError:
        structlog.get_logger().exception("failed")
    finally:
        structlog.configure(**before)
        structlog.contextvars.clear_contextvars()
    written = capfd.readouterr().err
    assert "ValueError" in written
    assert "blessed are the poor" not in written


def fail(text: str) -> None:
    raise ValueError(len(text))
