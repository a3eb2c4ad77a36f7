"""What stt answers: finals are journalled, partials shown and drafted, dropped ones taken away."""

from __future__ import annotations

from glossa.gateway.v1 import gateway_pb2
from glossa.stt.v1 import stt_pb2
from glossa.types.v1 import types_pb2
from services import traces
from services.audio import ms_to_samples
from services.gateway import metrics
from services.gateway.drafts import Drafts
from services.gateway.heard import append_suppressed, append_transcript
from services.gateway.intake import Intake
from services.gateway.lags import Lags
from services.gateway.surroundings import Progress, Surroundings

# A session that goes on after a gateway restart counts its revisions from here, so that they are
# greater than those of partials that displays saw before; no segment has this many partials.
_REVISIONS_PER_EPOCH = 100_000


class Answers:
    """Takes the answers of one stt stream after another, as one count of segments and revisions."""

    def __init__(
        self,
        config: gateway_pb2.SessionConfig,
        surroundings: Surroundings,
        progress: Progress,
        intake: Intake,
        lags: Lags,
    ) -> None:
        self.next_segment_id = progress.final_count + 1
        self._config = config
        self._session_id = config.session_id
        self._with = surroundings
        self._intake = intake
        self._lags = lags
        self._revision_base = progress.revision_epoch * _REVISIONS_PER_EPOCH
        self._last_revision = self._revision_base
        self._drafts = Drafts(
            self._session_id,
            list(config.target_languages),
            surroundings.models,
            surroundings.last_drafts,
            surroundings.publish_live,
            call_limit=surroundings.settings.draft_concurrency,
            timeout_s=surroundings.settings.draft_timeout_s,
        )

    async def run_drafts(self) -> None:
        """Drafts what partials say, until cancelled."""
        await self._drafts.run()

    def begin_stream(self) -> None:
        """The next answers are of another stream, which counts its revisions from 1 again."""
        self._revision_base = self._last_revision

    def drop_open_segment(self) -> None:
        """Nothing comes of the segment that is open, if one is; the next one gets its number."""
        self._drop_segment(self.next_segment_id)

    async def take(self, response: stt_pb2.StreamingTranscribeResponse) -> None:
        """Takes one answer in. Raises Unavailable JOURNAL_FAILED."""
        match response.WhichOneof("event"):
            case "transcript" if response.transcript.is_final:
                await self._take_final(response.transcript, response.settled_sample)
            case "transcript":
                self._take_partial(response.transcript)
            case "segment_suppressed":
                await self._take_suppressed(response.segment_suppressed, response.settled_sample)
        self._intake.settle(response.settled_sample)

    def _take_partial(self, transcript: types_pb2.Transcript) -> None:
        transcript.revision += self._revision_base
        self._last_revision = transcript.revision
        self._with.publish_live(
            gateway_pb2.LiveUpdate(session_id=self._session_id, transcript=transcript)
        )
        if self._with.translations_behind():
            metrics.DRAFTS.labels("skipped").inc()
        else:
            self._drafts.offer(transcript)

    async def _take_final(self, transcript: types_pb2.Transcript, settled_sample: int) -> None:
        transcript.revision += self._revision_base
        self._last_revision = self._revision_base
        self._drafts.cancel(transcript.segment_id)
        arrived_at = self._intake.arrival_of(ms_to_samples(transcript.end_offset_ms) - 1)
        transcript.erased_word_count = self._with.shown.erased_by(
            self._session_id, transcript.segment_id, "", transcript.stable_text
        )
        with traces.segment_span(
            "gateway journal",
            self._session_id,
            transcript.segment_id,
            language=transcript.language,
        ):
            is_new = await self._with.journal.write(
                append_transcript,
                self._session_id,
                transcript,
                list(self._config.target_languages),
                settled_sample,
                compared=bool(self._with.settings.mt_alternative_address),
            )
        self.next_segment_id = transcript.segment_id + 1
        self._intake.make_safe(settled_sample)
        if is_new:
            metrics.FINALS.inc()
            if arrived_at is not None:
                lag_s = self._lags.heard(transcript.segment_id, arrived_at)
                self._with.segment_log.late(self._session_id, transcript.segment_id, lag_s)

    async def _take_suppressed(
        self, suppressed: stt_pb2.SegmentSuppressed, settled_sample: int
    ) -> None:
        self._drop_segment(suppressed.segment_id)
        is_new = await self._with.journal.write(
            append_suppressed,
            self._session_id,
            gateway_pb2.SegmentSuppressed(
                reason=suppressed.reason,
                start_offset_ms=suppressed.start_offset_ms,
                end_offset_ms=suppressed.end_offset_ms,
                text=suppressed.text,
            ),
            settled_sample,
        )
        self._intake.make_safe(settled_sample)
        if is_new:
            metrics.SUPPRESSED.labels(suppressed.reason).inc()

    def _drop_segment(self, segment_id: int) -> None:
        """Takes the partials and drafts of a segment away; the next one gets its number."""
        self._drafts.cancel(segment_id)
        self._with.last_drafts.forget(self._session_id, segment_id)
        self._with.publish_live(
            gateway_pb2.LiveUpdate(
                session_id=self._session_id,
                segment_dropped=gateway_pb2.SegmentDropped(segment_id=segment_id),
            )
        )
