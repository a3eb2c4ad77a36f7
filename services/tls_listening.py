"""What a port shows of this process: TLS from the directory of certificates, renewed while serving.

Each new connection finds out whether the files have changed (at most once in a while), and what is
open stays as it is. A renewal that cannot be used is told in the log and changes nothing.
"""

from __future__ import annotations

import ssl
import time
from pathlib import Path
from typing import Any

import grpc
import prometheus_client
import structlog

from services.certificates import Certificates, read_certificates, server_context
from services.errors import GlossaError

log = structlog.get_logger()

_LOOK_INTERVAL_S = 1.0

EXPIRY_SECONDS = prometheus_client.Gauge(
    "glossa_certificate_expiry_timestamp_seconds",
    "When the certificate that this service shows ends, in seconds since 1970.",
)


class RenewedCertificates:
    """The certificates of a name as they lie in a directory, watched for new ones."""

    def __init__(self, directory: Path, name: str) -> None:
        """Raises InvalidInput: CERTIFICATE_MISSING, BAD_CERTIFICATE."""
        self.current = read_certificates(directory, name)
        EXPIRY_SECONDS.set(self.current.expires_at_s)
        self._seen = _stamps(self.current)
        self._looked_at = time.monotonic()

    def renewed(self) -> Certificates | None:
        """New ones that are good; None when nothing has changed, or not for the better."""
        if time.monotonic() - self._looked_at < _LOOK_INTERVAL_S:
            return None
        self._looked_at = time.monotonic()
        stamps = _stamps(self.current)
        if stamps == self._seen:
            return None
        self._seen = stamps
        try:
            self.current = read_certificates(self.current.directory, self.current.name)
        except GlossaError as error:
            log.error("certificate_not_renewed", reason=error.reason, message=error.message)
            return None
        EXPIRY_SECONDS.set(self.current.expires_at_s)
        log.info("certificate_renewed", file=str(self.current.chain_file))
        return self.current


def grpc_credentials(
    directory: Path, name: str, *, requires_client: bool
) -> grpc.ServerCredentials:
    """What a gRPC port shows; with `requires_client` it wants a certificate of the CA in return.

    gRPC's core speaks TLS 1.2 and newer alone. Raises InvalidInput: CERTIFICATE_MISSING,
    BAD_CERTIFICATE.
    """
    watched = RenewedCertificates(directory, name)

    def fetch() -> Any:
        renewed = watched.renewed()
        return None if renewed is None else _configuration(renewed)

    return grpc.dynamic_ssl_server_credentials(
        _configuration(watched.current), fetch, require_client_authentication=requires_client
    )


def https_context(directory: Path, name: str) -> ssl.SSLContext:
    """What an HTTPS port shows. Raises InvalidInput: CERTIFICATE_MISSING, BAD_CERTIFICATE."""
    watched = RenewedCertificates(directory, name)
    contexts = [_context(watched.current)]

    # OpenSSL asks for each connection, also for one that names no host.
    def choose(connection: ssl.SSLObject, asked: str | None, first: ssl.SSLContext) -> None:
        if (renewed := watched.renewed()) is not None:
            contexts[0] = _context(renewed)
        if contexts[0] is not first:
            connection.context = contexts[0]

    contexts[0].sni_callback = choose
    return contexts[0]


def _configuration(files: Certificates) -> Any:
    return grpc.ssl_server_certificate_configuration([(files.key, files.chain)], files.ca)


def _context(files: Certificates) -> ssl.SSLContext:
    return server_context(files.chain_file, files.key_file)


def _stamps(files: Certificates) -> tuple[tuple[int, int], ...]:
    """When each file was last written, and last given to another user; 0 where there is none."""
    paths = (files.ca_file, files.chain_file, files.key_file)
    return tuple(_changed_at_ns(path) for path in paths)


def _changed_at_ns(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return (0, 0)
    return (found.st_mtime_ns, found.st_ctime_ns)
