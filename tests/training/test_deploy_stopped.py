"""Deploying that is stopped while the service loads: what is in use is what the log says."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import pytest

from glossa.mt.v1 import mt_pb2, mt_pb2_grpc
from glossa.types.v1 import models_pb2, models_pb2_grpc
from services.settings import port
from tests.processes import REPOSITORY, free_port_base
from tests.training.versions import gate_file, small_export
from training.rollout.versions import Registry, Version

BEFORE = "opus-mt-en-es"


class SlowMt(models_pb2_grpc.ModelServiceServicer, mt_pb2_grpc.MtServiceServicer):
    """An mt whose LoadModel does not answer; its caller is to have gone before it ends.

    Args:
        takes: whether it uses the new model all the same.
    """

    def __init__(self, takes: bool) -> None:
        self.model = BEFORE
        self.loading, self.left = threading.Event(), threading.Event()
        self._takes = takes

    def GetModel(self, request: Any, context: grpc.ServicerContext) -> models_pb2.GetModelResponse:
        tier = models_pb2.TierModel(tier="final", engine="marian", model=self.model)
        return models_pb2.GetModelResponse(tiers=[tier])

    def LoadModel(self, request: Any, context: grpc.ServicerContext) -> Any:
        if self._takes:
            self.model = request.model
        context.add_callback(self.left.set)
        self.loading.set()
        self.left.wait(60)
        return models_pb2.LoadModelResponse()

    def Rollback(self, request: Any, context: grpc.ServicerContext) -> models_pb2.RollbackResponse:
        assert self.model != BEFORE, "there is nothing before it that is meant"
        self.model = BEFORE
        return models_pb2.RollbackResponse()

    def Translate(self, request: Any, context: grpc.ServicerContext) -> mt_pb2.TranslateResponse:
        return mt_pb2.TranslateResponse(text="Oremos, hermanos, por la mañana.")


@pytest.fixture
def version(tmp_path: Path) -> Version:
    export = small_export(tmp_path / "export")
    green = gate_file(export, passed=True)
    return Registry(tmp_path / "registry").add(export, cycle=1, gate=green)


@pytest.mark.parametrize(("takes", "outcome"), [(True, "rolled_back"), (False, "stopped")])
def test_the_model_before_is_in_use_and_the_log_tells_of_it(
    tmp_path: Path, version: Version, takes: bool, outcome: str
) -> None:
    mt, address = SlowMt(takes), f"127.0.0.1:{port('mt', free_port_base())}"
    server = grpc.server(futures.ThreadPoolExecutor(4))
    models_pb2_grpc.add_ModelServiceServicer_to_server(mt, server)
    mt_pb2_grpc.add_MtServiceServicer_to_server(mt, server)
    assert server.add_insecure_port(address)
    server.start()
    (tmp_path / "models").mkdir()
    (tmp_path / "smoke.tsv").write_text("Let us pray in the morning.\n")
    deploying = subprocess.Popen(
        [
            *(sys.executable, "-m", "training.deploy", version.name, "--registry"),
            *(str(tmp_path / "registry"), "--host", f"local:{tmp_path / 'models'}@{address}"),
            *("--smoke", str(tmp_path / "smoke.tsv")),
        ],
        cwd=REPOSITORY,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert mt.loading.wait(60), deploying.stderr
        deploying.send_signal(signal.SIGTERM)
        _, said = deploying.communicate(timeout=60)
        assert mt.left.wait(30), "the service is told that nobody waits"
    finally:
        deploying.kill()
        deploying.wait()
        server.stop(None)
    assert deploying.returncode == 128 + signal.SIGTERM, said
    assert mt.model == BEFORE
    lines = (tmp_path / "registry/deployments.jsonl").read_text().splitlines()
    (entry,) = map(json.loads, lines)
    assert (entry["outcome"], entry["version"]) == (outcome, version.name)
    assert "KeyboardInterrupt" in entry["why"]
    assert not (tmp_path / "models/glossa-en-es").exists()
