"""The switch of traces, at a real service: off, without the libraries, and with nobody there."""

from __future__ import annotations

from pathlib import Path

import pytest

from glossa.qe.v1 import qe_pb2, qe_pb2_grpc
from services.channels import open_channel
from tests.processes import ServiceProcess, free_port_base

PARENT = f"00-{'1' * 32}-{'2' * 16}-01"


async def served_log(folder: Path, **settings: object) -> str:
    """What qe writes from its start to its end, with one call in between that brings a parent."""
    qe = ServiceProcess("qe", free_port_base(), folder, **settings)
    qe.start()
    try:
        await qe.wait_ready()
        async with open_channel(qe.address) as channel:
            pair = qe_pb2.Pair(
                source_text="bread", target_text="pan", source_language="en", target_language="es"
            )
            answer = await qe_pb2_grpc.QeServiceStub(channel).Score(
                qe_pb2.ScoreRequest(pairs=[pair]), timeout=20, metadata=(("traceparent", PARENT),)
            )
            assert answer.scores
        assert qe.stop() == 0
    finally:
        qe.kill()
    return qe.log_path.read_text()


async def test_without_an_endpoint_nothing_of_opentelemetry_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")  # each import is a line on stderr
    # Not qe or the collector: where it is installed, their redis-py imports it for itself.
    gateway = ServiceProcess("gateway", free_port_base(), tmp_path, state_dir=tmp_path / "state")
    gateway.start()
    try:
        await gateway.wait_ready()
        assert gateway.stop() == 0
    finally:
        gateway.kill()
    imported = gateway.log_path.read_text()
    assert "services.gateway.pipeline" in imported
    assert "opentelemetry" not in imported


async def test_a_service_ends_in_good_order_when_nobody_takes_its_spans(tmp_path: Path) -> None:
    log = await served_log(tmp_path, traces_endpoint=f"http://127.0.0.1:{free_port_base()}")
    assert "traces_on" in log
    assert "Traceback" not in log


async def test_without_its_libraries_a_service_says_so_once_and_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden = tmp_path / "hidden" / "opentelemetry"
    hidden.mkdir(parents=True)
    # As import does for a package that is not there.
    (hidden / "__init__.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'opentelemetry'\", name='opentelemetry')\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(hidden.parent))
    log = await served_log(tmp_path, traces_endpoint="http://127.0.0.1:4317")
    assert log.count("traces_off") == 1
    assert "GLOSSA_EXTRAS=traces" in log
    assert "Traceback" not in log


@pytest.mark.parametrize("endpoint", ["127.0.0.1:4317", "ftp://host", "http://a b"])
async def test_an_endpoint_that_is_no_url_is_refused_at_the_start(
    tmp_path: Path, endpoint: str
) -> None:
    qe = ServiceProcess("qe", free_port_base(), tmp_path, traces_endpoint=endpoint)
    qe.start()
    with pytest.raises(RuntimeError, match="GLOSSA_QE_TRACES_ENDPOINT"):
        await qe.wait_ready()
