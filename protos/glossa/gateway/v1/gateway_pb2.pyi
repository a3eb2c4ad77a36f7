from glossa.types.v1 import types_pb2 as _types_pb2
from google.protobuf import field_mask_pb2 as _field_mask_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ForgetReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FORGET_REASON_UNSPECIFIED: _ClassVar[ForgetReason]
    FORGET_REASON_REQUESTED: _ClassVar[ForgetReason]

class EndReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    END_REASON_UNSPECIFIED: _ClassVar[EndReason]
    END_REASON_FINISHED: _ClassVar[EndReason]
    END_REASON_OPERATOR: _ClassVar[EndReason]
    END_REASON_ABANDONED: _ClassVar[EndReason]
    END_REASON_REFUSED: _ClassVar[EndReason]
    END_REASON_TOO_LONG: _ClassVar[EndReason]

class EngineState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ENGINE_STATE_UNSPECIFIED: _ClassVar[EngineState]
    ENGINE_STATE_SERVING: _ClassVar[EngineState]
    ENGINE_STATE_NOT_SERVING: _ClassVar[EngineState]
    ENGINE_STATE_UNREACHABLE: _ClassVar[EngineState]
    ENGINE_STATE_DEGRADED: _ClassVar[EngineState]
FORGET_REASON_UNSPECIFIED: ForgetReason
FORGET_REASON_REQUESTED: ForgetReason
END_REASON_UNSPECIFIED: EndReason
END_REASON_FINISHED: EndReason
END_REASON_OPERATOR: EndReason
END_REASON_ABANDONED: EndReason
END_REASON_REFUSED: EndReason
END_REASON_TOO_LONG: EndReason
ENGINE_STATE_UNSPECIFIED: EngineState
ENGINE_STATE_SERVING: EngineState
ENGINE_STATE_NOT_SERVING: EngineState
ENGINE_STATE_UNREACHABLE: EngineState
ENGINE_STATE_DEGRADED: EngineState

class StreamAudioRequest(_message.Message):
    __slots__ = ("config", "audio")
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    config: SessionConfig
    audio: _types_pb2.AudioChunk
    def __init__(self, config: _Optional[_Union[SessionConfig, _Mapping]] = ..., audio: _Optional[_Union[_types_pb2.AudioChunk, _Mapping]] = ...) -> None: ...

class SessionConfig(_message.Message):
    __slots__ = ("session_id", "format", "source_language", "target_languages", "title", "phrases", "store_audio")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    SOURCE_LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    TARGET_LANGUAGES_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    PHRASES_FIELD_NUMBER: _ClassVar[int]
    STORE_AUDIO_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    format: _types_pb2.AudioFormat
    source_language: str
    target_languages: _containers.RepeatedScalarFieldContainer[str]
    title: str
    phrases: _containers.RepeatedScalarFieldContainer[str]
    store_audio: bool
    def __init__(self, session_id: _Optional[str] = ..., format: _Optional[_Union[_types_pb2.AudioFormat, _Mapping]] = ..., source_language: _Optional[str] = ..., target_languages: _Optional[_Iterable[str]] = ..., title: _Optional[str] = ..., phrases: _Optional[_Iterable[str]] = ..., store_audio: bool = ...) -> None: ...

class StreamAudioResponse(_message.Message):
    __slots__ = ("session_opened", "receipt", "audio_gap", "session_closed")
    SESSION_OPENED_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    AUDIO_GAP_FIELD_NUMBER: _ClassVar[int]
    SESSION_CLOSED_FIELD_NUMBER: _ClassVar[int]
    session_opened: SessionOpened
    receipt: AudioReceipt
    audio_gap: AudioGap
    session_closed: SessionClosed
    def __init__(self, session_opened: _Optional[_Union[SessionOpened, _Mapping]] = ..., receipt: _Optional[_Union[AudioReceipt, _Mapping]] = ..., audio_gap: _Optional[_Union[AudioGap, _Mapping]] = ..., session_closed: _Optional[_Union[SessionClosed, _Mapping]] = ...) -> None: ...

class SessionOpened(_message.Message):
    __slots__ = ("session_id", "next_sample")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    NEXT_SAMPLE_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    next_sample: int
    def __init__(self, session_id: _Optional[str] = ..., next_sample: _Optional[int] = ...) -> None: ...

class AudioReceipt(_message.Message):
    __slots__ = ("safe_sample", "received_sample")
    SAFE_SAMPLE_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_SAMPLE_FIELD_NUMBER: _ClassVar[int]
    safe_sample: int
    received_sample: int
    def __init__(self, safe_sample: _Optional[int] = ..., received_sample: _Optional[int] = ...) -> None: ...

class AudioGap(_message.Message):
    __slots__ = ("first_sample", "next_sample", "reason")
    FIRST_SAMPLE_FIELD_NUMBER: _ClassVar[int]
    NEXT_SAMPLE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    first_sample: int
    next_sample: int
    reason: str
    def __init__(self, first_sample: _Optional[int] = ..., next_sample: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...

class SessionClosed(_message.Message):
    __slots__ = ("final_count", "sequence")
    FINAL_COUNT_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    final_count: int
    sequence: int
    def __init__(self, final_count: _Optional[int] = ..., sequence: _Optional[int] = ...) -> None: ...

class FollowRequest(_message.Message):
    __slots__ = ("session_id", "after_sequence", "live", "until_now")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    AFTER_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    LIVE_FIELD_NUMBER: _ClassVar[int]
    UNTIL_NOW_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    after_sequence: int
    live: bool
    until_now: bool
    def __init__(self, session_id: _Optional[str] = ..., after_sequence: _Optional[int] = ..., live: bool = ..., until_now: bool = ...) -> None: ...

class FollowResponse(_message.Message):
    __slots__ = ("journal_id", "event", "live", "caught_up")
    JOURNAL_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    LIVE_FIELD_NUMBER: _ClassVar[int]
    CAUGHT_UP_FIELD_NUMBER: _ClassVar[int]
    journal_id: str
    event: JournalEvent
    live: LiveUpdate
    caught_up: CaughtUp
    def __init__(self, journal_id: _Optional[str] = ..., event: _Optional[_Union[JournalEvent, _Mapping]] = ..., live: _Optional[_Union[LiveUpdate, _Mapping]] = ..., caught_up: _Optional[_Union[CaughtUp, _Mapping]] = ...) -> None: ...

class CaughtUp(_message.Message):
    __slots__ = ("sequence",)
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    def __init__(self, sequence: _Optional[int] = ...) -> None: ...

class JournalEvent(_message.Message):
    __slots__ = ("sequence", "session_id", "time", "session_started", "transcript", "translation", "pair_scored", "correction", "audio_gap", "session_ended", "translation_failed", "segment_suppressed", "alternative_translation", "pair_reviewed", "session_forgotten", "segment_hidden", "session_held", "session_reset", "screens")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    SESSION_STARTED_FIELD_NUMBER: _ClassVar[int]
    TRANSCRIPT_FIELD_NUMBER: _ClassVar[int]
    TRANSLATION_FIELD_NUMBER: _ClassVar[int]
    PAIR_SCORED_FIELD_NUMBER: _ClassVar[int]
    CORRECTION_FIELD_NUMBER: _ClassVar[int]
    AUDIO_GAP_FIELD_NUMBER: _ClassVar[int]
    SESSION_ENDED_FIELD_NUMBER: _ClassVar[int]
    TRANSLATION_FAILED_FIELD_NUMBER: _ClassVar[int]
    SEGMENT_SUPPRESSED_FIELD_NUMBER: _ClassVar[int]
    ALTERNATIVE_TRANSLATION_FIELD_NUMBER: _ClassVar[int]
    PAIR_REVIEWED_FIELD_NUMBER: _ClassVar[int]
    SESSION_FORGOTTEN_FIELD_NUMBER: _ClassVar[int]
    SEGMENT_HIDDEN_FIELD_NUMBER: _ClassVar[int]
    SESSION_HELD_FIELD_NUMBER: _ClassVar[int]
    SESSION_RESET_FIELD_NUMBER: _ClassVar[int]
    SCREENS_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    session_id: str
    time: _timestamp_pb2.Timestamp
    session_started: SessionStarted
    transcript: _types_pb2.Transcript
    translation: _types_pb2.Translation
    pair_scored: PairScored
    correction: Correction
    audio_gap: AudioGap
    session_ended: SessionEnded
    translation_failed: TranslationFailed
    segment_suppressed: SegmentSuppressed
    alternative_translation: _types_pb2.Translation
    pair_reviewed: PairReviewed
    session_forgotten: SessionForgotten
    segment_hidden: SegmentHidden
    session_held: SessionHeld
    session_reset: SessionReset
    screens: Screens
    def __init__(self, sequence: _Optional[int] = ..., session_id: _Optional[str] = ..., time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., session_started: _Optional[_Union[SessionStarted, _Mapping]] = ..., transcript: _Optional[_Union[_types_pb2.Transcript, _Mapping]] = ..., translation: _Optional[_Union[_types_pb2.Translation, _Mapping]] = ..., pair_scored: _Optional[_Union[PairScored, _Mapping]] = ..., correction: _Optional[_Union[Correction, _Mapping]] = ..., audio_gap: _Optional[_Union[AudioGap, _Mapping]] = ..., session_ended: _Optional[_Union[SessionEnded, _Mapping]] = ..., translation_failed: _Optional[_Union[TranslationFailed, _Mapping]] = ..., segment_suppressed: _Optional[_Union[SegmentSuppressed, _Mapping]] = ..., alternative_translation: _Optional[_Union[_types_pb2.Translation, _Mapping]] = ..., pair_reviewed: _Optional[_Union[PairReviewed, _Mapping]] = ..., session_forgotten: _Optional[_Union[SessionForgotten, _Mapping]] = ..., segment_hidden: _Optional[_Union[SegmentHidden, _Mapping]] = ..., session_held: _Optional[_Union[SessionHeld, _Mapping]] = ..., session_reset: _Optional[_Union[SessionReset, _Mapping]] = ..., screens: _Optional[_Union[Screens, _Mapping]] = ...) -> None: ...

class SegmentHidden(_message.Message):
    __slots__ = ("segment_id", "is_hidden", "author")
    SEGMENT_ID_FIELD_NUMBER: _ClassVar[int]
    IS_HIDDEN_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    segment_id: int
    is_hidden: bool
    author: str
    def __init__(self, segment_id: _Optional[int] = ..., is_hidden: bool = ..., author: _Optional[str] = ...) -> None: ...

class SessionHeld(_message.Message):
    __slots__ = ("is_held", "author")
    IS_HELD_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    is_held: bool
    author: str
    def __init__(self, is_held: bool = ..., author: _Optional[str] = ...) -> None: ...

class SessionReset(_message.Message):
    __slots__ = ("segment_id", "author")
    SEGMENT_ID_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    segment_id: int
    author: str
    def __init__(self, segment_id: _Optional[int] = ..., author: _Optional[str] = ...) -> None: ...

class Screens(_message.Message):
    __slots__ = ("is_blank", "announcement", "language", "author")
    IS_BLANK_FIELD_NUMBER: _ClassVar[int]
    ANNOUNCEMENT_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    is_blank: bool
    announcement: str
    language: str
    author: str
    def __init__(self, is_blank: bool = ..., announcement: _Optional[str] = ..., language: _Optional[str] = ..., author: _Optional[str] = ...) -> None: ...

class SegmentSuppressed(_message.Message):
    __slots__ = ("reason", "start_offset_ms", "end_offset_ms", "text")
    REASON_FIELD_NUMBER: _ClassVar[int]
    START_OFFSET_MS_FIELD_NUMBER: _ClassVar[int]
    END_OFFSET_MS_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    reason: str
    start_offset_ms: int
    end_offset_ms: int
    text: str
    def __init__(self, reason: _Optional[str] = ..., start_offset_ms: _Optional[int] = ..., end_offset_ms: _Optional[int] = ..., text: _Optional[str] = ...) -> None: ...

class SessionStarted(_message.Message):
    __slots__ = ("config",)
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    config: SessionConfig
    def __init__(self, config: _Optional[_Union[SessionConfig, _Mapping]] = ...) -> None: ...

class TranslationFailed(_message.Message):
    __slots__ = ("segment_id", "language", "reason")
    SEGMENT_ID_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    segment_id: int
    language: str
    reason: str
    def __init__(self, segment_id: _Optional[int] = ..., language: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class PairScored(_message.Message):
    __slots__ = ("transcript", "translation", "signals")
    TRANSCRIPT_FIELD_NUMBER: _ClassVar[int]
    TRANSLATION_FIELD_NUMBER: _ClassVar[int]
    SIGNALS_FIELD_NUMBER: _ClassVar[int]
    transcript: _types_pb2.Transcript
    translation: _types_pb2.Translation
    signals: _containers.RepeatedCompositeFieldContainer[_types_pb2.Signal]
    def __init__(self, transcript: _Optional[_Union[_types_pb2.Transcript, _Mapping]] = ..., translation: _Optional[_Union[_types_pb2.Translation, _Mapping]] = ..., signals: _Optional[_Iterable[_Union[_types_pb2.Signal, _Mapping]]] = ...) -> None: ...

class Correction(_message.Message):
    __slots__ = ("segment_id", "language", "revision", "text", "author")
    SEGMENT_ID_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    segment_id: int
    language: str
    revision: int
    text: str
    author: str
    def __init__(self, segment_id: _Optional[int] = ..., language: _Optional[str] = ..., revision: _Optional[int] = ..., text: _Optional[str] = ..., author: _Optional[str] = ...) -> None: ...

class PairReviewed(_message.Message):
    __slots__ = ("segment_id", "language", "revision", "decision", "source_text", "target_text", "reviewer", "review_id", "pair")
    SEGMENT_ID_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    SOURCE_TEXT_FIELD_NUMBER: _ClassVar[int]
    TARGET_TEXT_FIELD_NUMBER: _ClassVar[int]
    REVIEWER_FIELD_NUMBER: _ClassVar[int]
    REVIEW_ID_FIELD_NUMBER: _ClassVar[int]
    PAIR_FIELD_NUMBER: _ClassVar[int]
    segment_id: int
    language: str
    revision: int
    decision: _types_pb2.Decision
    source_text: str
    target_text: str
    reviewer: str
    review_id: str
    pair: PairScored
    def __init__(self, segment_id: _Optional[int] = ..., language: _Optional[str] = ..., revision: _Optional[int] = ..., decision: _Optional[_Union[_types_pb2.Decision, str]] = ..., source_text: _Optional[str] = ..., target_text: _Optional[str] = ..., reviewer: _Optional[str] = ..., review_id: _Optional[str] = ..., pair: _Optional[_Union[PairScored, _Mapping]] = ...) -> None: ...

class SessionForgotten(_message.Message):
    __slots__ = ("reason", "event_count", "audio_bytes")
    REASON_FIELD_NUMBER: _ClassVar[int]
    EVENT_COUNT_FIELD_NUMBER: _ClassVar[int]
    AUDIO_BYTES_FIELD_NUMBER: _ClassVar[int]
    reason: ForgetReason
    event_count: int
    audio_bytes: int
    def __init__(self, reason: _Optional[_Union[ForgetReason, str]] = ..., event_count: _Optional[int] = ..., audio_bytes: _Optional[int] = ...) -> None: ...

class SessionEnded(_message.Message):
    __slots__ = ("reason", "final_count", "untranslated_count", "received_sample")
    REASON_FIELD_NUMBER: _ClassVar[int]
    FINAL_COUNT_FIELD_NUMBER: _ClassVar[int]
    UNTRANSLATED_COUNT_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_SAMPLE_FIELD_NUMBER: _ClassVar[int]
    reason: EndReason
    final_count: int
    untranslated_count: int
    received_sample: int
    def __init__(self, reason: _Optional[_Union[EndReason, str]] = ..., final_count: _Optional[int] = ..., untranslated_count: _Optional[int] = ..., received_sample: _Optional[int] = ...) -> None: ...

class LiveUpdate(_message.Message):
    __slots__ = ("session_id", "transcript", "translation", "segment_dropped")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    TRANSCRIPT_FIELD_NUMBER: _ClassVar[int]
    TRANSLATION_FIELD_NUMBER: _ClassVar[int]
    SEGMENT_DROPPED_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    transcript: _types_pb2.Transcript
    translation: _types_pb2.Translation
    segment_dropped: SegmentDropped
    def __init__(self, session_id: _Optional[str] = ..., transcript: _Optional[_Union[_types_pb2.Transcript, _Mapping]] = ..., translation: _Optional[_Union[_types_pb2.Translation, _Mapping]] = ..., segment_dropped: _Optional[_Union[SegmentDropped, _Mapping]] = ...) -> None: ...

class SegmentDropped(_message.Message):
    __slots__ = ("segment_id",)
    SEGMENT_ID_FIELD_NUMBER: _ClassVar[int]
    segment_id: int
    def __init__(self, segment_id: _Optional[int] = ...) -> None: ...

class ListSessionsRequest(_message.Message):
    __slots__ = ("page_size",)
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    def __init__(self, page_size: _Optional[int] = ...) -> None: ...

class ListSessionsResponse(_message.Message):
    __slots__ = ("sessions",)
    SESSIONS_FIELD_NUMBER: _ClassVar[int]
    sessions: _containers.RepeatedCompositeFieldContainer[Session]
    def __init__(self, sessions: _Optional[_Iterable[_Union[Session, _Mapping]]] = ...) -> None: ...

class Session(_message.Message):
    __slots__ = ("session_id", "title", "source_language", "target_languages", "start_time", "end_time", "final_count", "first_sequence", "last_sequence", "store_audio", "is_held")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    TARGET_LANGUAGES_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    FINAL_COUNT_FIELD_NUMBER: _ClassVar[int]
    FIRST_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    LAST_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    STORE_AUDIO_FIELD_NUMBER: _ClassVar[int]
    IS_HELD_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    title: str
    source_language: str
    target_languages: _containers.RepeatedScalarFieldContainer[str]
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    final_count: int
    first_sequence: int
    last_sequence: int
    store_audio: bool
    is_held: bool
    def __init__(self, session_id: _Optional[str] = ..., title: _Optional[str] = ..., source_language: _Optional[str] = ..., target_languages: _Optional[_Iterable[str]] = ..., start_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., final_count: _Optional[int] = ..., first_sequence: _Optional[int] = ..., last_sequence: _Optional[int] = ..., store_audio: bool = ..., is_held: bool = ...) -> None: ...

class CorrectSegmentRequest(_message.Message):
    __slots__ = ("session_id", "segment_id", "language", "text", "author")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    SEGMENT_ID_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    segment_id: int
    language: str
    text: str
    author: str
    def __init__(self, session_id: _Optional[str] = ..., segment_id: _Optional[int] = ..., language: _Optional[str] = ..., text: _Optional[str] = ..., author: _Optional[str] = ...) -> None: ...

class CorrectSegmentResponse(_message.Message):
    __slots__ = ("sequence",)
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    def __init__(self, sequence: _Optional[int] = ...) -> None: ...

class ReviewPairRequest(_message.Message):
    __slots__ = ("session_id", "segment_id", "language", "decision", "source_text", "target_text", "reviewer", "review_id", "shown_source_text", "shown_target_text")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    SEGMENT_ID_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    SOURCE_TEXT_FIELD_NUMBER: _ClassVar[int]
    TARGET_TEXT_FIELD_NUMBER: _ClassVar[int]
    REVIEWER_FIELD_NUMBER: _ClassVar[int]
    REVIEW_ID_FIELD_NUMBER: _ClassVar[int]
    SHOWN_SOURCE_TEXT_FIELD_NUMBER: _ClassVar[int]
    SHOWN_TARGET_TEXT_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    segment_id: int
    language: str
    decision: _types_pb2.Decision
    source_text: str
    target_text: str
    reviewer: str
    review_id: str
    shown_source_text: str
    shown_target_text: str
    def __init__(self, session_id: _Optional[str] = ..., segment_id: _Optional[int] = ..., language: _Optional[str] = ..., decision: _Optional[_Union[_types_pb2.Decision, str]] = ..., source_text: _Optional[str] = ..., target_text: _Optional[str] = ..., reviewer: _Optional[str] = ..., review_id: _Optional[str] = ..., shown_source_text: _Optional[str] = ..., shown_target_text: _Optional[str] = ...) -> None: ...

class ReviewPairResponse(_message.Message):
    __slots__ = ("sequence", "revision")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    revision: int
    def __init__(self, sequence: _Optional[int] = ..., revision: _Optional[int] = ...) -> None: ...

class ForgetSessionRequest(_message.Message):
    __slots__ = ("session_id",)
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    def __init__(self, session_id: _Optional[str] = ...) -> None: ...

class ForgetSessionResponse(_message.Message):
    __slots__ = ("sequence", "event_count", "audio_bytes", "remaining_row_count", "remaining_audio_bytes")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    EVENT_COUNT_FIELD_NUMBER: _ClassVar[int]
    AUDIO_BYTES_FIELD_NUMBER: _ClassVar[int]
    REMAINING_ROW_COUNT_FIELD_NUMBER: _ClassVar[int]
    REMAINING_AUDIO_BYTES_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    event_count: int
    audio_bytes: int
    remaining_row_count: int
    remaining_audio_bytes: int
    def __init__(self, sequence: _Optional[int] = ..., event_count: _Optional[int] = ..., audio_bytes: _Optional[int] = ..., remaining_row_count: _Optional[int] = ..., remaining_audio_bytes: _Optional[int] = ...) -> None: ...

class HoldSessionRequest(_message.Message):
    __slots__ = ("session_id", "is_held", "author")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    IS_HELD_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    is_held: bool
    author: str
    def __init__(self, session_id: _Optional[str] = ..., is_held: bool = ..., author: _Optional[str] = ...) -> None: ...

class HoldSessionResponse(_message.Message):
    __slots__ = ("sequence",)
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    def __init__(self, sequence: _Optional[int] = ...) -> None: ...

class ResetSessionRequest(_message.Message):
    __slots__ = ("session_id", "author")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    author: str
    def __init__(self, session_id: _Optional[str] = ..., author: _Optional[str] = ...) -> None: ...

class ResetSessionResponse(_message.Message):
    __slots__ = ("sequence",)
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    def __init__(self, sequence: _Optional[int] = ...) -> None: ...

class HideSegmentRequest(_message.Message):
    __slots__ = ("session_id", "segment_id", "is_hidden", "author")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    SEGMENT_ID_FIELD_NUMBER: _ClassVar[int]
    IS_HIDDEN_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    segment_id: int
    is_hidden: bool
    author: str
    def __init__(self, session_id: _Optional[str] = ..., segment_id: _Optional[int] = ..., is_hidden: bool = ..., author: _Optional[str] = ...) -> None: ...

class HideSegmentResponse(_message.Message):
    __slots__ = ("sequence",)
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    def __init__(self, sequence: _Optional[int] = ...) -> None: ...

class SetScreensRequest(_message.Message):
    __slots__ = ("screens", "update_mask")
    SCREENS_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    screens: Screens
    update_mask: _field_mask_pb2.FieldMask
    def __init__(self, screens: _Optional[_Union[Screens, _Mapping]] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ...) -> None: ...

class SetScreensResponse(_message.Message):
    __slots__ = ("sequence",)
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    def __init__(self, sequence: _Optional[int] = ...) -> None: ...

class GetStatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetStatusResponse(_message.Message):
    __slots__ = ("sessions", "engines", "screens", "warnings")
    SESSIONS_FIELD_NUMBER: _ClassVar[int]
    ENGINES_FIELD_NUMBER: _ClassVar[int]
    SCREENS_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    sessions: _containers.RepeatedCompositeFieldContainer[SessionStatus]
    engines: _containers.RepeatedCompositeFieldContainer[EngineStatus]
    screens: Screens
    warnings: _containers.RepeatedCompositeFieldContainer[StatusWarning]
    def __init__(self, sessions: _Optional[_Iterable[_Union[SessionStatus, _Mapping]]] = ..., engines: _Optional[_Iterable[_Union[EngineStatus, _Mapping]]] = ..., screens: _Optional[_Union[Screens, _Mapping]] = ..., warnings: _Optional[_Iterable[_Union[StatusWarning, _Mapping]]] = ...) -> None: ...

class StatusWarning(_message.Message):
    __slots__ = ("reason", "message", "session_id")
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    reason: str
    message: str
    session_id: str
    def __init__(self, reason: _Optional[str] = ..., message: _Optional[str] = ..., session_id: _Optional[str] = ...) -> None: ...

class SessionStatus(_message.Message):
    __slots__ = ("session_id", "title", "source_language", "target_languages", "start_time", "has_speaker", "is_held", "level_dbfs", "peak_dbfs", "unsettled_ms", "final_count", "owed_translation_count", "lags")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    TARGET_LANGUAGES_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    HAS_SPEAKER_FIELD_NUMBER: _ClassVar[int]
    IS_HELD_FIELD_NUMBER: _ClassVar[int]
    LEVEL_DBFS_FIELD_NUMBER: _ClassVar[int]
    PEAK_DBFS_FIELD_NUMBER: _ClassVar[int]
    UNSETTLED_MS_FIELD_NUMBER: _ClassVar[int]
    FINAL_COUNT_FIELD_NUMBER: _ClassVar[int]
    OWED_TRANSLATION_COUNT_FIELD_NUMBER: _ClassVar[int]
    LAGS_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    title: str
    source_language: str
    target_languages: _containers.RepeatedScalarFieldContainer[str]
    start_time: _timestamp_pb2.Timestamp
    has_speaker: bool
    is_held: bool
    level_dbfs: float
    peak_dbfs: float
    unsettled_ms: int
    final_count: int
    owed_translation_count: int
    lags: _containers.RepeatedCompositeFieldContainer[Lag]
    def __init__(self, session_id: _Optional[str] = ..., title: _Optional[str] = ..., source_language: _Optional[str] = ..., target_languages: _Optional[_Iterable[str]] = ..., start_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., has_speaker: bool = ..., is_held: bool = ..., level_dbfs: _Optional[float] = ..., peak_dbfs: _Optional[float] = ..., unsettled_ms: _Optional[int] = ..., final_count: _Optional[int] = ..., owed_translation_count: _Optional[int] = ..., lags: _Optional[_Iterable[_Union[Lag, _Mapping]]] = ...) -> None: ...

class Lag(_message.Message):
    __slots__ = ("stage", "p50_ms", "p95_ms", "count")
    STAGE_FIELD_NUMBER: _ClassVar[int]
    P50_MS_FIELD_NUMBER: _ClassVar[int]
    P95_MS_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    stage: str
    p50_ms: float
    p95_ms: float
    count: int
    def __init__(self, stage: _Optional[str] = ..., p50_ms: _Optional[float] = ..., p95_ms: _Optional[float] = ..., count: _Optional[int] = ...) -> None: ...

class EngineStatus(_message.Message):
    __slots__ = ("name", "state", "detail", "model")
    NAME_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    name: str
    state: EngineState
    detail: str
    model: str
    def __init__(self, name: _Optional[str] = ..., state: _Optional[_Union[EngineState, str]] = ..., detail: _Optional[str] = ..., model: _Optional[str] = ...) -> None: ...

class EndSessionRequest(_message.Message):
    __slots__ = ("session_id",)
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    def __init__(self, session_id: _Optional[str] = ...) -> None: ...

class EndSessionResponse(_message.Message):
    __slots__ = ("sequence",)
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    def __init__(self, sequence: _Optional[int] = ...) -> None: ...

class FetchAudioRequest(_message.Message):
    __slots__ = ("session_id", "first_sample", "end_sample")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    FIRST_SAMPLE_FIELD_NUMBER: _ClassVar[int]
    END_SAMPLE_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    first_sample: int
    end_sample: int
    def __init__(self, session_id: _Optional[str] = ..., first_sample: _Optional[int] = ..., end_sample: _Optional[int] = ...) -> None: ...

class FetchAudioResponse(_message.Message):
    __slots__ = ("audio",)
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    audio: _types_pb2.AudioChunk
    def __init__(self, audio: _Optional[_Union[_types_pb2.AudioChunk, _Mapping]] = ...) -> None: ...
