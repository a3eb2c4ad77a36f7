"""The embedded translator where its own model is not to be had: Apertium alone, and it says so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest

from glossa.types.v1 import models_pb2, models_pb2_grpc
from services.mt.engine import EngineOptions, Job, LanguagePair, loader
from services.mt.glossary import Glossary
from services.mt.task import TextTask
from tests.mt.conftest import MtProcess

EN_ES = LanguagePair("en", "es")
TEXT = "The door is open. There are three books."


@pytest.mark.asyncio(loop_scope="session")
async def test_without_its_model_captions_go_on_and_the_lack_is_told(
    own_mt: Callable[..., MtProcess], tmp_path: Path
) -> None:
    mt = own_mt(runtime="embedded", model="is-not-here", models_dir=tmp_path)
    await mt.wait_ready()
    answer = await mt.translate(TEXT)
    assert answer.text == "La puerta es abierta. Hay tres libros."
    assert answer.model == "apertium/eng-spa"
    assert await mt.metric(
        'glossa_mt_sentences_total{kind="final",model="apertium/eng-spa"}'
    ) == pytest.approx(1)
    back = await mt.translate("La puerta", source="es", target="en")
    assert back.model == "apertium/spa-eng"
    models = models_pb2_grpc.ModelServiceStub(mt.channel)
    told = await models.GetModel(models_pb2.GetModelRequest())
    assert (told.engine, told.model) == ("embedded", "eng-spa, spa-eng")
    said = mt.log_path.read_text()
    assert said.count("own_model_missing") == 1
    assert "Apertium speaks alone" in said


@pytest.mark.asyncio(loop_scope="session")
async def test_a_model_that_would_leave_it_without_its_own_is_not_taken_into_use(
    own_mt: Callable[..., MtProcess], tmp_path: Path
) -> None:
    (tmp_path / "broken-en-es").mkdir()
    mt = own_mt(runtime="apertium", models_dir=tmp_path)
    await mt.wait_ready()
    models = models_pb2_grpc.ModelServiceStub(mt.channel)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await models.LoadModel(models_pb2.LoadModelRequest(engine="embedded", model="broken-en-es"))
    assert "the own model is not loaded" in str(refused.value.details())
    told = await models.GetModel(models_pb2.GetModelRequest())
    assert told.engine == "apertium"
    assert (await mt.translate(TEXT)).model == "apertium/eng-spa"
    assert await asyncio.to_thread(mt.stop) == 0


def test_its_loader_needs_no_model_library(tmp_path: Path) -> None:
    engine = loader("embedded")(EngineOptions(model="is-not-here", models_dir=tmp_path))
    try:
        task = TextTask(Job("We have three books.", EN_ES), Glossary(), deadline=None)
        (rendering,) = engine.translate([task])
        assert rendering.text == "Tenemos tres libros."
        assert engine.model(EN_ES) == "apertium/eng-spa"
        assert engine.capabilities.lacks
        task.cancel()
        assert engine.translate([task])[0].text == ""
    finally:
        engine.close()
