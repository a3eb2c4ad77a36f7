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
    BAND_CORRECTED: _ClassVar[Band]
BAND_UNSPECIFIED: Band
BAND_ACCEPT: Band
BAND_MODERATE: Band
BAND_REVIEW: Band
BAND_REJECT: Band
BAND_EXCLUDED: Band
BAND_CORRECTED: Band

class StatsRequest(_message.Message):
    __slots__ = ("session_id",)
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    def __init__(self, session_id: _Optional[str] = ...) -> None: ...

class StatsResponse(_message.Message):
    __slots__ = ("journal_id", "cursor_sequence", "counts", "exclusions", "queue_risks", "open_review_count", "notes")
    JOURNAL_ID_FIELD_NUMBER: _ClassVar[int]
    CURSOR_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    EXCLUSIONS_FIELD_NUMBER: _ClassVar[int]
    QUEUE_RISKS_FIELD_NUMBER: _ClassVar[int]
    OPEN_REVIEW_COUNT_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    journal_id: str
    cursor_sequence: int
    counts: _containers.RepeatedCompositeFieldContainer[BandCount]
    exclusions: _containers.RepeatedCompositeFieldContainer[ExclusionCount]
    queue_risks: _containers.RepeatedScalarFieldContainer[str]
    open_review_count: int
    notes: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, journal_id: _Optional[str] = ..., cursor_sequence: _Optional[int] = ..., counts: _Optional[_Iterable[_Union[BandCount, _Mapping]]] = ..., exclusions: _Optional[_Iterable[_Union[ExclusionCount, _Mapping]]] = ..., queue_risks: _Optional[_Iterable[str]] = ..., open_review_count: _Optional[int] = ..., notes: _Optional[_Iterable[str]] = ...) -> None: ...

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
    __slots__ = ("pair_id", "band", "session_id", "segment_id", "source_language", "target_language", "source_text", "target_text", "quality_score", "stt_confidence", "translation_qe", "marian_agreement", "signals", "time", "stt_model", "mt_model", "start_offset_ms", "end_offset_ms", "sequence", "decision", "reviewer", "original_source_text", "original_target_text", "review_revision", "avg_logprob", "no_speech_prob", "compression_ratio", "flags", "missing_terms", "caps", "calibration")
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
    DECISION_FIELD_NUMBER: _ClassVar[int]
    REVIEWER_FIELD_NUMBER: _ClassVar[int]
    ORIGINAL_SOURCE_TEXT_FIELD_NUMBER: _ClassVar[int]
    ORIGINAL_TARGET_TEXT_FIELD_NUMBER: _ClassVar[int]
    REVIEW_REVISION_FIELD_NUMBER: _ClassVar[int]
    AVG_LOGPROB_FIELD_NUMBER: _ClassVar[int]
    NO_SPEECH_PROB_FIELD_NUMBER: _ClassVar[int]
    COMPRESSION_RATIO_FIELD_NUMBER: _ClassVar[int]
    FLAGS_FIELD_NUMBER: _ClassVar[int]
    MISSING_TERMS_FIELD_NUMBER: _ClassVar[int]
    CAPS_FIELD_NUMBER: _ClassVar[int]
    CALIBRATION_FIELD_NUMBER: _ClassVar[int]
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
    decision: _types_pb2.Decision
    reviewer: str
    original_source_text: str
    original_target_text: str
    review_revision: int
    avg_logprob: float
    no_speech_prob: float
    compression_ratio: float
    flags: _containers.RepeatedScalarFieldContainer[str]
    missing_terms: _containers.RepeatedCompositeFieldContainer[_types_pb2.GlossaryTerm]
    caps: _containers.RepeatedScalarFieldContainer[str]
    calibration: str
    def __init__(self, pair_id: _Optional[str] = ..., band: _Optional[_Union[Band, str]] = ..., session_id: _Optional[str] = ..., segment_id: _Optional[int] = ..., source_language: _Optional[str] = ..., target_language: _Optional[str] = ..., source_text: _Optional[str] = ..., target_text: _Optional[str] = ..., quality_score: _Optional[float] = ..., stt_confidence: _Optional[float] = ..., translation_qe: _Optional[float] = ..., marian_agreement: _Optional[float] = ..., signals: _Optional[_Iterable[_Union[_types_pb2.Signal, _Mapping]]] = ..., time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., stt_model: _Optional[str] = ..., mt_model: _Optional[str] = ..., start_offset_ms: _Optional[int] = ..., end_offset_ms: _Optional[int] = ..., sequence: _Optional[int] = ..., decision: _Optional[_Union[_types_pb2.Decision, str]] = ..., reviewer: _Optional[str] = ..., original_source_text: _Optional[str] = ..., original_target_text: _Optional[str] = ..., review_revision: _Optional[int] = ..., avg_logprob: _Optional[float] = ..., no_speech_prob: _Optional[float] = ..., compression_ratio: _Optional[float] = ..., flags: _Optional[_Iterable[str]] = ..., missing_terms: _Optional[_Iterable[_Union[_types_pb2.GlossaryTerm, _Mapping]]] = ..., caps: _Optional[_Iterable[str]] = ..., calibration: _Optional[str] = ...) -> None: ...

class ListForReviewRequest(_message.Message):
    __slots__ = ("session_id", "page_size")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    page_size: int
    def __init__(self, session_id: _Optional[str] = ..., page_size: _Optional[int] = ...) -> None: ...

class ListForReviewResponse(_message.Message):
    __slots__ = ("items", "progress")
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[ReviewItem]
    progress: ReviewProgress
    def __init__(self, items: _Optional[_Iterable[_Union[ReviewItem, _Mapping]]] = ..., progress: _Optional[_Union[ReviewProgress, _Mapping]] = ...) -> None: ...

class ReviewItem(_message.Message):
    __slots__ = ("pair", "priority", "reasons", "lease_id", "lease_expire_time", "has_audio")
    PAIR_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    LEASE_ID_FIELD_NUMBER: _ClassVar[int]
    LEASE_EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    HAS_AUDIO_FIELD_NUMBER: _ClassVar[int]
    pair: ScoredPair
    priority: float
    reasons: _containers.RepeatedScalarFieldContainer[str]
    lease_id: str
    lease_expire_time: _timestamp_pb2.Timestamp
    has_audio: bool
    def __init__(self, pair: _Optional[_Union[ScoredPair, _Mapping]] = ..., priority: _Optional[float] = ..., reasons: _Optional[_Iterable[str]] = ..., lease_id: _Optional[str] = ..., lease_expire_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., has_audio: bool = ...) -> None: ...

class ReviewProgress(_message.Message):
    __slots__ = ("open_count", "leased_count", "reviewed_count")
    OPEN_COUNT_FIELD_NUMBER: _ClassVar[int]
    LEASED_COUNT_FIELD_NUMBER: _ClassVar[int]
    REVIEWED_COUNT_FIELD_NUMBER: _ClassVar[int]
    open_count: int
    leased_count: int
    reviewed_count: int
    def __init__(self, open_count: _Optional[int] = ..., leased_count: _Optional[int] = ..., reviewed_count: _Optional[int] = ...) -> None: ...

class LeaseReviewRequest(_message.Message):
    __slots__ = ("reviewer", "session_id", "pair_id")
    REVIEWER_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    PAIR_ID_FIELD_NUMBER: _ClassVar[int]
    reviewer: str
    session_id: str
    pair_id: str
    def __init__(self, reviewer: _Optional[str] = ..., session_id: _Optional[str] = ..., pair_id: _Optional[str] = ...) -> None: ...

class LeaseReviewResponse(_message.Message):
    __slots__ = ("item", "progress")
    ITEM_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    item: ReviewItem
    progress: ReviewProgress
    def __init__(self, item: _Optional[_Union[ReviewItem, _Mapping]] = ..., progress: _Optional[_Union[ReviewProgress, _Mapping]] = ...) -> None: ...

class RenewReviewRequest(_message.Message):
    __slots__ = ("lease_id",)
    LEASE_ID_FIELD_NUMBER: _ClassVar[int]
    lease_id: str
    def __init__(self, lease_id: _Optional[str] = ...) -> None: ...

class RenewReviewResponse(_message.Message):
    __slots__ = ("lease_expire_time",)
    LEASE_EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    lease_expire_time: _timestamp_pb2.Timestamp
    def __init__(self, lease_expire_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ReleaseReviewRequest(_message.Message):
    __slots__ = ("lease_id", "skip")
    LEASE_ID_FIELD_NUMBER: _ClassVar[int]
    SKIP_FIELD_NUMBER: _ClassVar[int]
    lease_id: str
    skip: bool
    def __init__(self, lease_id: _Optional[str] = ..., skip: bool = ...) -> None: ...

class ReleaseReviewResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class SubmitReviewRequest(_message.Message):
    __slots__ = ("lease_id", "decision", "source_text", "target_text", "shown_source_text", "shown_target_text")
    LEASE_ID_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    SOURCE_TEXT_FIELD_NUMBER: _ClassVar[int]
    TARGET_TEXT_FIELD_NUMBER: _ClassVar[int]
    SHOWN_SOURCE_TEXT_FIELD_NUMBER: _ClassVar[int]
    SHOWN_TARGET_TEXT_FIELD_NUMBER: _ClassVar[int]
    lease_id: str
    decision: _types_pb2.Decision
    source_text: str
    target_text: str
    shown_source_text: str
    shown_target_text: str
    def __init__(self, lease_id: _Optional[str] = ..., decision: _Optional[_Union[_types_pb2.Decision, str]] = ..., source_text: _Optional[str] = ..., target_text: _Optional[str] = ..., shown_source_text: _Optional[str] = ..., shown_target_text: _Optional[str] = ...) -> None: ...

class SubmitReviewResponse(_message.Message):
    __slots__ = ("sequence", "progress")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    progress: ReviewProgress
    def __init__(self, sequence: _Optional[int] = ..., progress: _Optional[_Union[ReviewProgress, _Mapping]] = ...) -> None: ...

class UndoReviewRequest(_message.Message):
    __slots__ = ("reviewer",)
    REVIEWER_FIELD_NUMBER: _ClassVar[int]
    reviewer: str
    def __init__(self, reviewer: _Optional[str] = ...) -> None: ...

class UndoReviewResponse(_message.Message):
    __slots__ = ("item", "progress")
    ITEM_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    item: ReviewItem
    progress: ReviewProgress
    def __init__(self, item: _Optional[_Union[ReviewItem, _Mapping]] = ..., progress: _Optional[_Union[ReviewProgress, _Mapping]] = ...) -> None: ...

class FetchReviewAudioRequest(_message.Message):
    __slots__ = ("pair_id",)
    PAIR_ID_FIELD_NUMBER: _ClassVar[int]
    pair_id: str
    def __init__(self, pair_id: _Optional[str] = ...) -> None: ...

class FetchReviewAudioResponse(_message.Message):
    __slots__ = ("data",)
    DATA_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    def __init__(self, data: _Optional[bytes] = ...) -> None: ...

class MakeReportRequest(_message.Message):
    __slots__ = ("session_id",)
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    def __init__(self, session_id: _Optional[str] = ...) -> None: ...

class MakeReportResponse(_message.Message):
    __slots__ = ("file_name", "data")
    FILE_NAME_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    file_name: str
    data: bytes
    def __init__(self, file_name: _Optional[str] = ..., data: _Optional[bytes] = ...) -> None: ...
