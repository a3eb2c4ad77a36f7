"""Fixtures that more than one folder of tests wants."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.certificate_authority import make_all
from cli.stack import python_of

MakeCertificates = Callable[..., Path]

# Whoever asks first for one of the tests' own models trains it: minutes on a busy machine.
_BUILDING_TIMEOUT_S = 900


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        builds = item.get_closest_marker("engines") or item.get_closest_marker("training")
        if builds and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(_BUILDING_TIMEOUT_S))


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


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> MakeCertificates:
    """Makes a directory of certificates, each time of another authority, for some days."""

    def make(**more: int) -> Path:
        folder = tmp_path_factory.mktemp("certificates")
        make_all(folder, ("glossa.local", "192.168.1.10"), **more)
        return folder

    return make


@pytest.fixture(scope="session")
def certificates_dir(certificates: MakeCertificates) -> Path:
    """A directory of certificates, to be left as it is."""
    return certificates()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of cert.pem, for localhost, of key.pem, and of locked.pem, a key with password."""
    folder = tmp_path_factory.mktemp("tls")
    make = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=x"
    names = ("-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")
    files = ("-keyout", "key.pem", "-out", "cert.pem")
    lock = "ec -in key.pem -out locked.pem -aes128 -passout pass:secret"
    for command in ((*make.split(), *names, *files), lock.split()):
        subprocess.run(("openssl", *command), cwd=folder, check=True, capture_output=True)
    return folder
