from glossa.types.v1 import types_pb2 as _types_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class StreamingTranscribeRequest(_message.Message):
    __slots__ = ("config", "audio")
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    config: TranscribeConfig
    audio: _types_pb2.AudioChunk
    def __init__(self, config: _Optional[_Union[TranscribeConfig, _Mapping]] = ..., audio: _Optional[_Union[_types_pb2.AudioChunk, _Mapping]] = ...) -> None: ...

class TranscribeConfig(_message.Message):
    __slots__ = ("format", "language", "phrases", "partial_results", "first_segment_id")
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    PHRASES_FIELD_NUMBER: _ClassVar[int]
    PARTIAL_RESULTS_FIELD_NUMBER: _ClassVar[int]
    FIRST_SEGMENT_ID_FIELD_NUMBER: _ClassVar[int]
    format: _types_pb2.AudioFormat
    language: str
    phrases: _containers.RepeatedScalarFieldContainer[str]
    partial_results: bool
    first_segment_id: int
    def __init__(self, format: _Optional[_Union[_types_pb2.AudioFormat, _Mapping]] = ..., language: _Optional[str] = ..., phrases: _Optional[_Iterable[str]] = ..., partial_results: bool = ..., first_segment_id: _Optional[int] = ...) -> None: ...

class StreamingTranscribeResponse(_message.Message):
    __slots__ = ("settled_sample", "speech_started", "transcript", "segment_suppressed")
    SETTLED_SAMPLE_FIELD_NUMBER: _ClassVar[int]
    SPEECH_STARTED_FIELD_NUMBER: _ClassVar[int]
    TRANSCRIPT_FIELD_NUMBER: _ClassVar[int]
    SEGMENT_SUPPRESSED_FIELD_NUMBER: _ClassVar[int]
    settled_sample: int
    speech_started: SpeechStarted
    transcript: _types_pb2.Transcript
    segment_suppressed: SegmentSuppressed
    def __init__(self, settled_sample: _Optional[int] = ..., speech_started: _Optional[_Union[SpeechStarted, _Mapping]] = ..., transcript: _Optional[_Union[_types_pb2.Transcript, _Mapping]] = ..., segment_suppressed: _Optional[_Union[SegmentSuppressed, _Mapping]] = ...) -> None: ...

class SpeechStarted(_message.Message):
    __slots__ = ("segment_id", "start_offset_ms")
    SEGMENT_ID_FIELD_NUMBER: _ClassVar[int]
    START_OFFSET_MS_FIELD_NUMBER: _ClassVar[int]
    segment_id: int
    start_offset_ms: int
    def __init__(self, segment_id: _Optional[int] = ..., start_offset_ms: _Optional[int] = ...) -> None: ...

class SegmentSuppressed(_message.Message):
    __slots__ = ("segment_id", "reason", "start_offset_ms", "end_offset_ms", "text")
    SEGMENT_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    START_OFFSET_MS_FIELD_NUMBER: _ClassVar[int]
    END_OFFSET_MS_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    segment_id: int
    reason: str
    start_offset_ms: int
    end_offset_ms: int
    text: str
    def __init__(self, segment_id: _Optional[int] = ..., reason: _Optional[str] = ..., start_offset_ms: _Optional[int] = ..., end_offset_ms: _Optional[int] = ..., text: _Optional[str] = ...) -> None: ...
