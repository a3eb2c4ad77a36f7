"""The whole service on a tiny Whisper: flite speaks, faster-whisper hears."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from itertools import pairwise
from pathlib import Path

import grpc
import pytest
import pytest_asyncio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from glossa.types.v1 import models_pb2, models_pb2_grpc
from services.channels import open_channel
from services.errors import reason_of
from tests.processes import ServiceProcess, free_port_base
from tests.speech import spoken, white_noise, with_pauses
from tests.stt.conftest import metric
from tests.stt.stream import Heard, requests, transcribe
from tests.tiny import whisper as tiny

# The first run builds the models.
pytestmark = pytest.mark.engines

ENGLISH = tiny.SENTENCES["en"][:2]
SPANISH = tiny.SENTENCES["es"]
MODELS = ("first", "second")
LOAD_TIMEOUT_S = 60.0


@pytest.fixture(scope="module")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two whole models under different names, one for English alone, and a damaged one."""
    folder = tmp_path_factory.mktemp("models")
    for name in (*MODELS, "damaged"):
        shutil.copytree(tiny.whisper_ct2(), folder / name)
    shutil.copytree(tiny.whisper_ct2(english_only=True), folder / "english")
    (folder / "damaged" / "tokenizer.json").unlink()
    return folder


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def whisper_stt(
    models_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[ServiceProcess]:
    process = ServiceProcess(
        "stt",
        free_port_base(),
        tmp_path_factory.mktemp("stt"),
        engine="faster_whisper",
        model="first",
        models_dir=models_dir,
        device="cpu",
        final_workers=1,
        corrections_dir=models_dir,  # none: so small a model is thrown by a long prompt
    )
    process.start()
    try:
        await process.wait_ready()
        yield process
    finally:
        process.kill()


async def load(process: ServiceProcess, model: str, tier: str = "") -> models_pb2.LoadModelResponse:
    async with open_channel(process.address) as channel:
        return await models_pb2_grpc.ModelServiceStub(channel).LoadModel(
            models_pb2.LoadModelRequest(tier=tier, model=model), timeout=LOAD_TIMEOUT_S
        )


async def rollback(process: ServiceProcess) -> models_pb2.RollbackResponse:
    async with open_channel(process.address) as channel:
        return await models_pb2_grpc.ModelServiceStub(channel).Rollback(
            models_pb2.RollbackRequest(), timeout=LOAD_TIMEOUT_S
        )


def share_of_words(sentences: Sequence[str], heard: Heard) -> float:
    """Of the words said, how many were heard. So small a model mishears some."""
    said = " ".join(sentences).lower().split()
    return sum(word in heard.text.split() for word in said) / len(said)


async def test_sentences_come_as_partials_and_then_as_finals(whisper_stt: ServiceProcess) -> None:
    pcm = with_pauses(*(spoken(sentence) for sentence in ENGLISH))
    heard = await transcribe(whisper_stt.address, requests(pcm, partial_results=True), speed=1)
    assert share_of_words(ENGLISH, heard) >= 0.5
    assert heard.partials
    for segment_id in range(1, len(heard.finals) + 1):
        stable = [p.stable_text for p in heard.partials if p.segment_id == segment_id]
        assert all(later.startswith(earlier) for earlier, later in pairwise(stable))
    for final in heard.finals:
        assert final.model == "faster_whisper/first"
        assert [word.text for word in final.words] == final.stable_text.split()
        assert all(0 <= word.probability <= 1 for word in final.words)
        assert final.words[0].start_offset_ms >= final.start_offset_ms
        assert final.words[-1].end_offset_ms <= final.end_offset_ms


async def test_sentences_without_a_pause_between_them_are_heard_whole(
    whisper_stt: ServiceProcess,
) -> None:
    pcm = with_pauses(*(spoken(sentence) for sentence in ENGLISH), pause_s=0.25)
    heard = await transcribe(whisper_stt.address, requests(pcm, partial_results=True), speed=1)
    assert share_of_words(ENGLISH, heard) >= 0.5
    for earlier, later in pairwise(heard.finals):
        assert earlier.end_offset_ms <= later.start_offset_ms


async def test_a_spanish_session_needs_no_other_process(whisper_stt: ServiceProcess) -> None:
    english, spanish = await asyncio.gather(
        transcribe(whisper_stt.address, requests(with_pauses(spoken(ENGLISH[0])))),
        transcribe(
            whisper_stt.address,
            requests(with_pauses(*(spoken(sentence) for sentence in SPANISH)), language="es"),
        ),
    )
    assert share_of_words(ENGLISH[:1], english) >= 0.5
    assert share_of_words(SPANISH, spanish) >= 0.5
    assert {final.language for final in spanish.finals} == {"es"}


async def test_a_model_is_loaded_and_taken_back_while_captions_go_on(
    whisper_stt: ServiceProcess,
) -> None:
    pcm = with_pauses(*(spoken(sentence) for sentence in ENGLISH * 3))
    stream = asyncio.create_task(
        transcribe(whisper_stt.address, requests(pcm, partial_results=True), speed=1)
    )
    states = set()
    async with grpc.aio.insecure_channel(whisper_stt.address) as channel:
        health = health_pb2_grpc.HealthStub(channel)

        async def watch() -> None:
            async for answer in health.Watch(health_pb2.HealthCheckRequest()):
                states.add(answer.status)

        watching = asyncio.create_task(watch())
        loaded = await load(whisper_stt, "second")
        back = await rollback(whisper_stt)
        assert not stream.done()
        heard = await stream
        watching.cancel()
    assert (loaded.current.model, loaded.previous.model) == ("second", "first")
    assert (back.current.model, back.previous.model) == ("first", "second")
    assert loaded.load_ms > 0
    assert len(heard.finals) == len(ENGLISH) * 3
    assert {final.model for final in heard.finals} <= {f"faster_whisper/{m}" for m in MODELS}
    assert heard.finals[-1].model == "faster_whisper/first"
    assert states == {health_pb2.HealthCheckResponse.SERVING}


@pytest.mark.parametrize(
    ("model", "reason"),
    [("damaged", "MODEL_MISSING"), ("nowhere", "MODEL_MISSING"), ("../models", "MODEL_MISSING")],
)
async def test_a_model_that_cannot_be_loaded_changes_nothing(
    whisper_stt: ServiceProcess, model: str, reason: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await load(whisper_stt, model)
    assert reason_of(refused.value) == reason
    async with grpc.aio.insecure_channel(whisper_stt.address) as channel:
        in_use = await models_pb2_grpc.ModelServiceStub(channel).GetModel(
            models_pb2.GetModelRequest(), timeout=5
        )
    assert [(tier.tier, tier.model) for tier in in_use.tiers] == [("final", in_use.model)]
    assert in_use.model in MODELS
    assert "es" in in_use.capabilities


async def test_what_whisper_invents_in_noise_is_kept_back_and_told(
    start_stt: Callable[..., ServiceProcess], models_dir: Path
) -> None:
    # A threshold this low takes noise for speech: the filters are what is left.
    process = start_stt(
        engine="faster_whisper",
        model="first",
        models_dir=models_dir,
        device="cpu",
        speech_threshold=0.0005,
        max_segment_ms=4000,
        corrections_dir=models_dir,
    )
    await process.wait_ready()
    heard = await transcribe(process.address, requests(white_noise(4.5)))
    assert not heard.finals
    suppressed = [
        response.segment_suppressed
        for response in heard.responses
        if response.WhichOneof("event") == "segment_suppressed"
    ]
    assert tiny.PHANTOM in {one.text for one in suppressed}
    counted = sum(
        metric(process, f'glossa_stt_suppressions_total{{reason="{reason}"}}')
        for reason in {one.reason for one in suppressed}
    )
    assert counted == len(suppressed)


async def test_an_english_model_makes_partials_and_leaves_spanish_to_the_other(
    start_stt: Callable[..., ServiceProcess], models_dir: Path
) -> None:
    process = start_stt(
        engine="faster_whisper",
        model="first",
        partial_model="english",
        models_dir=models_dir,
        device="cpu",
        corrections_dir=models_dir,
    )
    await process.wait_ready()
    for language, sentence, model in (("en", ENGLISH[1], "english"), ("es", SPANISH[0], "first")):
        sent = requests(with_pauses(spoken(sentence)), language=language, partial_results=True)
        heard = await transcribe(process.address, sent, speed=1)
        assert share_of_words([sentence], heard) >= 0.5
        assert {partial.model for partial in heard.partials} == {f"faster_whisper/{model}"}
