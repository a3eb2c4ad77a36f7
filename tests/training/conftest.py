"""The plan of a small church, for the tests of cycles, and what a church collects."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from services.settings import port
from tests.collector.redis_process import RedisProcess
from tests.processes import free_port_base
from tests.training.collected_church import Church

SMALL = """
trainer = "marian"
model_name = "glossa-en-es"
{head}
[mix]
recipe = "first"
bible = "bible"
{mix}
[export]
licence = "Apache-2.0"
{more}
"""


@pytest.fixture
def plan_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the command is run, with the one file that the example wants to be there."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "var/data/tatoeba").mkdir(parents=True)
    (tmp_path / "var/data/tatoeba/dev.tsv").write_text("God is love.\tDios es amor.\n")
    return tmp_path


@pytest.fixture
def plan_file(plan_folder: Path) -> Callable[..., Path]:
    def write(*, head: str = "", mix: str = "", more: str = "") -> Path:
        path = plan_folder / "church.toml"
        path.write_text(SMALL.format(head=head, mix=mix, more=more))
        return path

    return write


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisProcess]:
    server = RedisProcess(port("redis", free_port_base()), tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.kill()


@pytest.fixture
def church(server: RedisProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Church:
    monkeypatch.setenv("GLOSSA_DATASETS_DIR", str(tmp_path / "datasets"))
    return Church(server, tmp_path / "datasets")
