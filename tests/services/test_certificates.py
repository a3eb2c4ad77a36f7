"""Certificates of a service: what ends its start, what is renewed while it serves."""

from __future__ import annotations

import asyncio
import shutil
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.certificate_authority import renew
from services import tls_listening
from services.certificates import chain_file, client_context, key_file, read_certificates
from services.channels import Identity, client_identity
from services.errors import InvalidInput
from services.tls_listening import RenewedCertificates
from tests.conftest import MakeCertificates
from tests.services.conftest import Trial, TrialStarter

RENEWAL_TIMEOUT_S = 15.0


@pytest.fixture
def trial_dir(certificates_dir: Path, tmp_path: Path) -> Path:
    """The certificates, with one for the trial service, to be changed at will."""
    folder = Path(shutil.copytree(certificates_dir, tmp_path / "certificates"))
    _issue(folder)
    return folder


def _issue(folder: Path) -> None:
    """Gives the trial service what is qe's."""
    for file in (key_file, chain_file):
        file(folder, "qe").rename(file(folder, "trial"))


def _remove(folder: Path, strangers: Path) -> None:
    key_file(folder, "trial").unlink()


def _expire(folder: Path, strangers: Path) -> None:
    renew(folder, (), days=-1)
    _issue(folder)


def _mix_up(folder: Path, strangers: Path) -> None:
    key_file(folder, "trial").write_bytes(key_file(folder, "stt").read_bytes())


def _be_of_strangers(folder: Path, strangers: Path) -> None:
    (folder / "ca.pem").write_bytes((strangers / "ca.pem").read_bytes())


def _spoil(folder: Path, strangers: Path) -> None:
    (folder / "ca.pem").write_text("-----BEGIN CERTIFICATE-----")


@pytest.mark.parametrize(
    ("damage", "reason", "said"),
    [
        (_remove, "CERTIFICATE_MISSING", "trial-key.pem: No such file"),
        (_expire, "BAD_CERTIFICATE", "certificate has expired"),
        (_mix_up, "BAD_CERTIFICATE", "trial-key.pem are not a PEM certificate and its key"),
        (_be_of_strangers, "BAD_CERTIFICATE", "trial.pem is not to be used with"),
        (_spoil, "BAD_CERTIFICATE", "ca.pem is no PEM certificate"),
    ],
)
async def test_files_that_do_not_go_together_end_the_start_with_a_line(
    start_trial: TrialStarter,
    trial_dir: Path,
    certificates: MakeCertificates,
    damage: Callable[[Path, Path], None],
    reason: str,
    said: str,
) -> None:
    damage(trial_dir, certificates())
    trial = start_trial(certificates_dir=trial_dir)
    assert await trial.ended() == 1
    stopped = trial.log_events()[-1]
    assert stopped["reason"] == reason
    assert said in str(stopped["message"])
    assert "Traceback" not in trial.log()
    with pytest.raises(InvalidInput) as refused:  # who calls with them is told the same
        read_certificates(trial_dir, "trial")
    assert refused.value.reason == reason


async def test_renewed_certificates_are_shown_without_a_new_start(
    start_trial: TrialStarter, trial_dir: Path
) -> None:
    trial = start_trial(certificates_dir=trial_dir, host="127.0.0.1")
    await _wait_shown(trial, trial_dir)
    old = chain_file(trial_dir, "trial").read_bytes()
    renew(trial_dir, ())
    _issue(trial_dir)
    assert chain_file(trial_dir, "trial").read_bytes() != old
    await _wait_shown(trial, trial_dir)

    # What cannot be used changes nothing, and is told.
    good = key_file(trial_dir, "trial").read_bytes()
    shown = _shown(trial, trial_dir)
    key_file(trial_dir, "trial").write_bytes(key_file(trial_dir, "stt").read_bytes())
    async with asyncio.timeout(RENEWAL_TIMEOUT_S):
        while "certificate_not_renewed" not in trial.log():
            assert await asyncio.to_thread(_shown, trial, trial_dir) == shown
            await asyncio.sleep(0.1)
    assert _shown(trial, trial_dir) == shown
    key_file(trial_dir, "trial").write_bytes(good)
    await _wait_shown(trial, trial_dir)


def test_a_key_that_becomes_readable_is_taken_up_without_being_written_again(
    trial_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls_listening, "_LOOK_INTERVAL_S", 0.0)
    watched = RenewedCertificates(trial_dir, "trial")
    assert watched.renewed() is None
    key = key_file(trial_dir, "trial")
    stamp = key.stat()
    while key.stat().st_ctime_ns == stamp.st_ctime_ns:  # its clock ticks every few milliseconds
        key.chmod(0o640)
    assert key.stat().st_mtime_ns == stamp.st_mtime_ns
    assert watched.renewed() is not None


async def test_a_port_that_others_reach_without_encryption_says_so_in_the_log(
    start_trial: TrialStarter,
) -> None:
    trial = start_trial(host="0.0.0.0", allow_plaintext="true")
    await trial.wait_health("SERVING")
    warnings = [line for line in trial.log_events() if line["event"] == "not_encrypted"]
    assert [line["level"] for line in warnings] == ["warning"]
    assert "GLOSSA_CERTIFICATES_DIR" in str(warnings[0]["message"])


async def test_a_peer_that_never_shakes_hands_keeps_no_other_from_the_operators_port(
    start_trial: TrialStarter, trial_dir: Path
) -> None:
    trial = start_trial(certificates_dir=trial_dir)
    await _wait_shown(trial, trial_dir)
    silent = [await asyncio.open_connection("127.0.0.1", trial.http_port) for _ in range(5)]
    assert await asyncio.to_thread(_shown, trial, trial_dir)
    for _, writer in silent:
        writer.close()


def test_a_client_is_who_its_environment_says(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("a-token-of-this-test\n")
    assert client_identity({}) == Identity()
    assert client_identity({"GLOSSA_CERTIFICATES_DIR": "", "GLOSSA_TOKEN": ""}) == Identity()
    named = {"GLOSSA_CERTIFICATES_DIR": "/certificates", "GLOSSA_TOKEN_FILE": f"{tmp_path}/token"}
    identity = client_identity(named)
    assert identity == Identity(Path("/certificates"), "client", "a-token-of-this-test")
    assert "a-token" not in repr(identity)


async def _wait_shown(trial: Trial, directory: Path) -> None:
    """Waits until both ports show what lies in the directory now."""
    wanted = chain_file(directory, "trial").read_text().strip()
    async with asyncio.timeout(RENEWAL_TIMEOUT_S):
        while await asyncio.to_thread(_shown, trial, directory) != [wanted, wanted]:
            await asyncio.sleep(0.1)


def _shown(trial: Trial, directory: Path) -> list[str]:
    """The certificates that the gRPC and the operators' port show; fewer while they are not up."""
    shown = []
    for port in (trial.grpc_port, trial.http_port):
        context = client_context(directory, "client")
        context.set_alpn_protocols(["h2", "http/1.1"])
        try:
            with (
                socket.create_connection(("127.0.0.1", port), timeout=5) as connection,
                context.wrap_socket(connection, server_hostname="localhost") as encrypted,
            ):
                certificate = encrypted.getpeercert(binary_form=True)
        except ConnectionError:
            continue
        assert certificate is not None
        shown.append(ssl.DER_cert_to_PEM_cert(certificate).strip())
    return shown
