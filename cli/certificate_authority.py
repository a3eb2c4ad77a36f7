"""Makes certificates for a church: one authority of its own, and one certificate a service.

The authority signs nothing but these (pathlen 0), with ECDSA on P-256 throughout. A certificate
lives for 825 days at most, as Apple's devices ask of every server's (support.apple.com/103769).
"""

from __future__ import annotations

import datetime
import ipaddress
import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from services.certificates import CA_FILE, CLIENT, chain_file, key_file
from services.errors import InvalidInput, NotFound, WrongState
from services.file_owner import keep_owner
from services.settings import SERVICES

CA_KEY_FILE = "ca-key.pem"
NAMES = (*SERVICES, CLIENT)
CA_DAYS = 3650
LEAF_DAYS = 825
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
# Clocks differ: what is made now shall be good on a machine that is a little behind.
_BEFORE = datetime.timedelta(hours=1)

PrivateKey = ec.EllipticCurvePrivateKey


def make_all(directory: Path, hosts: Iterable[str], *, days: int = LEAF_DAYS) -> None:
    """A new authority and every certificate, whole or not at all.

    Args:
        hosts: names and addresses, besides their own, under which the services are reached.

    Raises:
        WrongState: CA_EXISTS.
        InvalidInput: BAD_HOST, or NO_ROOM when the folder cannot be written.
    """
    if (directory / CA_FILE).exists() or (directory / CA_KEY_FILE).exists():
        raise WrongState(
            "CA_EXISTS",
            f"there is an authority in {directory} already, and whoever trusts it would have to "
            "trust another one; ./glossa certs renew makes new certificates with it",
        )
    key = ec.generate_private_key(ec.SECP256R1())
    authority = _authority(key)
    contents = {CA_FILE: _pem(authority), CA_KEY_FILE: _key_pem(key)}
    names = alternative_names(hosts)
    for name in NAMES:
        contents |= _leaf_files(name, names, authority, key, days)
    _write(directory, contents)


def renew(
    directory: Path, hosts: Iterable[str], ca_key: Path | None = None, *, days: int = LEAF_DAYS
) -> None:
    """New certificates and keys of the same authority, with the hosts of the old ones and `hosts`.

    Args:
        ca_key: where the authority's key is kept; None: beside its certificate.

    Raises:
        NotFound: NO_CA.
        InvalidInput: BAD_HOST, BAD_CERTIFICATE, NO_ROOM.
    """
    ca_key = ca_key or directory / CA_KEY_FILE
    authority, key = _read_authority(directory / CA_FILE, ca_key)
    contents: dict[str, bytes] = {}
    for name in NAMES:
        kept = _hosts_of(chain_file(directory, name))
        names = alternative_names((*kept, *hosts))
        contents |= _leaf_files(name, names, authority, key, days)
    _write(directory, contents)


def alternative_names(hosts: Iterable[str]) -> list[x509.GeneralName]:
    """What a certificate is for, besides its service's own names. Raises InvalidInput BAD_HOST."""
    return [_general_name(host) for host in dict.fromkeys((*_LOOPBACK, *hosts))]


def service_names(name: str) -> list[str]:
    """How the others call a service in compose, swarm and Kubernetes (namespace glossa)."""
    names = [name, f"tasks.{name}", f"{name}.glossa", f"{name}.glossa.svc"]
    names.append(f"{name}.glossa.svc.cluster.local")
    return [*names, "mt-alternative"] if name == "mt" else names


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        pass
    labels = host.removeprefix("*.").split(".")
    if not all(label and label.replace("-", "").isalnum() and label.isascii() for label in labels):
        raise InvalidInput(
            "BAD_HOST",
            f"{host!r} is neither a name nor an address; write --host glossa.local, without a port",
        )
    return x509.DNSName(host.lower())


def _authority(key: PrivateKey) -> x509.Certificate:
    made_at = _now()
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Glossa"),
            # Each is told from the others on a phone that trusts several.
            x509.NameAttribute(NameOID.COMMON_NAME, f"Glossa CA of {made_at:%Y-%m-%d %H:%M}"),
        ]
    )
    usage = _usage(signs_certificates=True)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(made_at - _BEFORE)
        .not_valid_after(made_at + datetime.timedelta(days=CA_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _leaf_files(
    name: str,
    names: list[x509.GeneralName],
    authority: x509.Certificate,
    ca_key: PrivateKey,
    days: int,
) -> dict[str, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    made_at = _now()
    own = [x509.DNSName(each) for each in (service_names(name) if name != CLIENT else [CLIENT])]
    ends_at = min(made_at + datetime.timedelta(days=days), authority.not_valid_after_utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(authority.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(min(made_at, ends_at) - _BEFORE)
        .not_valid_after(ends_at)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage(
                [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
            ),
            critical=False,
        )
        .add_extension(
            x509.SubjectAlternativeName(list(dict.fromkeys((*own, *names)))), critical=False
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False
        )
        .sign(ca_key, hashes.SHA256())
    )
    return {
        chain_file(Path(), name).name: _pem(certificate),
        key_file(Path(), name).name: _key_pem(key),
    }


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _read_authority(ca: Path, ca_key: Path) -> tuple[x509.Certificate, PrivateKey]:
    try:
        authority = x509.load_pem_x509_certificate(ca.read_bytes())
        key = serialization.load_pem_private_key(ca_key.read_bytes(), password=None)
    except OSError as error:
        raise NotFound(
            "NO_CA",
            f"cannot read {error.filename}: {error.strerror}; --ca-key says where the authority's "
            "key is kept, ./glossa certs makes an authority",
        ) from error
    except (ValueError, TypeError) as error:
        raise InvalidInput("BAD_CERTIFICATE", f"{ca} or {ca_key} is damaged: {error}") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or (
        key.public_key() != authority.public_key()
    ):
        raise InvalidInput("BAD_CERTIFICATE", f"{ca_key} is not the key of {ca}")
    return authority, key


def _hosts_of(path: Path) -> tuple[str, ...]:
    """The hosts that were given when a certificate was made; none when it is not there."""
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError):
        return ()
    return hosts(certificate)


def hosts(certificate: x509.Certificate) -> tuple[str, ...]:
    """The names and addresses that a certificate is for."""
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    return tuple(str(each.value) for each in extension.value)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def _write(directory: Path, contents: dict[str, bytes]) -> None:
    """Every file, keys for the owner's eyes alone; a failure before the end leaves the old ones.

    Who owned a file before owns it still.
    """
    try:
        directory.mkdir(mode=0o755, parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=".new-", dir=directory))
        try:
            for name, content in contents.items():
                mode = 0o600 if name.endswith("-key.pem") else 0o644
                with os.fdopen(
                    os.open(beside / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb"
                ) as file:
                    os.fchmod(file.fileno(), mode)
                    keep_owner(file.fileno(), directory / name)
                    file.write(content)
                    os.fsync(file.fileno())
            for name in contents:
                (beside / name).replace(directory / name)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
    except OSError as error:
        raise InvalidInput(
            "NO_ROOM", f"cannot write into {directory}: {error.strerror or error}"
        ) from error
