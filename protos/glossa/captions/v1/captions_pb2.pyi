from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SubscribeRequest(_message.Message):
    __slots__ = ("session_id", "languages", "after_sequence", "finals_only")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    LANGUAGES_FIELD_NUMBER: _ClassVar[int]
    AFTER_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    FINALS_ONLY_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    languages: _containers.RepeatedScalarFieldContainer[str]
    after_sequence: int
    finals_only: bool
    def __init__(self, session_id: _Optional[str] = ..., languages: _Optional[_Iterable[str]] = ..., after_sequence: _Optional[int] = ..., finals_only: bool = ...) -> None: ...

class SubscribeResponse(_message.Message):
    __slots__ = ("sequence", "session_id", "time", "session_started", "caption", "caption_dropped", "session_ended", "caught_up", "session_forgotten", "segment_hidden", "session_held", "session_reset", "screens", "journal_id")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    SESSION_STARTED_FIELD_NUMBER: _ClassVar[int]
    CAPTION_FIELD_NUMBER: _ClassVar[int]
    CAPTION_DROPPED_FIELD_NUMBER: _ClassVar[int]
    SESSION_ENDED_FIELD_NUMBER: _ClassVar[int]
    CAUGHT_UP_FIELD_NUMBER: _ClassVar[int]
    SESSION_FORGOTTEN_FIELD_NUMBER: _ClassVar[int]
    SEGMENT_HIDDEN_FIELD_NUMBER: _ClassVar[int]
    SESSION_HELD_FIELD_NUMBER: _ClassVar[int]
    SESSION_RESET_FIELD_NUMBER: _ClassVar[int]
    SCREENS_FIELD_NUMBER: _ClassVar[int]
    JOURNAL_ID_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    session_id: str
    time: _timestamp_pb2.Timestamp
    session_started: SessionStarted
    caption: Caption
    caption_dropped: CaptionDropped
    session_ended: SessionEnded
    caught_up: CaughtUp
    session_forgotten: SessionForgotten
    segment_hidden: SegmentHidden
    session_held: SessionHeld
    session_reset: SessionReset
    screens: Screens
    journal_id: str
    def __init__(self, sequence: _Optional[int] = ..., session_id: _Optional[str] = ..., time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., session_started: _Optional[_Union[SessionStarted, _Mapping]] = ..., caption: _Optional[_Union[Caption, _Mapping]] = ..., caption_dropped: _Optional[_Union[CaptionDropped, _Mapping]] = ..., session_ended: _Optional[_Union[SessionEnded, _Mapping]] = ..., caught_up: _Optional[_Union[CaughtUp, _Mapping]] = ..., session_forgotten: _Optional[_Union[SessionForgotten, _Mapping]] = ..., segment_hidden: _Optional[_Union[SegmentHidden, _Mapping]] = ..., session_held: _Optional[_Union[SessionHeld, _Mapping]] = ..., session_reset: _Optional[_Union[SessionReset, _Mapping]] = ..., screens: _Optional[_Union[Screens, _Mapping]] = ..., journal_id: _Optional[str] = ...) -> None: ...

class Caption(_message.Message):
    __slots__ = ("segment_id", "language", "revision", "is_final", "stable_text", "unstable_text", "start_offset_ms", "end_offset_ms", "is_source", "is_corrected", "endpoint_offset_ms", "engine_ms", "model")
    SEGMENT_ID_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    IS_FINAL_FIELD_NUMBER: _ClassVar[int]
    STABLE_TEXT_FIELD_NUMBER: _ClassVar[int]
    UNSTABLE_TEXT_FIELD_NUMBER: _ClassVar[int]
    START_OFFSET_MS_FIELD_NUMBER: _ClassVar[int]
    END_OFFSET_MS_FIELD_NUMBER: _ClassVar[int]
    IS_SOURCE_FIELD_NUMBER: _ClassVar[int]
    IS_CORRECTED_FIELD_NUMBER: _ClassVar[int]
    ENDPOINT_OFFSET_MS_FIELD_NUMBER: _ClassVar[int]
    ENGINE_MS_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    segment_id: int
    language: str
    revision: int
    is_final: bool
    stable_text: str
    unstable_text: str
    start_offset_ms: int
    end_offset_ms: int
    is_source: bool
    is_corrected: bool
    endpoint_offset_ms: int
    engine_ms: float
    model: str
    def __init__(self, segment_id: _Optional[int] = ..., language: _Optional[str] = ..., revision: _Optional[int] = ..., is_final: bool = ..., stable_text: _Optional[str] = ..., unstable_text: _Optional[str] = ..., start_offset_ms: _Optional[int] = ..., end_offset_ms: _Optional[int] = ..., is_source: bool = ..., is_corrected: bool = ..., endpoint_offset_ms: _Optional[int] = ..., engine_ms: _Optional[float] = ..., model: _Optional[str] = ...) -> None: ...

class CaptionDropped(_message.Message):
    __slots__ = ("segment_id", "language")
    SEGMENT_ID_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    segment_id: int
    language: str
    def __init__(self, segment_id: _Optional[int] = ..., language: _Optional[str] = ...) -> None: ...

class SegmentHidden(_message.Message):
    __slots__ = ("segment_id", "is_hidden", "captions")
    SEGMENT_ID_FIELD_NUMBER: _ClassVar[int]
    IS_HIDDEN_FIELD_NUMBER: _ClassVar[int]
    CAPTIONS_FIELD_NUMBER: _ClassVar[int]
    segment_id: int
    is_hidden: bool
    captions: _containers.RepeatedCompositeFieldContainer[Caption]
    def __init__(self, segment_id: _Optional[int] = ..., is_hidden: bool = ..., captions: _Optional[_Iterable[_Union[Caption, _Mapping]]] = ...) -> None: ...

class SessionHeld(_message.Message):
    __slots__ = ("is_held",)
    IS_HELD_FIELD_NUMBER: _ClassVar[int]
    is_held: bool
    def __init__(self, is_held: bool = ...) -> None: ...

class SessionReset(_message.Message):
    __slots__ = ("segment_id",)
    SEGMENT_ID_FIELD_NUMBER: _ClassVar[int]
    segment_id: int
    def __init__(self, segment_id: _Optional[int] = ...) -> None: ...

class Screens(_message.Message):
    __slots__ = ("is_blank", "announcement", "language")
    IS_BLANK_FIELD_NUMBER: _ClassVar[int]
    ANNOUNCEMENT_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    is_blank: bool
    announcement: str
    language: str
    def __init__(self, is_blank: bool = ..., announcement: _Optional[str] = ..., language: _Optional[str] = ...) -> None: ...

class SessionStarted(_message.Message):
    __slots__ = ("title", "source_language", "target_languages")
    TITLE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    TARGET_LANGUAGES_FIELD_NUMBER: _ClassVar[int]
    title: str
    source_language: str
    target_languages: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, title: _Optional[str] = ..., source_language: _Optional[str] = ..., target_languages: _Optional[_Iterable[str]] = ...) -> None: ...

class SessionEnded(_message.Message):
    __slots__ = ("final_count",)
    FINAL_COUNT_FIELD_NUMBER: _ClassVar[int]
    final_count: int
    def __init__(self, final_count: _Optional[int] = ...) -> None: ...

class SessionForgotten(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class CaughtUp(_message.Message):
    __slots__ = ("sequence",)
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    def __init__(self, sequence: _Optional[int] = ...) -> None: ...

class ListSessionsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListSessionsResponse(_message.Message):
    __slots__ = ("sessions",)
    SESSIONS_FIELD_NUMBER: _ClassVar[int]
    sessions: _containers.RepeatedCompositeFieldContainer[Session]
    def __init__(self, sessions: _Optional[_Iterable[_Union[Session, _Mapping]]] = ...) -> None: ...

class Session(_message.Message):
    __slots__ = ("session_id", "title", "source_language", "target_languages", "is_live", "start_time", "is_held")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    TARGET_LANGUAGES_FIELD_NUMBER: _ClassVar[int]
    IS_LIVE_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    IS_HELD_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    title: str
    source_language: str
    target_languages: _containers.RepeatedScalarFieldContainer[str]
    is_live: bool
    start_time: _timestamp_pb2.Timestamp
    is_held: bool
    def __init__(self, session_id: _Optional[str] = ..., title: _Optional[str] = ..., source_language: _Optional[str] = ..., target_languages: _Optional[_Iterable[str]] = ..., is_live: bool = ..., start_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., is_held: bool = ...) -> None: ...
