"""`./glossa up --lan`: the pages for a network, the operator's for who has its token."""

from __future__ import annotations

import os
import re
import socket
from dataclasses import asdict
from pathlib import Path

import aiohttp
import pytest
from click.testing import CliRunner

from cli import stack, systemd
from cli.lan import kept_token, open_to_lan, page_links, qr_text
from cli.up import up as up_verb
from services.captions.web.lan_address import lan_address
from services.errors import InvalidInput
from services.settings import port
from tests.cli.test_supervisor import Up, up

__all__ = ["up"]

_BASE = 20_000
_WEB = port("captions_web", _BASE)
_TOKEN = "a-token-of-operators"


def _plan(folder: Path, **environment: str) -> stack.StackPlan:
    return stack.plan("embedded", folder, _BASE, environment)


def test_tokens_are_made_once_for_their_owners_eyes(tmp_path: Path) -> None:
    first = open_to_lan(_plan(tmp_path)).child_environment()
    again = open_to_lan(_plan(tmp_path)).child_environment()
    names = ("GLOSSA_CAPTIONS_OPERATOR_TOKEN", "GLOSSA_CAPTIONS_INGEST_TOKEN")
    tokens = [first[name] for name in names]
    assert [again[name] for name in names] == tokens
    assert len(set(tokens)) == 2
    for role, token in zip(("operator", "ingest"), tokens, strict=True):
        path = tmp_path / "captions" / f"{role}.token"
        assert path.read_text().strip() == token
        assert path.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "captions").stat().st_mode & 0o777 == 0o700


def test_the_web_port_alone_is_opened_and_what_was_set_wins(tmp_path: Path) -> None:
    opened = open_to_lan(_plan(tmp_path)).environment
    hosts = {name: value for name, value in opened.items() if name.endswith("_HOST")}
    assert hosts == {"GLOSSA_CAPTIONS_WEB_HOST": "0.0.0.0"}
    assert not [name for name in opened if name.endswith("ALLOW_PLAINTEXT")]
    settings = {
        "GLOSSA_CAPTIONS_WEB_HOST": "192.168.4.7",
        "GLOSSA_CAPTIONS_OPERATOR_TOKEN": _TOKEN,
    }
    plan = open_to_lan(_plan(tmp_path / "set", **settings))
    assert {name: plan.environment[name] for name in settings} == settings
    links = page_links(plan, is_lan=True)
    assert links.phone == f"http://192.168.4.7:{_WEB}/"
    assert links.audience == f"http://192.168.4.7:{_WEB}/audience"
    assert links.operator == f"http://192.168.4.7:{_WEB}/operator#token={_TOKEN}"
    # No browser hears a microphone for a page that came from elsewhere without HTTPS.
    assert links.speaker == f"http://localhost:{_WEB}/operator#token={_TOKEN}"


def test_viewers_who_need_a_token_get_it_in_their_link(tmp_path: Path) -> None:
    plan = _plan(
        tmp_path,
        GLOSSA_CAPTIONS_VIEW_TOKEN="a-token-of-viewers",
        GLOSSA_CAPTIONS_PUBLIC_URL="https://captions.example.org",
    )
    links = page_links(open_to_lan(plan), is_lan=True)
    assert links.phone == "https://captions.example.org/#token=a-token-of-viewers"
    assert links.overlay == "https://captions.example.org/overlay#token=a-token-of-viewers"
    assert links.speaker == links.operator
    assert "viewers" not in links.operator


def test_links_for_a_log_hold_no_token(tmp_path: Path) -> None:
    plan = open_to_lan(_plan(tmp_path, GLOSSA_CAPTIONS_VIEW_TOKEN="a-token-for-viewers"))
    links = page_links(plan, is_lan=True)
    for name, url in asdict(links).items():
        address, _, token = url.partition("#token=")
        assert token
        assert getattr(links.without_tokens(), name) == address


def test_the_journal_is_told_from_a_file_and_a_terminal_that_was_started_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "journal").open("w") as journal, (tmp_path / "file").open("w") as other:
        found = os.fstat(journal.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{found.st_dev}:{found.st_ino}")
        assert (systemd.is_journal(journal), systemd.is_journal(other)) == (True, False)
        monkeypatch.delenv("JOURNAL_STREAM")
        assert not systemd.is_journal(journal)
    assert not systemd.is_journal(journal)


def test_without_it_only_this_machine_is_named(tmp_path: Path) -> None:
    links = page_links(_plan(tmp_path), is_lan=False)
    assert links.phone == f"http://127.0.0.1:{_WEB}/"
    assert links.operator == f"http://127.0.0.1:{_WEB}/operator"


def test_a_folder_that_keeps_nothing_is_told(tmp_path: Path) -> None:
    (tmp_path / "captions").write_text("a file where a folder is wanted")
    with pytest.raises(InvalidInput, match="cannot keep a token in") as refusal:
        kept_token(tmp_path / "captions" / "operator.token")
    assert refusal.value.reason == "STATE_DIR_UNUSABLE"


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe"])
def test_a_file_without_a_token_is_no_token_and_says_what_to_do(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "captions" / "operator.token"
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(InvalidInput, match="delete it, and the next start makes") as refusal:
        open_to_lan(_plan(tmp_path))
    assert refusal.value.reason == "TOKEN_UNREADABLE"
    path.unlink()
    token = kept_token(path)
    assert len(token) >= 32
    assert kept_token(path) == token


def test_the_code_for_a_terminal_has_square_modules() -> None:
    lines = qr_text("http://192.168.4.7:7310/").splitlines()
    assert {len(line) for line in lines} == {29}  # version 2, two modules of light on each side
    assert len(lines) == 15
    assert set("".join(lines)) <= set("█▀▄ ")


def test_its_help_teaches_it() -> None:
    text = CliRunner().invoke(up_verb, ["--help"]).output
    assert "./glossa up --profile cpu --lan" in text
    assert "not encrypted" in re.sub(r"\s+", " ", text)


async def test_phones_reach_the_pages_and_only_the_operators_link_operates(up: Up) -> None:
    address = lan_address()
    if not address:
        pytest.skip("this machine is in no network")
    up.start("--lan")
    await up.until_ready()
    token = (up.folder / "state" / "captions" / "operator.token").read_text().strip()
    base = f"http://{address}:{port('captions_web', up.base)}"
    await up.until(lambda: f"{base}/operator#token={token}" in up.output())
    assert f"phones   {base}/" in up.output()
    assert f"{base}/audience" in up.output()
    assert "nothing is encrypted" in up.output()
    async with aiohttp.ClientSession() as http:
        for path in ("/", "/audience", "/overlay", "/sessions", "/join.svg"):
            async with http.get(base + path) as answer:
                assert answer.status == 200, path
        async with http.get(f"{base}/join") as answer:
            assert await answer.json() == {"url": f"{base}/"}
        async with http.get(f"{base}/access") as answer:
            assert (await answer.json())["roles"] == ["view"]
        bearer = {"Authorization": f"Bearer {token}"}
        async with http.get(f"{base}/access", headers=bearer) as answer:
            assert "operate" in (await answer.json())["roles"]
    for name, number in stack.plan("embedded", up.folder, up.base, {}).ports().items():
        with socket.socket() as probe:
            is_open = probe.connect_ex((address, number)) == 0
        assert is_open == (name == "captions_web"), name
