from glossa.types.v1 import types_pb2 as _types_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Band(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BAND_UNSPECIFIED: _ClassVar[Band]
    BAND_ACCEPT: _ClassVar[Band]
    BAND_MODERATE: _ClassVar[Band]
    BAND_REVIEW: _ClassVar[Band]
    BAND_REJECT: _ClassVar[Band]
    BAND_EXCLUDED: _ClassVar[Band]
BAND_UNSPECIFIED: Band
BAND_ACCEPT: Band
BAND_MODERATE: Band
BAND_REVIEW: Band
BAND_REJECT: Band
BAND_EXCLUDED: Band

class StatsRequest(_message.Message):
    __slots__ = ("session_id",)
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    def __init__(self, session_id: _Optional[str] = ...) -> None: ...

class StatsResponse(_message.Message):
    __slots__ = ("journal_id", "cursor_sequence", "counts", "exclusions")
    JOURNAL_ID_FIELD_NUMBER: _ClassVar[int]
    CURSOR_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    EXCLUSIONS_FIELD_NUMBER: _ClassVar[int]
    journal_id: str
    cursor_sequence: int
    counts: _containers.RepeatedCompositeFieldContainer[BandCount]
    exclusions: _containers.RepeatedCompositeFieldContainer[ExclusionCount]
    def __init__(self, journal_id: _Optional[str] = ..., cursor_sequence: _Optional[int] = ..., counts: _Optional[_Iterable[_Union[BandCount, _Mapping]]] = ..., exclusions: _Optional[_Iterable[_Union[ExclusionCount, _Mapping]]] = ...) -> None: ...

class BandCount(_message.Message):
    __slots__ = ("band", "pair_count", "queue_length")
    BAND_FIELD_NUMBER: _ClassVar[int]
    PAIR_COUNT_FIELD_NUMBER: _ClassVar[int]
    QUEUE_LENGTH_FIELD_NUMBER: _ClassVar[int]
    band: Band
    pair_count: int
    queue_length: int
    def __init__(self, band: _Optional[_Union[Band, str]] = ..., pair_count: _Optional[int] = ..., queue_length: _Optional[int] = ...) -> None: ...

class ExclusionCount(_message.Message):
    __slots__ = ("reason", "pair_count")
    REASON_FIELD_NUMBER: _ClassVar[int]
    PAIR_COUNT_FIELD_NUMBER: _ClassVar[int]
    reason: str
    pair_count: int
    def __init__(self, reason: _Optional[str] = ..., pair_count: _Optional[int] = ...) -> None: ...

class ExportPairsRequest(_message.Message):
    __slots__ = ("bands", "session_id", "newest")
    BANDS_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    NEWEST_FIELD_NUMBER: _ClassVar[int]
    bands: _containers.RepeatedScalarFieldContainer[Band]
    session_id: str
    newest: int
    def __init__(self, bands: _Optional[_Iterable[_Union[Band, str]]] = ..., session_id: _Optional[str] = ..., newest: _Optional[int] = ...) -> None: ...

class ExportPairsResponse(_message.Message):
    __slots__ = ("pair",)
    PAIR_FIELD_NUMBER: _ClassVar[int]
    pair: ScoredPair
    def __init__(self, pair: _Optional[_Union[ScoredPair, _Mapping]] = ...) -> None: ...

class ScoredPair(_message.Message):
    __slots__ = ("pair_id", "band", "session_id", "segment_id", "source_language", "target_language", "source_text", "target_text", "quality_score", "stt_confidence", "translation_qe", "marian_agreement", "signals", "time", "stt_model", "mt_model", "start_offset_ms", "end_offset_ms", "sequence")
    PAIR_ID_FIELD_NUMBER: _ClassVar[int]
    BAND_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    SEGMENT_ID_FIELD_NUMBER: _ClassVar[int]
    SOURCE_LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    TARGET_LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_TEXT_FIELD_NUMBER: _ClassVar[int]
    TARGET_TEXT_FIELD_NUMBER: _ClassVar[int]
    QUALITY_SCORE_FIELD_NUMBER: _ClassVar[int]
    STT_CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    TRANSLATION_QE_FIELD_NUMBER: _ClassVar[int]
    MARIAN_AGREEMENT_FIELD_NUMBER: _ClassVar[int]
    SIGNALS_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    STT_MODEL_FIELD_NUMBER: _ClassVar[int]
    MT_MODEL_FIELD_NUMBER: _ClassVar[int]
    START_OFFSET_MS_FIELD_NUMBER: _ClassVar[int]
    END_OFFSET_MS_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    pair_id: str
    band: Band
    session_id: str
    segment_id: int
    source_language: str
    target_language: str
    source_text: str
    target_text: str
    quality_score: float
    stt_confidence: float
    translation_qe: float
    marian_agreement: float
    signals: _containers.RepeatedCompositeFieldContainer[_types_pb2.Signal]
    time: _timestamp_pb2.Timestamp
    stt_model: str
    mt_model: str
    start_offset_ms: int
    end_offset_ms: int
    sequence: int
    def __init__(self, pair_id: _Optional[str] = ..., band: _Optional[_Union[Band, str]] = ..., session_id: _Optional[str] = ..., segment_id: _Optional[int] = ..., source_language: _Optional[str] = ..., target_language: _Optional[str] = ..., source_text: _Optional[str] = ..., target_text: _Optional[str] = ..., quality_score: _Optional[float] = ..., stt_confidence: _Optional[float] = ..., translation_qe: _Optional[float] = ..., marian_agreement: _Optional[float] = ..., signals: _Optional[_Iterable[_Union[_types_pb2.Signal, _Mapping]]] = ..., time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., stt_model: _Optional[str] = ..., mt_model: _Optional[str] = ..., start_offset_ms: _Optional[int] = ..., end_offset_ms: _Optional[int] = ..., sequence: _Optional[int] = ...) -> None: ...
