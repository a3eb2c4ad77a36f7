"""Traces of a segment through all services, where GLOSSA_TRACES_ENDPOINT says where to send them.

Each segment is a trace. Its id, and that of its first span, are made from the session's id and the
segment's number, so that a service which only reads the journal finds the trace, too. What was said
is in none of them. Without an endpoint nothing is done, and nothing of OpenTelemetry is imported.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import time
from collections.abc import Iterable, Iterator
from typing import Protocol

import structlog

log = structlog.get_logger()

Attribute = str | int | float
Metadata = tuple[tuple[str, str], ...]

_PARENT = "traceparent"
_SESSION = "glossa-session-id"
# W3C Trace Context, level 1, of a trace that is recorded.
_TRACEPARENT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01")


class Span(Protocol):
    """Something that took a while."""

    @property
    def metadata(self) -> Metadata | None:
        """What a call brings so that its spans come below this one."""

    def set(self, **attributes: Attribute) -> None:
        """Says more of it."""

    def fail(self, reason: str) -> None:
        """It did not come to a good end."""

    def end(self, end_ns: int | None = None) -> None:
        """Since the Unix epoch; None: now."""


class Recorder(Protocol):
    """What spans are handed to."""

    def start(self, name: str, parent: str, start_ns: int | None) -> Span:
        """A span below `parent`, a traceparent."""

    def start_first(self, name: str, traceparent: str, start_ns: int) -> Span:
        """A span of exactly these ids, the first of its trace."""

    def close(self, timeout_s: float) -> None:
        """Sends what was not sent yet, for so long at most."""


class _Nothing:
    """The span of who does not trace."""

    metadata: Metadata | None = None

    def set(self, **attributes: Attribute) -> None:
        pass

    def fail(self, reason: str) -> None:
        pass

    def end(self, end_ns: int | None = None) -> None:
        pass


NOTHING = _Nothing()
_recorder: Recorder | None = None


def configure(service: str, endpoint: str) -> None:
    """From now on this process sends its spans to `endpoint`, OTLP over gRPC; empty: none.

    A service without the libraries says so in one line and works on: captions come first.
    """
    global _recorder
    _recorder = None
    if not endpoint:
        return
    try:
        from services.span_export import SpanExport
    except ModuleNotFoundError as error:
        log.warning(
            "traces_off",
            endpoint=endpoint,
            message=f"{error.name} is not installed: GLOSSA_EXTRAS=traces ./glossa doctor installs "
            "what GLOSSA_TRACES_ENDPOINT needs",
        )
        return
    _recorder = SpanExport(service, endpoint)
    log.info("traces_on", endpoint=endpoint)


def close(timeout_s: float) -> None:
    """Sends what is left, for `timeout_s` at most; there are no spans after that."""
    global _recorder
    if _recorder is not None:
        recorder, _recorder = _recorder, None
        recorder.close(timeout_s)


def of_segment(session_id: str, segment_id: int) -> str:
    """The traceparent of a segment's first span; empty when nothing is traced."""
    if _recorder is None or not session_id:
        return ""
    digest = hashlib.blake2b(f"{session_id}/{segment_id}".encode(), digest_size=24).hexdigest()
    return f"00-{digest[:32]}-{digest[32:]}-01"


def of_call(metadata: Iterable[tuple[str, str | bytes]] | None) -> str:
    """The traceparent that a caller brought; empty without one, or when nothing is traced."""
    value = _brought(metadata, _PARENT)
    return value if _TRACEPARENT.fullmatch(value) else ""


def session_metadata(session_id: str) -> Metadata | None:
    """Tells the one who is called whose segments these are."""
    return ((_SESSION, session_id),) if _recorder is not None else None


def session_of_call(metadata: Iterable[tuple[str, str | bytes]] | None) -> str:
    """The session that a caller named; empty without one, or when nothing is traced."""
    return _brought(metadata, _SESSION)


@contextlib.contextmanager
def span(
    name: str, parent: str, *, start_ns: int | None = None, **attributes: Attribute
) -> Iterator[Span]:
    """What happens within is a span below `parent`; nothing at all when that is empty.

    Args:
        start_ns: when it began, since the Unix epoch; None: now.
    """
    if _recorder is None or not parent:
        yield NOTHING
        return
    started = _recorder.start(name, parent, start_ns)
    started.set(**attributes)
    try:
        yield started
    except BaseException as error:
        # Never the message, which may tell what was said.
        started.fail(getattr(error, "reason", "") or type(error).__name__)
        raise
    finally:
        started.end()


def segment_span(
    name: str,
    session_id: str,
    segment_id: int,
    *,
    start_ns: int | None = None,
    **attributes: Attribute,
) -> contextlib.AbstractContextManager[Span]:
    """The same, right below the first span of a segment."""
    return span(
        name,
        of_segment(session_id, segment_id),
        start_ns=start_ns,
        session_id=session_id,
        segment_id=segment_id,
        **attributes,
    )


def record_segment(
    session_id: str, segment_id: int, start_ms: int, end_ms: int, **attributes: Attribute
) -> None:
    """Records a segment's first span, once all is known; times since the Unix epoch."""
    if _recorder is not None:
        traceparent = of_segment(session_id, segment_id)
        first = _recorder.start_first("segment", traceparent, start_ms * 1_000_000)
        first.set(session_id=session_id, segment_id=segment_id, **attributes)
        first.end(end_ms * 1_000_000)


def ns_ago(duration_ms: float) -> int:
    """The time so long ago, in nanoseconds since the Unix epoch."""
    return time.time_ns() - round(duration_ms * 1_000_000)


def _brought(metadata: Iterable[tuple[str, str | bytes]] | None, key: str) -> str:
    if _recorder is None:
        return ""
    return next((str(value) for name, value in metadata or () if name == key), "")
