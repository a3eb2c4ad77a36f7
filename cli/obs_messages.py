"""The messages of obs-websocket 5 that are read, checked as they come: any program may answer."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, alias_generator=to_camel)


class _Envelope(_Part):
    op: int
    d: dict[str, Any]


class _Authentication(_Part):
    challenge: str
    salt: str


class Hello(_Part):
    """What the server begins with."""

    rpc_version: int = 0
    authentication: _Authentication | None = None


class _RequestStatus(_Part):
    result: bool
    code: int
    comment: str = ""


class RequestResponse(_Part):
    """What came of a request."""

    request_id: str
    request_status: _RequestStatus
    response_data: dict[str, Any] | None = None


class _Input(_Part):
    input_name: str
    input_kind: str


class InputList(_Part):
    """The data of GetInputList's answer."""

    inputs: list[_Input]


class InputSettings(_Part):
    """The data of GetInputSettings' answer."""

    input_settings: dict[str, Any]


def data_of(text: str, op: int) -> dict[str, Any] | None:
    """What a message of the kind `op` brings; None: it is of another. Raises ValueError."""
    envelope = _Envelope.model_validate_json(text)
    return envelope.d if envelope.op == op else None
