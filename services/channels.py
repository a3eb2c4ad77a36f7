"""Connections to the services: every client in this repository opens its channels here."""

from __future__ import annotations

import grpc

# Without these a peer buffers minutes of PCM before write() blocks and a frozen peer goes unnoticed
# for a minute: the bandwidth probe grows HTTP/2 windows without limit, and keepalive alone has no
# short timeout.
FLOW_CONTROL_OPTIONS = [
    ("grpc.http2.bdp_probe", 0),
    ("grpc.http2.lookahead_bytes", 16 * 1024),
    ("grpc.http2.write_buffer_size", 16 * 1024),
]
CHANNEL_OPTIONS: list[tuple[str, int]] = [
    *FLOW_CONTROL_OPTIONS,
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 3_000),
    ("grpc.http2.ping_timeout_ms", 3_000),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 1_000),
]


def open_channel(address: str) -> grpc.aio.Channel:
    """A channel to host:port, to be closed by who opened it."""
    return grpc.aio.insecure_channel(address, options=CHANNEL_OPTIONS)


def open_blocking_channel(address: str) -> grpc.Channel:
    """The same for code without an event loop."""
    return grpc.insecure_channel(address, options=CHANNEL_OPTIONS)
