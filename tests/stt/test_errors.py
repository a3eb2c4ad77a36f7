"""What a client does wrong, and what it is told."""

from __future__ import annotations

from collections.abc import Callable

import grpc
import pytest

from glossa.stt.v1 import stt_pb2
from glossa.types.v1 import models_pb2, models_pb2_grpc, types_pb2
from services.channels import open_channel
from services.errors import error_info, reason_of
from tests.processes import ServiceProcess
from tests.speech import spoken, with_pauses
from tests.stt.stream import FORMAT, Heard, audio, config, requests, transcribe, until_the_end

CHUNK = bytes(3200)


def format_with(**changes: int) -> types_pb2.AudioFormat:
    changed = types_pb2.AudioFormat()
    changed.CopyFrom(FORMAT)
    for name, value in changes.items():
        setattr(changed, name, value)
    return changed


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        ([audio(0, CHUNK)], "AUDIO_BEFORE_CONFIG"),
        ([stt_pb2.StreamingTranscribeRequest()], "AUDIO_BEFORE_CONFIG"),
        ([config(), config()], "CONFIG_REPEATED"),
        ([config(format=format_with(encoding=0))], "UNSUPPORTED_ENCODING"),
        ([config(format=format_with(sample_rate_hertz=44_100))], "UNSUPPORTED_SAMPLE_RATE"),
        ([config(format=format_with(channel_count=2))], "UNSUPPORTED_CHANNEL_COUNT"),
        ([config(language="tlh")], "UNSUPPORTED_LANGUAGE"),
        ([config(language="")], "UNSUPPORTED_LANGUAGE"),
        ([config(phrases=["x" * 201])], "PHRASE_TOO_LONG"),
        ([config(), audio(0, bytes(3201))], "ODD_BYTE_COUNT"),
        ([config(), audio(0, bytes(64 * 1024 + 2))], "CHUNK_TOO_LARGE"),
        ([config(), audio(0, b"")], "EMPTY_CHUNK"),
        ([config(), audio(0, CHUNK), audio(0, CHUNK)], "SAMPLES_BACKWARDS"),
        ([config(), audio(-1, CHUNK)], "SAMPLES_BACKWARDS"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_bad_input_has_a_stable_reason(
    shared_stt: ServiceProcess, sent: list[stt_pb2.StreamingTranscribeRequest], reason: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await transcribe(shared_stt.address, sent)
    assert reason_of(raised.value) == reason
    assert raised.value.code() == grpc.StatusCode.INVALID_ARGUMENT


async def test_500_phrases_of_200_characters_are_taken(shared_stt: ServiceProcess) -> None:
    await transcribe(shared_stt.address, [config(phrases=["x" * 200] * 500), audio(0, CHUNK)])


async def test_an_unknown_language_is_answered_with_the_known_ones(
    shared_stt: ServiceProcess,
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await transcribe(shared_stt.address, [config(language="sw")])
    info = error_info(raised.value)
    assert info is not None
    assert info.metadata["supported"] == "en"


async def test_a_regional_tag_is_served_by_its_language(shared_stt: ServiceProcess) -> None:
    sent = requests(with_pauses(spoken("Good morning to you all.")), language="en-US")
    heard = await transcribe(shared_stt.address, sent)
    assert [final.language for final in heard.finals] == ["en-US"]


async def test_bad_input_late_in_a_stream_comes_after_what_was_heard(
    shared_stt: ServiceProcess,
) -> None:
    pcm = with_pauses(spoken("Good morning to you all."))
    heard = Heard()
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await transcribe(shared_stt.address, [*requests(pcm), audio(0, CHUNK)], heard=heard)
    assert reason_of(raised.value) == "SAMPLES_BACKWARDS"
    assert heard.kinds[0] == "started 1"


async def test_the_reason_reaches_a_client_that_is_still_sending(
    shared_stt: ServiceProcess,
) -> None:
    sent = [config(), audio(0, CHUNK), *[audio(0, CHUNK)] * 50]
    for _ in range(20):
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await transcribe(shared_stt.address, sent)
        assert reason_of(raised.value) == "SAMPLES_BACKWARDS"


async def test_streams_above_the_limit_are_refused_and_served_when_one_ends(
    start_stt: Callable[..., ServiceProcess],
) -> None:
    process = start_stt(max_streams=1, live_decoders=0, idle_timeout_s=1)
    await process.wait_ready()
    async with open_channel(process.address) as channel:
        first = channel.stream_stream(
            "/glossa.stt.v1.SttService/StreamingTranscribe",
            request_serializer=stt_pb2.StreamingTranscribeRequest.SerializeToString,
            response_deserializer=stt_pb2.StreamingTranscribeResponse.FromString,
        )(timeout=30)
        await first.write(config())
        await first.write(audio(0, bytes(64 * 1024)))
        await first.read()  # it is being served
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await transcribe(process.address, [config()])
        assert reason_of(refused.value) == "TOO_MANY_STREAMS"
        assert refused.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        with pytest.raises(grpc.aio.AioRpcError) as idle:
            await until_the_end(first)
        assert reason_of(idle.value) == "IDLE_TIMEOUT"
        assert idle.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    await transcribe(process.address, [config()])


async def test_get_model_names_engine_model_and_languages(shared_stt: ServiceProcess) -> None:
    async with grpc.aio.insecure_channel(shared_stt.address) as channel:
        model = await models_pb2_grpc.ModelServiceStub(channel).GetModel(
            models_pb2.GetModelRequest(), timeout=5
        )
    assert (model.engine, model.model) == ("pocketsphinx", "en-us")
    assert list(model.capabilities) == ["en"]
