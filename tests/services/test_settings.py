"""Settings: where they come from, what they refuse, and what the services' own have in common."""

from __future__ import annotations

import importlib

import pytest
from pydantic import ValidationError

from services.settings import (
    PORT_BASE,
    PORT_OFFSETS,
    SERVICES,
    ServiceSettings,
    address,
    is_loopback,
    load,
    port,
)
from tests.services.trial import TrialSettings

pytestmark = pytest.mark.usefixtures("no_glossa_variables")


def settings_class(name: str) -> type[ServiceSettings]:
    found = getattr(importlib.import_module(f"services.{name}.settings"), f"{name.title()}Settings")
    assert issubclass(found, ServiceSettings)
    return found


def test_no_two_listeners_of_a_stack_share_a_port() -> None:
    assert len(set(PORT_OFFSETS.values())) == len(PORT_OFFSETS)
    assert all(0 <= offset < 20 for offset in PORT_OFFSETS.values())
    assert port("gateway") == PORT_BASE
    assert port("redis", 10_000) == 10_013
    assert address("stt") == "127.0.0.1:7302"


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.20", False),
        ("glossa.example.org", False),
        ("", False),
    ],
)
def test_only_addresses_of_this_machine_count_as_loopback(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


def test_each_wrong_value_is_one_line_with_the_name_of_its_variable(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GLOSSA_TRIAL_GRPC_PORT", "70000")
    monkeypatch.setenv("GLOSSA_TRIAL_HTTP_PORT", "web")
    monkeypatch.setenv("GLOSSA_TRIAL_LOG_LEVEL", "loud")
    with pytest.raises(SystemExit) as ended:
        load(TrialSettings)
    assert ended.value.code == 2
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        "GLOSSA_TRIAL_GRPC_PORT",
        "GLOSSA_TRIAL_HTTP_PORT",
        "GLOSSA_TRIAL_LOG_LEVEL",
    ]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_runs_with_no_settings_at_all_and_only_on_this_machine(name: str) -> None:
    settings = load(settings_class(name))
    assert is_loopback(settings.host)
    assert settings.allow_plaintext is False
    assert settings.reflection is False
    assert (settings.grpc_port, settings.http_port) == (port(name), port(f"{name}_http"))


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_reads_its_own_variables_and_cannot_change_them_later(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"GLOSSA_{name.upper()}_GRPC_PORT", "12345")
    settings = load(settings_class(name))
    assert settings.grpc_port == 12345
    with pytest.raises(ValidationError):
        settings.grpc_port = 1


@pytest.mark.parametrize("name", SERVICES)
def test_plaintext_beyond_this_machine_must_be_allowed(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(f"GLOSSA_{name.upper()}_HOST", "0.0.0.0")
    with pytest.raises(SystemExit):
        load(settings_class(name))
    assert f"GLOSSA_{name.upper()}_ALLOW_PLAINTEXT=true" in capsys.readouterr().err
    monkeypatch.setenv(f"GLOSSA_{name.upper()}_ALLOW_PLAINTEXT", "true")
    monkeypatch.setenv("GLOSSA_COLLECTOR_REVIEW_TOKEN", "sixteen-or-more-characters")
    assert load(settings_class(name)).host == "0.0.0.0"


@pytest.mark.parametrize("variable", ["WEB_HOST", "WEB_PUBLISHED_HOST"])
def test_the_review_page_is_not_opened_without_a_token(
    variable: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(f"GLOSSA_COLLECTOR_{variable}", "198.51.100.7")
    with pytest.raises(SystemExit):
        load(settings_class("collector"))
    assert "GLOSSA_COLLECTOR_REVIEW_TOKEN (openssl rand" in capsys.readouterr().err
    monkeypatch.setenv("GLOSSA_COLLECTOR_REVIEW_TOKEN", "sixteen-or-more-characters")
    load(settings_class("collector"))


def test_a_short_review_token_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GLOSSA_COLLECTOR_REVIEW_TOKEN", "fifteen letters")
    with pytest.raises(SystemExit):
        load(settings_class("collector"))
    said = capsys.readouterr().err
    assert "16 characters or more" in said
    assert "fifteen-letters" not in said
