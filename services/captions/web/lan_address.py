"""This machine's address in the network that it shares with phones."""

from __future__ import annotations

import contextlib
import fcntl
import ipaddress
import socket
import struct
from collections.abc import Iterator

# Private networks (RFC 1918), and what a machine without a router still has a route for.
_TOWARDS = ("192.168.255.254", "10.255.255.254", "172.31.255.254", "224.0.0.251")
# Never spoken to: a UDP socket that is connected sends nothing, it only learns its own address.
_DISCARD_PORT = 9
_SIOCGIFADDR = 0x8915  # netdevice(7)
_EVERY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104 - looked for, not listened on


def reached_host(host: str, port: int) -> str:
    """host:port at which others reach a server that listens on `host`; empty when unknown."""
    if host in _EVERY_ADDRESS:
        host = lan_address()
    if not host:
        return ""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def lan_address() -> str:
    """The IPv4 address that others in the network reach; empty when there is none.

    With several interfaces it is a guess: that of the one by which packets to private networks
    leave; where there is no router, that of the first card.
    """
    found = [each for each in (*_by_route(), *_by_interface()) if _is_usable(each)]
    return next((each for each in found if _is_private(each)), next(iter(found), ""))


def _by_route() -> Iterator[str]:
    for towards in _TOWARDS:
        with (
            contextlib.suppress(OSError),  # no route there
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe,
        ):
            probe.connect((towards, _DISCARD_PORT))
            yield probe.getsockname()[0]


def _by_interface() -> Iterator[str]:
    """What the kernel of Linux knows; nothing elsewhere."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for _, name in socket.if_nameindex():
            request = struct.pack("256s", name.encode()[:15])
            with contextlib.suppress(OSError):  # no IPv4 address, or no such call
                answer = fcntl.ioctl(probe.fileno(), _SIOCGIFADDR, request)
                yield socket.inet_ntoa(answer[20:24])


def _is_usable(text: str) -> bool:
    address = ipaddress.ip_address(text)
    return not (address.is_loopback or address.is_unspecified or address.is_link_local)


def _is_private(text: str) -> bool:
    return ipaddress.ip_address(text).is_private
