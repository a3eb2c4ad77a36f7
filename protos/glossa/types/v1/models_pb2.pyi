from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetModelRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetModelResponse(_message.Message):
    __slots__ = ("engine", "model", "capabilities", "tiers")
    ENGINE_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    CAPABILITIES_FIELD_NUMBER: _ClassVar[int]
    TIERS_FIELD_NUMBER: _ClassVar[int]
    engine: str
    model: str
    capabilities: _containers.RepeatedScalarFieldContainer[str]
    tiers: _containers.RepeatedCompositeFieldContainer[TierModel]
    def __init__(self, engine: _Optional[str] = ..., model: _Optional[str] = ..., capabilities: _Optional[_Iterable[str]] = ..., tiers: _Optional[_Iterable[_Union[TierModel, _Mapping]]] = ...) -> None: ...

class TierModel(_message.Message):
    __slots__ = ("tier", "engine", "model")
    TIER_FIELD_NUMBER: _ClassVar[int]
    ENGINE_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    tier: str
    engine: str
    model: str
    def __init__(self, tier: _Optional[str] = ..., engine: _Optional[str] = ..., model: _Optional[str] = ...) -> None: ...

class LoadModelRequest(_message.Message):
    __slots__ = ("tier", "engine", "model")
    TIER_FIELD_NUMBER: _ClassVar[int]
    ENGINE_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    tier: str
    engine: str
    model: str
    def __init__(self, tier: _Optional[str] = ..., engine: _Optional[str] = ..., model: _Optional[str] = ...) -> None: ...

class RollbackRequest(_message.Message):
    __slots__ = ("tier",)
    TIER_FIELD_NUMBER: _ClassVar[int]
    tier: str
    def __init__(self, tier: _Optional[str] = ...) -> None: ...

class LoadModelResponse(_message.Message):
    __slots__ = ("current", "previous", "load_ms")
    CURRENT_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_FIELD_NUMBER: _ClassVar[int]
    LOAD_MS_FIELD_NUMBER: _ClassVar[int]
    current: TierModel
    previous: TierModel
    load_ms: float
    def __init__(self, current: _Optional[_Union[TierModel, _Mapping]] = ..., previous: _Optional[_Union[TierModel, _Mapping]] = ..., load_ms: _Optional[float] = ...) -> None: ...

class RollbackResponse(_message.Message):
    __slots__ = ("current", "previous", "load_ms")
    CURRENT_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_FIELD_NUMBER: _ClassVar[int]
    LOAD_MS_FIELD_NUMBER: _ClassVar[int]
    current: TierModel
    previous: TierModel
    load_ms: float
    def __init__(self, current: _Optional[_Union[TierModel, _Mapping]] = ..., previous: _Optional[_Union[TierModel, _Mapping]] = ..., load_ms: _Optional[float] = ...) -> None: ...
