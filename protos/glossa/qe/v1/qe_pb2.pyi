from glossa.types.v1 import types_pb2 as _types_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ScoreRequest(_message.Message):
    __slots__ = ("pairs",)
    PAIRS_FIELD_NUMBER: _ClassVar[int]
    pairs: _containers.RepeatedCompositeFieldContainer[Pair]
    def __init__(self, pairs: _Optional[_Iterable[_Union[Pair, _Mapping]]] = ...) -> None: ...

class Pair(_message.Message):
    __slots__ = ("source_text", "target_text", "source_language", "target_language", "target_model", "independent_text", "independent_model", "required_terms", "missing_terms")
    SOURCE_TEXT_FIELD_NUMBER: _ClassVar[int]
    TARGET_TEXT_FIELD_NUMBER: _ClassVar[int]
    SOURCE_LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    TARGET_LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    TARGET_MODEL_FIELD_NUMBER: _ClassVar[int]
    INDEPENDENT_TEXT_FIELD_NUMBER: _ClassVar[int]
    INDEPENDENT_MODEL_FIELD_NUMBER: _ClassVar[int]
    REQUIRED_TERMS_FIELD_NUMBER: _ClassVar[int]
    MISSING_TERMS_FIELD_NUMBER: _ClassVar[int]
    source_text: str
    target_text: str
    source_language: str
    target_language: str
    target_model: str
    independent_text: str
    independent_model: str
    required_terms: _containers.RepeatedCompositeFieldContainer[_types_pb2.GlossaryTerm]
    missing_terms: _containers.RepeatedCompositeFieldContainer[_types_pb2.GlossaryTerm]
    def __init__(self, source_text: _Optional[str] = ..., target_text: _Optional[str] = ..., source_language: _Optional[str] = ..., target_language: _Optional[str] = ..., target_model: _Optional[str] = ..., independent_text: _Optional[str] = ..., independent_model: _Optional[str] = ..., required_terms: _Optional[_Iterable[_Union[_types_pb2.GlossaryTerm, _Mapping]]] = ..., missing_terms: _Optional[_Iterable[_Union[_types_pb2.GlossaryTerm, _Mapping]]] = ...) -> None: ...

class ScoreResponse(_message.Message):
    __slots__ = ("scores",)
    SCORES_FIELD_NUMBER: _ClassVar[int]
    scores: _containers.RepeatedCompositeFieldContainer[PairScore]
    def __init__(self, scores: _Optional[_Iterable[_Union[PairScore, _Mapping]]] = ...) -> None: ...

class PairScore(_message.Message):
    __slots__ = ("signals",)
    SIGNALS_FIELD_NUMBER: _ClassVar[int]
    signals: _containers.RepeatedCompositeFieldContainer[_types_pb2.Signal]
    def __init__(self, signals: _Optional[_Iterable[_Union[_types_pb2.Signal, _Mapping]]] = ...) -> None: ...
