"""A name server that answers every question for an IPv4 address with the same addresses.

async with NameServer("127.0.0.1", "127.0.0.2") as names:
    open_channel(f"dns://{names.address}/tasks.mt:7304")
"""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Self, cast

_HEADER_BYTES = 12
_A, _INTERNET = 1, 1
_FOUND = 0x8180  # an answer, without an error (RFC 1035, 4.1.1)
_NAME_OF_THE_QUESTION = 0xC000 | _HEADER_BYTES


class NameServer(asyncio.DatagramProtocol):
    def __init__(self, *addresses: str) -> None:
        """`addresses` may be replaced while it answers."""
        self.addresses = list(addresses)

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
        return self

    async def __aexit__(self, *error: object) -> None:
        self._transport.close()

    @property
    def address(self) -> str:
        host, port = self._transport.get_extra_info("sockname")
        return f"{host}:{port}"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, peer: tuple[str | int, ...]) -> None:
        end = data.index(b"\0", _HEADER_BYTES) + 5  # of the name, then type and class
        question = data[_HEADER_BYTES:end]
        (kind,) = struct.unpack("!H", question[-4:-2])
        found = [socket.inet_aton(each) for each in self.addresses] if kind == _A else []
        answer = data[:2] + struct.pack("!HHHHH", _FOUND, 1, len(found), 0, 0) + question
        for each in found:
            fields = (_NAME_OF_THE_QUESTION, _A, _INTERNET, 0, len(each))
            answer += struct.pack("!HHHIH", *fields) + each
        self._transport.sendto(answer, peer)
