"""Errors over real gRPC: what a caller learns of what went wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator

import grpc
import pytest
import pytest_asyncio
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from glossa.mt.v1 import mt_pb2, mt_pb2_grpc
from services.errors import ERROR_DOMAIN, GlossaError, error_info, reason_of
from tests.processes import free_port_base
from tests.services.conftest import Trial, TrialStarter
from tests.services.trial import FAILURES

NAMED_FAILURES = sorted(FAILURES.keys() - {"unexpected", "long"})


@pytest_asyncio.fixture
async def trial(start_trial: TrialStarter) -> AsyncIterator[Trial]:
    trial = start_trial()
    await trial.wait_health("SERVING")
    yield trial


async def test_code_reason_message_and_metadata_of_each_error_arrive(trial: Trial) -> None:
    for text in NAMED_FAILURES:
        raised = FAILURES[text]()
        assert isinstance(raised, GlossaError)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await trial.translate(text)
        info = error_info(caught.value)
        assert info is not None
        assert caught.value.code() is raised.code
        assert caught.value.details() == raised.message
        assert (info.reason, info.domain) == (raised.reason, ERROR_DOMAIN)
        assert dict(info.metadata) == raised.metadata
        assert reason_of(caught.value) == raised.reason


async def test_an_overloaded_service_says_when_to_come_back(trial: Trial) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await trial.translate("overloaded")
    status = rpc_status.from_call(caught.value)
    (retry,) = (
        detail for detail in status.details if detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR)
    )
    info = error_details_pb2.RetryInfo()
    retry.Unpack(info)
    assert info.retry_delay.ToMilliseconds() == 2500


async def test_an_error_that_quotes_a_long_text_still_arrives(trial: Trial) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await trial.translate("long")
    assert reason_of(caught.value) == "TEXT_TOO_LONG"
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_stream_gives_what_came_before_its_error_and_then_the_error(trial: Trial) -> None:
    stream = trial.stream("engine failed")
    assert (await stream.read()).translation.text == "engine failed"
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stream.read()
    assert reason_of(caught.value) == "ENGINE_FAILED"
    assert error_info(caught.value).metadata == {"engine": "trial"}  # type: ignore[union-attr]


async def test_an_unexpected_exception_is_an_error_and_never_an_ok(trial: Trial) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await trial.translate("unexpected")
    assert caught.value.code() is grpc.StatusCode.UNKNOWN
    stream = trial.stream("unexpected")
    await stream.read()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stream.read()
    assert caught.value.code() is grpc.StatusCode.UNKNOWN
    assert reason_of(caught.value) == "UNKNOWN"
    assert trial.log().count("ZeroDivisionError: a bug") >= 2
    assert await trial.translate("hello") == "hello"


async def test_the_name_of_the_code_stands_in_where_no_reason_came() -> None:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{free_port_base()}") as channel:
        stub = mt_pb2_grpc.MtServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Translate(mt_pb2.TranslateRequest(text="hello"), timeout=10)
    assert error_info(caught.value) is None
    assert reason_of(caught.value) == "UNAVAILABLE"
