"""Who asks the captions' web port, with which token."""

from __future__ import annotations

from typing import Any

import aiohttp
import yarl

from tests.processes import ServiceProcess

TOKENS = {
    "view": "a-view-token-of-this-test",
    "ingest": "an-ingest-token-of-this-test",
    "operate": "an-operators-token-of-this-test",
}
SETTINGS = {f"{name}_token": token for name, token in TOKENS.items()} | {
    "operator_token": TOKENS["operate"],
    "allowed_origins": "https://displays.example.org",
    "public_url": "https://captions.example.org/",
}
WRONG = "a-token-that-nobody-has"


class Caller:
    """Asks a captions service from an address of its own."""

    def __init__(self, captions: ServiceProcess, address: str = "127.0.0.1") -> None:
        self.url = str(captions.web)  # type: ignore[attr-defined]
        self._address = address

    async def ask(self, method: str, path: str, **options: Any) -> tuple[int, Any, Any]:
        connector = aiohttp.TCPConnector(local_addr=(self._address, 0), ssl=False)
        async with (
            aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as http,
            http.request(method, yarl.URL(self.url + path, encoded=True), **options) as answer,
        ):
            is_json = answer.content_type == "application/json"
            return answer.status, await answer.json() if is_json else None, answer.headers

    async def status(self, method: str, path: str, **options: Any) -> int:
        if method == "POST":
            options = {"json": {}} | options
        return (await self.ask(method, path, **options))[0]

    async def reason(self, method: str, path: str, **options: Any) -> tuple[int, str]:
        status, body, _ = await self.ask(method, path, **options)
        return status, body["error"]["reason"]

    async def cookie(self, token: str) -> str:
        status, _, headers = await self.ask("POST", "/sign-in", json={"token": token})
        assert status == 200
        return headers["Set-Cookie"].split(";")[0]
