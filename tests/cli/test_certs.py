"""`./glossa certs`: an authority of one's own, and a certificate for each service."""

from __future__ import annotations

import datetime
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from cli.certificate_authority import NAMES, hosts
from services.certificates import read_certificates
from tests.cli.verb import run_verb
from tests.conftest import MakeCertificates
from tests.processes import REPOSITORY


def _read(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def test_every_name_gets_a_certificate_that_others_of_the_authority_believe(
    certificates_dir: Path,
) -> None:
    assert {path.name for path in certificates_dir.glob("*")} == {
        *("ca.pem", "ca-key.pem"),
        *(f"{name}.pem" for name in NAMES),
        *(f"{name}-key.pem" for name in NAMES),
    }
    for name in NAMES:
        read_certificates(certificates_dir, name)
        certificate = _read(certificates_dir / f"{name}.pem")
        assert certificate.subject.rfc4514_string() == f"CN={name}"
        assert {name, "localhost", "127.0.0.1", "::1", "glossa.local", "192.168.1.10"} <= set(
            hosts(certificate)
        )
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        assert set(usage) == {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}
        lifetime = certificate.not_valid_after_utc - certificate.not_valid_before_utc
        assert lifetime <= datetime.timedelta(days=825, hours=1)
    authority = _read(certificates_dir / "ca.pem")
    constraints = authority.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert (constraints.ca, constraints.path_length) == (True, 0)


def test_keys_are_for_their_owner_alone(certificates_dir: Path) -> None:
    for path in certificates_dir.iterdir():
        wanted = 0o600 if path.name.endswith("-key.pem") else 0o644
        assert stat.S_IMODE(path.stat().st_mode) == wanted, path


def test_an_authority_is_never_overwritten(certificates_dir: Path) -> None:
    before = {path: path.read_bytes() for path in certificates_dir.iterdir()}
    done = run_verb("certs", "--dir", str(certificates_dir))
    assert (done.returncode, "CA_EXISTS" in done.stderr) == (1, True)
    assert {path: path.read_bytes() for path in certificates_dir.iterdir()} == before


@pytest.mark.parametrize("host", ["glossa.local:7310", "https://glossa.local", "", "kirche süd"])
def test_what_is_no_host_makes_nothing(tmp_path: Path, host: str) -> None:
    done = run_verb("certs", "--dir", str(tmp_path / "made"), "--host", host)
    assert (done.returncode, "BAD_HOST" in done.stderr) == (1, True)
    assert not (tmp_path / "made").exists()


def test_what_cannot_be_written_whole_is_not_written(tmp_path: Path) -> None:
    folder = tmp_path / "made"
    # Files of the authority fit, those of the services do not.
    limited = ("prlimit", "--fsize=800", sys.executable, "-B", "-m", "cli", "certs")
    done = subprocess.run(
        (*limited, "--dir", str(folder)), cwd=REPOSITORY, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, "NO_ROOM" in done.stderr) == (1, True), done.stderr
    assert list(folder.iterdir()) == []


def test_renewed_ones_are_of_the_same_authority_and_for_the_same_hosts(
    certificates_dir: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(certificates_dir, tmp_path / "copy"))
    kept = tmp_path / "usb.pem"
    (folder / "ca-key.pem").rename(kept)
    missing = run_verb("certs", "renew", "--dir", str(folder))
    assert (missing.returncode, "NO_CA" in missing.stderr) == (1, True)
    before = {name: (folder / f"{name}.pem").read_bytes() for name in ("ca", *NAMES)}
    done = run_verb(
        *("certs", "renew", "--dir", str(folder), "--ca-key", str(kept), "--host", "new.local")
    )
    assert done.returncode == 0, done.stderr
    after = {name: (folder / f"{name}.pem").read_bytes() for name in ("ca", *NAMES)}
    assert after.pop("ca") == before.pop("ca")
    for name in NAMES:
        assert after[name] != before[name]
        read_certificates(folder, name)
        old, new = (hosts(x509.load_pem_x509_certificate(each[name])) for each in (before, after))
        assert set(new) == {*old, "new.local"}
        assert not {f"tasks.{other}" for other in NAMES if other != name} & set(new)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a file to another user")
def test_renewed_keys_stay_with_the_user_of_the_containers(
    certificates_dir: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(certificates_dir, tmp_path / "copy"))
    os.chown(folder / "gateway-key.pem", 10001, 10002)
    assert run_verb("certs", "renew", "--dir", str(folder)).returncode == 0
    key = folder / "gateway-key.pem"
    assert key.read_bytes() != (certificates_dir / "gateway-key.pem").read_bytes()
    assert (key.stat().st_uid, key.stat().st_gid) == (10001, 10002)
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert (folder / "stt-key.pem").stat().st_uid == 0


def test_the_list_fails_when_one_ends_within_a_month_or_has_ended(
    certificates: MakeCertificates,
) -> None:
    good, ending, ended = certificates(), certificates(days=29), certificates(days=-1)
    done = run_verb("certs", "show", "--dir", str(good))
    assert (done.returncode, "gateway" in done.stdout) == (0, True)
    assert run_verb("certs", "show", "--dir", str(ending)).returncode == 1
    assert run_verb("certs", "show", GLOSSA_CERTIFICATES_DIR=str(ended)).returncode == 1
    assert run_verb("certs", "show", "--dir", str(good / "none")).returncode == 1


def test_doctor_says_when_they_end(certificates: MakeCertificates) -> None:
    told = {}
    for name, folder in (
        ("good", certificates()),
        ("ending", certificates(days=10)),
        ("ended", certificates(days=-1)),
    ):
        lines = run_verb("doctor", GLOSSA_CERTIFICATES_DIR=str(folder)).stdout.splitlines()
        told[name] = next(line for line in lines if "certificate" in line)
    assert told["good"].startswith("ok")
    assert told["ending"].startswith("note")
    assert "ends in 9 days" in told["ending"]
    assert "certs renew" in told["ending"]
    assert told["ended"].startswith("FIX")
    assert "expired" in told["ended"]
