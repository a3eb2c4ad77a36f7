"""Fixtures that more than one folder of tests wants."""

from __future__ import annotations

import os
import sys

import pytest

from cli.stack import python_of


@pytest.fixture(scope="session")
def qe_python() -> str:
    """The Python of the environment that holds qe's learned engine."""
    python = python_of("qe", {**os.environ, "GLOSSA_QE_ENGINE": "cometkiwi"})
    if python == sys.executable:
        missing = "no .venv-qe here, and no GLOSSA_QE_PYTHON: ./glossa test --engines makes it"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    return python
