"""One directory of certificates: who this process is on the network, and whom it believes.

    ca.pem            whom everyone here believes
    <name>.pem        the certificate (chain) of a service, or of `client`: the command line,
                      displays, Prometheus
    <name>-key.pem    its key

They are tried before they are used: two ends in memory shake hands with them as two services
would, so that what would fail on the network fails at the start, with a reason.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from pathlib import Path

from services.errors import InvalidInput

CLIENT = "client"
CA_FILE = "ca.pem"


@dataclass(frozen=True)
class Certificates:
    """The files of one name, as PEM, found good together.

    Args:
        expires_at_s: when the certificate itself ends, seconds since 1970.
    """

    directory: Path
    name: str
    ca: bytes
    chain: bytes
    key: bytes = field(repr=False)
    expires_at_s: float

    @property
    def ca_file(self) -> Path:
        return self.directory / CA_FILE

    @property
    def chain_file(self) -> Path:
        return chain_file(self.directory, self.name)

    @property
    def key_file(self) -> Path:
        return key_file(self.directory, self.name)


def chain_file(directory: Path, name: str) -> Path:
    return directory / f"{name}.pem"


def key_file(directory: Path, name: str) -> Path:
    return directory / f"{name}-key.pem"


def read_certificates(directory: Path, name: str) -> Certificates:
    """The certificate of `name`, with its key and the CA that everyone believes.

    Raises:
        InvalidInput: CERTIFICATE_MISSING, or BAD_CERTIFICATE: unreadable, not the key's, expired,
            or not of this CA.
    """
    paths = (directory / CA_FILE, chain_file(directory, name), key_file(directory, name))
    ca, chain, key = (_read(path) for path in paths)
    return Certificates(directory, name, ca, chain, key, _expiry(directory, name))


def server_context(chain: Path, key: Path) -> ssl.SSLContext:
    """What a listener of HTTPS shows: TLS 1.2 or newer. Raises InvalidInput BAD_CERTIFICATE."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _load_chain(context, chain, key)
    return context


def client_context(directory: Path, name: str = CLIENT) -> ssl.SSLContext:
    """What a client of HTTPS believes and shows. Raises InvalidInput BAD_CERTIFICATE."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _believe(context, directory / CA_FILE)
    _load_chain(context, chain_file(directory, name), key_file(directory, name))
    return context


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidInput(
            "CERTIFICATE_MISSING",
            f"cannot read {path}: {error.strerror}; ./glossa certs makes a directory of "
            "certificates for GLOSSA_CERTIFICATES_DIR",
        ) from error


def _load_chain(context: ssl.SSLContext, chain: Path, key: Path) -> None:
    try:
        # Without a password of our own OpenSSL would ask for one at the terminal.
        context.load_cert_chain(chain, key, password="")
    except OSError as error:  # ssl.SSLError is one
        raise InvalidInput(
            "BAD_CERTIFICATE",
            f"{chain} and {key} are not a PEM certificate and its key without a password "
            f"({error.strerror or error})",
        ) from error


def _believe(context: ssl.SSLContext, ca: Path) -> None:
    _read(ca)
    try:
        context.load_verify_locations(ca)
    except OSError as error:
        raise InvalidInput(
            "BAD_CERTIFICATE", f"{ca} is no PEM certificate ({error.strerror or error})"
        ) from error


def _expiry(directory: Path, name: str) -> float:
    """When the certificate ends, told by one who believes the CA and has just met it."""
    client = client_context(directory, name)
    client.check_hostname = False  # names are the callers' to check
    server = server_context(chain_file(directory, name), key_file(directory, name))
    server.verify_mode = ssl.CERT_REQUIRED
    _believe(server, directory / CA_FILE)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(to_client, to_server),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    waiting = list(ends)
    try:
        while waiting:
            waiting = [end for end in waiting if not _has_shaken(end)]
    except ssl.SSLError as error:
        why = getattr(error, "verify_message", "") or error.reason or str(error)
        raise InvalidInput(
            "BAD_CERTIFICATE",
            f"{chain_file(directory, name)} is not to be used with {directory / CA_FILE}: {why}; "
            "./glossa certs show tells of each, ./glossa certs renew makes new ones",
        ) from error
    met = ends[0].getpeercert() or {}
    return float(ssl.cert_time_to_seconds(str(met["notAfter"])))


def _has_shaken(end: ssl.SSLObject) -> bool:
    try:
        end.do_handshake()
    except ssl.SSLWantReadError:
        return False
    return True
