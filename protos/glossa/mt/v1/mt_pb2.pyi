from glossa.types.v1 import types_pb2 as _types_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class TranslateRequest(_message.Message):
    __slots__ = ("text", "source_language", "target_language", "draft", "context", "glossary", "committed_text", "previous_text")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    SOURCE_LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    TARGET_LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    DRAFT_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    GLOSSARY_FIELD_NUMBER: _ClassVar[int]
    COMMITTED_TEXT_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_TEXT_FIELD_NUMBER: _ClassVar[int]
    text: str
    source_language: str
    target_language: str
    draft: bool
    context: _containers.RepeatedCompositeFieldContainer[ContextPair]
    glossary: _containers.RepeatedCompositeFieldContainer[_types_pb2.GlossaryTerm]
    committed_text: str
    previous_text: str
    def __init__(self, text: _Optional[str] = ..., source_language: _Optional[str] = ..., target_language: _Optional[str] = ..., draft: bool = ..., context: _Optional[_Iterable[_Union[ContextPair, _Mapping]]] = ..., glossary: _Optional[_Iterable[_Union[_types_pb2.GlossaryTerm, _Mapping]]] = ..., committed_text: _Optional[str] = ..., previous_text: _Optional[str] = ...) -> None: ...

class ContextPair(_message.Message):
    __slots__ = ("source", "target")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    source: str
    target: str
    def __init__(self, source: _Optional[str] = ..., target: _Optional[str] = ...) -> None: ...

class TranslateResponse(_message.Message):
    __slots__ = ("text", "model", "glossary_terms", "engine_ms", "unknown_word_count", "token_count", "first_token_ms", "generation_ms", "flags", "required_terms", "missing_terms", "held_back_word_count")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    GLOSSARY_TERMS_FIELD_NUMBER: _ClassVar[int]
    ENGINE_MS_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_WORD_COUNT_FIELD_NUMBER: _ClassVar[int]
    TOKEN_COUNT_FIELD_NUMBER: _ClassVar[int]
    FIRST_TOKEN_MS_FIELD_NUMBER: _ClassVar[int]
    GENERATION_MS_FIELD_NUMBER: _ClassVar[int]
    FLAGS_FIELD_NUMBER: _ClassVar[int]
    REQUIRED_TERMS_FIELD_NUMBER: _ClassVar[int]
    MISSING_TERMS_FIELD_NUMBER: _ClassVar[int]
    HELD_BACK_WORD_COUNT_FIELD_NUMBER: _ClassVar[int]
    text: str
    model: str
    glossary_terms: _containers.RepeatedCompositeFieldContainer[_types_pb2.GlossaryTerm]
    engine_ms: float
    unknown_word_count: int
    token_count: int
    first_token_ms: float
    generation_ms: float
    flags: _containers.RepeatedScalarFieldContainer[str]
    required_terms: _containers.RepeatedCompositeFieldContainer[_types_pb2.GlossaryTerm]
    missing_terms: _containers.RepeatedCompositeFieldContainer[_types_pb2.GlossaryTerm]
    held_back_word_count: int
    def __init__(self, text: _Optional[str] = ..., model: _Optional[str] = ..., glossary_terms: _Optional[_Iterable[_Union[_types_pb2.GlossaryTerm, _Mapping]]] = ..., engine_ms: _Optional[float] = ..., unknown_word_count: _Optional[int] = ..., token_count: _Optional[int] = ..., first_token_ms: _Optional[float] = ..., generation_ms: _Optional[float] = ..., flags: _Optional[_Iterable[str]] = ..., required_terms: _Optional[_Iterable[_Union[_types_pb2.GlossaryTerm, _Mapping]]] = ..., missing_terms: _Optional[_Iterable[_Union[_types_pb2.GlossaryTerm, _Mapping]]] = ..., held_back_word_count: _Optional[int] = ...) -> None: ...

class StreamTranslateRequest(_message.Message):
    __slots__ = ("request",)
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    request: TranslateRequest
    def __init__(self, request: _Optional[_Union[TranslateRequest, _Mapping]] = ...) -> None: ...

class StreamTranslateResponse(_message.Message):
    __slots__ = ("translation", "is_final")
    TRANSLATION_FIELD_NUMBER: _ClassVar[int]
    IS_FINAL_FIELD_NUMBER: _ClassVar[int]
    translation: TranslateResponse
    is_final: bool
    def __init__(self, translation: _Optional[_Union[TranslateResponse, _Mapping]] = ..., is_final: bool = ...) -> None: ...
