"""A session as the journal and the collector have it: what must be there at the end, and is it?"""

from __future__ import annotations

from dataclasses import dataclass, field

import grpc

from cli.counted import counted
from glossa.collector.v1 import collector_pb2, collector_pb2_grpc
from glossa.gateway.v1 import gateway_pb2, gateway_pb2_grpc

_READ_TIMEOUT_S = 60.0
_STATS_TIMEOUT_S = 10.0
BANDS = {
    collector_pb2.BAND_ACCEPT: "accept",
    collector_pb2.BAND_MODERATE: "moderate",
    collector_pb2.BAND_REVIEW: "review",
    collector_pb2.BAND_REJECT: "reject",
    collector_pb2.BAND_EXCLUDED: "excluded",
}

Key = tuple[int, str]  # segment, target language


@dataclass
class Ledger:
    """The durable events of one session, read piece by piece."""

    session_id: str
    sequence: int = 0  # everything in the journal up to here, other sessions' events too, is read
    event_count: int = 0
    finals: dict[int, str] = field(default_factory=dict)
    translated: set[Key] = field(default_factory=set)
    models: dict[Key, str] = field(default_factory=dict)  # of the translations
    failed: dict[Key, str] = field(default_factory=dict)
    scored: set[Key] = field(default_factory=set)
    # Of the finals and their translations: sequence -> segment and language.
    captions: dict[int, Key] = field(default_factory=dict)
    spans_ms: list[tuple[int, int]] = field(default_factory=list)  # of the finals in the audio
    gap_samples: int = 0
    ended: bool = False

    async def read_on(self, channel: grpc.aio.Channel) -> None:
        """Takes in what the journal has got since the last time."""
        call = gateway_pb2_grpc.JournalServiceStub(channel).Follow(
            gateway_pb2.FollowRequest(
                session_id=self.session_id, after_sequence=self.sequence, until_now=True
            ),
            timeout=_READ_TIMEOUT_S,
        )
        try:
            async for response in call:
                if response.WhichOneof("payload") == "event":
                    self._take(response.event)
                    self.sequence = response.event.sequence
                elif response.WhichOneof("payload") == "caught_up":
                    self.sequence = max(self.sequence, response.caught_up.sequence)
        finally:
            call.cancel()

    def _take(self, event: gateway_pb2.JournalEvent) -> None:
        self.event_count += 1
        match event.WhichOneof("event"):
            case "transcript":
                transcript = event.transcript
                self.finals[transcript.segment_id] = transcript.stable_text
                self.captions[event.sequence] = transcript.segment_id, transcript.language
                self.spans_ms.append((transcript.start_offset_ms, transcript.end_offset_ms))
            case "translation":
                key = event.translation.segment_id, event.translation.language
                self.translated.add(key)
                self.captions[event.sequence] = key
                self.models[key] = event.translation.model
            case "translation_failed":
                failure = event.translation_failed
                self.failed[failure.segment_id, failure.language] = failure.reason
            case "pair_scored":
                pair = event.pair_scored
                self.scored.add((pair.transcript.segment_id, pair.translation.language))
            case "audio_gap":
                self.gap_samples += event.audio_gap.next_sample - event.audio_gap.first_sample
            case "session_ended":
                self.ended = True


@dataclass(frozen=True)
class Collected:
    """A session's pairs by band, and how far the collector has come in the whole journal."""

    cursor_sequence: int
    pairs: dict[str, int]


async def read_collected(channel: grpc.aio.Channel, session_id: str) -> Collected:
    """What the collector has of a session."""
    stats = await collector_pb2_grpc.CollectorServiceStub(channel).Stats(
        collector_pb2.StatsRequest(session_id=session_id), timeout=_STATS_TIMEOUT_S
    )
    pairs = dict.fromkeys(BANDS.values(), 0)
    for count in stats.counts:
        if count.band in BANDS:
            pairs[BANDS[count.band]] = count.pair_count
    return Collected(stats.cursor_sequence, pairs)


def missing(
    ledger: Ledger,
    collected: Collected | None,
    targets: tuple[str, ...],
    shown: set[Key],
    announced_finals: int,
) -> list[str]:
    """What is not where it must be, a line each; empty when all is well.

    Args:
        shown: (segment, language) of every final that the display got, the source's included.
        announced_finals: what the gateway said when it closed the session.
    """
    lines = []

    def expect(what: str, found: int, wanted: int) -> None:
        if found != wanted:
            lines.append(f"{what}: {found} of {wanted}")

    segments = set(ledger.finals)
    wanted_keys = {(segment, language) for segment in segments for language in targets}
    shown_sources = {segment for segment, language in shown if language not in targets}
    expect("finals in the journal", len(segments), announced_finals)
    if segments and max(segments) != len(segments):
        lines.append(
            f"segment numbers have holes: {counted(len(segments), 'final')}, last {max(segments)}"
        )
    if not ledger.ended:
        lines.append("the journal has no end of the session")
    expect("finals shown", len(shown_sources & segments), len(segments))
    expect("finals translated", len(ledger.translated), len(wanted_keys))
    for (segment, language), reason in sorted(ledger.failed.items()):
        lines.append(f"segment {segment} was not translated to {language}: {reason}")
    expect("translations shown", len(shown & ledger.translated), len(ledger.translated))
    expect("pairs scored", len(ledger.scored), len(wanted_keys))
    if collected is None:
        lines.append("the collector does not answer")
    else:
        expect("pairs collected", sum(collected.pairs.values()), len(wanted_keys))
        if collected.cursor_sequence < ledger.sequence:
            lines.append(
                f"the collector has read up to {collected.cursor_sequence} of {ledger.sequence}"
            )
    return lines
