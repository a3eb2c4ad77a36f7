"""The web port with a certificate."""

from __future__ import annotations

import ssl
from pathlib import Path

import aiohttp
import pytest

from tests.captions.conftest import StartCaptions
from tests.captions.upstream import ScriptedJournal

TOKEN = "a-view-token-of-this-test"


async def test_pages_and_sockets_come_over_https_and_wss(
    journal: ScriptedJournal, start_captions: StartCaptions, certificate: Path
) -> None:
    journal.start_session()
    captions = await start_captions(
        web_certificate_file=certificate / "cert.pem",
        web_key_file=certificate / "key.pem",
        view_token=TOKEN,
    )
    trusting = ssl.create_default_context(cafile=certificate / "cert.pem")
    url = f"https://localhost:{captions.web.rsplit(':', 1)[1]}"
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trusting)) as http:
        async with http.get(f"{url}/") as page:
            assert (page.status, page.content_type) == (200, "text/html")
        async with http.post(f"{url}/sign-in", json={"token": TOKEN}) as answer:
            assert "Secure" in answer.headers["Set-Cookie"].split("; ")
        # The client keeps the cookie, as a browser does.
        async with http.ws_connect(f"{url}/ws", origin=url) as socket:
            assert "session_started" in await socket.receive_json(timeout=15)
    async with aiohttp.ClientSession() as http:
        with pytest.raises(aiohttp.ClientError):
            await http.get(f"{captions.web}/")
    old = ssl.create_default_context(cafile=certificate / "cert.pem")
    old.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=old)) as http:
        with pytest.raises(aiohttp.ClientConnectorError):
            await http.get(f"{url}/")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (("cert.pem", ""), "go together"),
        (("nowhere.pem", "key.pem"), "nowhere.pem is not there"),
        (("key.pem", "cert.pem"), "BAD_CERTIFICATE"),
        (("cert.pem", "cert.pem"), "BAD_CERTIFICATE"),
        (("cert.pem", "locked.pem"), "BAD_CERTIFICATE"),
    ],
)
async def test_a_wrong_file_is_one_clear_line(
    journal: ScriptedJournal,
    start_captions: StartCaptions,
    certificate: Path,
    files: tuple[str, str],
    message: str,
) -> None:
    names = ("web_certificate_file", "web_key_file")
    settings = {key: certificate / file for key, file in zip(names, files, strict=True) if file}
    with pytest.raises(RuntimeError, match=message) as failed:
        await start_captions(**settings)
    assert "Traceback" not in str(failed.value)
