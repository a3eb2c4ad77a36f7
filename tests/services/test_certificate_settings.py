"""Which certificates a service uses, by its settings."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cli.stack import plan
from cli.web_scheme import web_scheme
from services.captions.settings import CaptionsSettings
from services.captions.web.join import join_url
from services.collector.settings import CollectorSettings
from services.qe.settings import QeSettings
from services.settings import load

pytestmark = pytest.mark.usefixtures("no_glossa_variables")


def test_the_directory_of_the_stack_holds_unless_a_service_has_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GLOSSA_CERTIFICATES_DIR", "")
    assert load(QeSettings).certificates_dir is None
    monkeypatch.setenv("GLOSSA_CERTIFICATES_DIR", "/of/all")
    assert load(QeSettings).certificates_dir == Path("/of/all")
    monkeypatch.setenv("GLOSSA_QE_CERTIFICATES_DIR", "/of/qe")
    assert load(QeSettings).certificates_dir == Path("/of/qe")
    monkeypatch.setenv("GLOSSA_QE_CERTIFICATES_DIR", "")
    assert load(QeSettings).certificates_dir is None


def test_with_certificates_a_service_may_listen_beyond_this_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GLOSSA_QE_HOST", "0.0.0.0")
    with pytest.raises(SystemExit):
        load(QeSettings)
    monkeypatch.setenv("GLOSSA_CERTIFICATES_DIR", "/certificates")
    assert load(QeSettings).host == "0.0.0.0"


@pytest.mark.parametrize("settings_type", [CaptionsSettings, CollectorSettings])
def test_pages_are_encrypted_with_the_rest_and_may_be_left_to_a_proxy_of_this_machine(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    settings_type: type[CaptionsSettings | CollectorSettings],
) -> None:
    prefix = settings_type.model_config["env_prefix"]
    service = prefix.split("_")[1].lower()
    assert not load(settings_type).is_web_encrypted
    assert web_scheme(service, os.environ) == "http"
    monkeypatch.setenv("GLOSSA_CERTIFICATES_DIR", "/certificates")
    assert load(settings_type).is_web_encrypted
    assert web_scheme(service, os.environ) == "https"
    monkeypatch.setenv(f"{prefix}WEB_TLS", "off")
    assert not load(settings_type).is_web_encrypted
    assert web_scheme(service, os.environ) == "http"

    monkeypatch.setenv(f"{prefix}WEB_HOST", "0.0.0.0")
    monkeypatch.setenv("GLOSSA_COLLECTOR_REVIEW_TOKEN", "sixteen-or-more-characters")
    capsys.readouterr()
    with pytest.raises(SystemExit):
        load(settings_type)
    assert f"{prefix}WEB_TLS=off" in capsys.readouterr().err
    monkeypatch.setenv(f"{prefix}ALLOW_PLAINTEXT", "true")
    assert not load(settings_type).is_web_encrypted


def test_a_file_of_captions_own_wins_over_the_directory(
    monkeypatch: pytest.MonkeyPatch, certificate: Path
) -> None:
    monkeypatch.setenv("GLOSSA_CAPTIONS_WEB_TLS", "off")
    monkeypatch.setenv("GLOSSA_CAPTIONS_WEB_CERTIFICATE_FILE", str(certificate / "cert.pem"))
    monkeypatch.setenv("GLOSSA_CAPTIONS_WEB_KEY_FILE", str(certificate / "key.pem"))
    assert load(CaptionsSettings).is_web_encrypted
    assert web_scheme("captions", os.environ) == "https"


def test_phones_are_sent_to_https(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLOSSA_CERTIFICATES_DIR", "/certificates")
    assert join_url(load(CaptionsSettings), "localhost:7310") == "https://localhost:7310/"


def test_the_processes_of_a_stack_find_the_directory_wherever_they_run(tmp_path: Path) -> None:
    stack = plan("embedded", tmp_path, 7300, {"GLOSSA_CERTIFICATES_DIR": "var/certificates"})
    directory = stack.child_environment()["GLOSSA_CERTIFICATES_DIR"]
    assert directory == str(Path("var/certificates").resolve())
    assert (stack.page_url, stack.review_url) == (
        "https://127.0.0.1:7310/",
        "https://127.0.0.1:7316/",
    )
