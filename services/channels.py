"""Connections to the services: every client in this repository opens its channels here.

How a process shows who it is holds for all of them, and is said once, at the edge, as logging is.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import grpc

from services.bearer_channel import BearerChannel, BearerInterceptor
from services.certificates import CLIENT, read_certificates
from services.replicas import replica_options
from services.token_file import read_token

# Of both ends of every connection.
PEER_OPTIONS: list[tuple[str, int]] = [
    # Without these a peer buffers minutes of PCM before write() blocks and a frozen peer goes
    # unnoticed for a minute: the bandwidth probe grows HTTP/2 windows without limit, and keepalive
    # alone has no short timeout.
    ("grpc.http2.bdp_probe", 0),
    ("grpc.http2.lookahead_bytes", 16 * 1024),
    ("grpc.http2.write_buffer_size", 16 * 1024),
    # Of the algorithms none but identity: gRPC may hold a compressed message to the limit of its
    # size only after it has inflated it whole (1.80 does).
    ("grpc.compression_enabled_algorithms_bitset", 0b1),
]
CHANNEL_OPTIONS: list[tuple[str, int]] = [
    *PEER_OPTIONS,
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 3_000),
    ("grpc.http2.ping_timeout_ms", 3_000),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 1_000),
]


@dataclass(frozen=True)
class Identity:
    """Who this process is to the services that it calls.

    Args:
        certificates_dir: None: the connections are not encrypted.
        name: whose certificate of that directory it shows.
        token: what it brings as `authorization: Bearer ...`; empty: nothing.
    """

    certificates_dir: Path | None = None
    name: str = CLIENT
    token: str = field(default="", repr=False)


_identity: Identity | None = None


def identify(identity: Identity) -> None:
    """From now on every channel of this process is opened as `identity`."""
    global _identity
    _identity = identity


def current_identity() -> Identity:
    """As `identify` was told; without that a client, as the environment has it."""
    return _identity if _identity is not None else client_identity(os.environ)


def client_identity(environment: Mapping[str, str]) -> Identity:
    """A client by GLOSSA_CERTIFICATES_DIR, GLOSSA_TOKEN and GLOSSA_TOKEN_FILE.

    Raises:
        InvalidInput: TOKEN_UNREADABLE.
    """
    directory = environment.get("GLOSSA_CERTIFICATES_DIR")
    token = environment.get("GLOSSA_TOKEN", "").strip()
    if not token and (file := environment.get("GLOSSA_TOKEN_FILE")):
        token = read_token(Path(file))
    return Identity(Path(directory) if directory else None, token=token)


def open_channel(address: str) -> grpc.aio.Channel:
    """A channel to host:port, or to replicas by a name of theirs; to be closed by who opened it.

    Raises:
        InvalidInput: CERTIFICATE_MISSING, BAD_CERTIFICATE, TOKEN_UNREADABLE.
    """
    identity = current_identity()
    options = [*CHANNEL_OPTIONS, *replica_options(address)]
    if identity.certificates_dir is None:
        channel = grpc.aio.insecure_channel(address, options=options)
    else:
        credentials = _credentials(identity.certificates_dir, identity.name)
        channel = grpc.aio.secure_channel(address, credentials, options=options)
    return BearerChannel(channel, identity.token) if identity.token else channel


def open_blocking_channel(address: str) -> grpc.Channel:
    """The same for code without an event loop."""
    identity = current_identity()
    options = [*CHANNEL_OPTIONS, *replica_options(address)]
    if identity.certificates_dir is None:
        channel = grpc.insecure_channel(address, options=options)
    else:
        credentials = _credentials(identity.certificates_dir, identity.name)
        channel = grpc.secure_channel(address, credentials, options=options)
    if identity.token:
        return grpc.intercept_channel(channel, BearerInterceptor(identity.token))
    return channel


def _credentials(directory: Path, name: str) -> grpc.ChannelCredentials:
    files = read_certificates(directory, name)
    return grpc.ssl_channel_credentials(files.ca, files.key, files.chain)
