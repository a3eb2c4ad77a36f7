"""Sends spans by OTLP over gRPC, in batches from a thread; imported only where traces are on.

What cannot be sent is dropped: 2,048 spans wait at most, and nothing waits for them.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence

import prometheus_client
import structlog
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

log = structlog.get_logger()

SPANS = prometheus_client.Counter(
    "glossa_trace_spans_total",
    "Spans: made, and of these sent or failed; the rest waits or was dropped.",
    ["outcome"],
)

_SPANS_WAITING = 2048
_BATCH_SPANS = 256
_INTERVAL_MS = 1000
_EXPORT_TIMEOUT_S = 3

_RECORDED = trace.TraceFlags(trace.TraceFlags.SAMPLED)


class SpanExport:
    """Spans of one service, as services.traces hands them over."""

    def __init__(self, service: str, endpoint: str) -> None:
        """
        Args:
            endpoint: http://host:port, or https://host:port with a certificate that this machine
                trusts.
        """
        # It logs each attempt with a traceback; _Counted says it once.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        self._ids = _Ids()
        self._provider = TracerProvider(
            id_generator=self._ids,
            resource=Resource.create({"service.name": service, "service.namespace": "glossa"}),
            shutdown_on_exit=False,  # close() does it, and not for longer than it may
        )
        exporter = OTLPSpanExporter(
            endpoint, insecure=not endpoint.startswith("https://"), timeout=_EXPORT_TIMEOUT_S
        )
        self._provider.add_span_processor(
            BatchSpanProcessor(
                _Counted(exporter, service, endpoint),
                max_queue_size=_SPANS_WAITING,
                schedule_delay_millis=_INTERVAL_MS,
                max_export_batch_size=_BATCH_SPANS,
            )
        )
        self._tracer = self._provider.get_tracer("glossa")

    def start(self, name: str, parent: str, start_ns: int | None) -> _Span:
        trace_id, span_id = _ids_of(parent)
        context = trace.SpanContext(trace_id, span_id, is_remote=True, trace_flags=_RECORDED)
        below = trace.set_span_in_context(trace.NonRecordingSpan(context), Context())
        return self._start(name, below, start_ns)

    def start_first(self, name: str, traceparent: str, start_ns: int) -> _Span:
        self._ids.wanted = _ids_of(traceparent)
        try:
            return self._start(name, Context(), start_ns)
        finally:
            self._ids.wanted = None

    def _start(self, name: str, context: Context, start_ns: int | None) -> _Span:
        SPANS.labels("made").inc()
        return _Span(self._tracer.start_span(name, context, start_time=start_ns))

    def close(self, timeout_s: float) -> None:
        # In a thread that may be left behind: the exporter keeps no deadline when nobody answers.
        closing = threading.Thread(target=self._provider.shutdown, daemon=True)
        closing.start()
        closing.join(timeout_s)


class _Span:
    def __init__(self, inner: trace.Span) -> None:
        self._inner = inner

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        context = self._inner.get_span_context()
        return (("traceparent", f"00-{context.trace_id:032x}-{context.span_id:016x}-01"),)

    def set(self, **attributes: str | int | float) -> None:
        self._inner.set_attributes(attributes)

    def fail(self, reason: str) -> None:
        self._inner.set_status(trace.StatusCode.ERROR, reason)

    def end(self, end_ns: int | None = None) -> None:
        self._inner.end(end_ns)


class _Ids(RandomIdGenerator):
    """Random ids, but for a span that is wanted with ids of its own."""

    wanted: tuple[int, int] | None = None

    def generate_trace_id(self) -> int:
        return super().generate_trace_id() if self.wanted is None else self.wanted[0]

    def generate_span_id(self) -> int:
        return super().generate_span_id() if self.wanted is None else self.wanted[1]


class _Counted(SpanExporter):
    """Counts what becomes of the spans, and says once an outage that nobody takes them."""

    def __init__(self, inner: SpanExporter, service: str, endpoint: str) -> None:
        self._inner = inner
        # Named here: this runs in a thread, which has none of the log's context.
        self._log = log.bind(service=service, endpoint=endpoint)
        self._is_away = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._inner.export(spans)
        is_away = result is not SpanExportResult.SUCCESS
        SPANS.labels("failed" if is_away else "sent").inc(len(spans))
        if is_away != self._is_away:
            self._is_away = is_away
            if is_away:
                self._log.warning("traces_not_taken", message="spans are dropped until they are")
            else:
                self._log.info("traces_taken")
        return result

    def shutdown(self) -> None:
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._inner.force_flush(timeout_millis)


def _ids_of(traceparent: str) -> tuple[int, int]:
    _, trace_id, span_id, _ = traceparent.split("-")
    return int(trace_id, 16), int(span_id, 16)
