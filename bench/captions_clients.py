"""Displays for `./glossa bench captions`: bare protocols, cheap enough to run a thousand of."""

from __future__ import annotations

import asyncio
import base64
import os
import re
import time
from collections.abc import Callable
from typing import cast
from urllib.parse import urlencode

from bench.captions_sermon import SESSION
from glossa.captions.v1 import captions_pb2

_STAMP = re.compile(rb"\[\[(\d+):(\d+)\]\]")

# Which update of the sermon has come, and how long it took in nanoseconds.
Received = Callable[[int, int], None]


class Viewer(asyncio.Protocol):
    """One display; what its transport says is told apart by the subclass's three methods."""

    def __init__(self, after_sequence: int, received: Received) -> None:
        self.after_sequence = after_sequence
        self.newest = -1
        self.caught_up = asyncio.get_running_loop().create_future()
        self.is_connected = False
        self._received = received
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass
        self.is_connected = True
        self.transport.write(self.request(self.after_sequence))

    def connection_lost(self, error: Exception | None) -> None:
        self.is_connected = False
        if not self.caught_up.done():
            self.caught_up.set_exception(ConnectionResetError("refused, or cut"))
            self.caught_up.exception()  # who does not wait does not want to hear of it

    def data_received(self, data: bytes) -> None:
        now_ns = time.monotonic_ns()
        if self._rest:
            data = self._rest + data
        self._rest = data[self.parse(data, now_ns) :]

    def take(self, message: bytes, now_ns: int) -> None:
        stamp = _STAMP.search(message)
        if stamp is not None:
            number = int(stamp[1])
            if number > self.newest:
                self.newest = number
                self._received(number, now_ns - int(stamp[2]))
        elif not self.caught_up.done() and self.says_caught_up(message):
            self.caught_up.set_result(None)

    def says_caught_up(self, message: bytes) -> bool:
        return b'"caught_up"' in message

    @staticmethod
    def request(after_sequence: int) -> bytes:
        """What asks for the sermon."""
        raise NotImplementedError

    def parse(self, data: bytes, now_ns: int) -> int:
        """Takes the whole messages in `data`; returns how many bytes of it they were."""
        raise NotImplementedError


def _query(after_sequence: int) -> str:
    return urlencode({"session": SESSION, "after": after_sequence})


class WebSocketViewer(Viewer):
    """RFC 6455, as much of it as these servers speak."""

    _is_open = False

    @staticmethod
    def request(after_sequence: int) -> bytes:
        key = base64.b64encode(os.urandom(16)).decode()
        headers = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        return (
            f"GET /ws?{_query(after_sequence)} HTTP/1.1\r\nHost: 127.0.0.1\r\n{headers}"
            f"Sec-WebSocket-Key: {key}\r\n\r\n"
        ).encode()

    def parse(self, data: bytes, now_ns: int) -> int:
        at = 0
        if not self._is_open:
            at = data.find(b"\r\n\r\n") + 4
            if at < 4:
                return 0
            if not data.startswith(b"HTTP/1.1 101"):
                self.transport.abort()
                return len(data)
            self._is_open = True
        end = len(data)
        while end - at >= 2:
            opcode, length, start = data[at] & 0x0F, data[at + 1], at + 2
            if length >= 126:
                size = 2 if length == 126 else 8
                length = int.from_bytes(data[start : start + size], "big")
                start += size
            if end < start + length:
                break
            if opcode == 1:
                self.take(data[start : start + length], now_ns)
            elif opcode == 9:
                self.transport.write(b"\x8a\x80\0\0\0\0")  # a pong, masked with zeros
            elif opcode == 8:
                self.transport.close()
            at = start + length
        return at


class SseViewer(Viewer):
    """An EventSource: the chunks of one answer."""

    _is_open = False

    @staticmethod
    def request(after_sequence: int) -> bytes:
        path = f"/events?{_query(after_sequence)}"
        return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()

    def parse(self, data: bytes, now_ns: int) -> int:
        at = 0
        if not self._is_open:
            at = data.find(b"\r\n\r\n") + 4
            if at < 4:
                return 0
            if not data.startswith(b"HTTP/1.1 200"):
                self.transport.abort()
                return len(data)
            self._is_open = True
        while (line_end := data.find(b"\r\n", at)) >= 0:
            start = line_end + 2
            length = int(data[at:line_end], 16)
            if len(data) < start + length + 2:
                break
            if b"event: error" in data[start : start + length]:
                self.transport.close()
            self.take(data[start : start + length], now_ns)
            at = start + length + 2
        return at


_DATA, _HEADERS, _SETTINGS, _PING, _GOAWAY, _WINDOW_UPDATE = 0, 1, 4, 6, 7, 8
_ACK = 1
_END_STREAM, _END_HEADERS = 1, 4


class GrpcViewer(Viewer):
    """A gRPC client on an HTTP/2 connection of its own (RFC 9113), windows wide open."""

    def __init__(self, after_sequence: int, received: Received) -> None:
        super().__init__(after_sequence, received)
        self._messages = b""

    @staticmethod
    def request(after_sequence: int) -> bytes:
        headers = {
            ":method": "POST",
            ":scheme": "http",
            ":path": "/glossa.captions.v1.CaptionService/Subscribe",
            ":authority": "127.0.0.1",
            "te": "trailers",
            "content-type": "application/grpc",
        }
        block = b"".join(  # literals, neither indexed nor Huffman coded: RFC 7541, 6.2.2
            b"\0%c%b%c%b" % (len(name), name.encode(), len(value), value.encode())
            for name, value in headers.items()
        )
        wanted = captions_pb2.SubscribeRequest(session_id=SESSION, after_sequence=after_sequence)
        message = wanted.SerializeToString()
        widest_window = b"\0\4" + (2**31 - 1).to_bytes(4, "big")
        return b"".join(
            (
                b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                _frame(_SETTINGS, 0, 0, widest_window),
                _frame(_WINDOW_UPDATE, 0, 0, (2**30).to_bytes(4, "big")),
                _frame(_HEADERS, _END_HEADERS, 1, block),
                _frame(_DATA, _END_STREAM, 1, b"\0" + len(message).to_bytes(4, "big") + message),
            )
        )

    def parse(self, data: bytes, now_ns: int) -> int:
        at = 0
        while len(data) - at >= 9:
            length = int.from_bytes(data[at : at + 3], "big")
            kind, flags, start = data[at + 3], data[at + 4], at + 9
            if len(data) < start + length:
                break
            payload = data[start : start + length]
            if kind == _DATA:
                self._take_messages(payload, now_ns)
            elif kind == _SETTINGS and not flags & _ACK:
                self.transport.write(_frame(_SETTINGS, _ACK, 0, b""))
            elif kind == _PING and not flags & _ACK:
                self.transport.write(_frame(_PING, _ACK, 0, payload))
            elif kind == _GOAWAY or (kind == _HEADERS and flags & _END_STREAM):
                self.transport.close()
            at = start + length
        return at

    def _take_messages(self, payload: bytes, now_ns: int) -> None:
        data, at = self._messages + payload, 0
        while len(data) - at >= 5:
            length = int.from_bytes(data[at + 1 : at + 5], "big")
            if len(data) < at + 5 + length:
                break
            self.take(data[at + 5 : at + 5 + length], now_ns)
            at += 5 + length
        self._messages = data[at:]

    def says_caught_up(self, message: bytes) -> bool:
        return captions_pb2.SubscribeResponse.FromString(message).HasField("caught_up")


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return b"%b%c%c%b%b" % (
        len(payload).to_bytes(3, "big"),
        kind,
        flags,
        stream.to_bytes(4, "big"),
        payload,
    )


VIEWERS: dict[str, type[Viewer]] = {
    "websocket": WebSocketViewer,
    "sse": SseViewer,
    "grpc": GrpcViewer,
}
