"""Protobuf messages as JSON by their proto names, with numbers as numbers."""

from __future__ import annotations

import math
from collections.abc import MutableSequence
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp


def as_json(message: Message) -> Any:
    """Every field, at its default, too; what may be unset is left out while it is.

    MessageToDict would write 64-bit integers as strings. Every sequence and sample that Glossa
    counts is exact in a browser's number (below 2**53).
    """
    if isinstance(message, Timestamp):
        return json_format.MessageToDict(message)
    return {
        field.name: _field(field, getattr(message, field.name))
        for field in message.DESCRIPTOR.fields
        if not field.has_presence or message.HasField(field.name)
    }


def _field(field: Any, value: Any) -> Any:
    if isinstance(value, MutableSequence):
        return [_single(field, each) for each in value]
    return _single(field, value)


def _single(field: Any, value: Any) -> Any:
    if field.message_type is not None:
        return as_json(value)
    if field.enum_type is not None:
        known = field.enum_type.values_by_number.get(value)
        return known.name if known is not None else value
    if isinstance(value, float) and not math.isfinite(value):
        return None  # JSON has no word for it
    return value
