"""Whose connection it is, so that what one host may have can be counted."""

from __future__ import annotations

import ipaddress
from urllib.parse import unquote


def host_of_peer(peer: str) -> str:
    """The host of a gRPC peer: `ipv4:10.0.0.7:40000` is 10.0.0.7, `ipv6:%5B::1%5D:40000` is ::/64.

    What is no IP address (`unix:...`) counts as one host.
    """
    kind, _, address = unquote(peer).partition(":")
    if kind not in ("ipv4", "ipv6"):
        return kind
    return host(address.rpartition(":")[0].strip("[]"))


def host(address: str) -> str:
    """An IPv4 address; of an IPv6 address its /64, within which a host may choose as it likes."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    if ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    return str(ipaddress.ip_network((ip, 64), strict=False))
