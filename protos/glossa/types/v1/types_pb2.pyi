from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AudioEncoding(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    AUDIO_ENCODING_UNSPECIFIED: _ClassVar[AudioEncoding]
    AUDIO_ENCODING_PCM_S16LE: _ClassVar[AudioEncoding]

class Decision(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DECISION_UNSPECIFIED: _ClassVar[Decision]
    DECISION_ACCEPTED: _ClassVar[Decision]
    DECISION_FIXED: _ClassVar[Decision]
    DECISION_REJECTED: _ClassVar[Decision]
    DECISION_WITHDRAWN: _ClassVar[Decision]
AUDIO_ENCODING_UNSPECIFIED: AudioEncoding
AUDIO_ENCODING_PCM_S16LE: AudioEncoding
DECISION_UNSPECIFIED: Decision
DECISION_ACCEPTED: Decision
DECISION_FIXED: Decision
DECISION_REJECTED: Decision
DECISION_WITHDRAWN: Decision

class AudioFormat(_message.Message):
    __slots__ = ("encoding", "sample_rate_hertz", "channel_count")
    ENCODING_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_RATE_HERTZ_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_COUNT_FIELD_NUMBER: _ClassVar[int]
    encoding: AudioEncoding
    sample_rate_hertz: int
    channel_count: int
    def __init__(self, encoding: _Optional[_Union[AudioEncoding, str]] = ..., sample_rate_hertz: _Optional[int] = ..., channel_count: _Optional[int] = ...) -> None: ...

class AudioChunk(_message.Message):
    __slots__ = ("first_sample", "data")
    FIRST_SAMPLE_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    first_sample: int
    data: bytes
    def __init__(self, first_sample: _Optional[int] = ..., data: _Optional[bytes] = ...) -> None: ...

class Word(_message.Message):
    __slots__ = ("text", "start_offset_ms", "end_offset_ms", "probability")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    START_OFFSET_MS_FIELD_NUMBER: _ClassVar[int]
    END_OFFSET_MS_FIELD_NUMBER: _ClassVar[int]
    PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    text: str
    start_offset_ms: int
    end_offset_ms: int
    probability: float
    def __init__(self, text: _Optional[str] = ..., start_offset_ms: _Optional[int] = ..., end_offset_ms: _Optional[int] = ..., probability: _Optional[float] = ...) -> None: ...

class Transcript(_message.Message):
    __slots__ = ("segment_id", "revision", "is_final", "stable_text", "unstable_text", "words", "start_offset_ms", "end_offset_ms", "language", "avg_logprob", "no_speech_prob", "compression_ratio", "model", "endpoint_offset_ms", "engine_ms", "engine_queue_ms", "corrections", "flags", "homophones", "erased_word_count")
    SEGMENT_ID_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    IS_FINAL_FIELD_NUMBER: _ClassVar[int]
    STABLE_TEXT_FIELD_NUMBER: _ClassVar[int]
    UNSTABLE_TEXT_FIELD_NUMBER: _ClassVar[int]
    WORDS_FIELD_NUMBER: _ClassVar[int]
    START_OFFSET_MS_FIELD_NUMBER: _ClassVar[int]
    END_OFFSET_MS_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    AVG_LOGPROB_FIELD_NUMBER: _ClassVar[int]
    NO_SPEECH_PROB_FIELD_NUMBER: _ClassVar[int]
    COMPRESSION_RATIO_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    ENDPOINT_OFFSET_MS_FIELD_NUMBER: _ClassVar[int]
    ENGINE_MS_FIELD_NUMBER: _ClassVar[int]
    ENGINE_QUEUE_MS_FIELD_NUMBER: _ClassVar[int]
    CORRECTIONS_FIELD_NUMBER: _ClassVar[int]
    FLAGS_FIELD_NUMBER: _ClassVar[int]
    HOMOPHONES_FIELD_NUMBER: _ClassVar[int]
    ERASED_WORD_COUNT_FIELD_NUMBER: _ClassVar[int]
    segment_id: int
    revision: int
    is_final: bool
    stable_text: str
    unstable_text: str
    words: _containers.RepeatedCompositeFieldContainer[Word]
    start_offset_ms: int
    end_offset_ms: int
    language: str
    avg_logprob: float
    no_speech_prob: float
    compression_ratio: float
    model: str
    endpoint_offset_ms: int
    engine_ms: float
    engine_queue_ms: float
    corrections: _containers.RepeatedCompositeFieldContainer[TermCorrection]
    flags: _containers.RepeatedScalarFieldContainer[str]
    homophones: _containers.RepeatedCompositeFieldContainer[TermCorrection]
    erased_word_count: int
    def __init__(self, segment_id: _Optional[int] = ..., revision: _Optional[int] = ..., is_final: bool = ..., stable_text: _Optional[str] = ..., unstable_text: _Optional[str] = ..., words: _Optional[_Iterable[_Union[Word, _Mapping]]] = ..., start_offset_ms: _Optional[int] = ..., end_offset_ms: _Optional[int] = ..., language: _Optional[str] = ..., avg_logprob: _Optional[float] = ..., no_speech_prob: _Optional[float] = ..., compression_ratio: _Optional[float] = ..., model: _Optional[str] = ..., endpoint_offset_ms: _Optional[int] = ..., engine_ms: _Optional[float] = ..., engine_queue_ms: _Optional[float] = ..., corrections: _Optional[_Iterable[_Union[TermCorrection, _Mapping]]] = ..., flags: _Optional[_Iterable[str]] = ..., homophones: _Optional[_Iterable[_Union[TermCorrection, _Mapping]]] = ..., erased_word_count: _Optional[int] = ...) -> None: ...

class TermCorrection(_message.Message):
    __slots__ = ("heard", "intended", "word_index")
    HEARD_FIELD_NUMBER: _ClassVar[int]
    INTENDED_FIELD_NUMBER: _ClassVar[int]
    WORD_INDEX_FIELD_NUMBER: _ClassVar[int]
    heard: str
    intended: str
    word_index: int
    def __init__(self, heard: _Optional[str] = ..., intended: _Optional[str] = ..., word_index: _Optional[int] = ...) -> None: ...

class Translation(_message.Message):
    __slots__ = ("segment_id", "language", "revision", "is_final", "text", "model", "engine_ms", "glossary_terms", "stable_text", "token_count", "first_token_ms", "generation_ms", "flags", "required_terms", "missing_terms", "erased_word_count")
    SEGMENT_ID_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    IS_FINAL_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    ENGINE_MS_FIELD_NUMBER: _ClassVar[int]
    GLOSSARY_TERMS_FIELD_NUMBER: _ClassVar[int]
    STABLE_TEXT_FIELD_NUMBER: _ClassVar[int]
    TOKEN_COUNT_FIELD_NUMBER: _ClassVar[int]
    FIRST_TOKEN_MS_FIELD_NUMBER: _ClassVar[int]
    GENERATION_MS_FIELD_NUMBER: _ClassVar[int]
    FLAGS_FIELD_NUMBER: _ClassVar[int]
    REQUIRED_TERMS_FIELD_NUMBER: _ClassVar[int]
    MISSING_TERMS_FIELD_NUMBER: _ClassVar[int]
    ERASED_WORD_COUNT_FIELD_NUMBER: _ClassVar[int]
    segment_id: int
    language: str
    revision: int
    is_final: bool
    text: str
    model: str
    engine_ms: float
    glossary_terms: _containers.RepeatedCompositeFieldContainer[GlossaryTerm]
    stable_text: str
    token_count: int
    first_token_ms: float
    generation_ms: float
    flags: _containers.RepeatedScalarFieldContainer[str]
    required_terms: _containers.RepeatedCompositeFieldContainer[GlossaryTerm]
    missing_terms: _containers.RepeatedCompositeFieldContainer[GlossaryTerm]
    erased_word_count: int
    def __init__(self, segment_id: _Optional[int] = ..., language: _Optional[str] = ..., revision: _Optional[int] = ..., is_final: bool = ..., text: _Optional[str] = ..., model: _Optional[str] = ..., engine_ms: _Optional[float] = ..., glossary_terms: _Optional[_Iterable[_Union[GlossaryTerm, _Mapping]]] = ..., stable_text: _Optional[str] = ..., token_count: _Optional[int] = ..., first_token_ms: _Optional[float] = ..., generation_ms: _Optional[float] = ..., flags: _Optional[_Iterable[str]] = ..., required_terms: _Optional[_Iterable[_Union[GlossaryTerm, _Mapping]]] = ..., missing_terms: _Optional[_Iterable[_Union[GlossaryTerm, _Mapping]]] = ..., erased_word_count: _Optional[int] = ...) -> None: ...

class GlossaryTerm(_message.Message):
    __slots__ = ("source", "target")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    source: str
    target: str
    def __init__(self, source: _Optional[str] = ..., target: _Optional[str] = ...) -> None: ...

class Signal(_message.Message):
    __slots__ = ("name", "value", "model")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    name: str
    value: float
    model: str
    def __init__(self, name: _Optional[str] = ..., value: _Optional[float] = ..., model: _Optional[str] = ...) -> None: ...
