"""One segment in all services, as a collector of OpenTelemetry is told of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.trace.v1 import trace_pb2

from glossa.gateway.v1 import gateway_pb2
from tests.e2e.stack import Display, UpStack, speak, texts
from tests.processes import free_port_base
from tests.speech import spoken, with_pauses

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(240)]

DEADLINE_S = 60.0
SENTENCE = "There is bread on the table for everyone who is hungry."
# Every span of a segment with one target language: whose, and below which.
PARENTS = {
    ("gateway", "segment"): None,
    ("stt", "stt recognise"): "segment",
    ("gateway", "gateway journal"): "segment",
    ("gateway", "gateway translate"): "segment",
    ("mt", "mt translate"): "gateway translate",
    ("gateway", "gateway score"): "segment",
    ("qe", "qe score"): "gateway score",
    ("captions", "captions show"): "segment",
    ("collector", "collector write"): "segment",
}


class Receiver(trace_service_pb2_grpc.TraceServiceServicer):
    """What Jaeger or another collector does: takes spans, here to look at them."""

    def __init__(self, port: int) -> None:
        self.address = f"127.0.0.1:{port}"
        self.spans: list[tuple[str, trace_pb2.Span]] = []  # with the service
        self._server = grpc.aio.server()
        trace_service_pb2_grpc.add_TraceServiceServicer_to_server(self, self._server)
        self._server.add_insecure_port(self.address)

    async def start(self) -> None:
        await self._server.start()

    async def stop(self) -> None:
        await self._server.stop(None)

    async def Export(
        self,
        request: trace_service_pb2.ExportTraceServiceRequest,
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> trace_service_pb2.ExportTraceServiceResponse:
        for resource_spans in request.resource_spans:
            service = attributes(resource_spans.resource)["service.name"]
            for scope_spans in resource_spans.scope_spans:
                self.spans += ((service, span) for span in scope_spans.spans)
        return trace_service_pb2.ExportTraceServiceResponse()

    async def trace(self, session_id: str, segment_id: int) -> list[tuple[str, trace_pb2.Span]]:
        """All spans of a segment, once there are as many as there must be."""

        def found() -> list[tuple[str, trace_pb2.Span]]:
            ids = {
                span.trace_id
                for _, span in self.spans
                if attributes(span).get("session_id") == session_id
                and attributes(span).get("segment_id") == segment_id
            }
            assert len(ids) <= 1, "a segment has more than one trace"
            return [(service, span) for service, span in self.spans if span.trace_id in ids]

        # Captions are shown in both languages.
        await until(lambda: len(found()) >= len(PARENTS) + 1)
        return found()


def attributes(of: Any) -> dict[str, str | int | float]:
    return {
        each.key: getattr(each.value, str(each.value.WhichOneof("value"))) for each in of.attributes
    }


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.05)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver(free_port_base())
    await receiver.start()
    try:
        yield receiver
    finally:
        await receiver.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(
    receiver: Receiver, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[UpStack]:
    stack = UpStack(
        tmp_path_factory.mktemp("stack"), GLOSSA_TRACES_ENDPOINT=f"http://{receiver.address}"
    )
    await stack.start()
    try:
        yield stack
    finally:
        assert stack.stop() == 0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def events(stack: UpStack) -> list[gateway_pb2.JournalEvent]:
    """The journal of a session of one sentence, which has been traced."""
    closed = await speak(stack.speaker(speed=0), with_pauses(spoken(SENTENCE)))
    return await stack.events(closed.session_id)


async def test_a_segment_is_one_trace_through_all_services(
    events: list[gateway_pb2.JournalEvent], receiver: Receiver
) -> None:
    trace = await receiver.trace(events[0].session_id, 1)
    names = {span.span_id: span.name for _, span in trace}
    found = {
        (service, span.name): names.get(span.parent_span_id) if span.parent_span_id else None
        for service, span in trace
    }
    assert found == PARENTS
    shown = [attributes(span)["language"] for _, span in trace if span.name == "captions show"]
    assert sorted(map(str, shown)) == ["en", "es"]

    by_name = {span.name: span for _, span in trace if span.name != "captions show"}
    in_order = (
        *("stt recognise", "gateway journal", "gateway translate", "mt translate"),
        *("gateway score", "qe score", "collector write"),
    )
    starts = [by_name[name].start_time_unix_nano for name in in_order]
    assert starts == sorted(starts)
    for inner, outer in (("mt translate", "gateway translate"), ("qe score", "gateway score")):
        assert by_name[inner].end_time_unix_nano <= by_name[outer].end_time_unix_nano
    assert all(span.end_time_unix_nano >= span.start_time_unix_nano for _, span in trace)
    assert all(span.status.code == trace_pb2.Status.STATUS_CODE_UNSET for _, span in trace)
    assert attributes(by_name["collector write"])["band"] in {
        *("accept", "moderate", "review", "reject")
    }
    for name in ("stt recognise", "mt translate"):
        assert attributes(by_name[name])["model"]


async def test_nothing_that_was_said_is_in_a_trace(
    events: list[gateway_pb2.JournalEvent], receiver: Receiver
) -> None:
    said = {
        word.strip(".,").lower()
        for kind in ("transcript", "translation")
        for text in texts(events, kind).values()
        for word in text.split()
        if len(word) > 4
    }
    assert said
    await receiver.trace(events[0].session_id, 1)
    told = str(receiver.spans).lower()
    assert {word for word in said if word in told} == set()


async def test_captions_come_while_nobody_takes_the_spans(
    stack: UpStack, receiver: Receiver
) -> None:
    await receiver.stop()
    display = Display(stack.address("captions"))
    watching = asyncio.create_task(display.watch())
    try:
        closed = await speak(stack.speaker(speed=0), with_pauses(spoken(SENTENCE)))
        events = await stack.events(closed.session_id)
        await until(lambda: len(display.texts(closed.session_id, "es")) == closed.final_count)
    finally:
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching
    assert len(texts(events, "translation")) == closed.final_count > 0
    await until(lambda: "traces_not_taken" in logs(stack))


def logs(stack: UpStack) -> str:
    folder = Path(stack.description()["state_dir"])
    return "".join(path.read_text() for path in folder.rglob("gateway*.log"))
