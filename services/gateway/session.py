"""One live session: its speaker, its audio, its recognition, what operators do to it, its end."""

from __future__ import annotations

import asyncio
import math
from dataclasses import asdict

import structlog

from glossa.gateway.v1 import gateway_pb2
from services.audio import BYTES_PER_SAMPLE, SAMPLE_RATE_HERTZ
from services.errors import GlossaError, InvalidInput, OutOfRange, Unavailable
from services.gateway import metrics
from services.gateway.answers import Answers
from services.gateway.audio_limits import Length, Pace
from services.gateway.heard import append_gap
from services.gateway.held import append_go_on, append_hold
from services.gateway.intake import Intake
from services.gateway.lags import Lags
from services.gateway.operated import append_reset
from services.gateway.recognition import Recognition
from services.gateway.session_rows import end_session, session_ended
from services.gateway.settling import write_down_settled
from services.gateway.speaker import Speaker
from services.gateway.surroundings import Progress, Surroundings

log = structlog.get_logger()

_END_RETRY_S = 1.0
# Audio that is this far ahead of what a speaker can have said in its time is a recording; what was
# sent again after a lost connection runs out by and by.
_HASTE_S = 3.0
_LONGEST_SEGMENT_S = 30.0  # a little more than GLOSSA_STT_MAX_SEGMENT_MS may be
_HASTE_SPEED = 1.1


class Session:
    """A session that has not ended. `run` does its work; everything else is called from outside."""

    def __init__(
        self,
        config: gateway_pb2.SessionConfig,
        surroundings: Surroundings,
        progress: Progress,
    ) -> None:
        self.session_id = config.session_id
        self.config = config
        self.start_time_ms = progress.start_time_ms
        self.closed: asyncio.Future[gateway_pb2.SessionClosed] = (
            asyncio.get_running_loop().create_future()
        )
        self._with = surroundings
        self._intake = Intake(
            progress.settled_sample,
            progress.held,
            unsent_limit_s=surroundings.settings.unsent_audio_limit_s,
            kept_limit_s=surroundings.settings.replay_audio_limit_s,
            on_safe=self._wake_speaker,
        )
        self._length = Length(surroundings.settings.session_limit_s)
        self._end_is_told = False  # that it comes soon
        self._pace = Pace(
            surroundings.settings.audio_burst_s, surroundings.settings.audio_speed_limit
        )
        self._haste = Pace(_HASTE_S, _HASTE_SPEED)
        self._lags = Lags(config.target_languages)
        answers = Answers(config, surroundings, progress, self._intake, self._lags)
        self._recognition = Recognition(config, surroundings, self._intake, answers)
        self._final_count = progress.final_count
        self._owed_translation_count = progress.owed_translation_count
        self._speaker: Speaker | None = None
        self._abandon_timer: asyncio.TimerHandle | None = None
        self._end_reason: gateway_pb2.EndReason | None = None
        self._paid = asyncio.Event()  # a translation was journalled
        self._operated = asyncio.Lock()  # by one operator at a time
        self._await_speaker()

    # From the speaker's stream

    @property
    def next_sample(self) -> int:
        """The first sample that the speaker is to send."""
        return self._intake.next_sample

    def attach(self) -> Speaker:
        """Connects a speaker; an earlier one is superseded. Raises WrongState SESSION_ENDED."""
        self._check_open()
        if self._abandon_timer is not None:
            self._abandon_timer.cancel()
            self._abandon_timer = None
        if self._speaker is not None:
            self._speaker.superseded = True
            self._speaker.wake.set()
            self._intake.look_again()
        else:
            metrics.SPEAKERS_CONNECTED.inc()
        self._speaker = Speaker()
        return self._speaker

    def detach(self, speaker: Speaker) -> None:
        """The speaker's stream is gone; the session waits for it to come back."""
        if self._speaker is not speaker:
            return
        self._speaker = None
        metrics.SPEAKERS_CONNECTED.dec()
        if self._end_reason is None:
            self._await_speaker()

    async def take_audio(
        self, speaker: Speaker, first_sample: int, data: bytes
    ) -> gateway_pb2.AudioGap | None:
        """Takes a chunk in, waiting while it comes too fast or there is no room.

        Returns:
            The gap before it, if any.

        Raises:
            InvalidInput: the chunk breaks a rule of services.audio.SampleClock.
            OutOfRange: SESSION_TOO_LONG, and the session ends.
            Superseded, WrongState: the session is no longer this speaker's.
        """
        duration_s = len(data) / BYTES_PER_SAMPLE / SAMPLE_RATE_HERTZ
        await self._turn(speaker, duration_s)
        self._check_open()
        self._check_length(first_sample, data)
        # Before anything is waited for: what is counted in will not be sent again.
        taken = self._intake.take(first_sample, data)
        self._pace.count(duration_s)
        self._haste.count(duration_s)
        self._note_length()
        gap = None
        if taken.missing is not None:
            gap = gateway_pb2.AudioGap(
                first_sample=taken.missing.first_sample, next_sample=taken.missing.next_sample
            )
            metrics.GAP_SECONDS.inc((gap.next_sample - gap.first_sample) / SAMPLE_RATE_HERTZ)
            await self._with.journal.write(append_gap, self.session_id, gap)
        if self.config.store_audio:
            for piece in taken.kept:
                await self._with.audio_store.write(self.session_id, *piece)
        metrics.AUDIO_SECONDS.inc(duration_s)
        return gap

    def receipt(self) -> gateway_pb2.AudioReceipt:
        """What has become of the audio so far."""
        return gateway_pb2.AudioReceipt(
            safe_sample=self._intake.safe_sample, received_sample=self._intake.next_sample
        )

    def finish(self, reason: gateway_pb2.EndReason) -> None:
        """No more audio: settle what is here and end. Later reasons change nothing."""
        if self._end_reason is None:
            self._end_reason = reason
            self._intake.end()

    # From operators; each is to be awaited to its end, or memory says less than the journal.

    async def hold(self, author: str) -> int:
        """Throws away what is spoken from now on; what was spoken becomes a final.

        Returns:
            The sequence of the newest event that says that the session is held.

        Raises:
            WrongState: SESSION_ENDED.
        """
        async with self._operated:
            self._check_open()
            with self._intake.closed():
                sequence = await self._with.journal.write(
                    append_hold, self.session_id, self._intake.next_sample, author
                )
                if not self._intake.is_held:
                    self._intake.hold()
        return sequence

    async def go_on(self, author: str) -> int:
        """Recognises what is spoken from now on; what was thrown away becomes a gap.

        Returns:
            The sequence of the newest event that says so; 0 when the session was never held.

        Raises:
            WrongState: SESSION_ENDED.
        """
        async with self._operated:
            self._check_open()
            with self._intake.closed():
                sequence = await self._with.journal.write(
                    append_go_on,
                    self.session_id,
                    self._intake.next_sample,
                    self._intake.settled_sample,
                    author,
                )
                if self._intake.is_held:
                    self._intake.go_on()
        return sequence

    async def reset(self, author: str) -> int:
        """Gives up what is not recognised yet, and what was said before as a context.

        Returns:
            The sequence of the event.

        Raises:
            WrongState: SESSION_ENDED.
        """
        async with self._operated, self._recognition.between_answers():
            self._check_open()
            with self._intake.closed():
                sample = self._intake.next_sample
                sequence = await self._with.journal.write(
                    append_reset, self.session_id, self._intake.unsettled_runs(), sample, author
                )
                self._intake.settle(sample)
                self._intake.make_safe(sample)
                self._recognition.reset()
        return sequence

    def lag_s(self) -> float:
        """How late captions come now, at least; 0 of a recording, late by its own haste.

        What the newest finals took; and where stt is so far behind that none come, the audio that
        is not settled beyond the longest segment that stt makes.
        """
        if self._haste.wait_s(0.0):
            return 0.0
        return max(self._lags.newest_s(), self._intake.unsettled_ms() / 1000 - _LONGEST_SEGMENT_S)

    def status(self) -> gateway_pb2.SessionStatus:
        """How it goes."""
        status = gateway_pb2.SessionStatus(
            session_id=self.session_id,
            title=self.config.title,
            source_language=self.config.source_language,
            target_languages=self.config.target_languages,
            has_speaker=self._speaker is not None,
            is_held=self._intake.is_held,
            unsettled_ms=self._intake.unsettled_ms(),
            final_count=self._final_count,
            owed_translation_count=self._owed_translation_count,
            lags=[gateway_pb2.Lag(**asdict(lag)) for lag in self._lags.figures()],
        )
        status.start_time.FromMilliseconds(self.start_time_ms)
        loudness = self._intake.level.now()
        if loudness is not None:
            status.level_dbfs, status.peak_dbfs = loudness.level_dbfs, loudness.peak_dbfs
        return status

    def warnings(self) -> list[gateway_pb2.StatusWarning]:
        """One when the session is nearly as long as it may be."""
        if not self._length.is_nearly_over(self.next_sample) or self._end_reason is not None:
            return []
        minutes = max(1, math.ceil(self._length.left_s(self.next_sample) / 60))
        return [
            gateway_pb2.StatusWarning(
                reason="SESSION_ENDS_SOON",
                message=f"{self.config.title or self.session_id} ends within {minutes} min, when "
                f"it is {self._length.limit_s / 3600:.3g} h long: end it in a pause, and begin "
                "another session",
                session_id=self.session_id,
            )
        ]

    # From the journal

    def committed(self, event: gateway_pb2.JournalEvent) -> None:
        """Notes one of the session's new events."""
        match event.WhichOneof("event"):
            case "transcript":
                self._final_count += 1
                self._owed_translation_count += len(self.config.target_languages)
            case "translation":
                self._owed_translation_count -= 1
                self._lags.translated(event.translation.segment_id, event.translation.language)
                self._paid.set()
            case "translation_failed":
                self._owed_translation_count -= 1
                self._paid.set()

    # The work

    async def run(self) -> None:
        """Recognises until the end, then journals the end."""
        metrics.SESSIONS_OPEN.inc()
        try:
            async with asyncio.TaskGroup() as tasks:
                settling = tasks.create_task(
                    write_down_settled(self.session_id, self._intake, self._with.journal)
                )
                try:
                    await self._recognition.run()
                except InvalidInput as error:
                    self._refuse(error)
                settling.cancel()
            await self._wait_for_translations()
            await self._end()
        finally:
            metrics.SESSIONS_OPEN.dec()
            if self._abandon_timer is not None:
                self._abandon_timer.cancel()
            self._with.audio_store.close(self.session_id)

    async def _wait_for_translations(self) -> None:
        try:
            async with asyncio.timeout(self._with.settings.end_drain_timeout_s):
                while await self._with.journal.count_owed("translate", self.session_id):
                    await self._paid.wait()
                    self._paid.clear()
        except TimeoutError:
            log.warning("session_ends_untranslated", session_id=self.session_id)

    async def _end(self) -> None:
        reason = self._end_reason or gateway_pb2.END_REASON_FINISHED
        received_sample = self._intake.next_sample
        while True:
            try:
                closed = await self._with.journal.write(
                    end_session, self.session_id, reason, received_sample
                )
                break
            except Unavailable:
                await asyncio.sleep(_END_RETRY_S)
        self._intake.make_safe(received_sample)
        self.closed.set_result(closed)
        log.info("session_ended", session_id=self.session_id, final_count=closed.final_count)

    # Inside

    async def _turn(self, speaker: Speaker, duration_s: float) -> None:
        while (wait_s := self._pace.wait_s(duration_s)) or not self._intake.has_room():
            await (asyncio.sleep(wait_s) if wait_s else self._intake.room_changed())
            speaker.check()
        speaker.check()

    def _check_length(self, first_sample: int, data: bytes) -> None:
        try:
            self._length.check(self.next_sample, first_sample, data)
        except OutOfRange:
            self.finish(gateway_pb2.END_REASON_TOO_LONG)
            raise

    def _note_length(self) -> None:
        if not self._end_is_told and self._length.is_nearly_over(self.next_sample):
            self._end_is_told = True
            left_s = round(self._length.left_s(self.next_sample))
            log.warning("session_ends_soon", session_id=self.session_id, left_s=left_s)

    def _check_open(self) -> None:
        if self._end_reason is not None:
            raise session_ended(self.session_id)

    def _refuse(self, error: GlossaError) -> None:
        self.finish(gateway_pb2.END_REASON_REFUSED)
        if self._speaker is not None:
            self._speaker.failure = error
            self._speaker.wake.set()

    def _wake_speaker(self) -> None:
        if self._speaker is not None:
            self._speaker.wake.set()

    def _await_speaker(self) -> None:
        self._abandon_timer = asyncio.get_running_loop().call_later(
            self._with.settings.resume_window_s, self.finish, gateway_pb2.END_REASON_ABANDONED
        )
