"""What certificates a directory holds, for how long, and whether they can be used."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509

from cli.certificate_authority import NAMES, hosts
from cli.counted import counted
from cli.finding import Finding
from services.certificates import CA_FILE, chain_file, key_file, read_certificates
from services.errors import GlossaError

WARNING_DAYS = 30


@dataclass(frozen=True)
class Listed:
    """One certificate.

    Args:
        days_left: until it ends, rounded down; negative when it has ended.
        problem: why it cannot be used; empty: it can.
    """

    name: str
    hosts: tuple[str, ...]
    days_left: int
    problem: str

    @property
    def is_good(self) -> bool:
        """Whether it will do for a while."""
        return not self.problem and self.days_left > WARNING_DAYS


def listed(directory: Path) -> list[Listed]:
    """The authority and each certificate that is there, in the order of NAMES."""
    paths = {"ca": directory / CA_FILE, **{name: chain_file(directory, name) for name in NAMES}}
    return [_entry(directory, name, path) for name, path in paths.items() if path.exists()]


def finding(directory: Path) -> Finding:
    """What `./glossa doctor` says of them."""
    entries = listed(directory)
    renewing = f"./glossa certs renew --dir {directory}"
    if not entries:
        making = f"./glossa certs --dir {directory} makes them"
        return Finding(f"there are no certificates in {directory}", good=False, advice=making)
    if broken := next((entry for entry in entries if entry.problem), None):
        return Finding(f"the certificate of {broken.name}: {broken.problem}", False, renewing)
    first = min(entries, key=lambda entry: entry.days_left)
    subject = f"certificates in {directory}, the first ends in {counted(first.days_left, 'day')}"
    return Finding(subject, good=True, advice="" if first.is_good else renewing)


def _entry(directory: Path, name: str, path: Path) -> Listed:
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError) as error:
        return Listed(name, (), 0, f"{path} cannot be read ({error})")
    left = certificate.not_valid_after_utc - datetime.datetime.now(datetime.UTC)
    return Listed(name, hosts(certificate), left.days, _problem(directory, name, left.days))


def _problem(directory: Path, name: str, days_left: int) -> str:
    if days_left < 0:
        return "it has expired"
    # A machine may have the files of some services alone, and the key of none.
    if name != "ca" and key_file(directory, name).exists():
        try:
            read_certificates(directory, name)
        except GlossaError as error:
            return error.message
    return ""
