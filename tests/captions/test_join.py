"""Where phones find the captions."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import segno

from services.captions.settings import CaptionsSettings
from services.captions.web.join import join_url, qr_svg
from services.captions.web.lan_address import lan_address
from tests.captions.conftest import StartCaptions
from tests.captions.upstream import ScriptedJournal

_TOKEN = "a-token-of-viewers-1"


def _settings(**values: Any) -> CaptionsSettings:
    return CaptionsSettings(web_port=7310, **values)


def test_the_url_that_was_set_wins() -> None:
    settings = _settings(web_host="0.0.0.0", public_url="https://captions.example.org/")
    assert join_url(settings, "localhost:7310") == "https://captions.example.org/"


def test_a_port_of_this_machine_alone_is_found_where_it_was_asked() -> None:
    assert join_url(_settings(), "localhost:7310") == "http://localhost:7310/"


def test_in_a_network_it_is_this_machines_address() -> None:
    url = join_url(_settings(web_host="0.0.0.0"), "localhost:7310")
    expected = lan_address() or "localhost"
    assert url == f"http://{expected}:7310/"


def test_the_address_of_this_machine_is_one_that_others_can_reach() -> None:
    address = lan_address()
    if not address:
        pytest.skip("this machine is in no network")
    parsed = ipaddress.ip_address(address)
    assert not parsed.is_loopback
    assert not parsed.is_unspecified


@pytest.mark.parametrize(
    ("host", "expected"),
    [("192.168.4.7", "http://192.168.4.7:7310/"), ("fd00::7", "http://[fd00::7]:7310/")],
)
def test_an_address_to_listen_on_is_the_one_for_phones(host: str, expected: str) -> None:
    assert join_url(_settings(web_host=host), "localhost:7310") == expected


def test_a_container_knows_only_where_it_was_asked() -> None:
    settings = _settings(web_host="0.0.0.0", web_published_host="192.168.4.7")
    assert join_url(settings, "192.168.4.7:8000") == "http://192.168.4.7:8000/"


def test_a_certificate_makes_it_https(tmp_path: Path) -> None:
    pem = tmp_path / "captions.pem"
    pem.touch()
    settings = _settings(web_host="192.168.4.7", web_certificate_file=pem, web_key_file=pem)
    assert join_url(settings, "localhost") == "https://192.168.4.7:7310/"


def test_the_picture_has_a_quiet_zone_and_no_styles() -> None:
    picture = qr_svg("http://192.168.4.7:7310/").decode()
    symbol = segno.make("http://192.168.4.7:7310/", error="m", micro=False, boost_error=False)
    modules = len(symbol.matrix) + 2 * 4
    assert f'viewBox="0 0 {modules} {modules}"' in picture
    assert "style" not in picture
    assert "script" not in picture


async def test_captions_answers_with_the_link_and_its_picture(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    captions = await start_captions()
    async with aiohttp.ClientSession() as http:
        async with http.get(f"{captions.web}/join") as answer:
            assert await answer.json() == {"url": f"{captions.web}/"}
        async with http.get(f"{captions.web}/join.svg") as answer:
            assert answer.content_type == "image/svg+xml"
            assert answer.headers["Cache-Control"] == "no-store"
            assert await answer.read() == qr_svg(f"{captions.web}/")


async def test_the_token_of_viewers_is_in_the_picture_alone_and_for_viewers_alone(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    captions = await start_captions(view_token=_TOKEN)
    async with aiohttp.ClientSession() as http:
        for path in ("/join", "/join.svg"):
            async with http.get(captions.web + path) as answer:
                assert answer.status == 401
        headers = {"Authorization": f"Bearer {_TOKEN}"}
        async with http.get(f"{captions.web}/join", headers=headers) as answer:
            assert await answer.json() == {"url": f"{captions.web}/"}
        async with http.get(f"{captions.web}/join.svg", headers=headers) as answer:
            assert await answer.read() == qr_svg(f"{captions.web}/#token={_TOKEN}")
