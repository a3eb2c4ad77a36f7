"""The part of ProPresenter's network API that shows one text: https://openapi.propresenter.com."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import aiohttp

from cli.display_feed import REPLY_TIMEOUT_S
from cli.propresenter_messages import Message, check_version, messages_of
from services.errors import InvalidInput, Unavailable


@contextlib.asynccontextmanager
async def stage_message(address: str) -> AsyncIterator[StageMessage]:
    """The message on the stage screens. Raises Unavailable; InvalidInput: NOT_PROPRESENTER."""
    async with aiohttp.ClientSession() as http:
        api = _Api(http, address)
        await api.check()
        yield StageMessage(api)


@contextlib.asynccontextmanager
async def audience_message(address: str, name: str, token: str) -> AsyncIterator[AudienceMessage]:
    """A message on the audience's screens.

    Args:
        token: name of its text token; empty: the only one that it has.

    Raises:
        Unavailable: ProPresenter does not answer.
        InvalidInput: NOT_PROPRESENTER, UNKNOWN_MESSAGE, UNKNOWN_TOKEN.
    """
    async with aiohttp.ClientSession() as http:
        api = _Api(http, address)
        await api.check()
        messages = await api.messages()
        if name not in messages:
            there = ", ".join(repr(each) for each in messages)
            raise InvalidInput(
                "UNKNOWN_MESSAGE",
                f"ProPresenter has no message {name!r}; "
                + (f"name one of these with --message: {there}" if there else "make one there"),
            )
        message = messages[name]
        yield AudienceMessage(api, name, message.id.uuid, _text_token(message, token))


def _text_token(message: Message, wanted: str) -> str:
    """Raises InvalidInput: UNKNOWN_TOKEN."""
    name, tokens = message.id.name, message.text_tokens
    if wanted in tokens or (not wanted and len(tokens) == 1):
        return wanted or tokens[0]
    there = ", ".join(repr(each) for each in tokens)
    raise InvalidInput(
        "UNKNOWN_TOKEN",
        f"name the token of the message {name!r} to write into with --message-token: {there}"
        if tokens
        else f"the message {name!r} has no text token; write {{Caption}} into it in ProPresenter",
    )


class StageMessage:
    """The message on the stage screens."""

    interval_s = 0.25  # it draws each one anew

    def __init__(self, api: _Api) -> None:
        self.name = f"ProPresenter at {api.address}, the stage screens"
        self._api = api

    async def show(self, text: str, new_finals: tuple[str, ...]) -> None:
        if text:
            await self._api.ask("PUT", "/v1/stage/message", text)
        else:
            await self._api.ask("DELETE", "/v1/stage/message")

    async def confirm(self, text: str) -> None:
        await self._api.check()


class AudienceMessage:
    """A message with one token that captions are written into."""

    interval_s = 0.25

    def __init__(self, api: _Api, name: str, message_id: str, token: str) -> None:
        self.name = f"ProPresenter at {api.address}, message {name!r}"
        self._api = api
        self._path = f"/v1/message/{message_id}"
        self._token = token

    async def show(self, text: str, new_finals: tuple[str, ...]) -> None:
        if text:
            tokens = [{"name": self._token, "text": {"text": text}}]
            await self._api.ask("POST", f"{self._path}/trigger", tokens)
        else:
            await self._api.ask("GET", f"{self._path}/clear")

    async def confirm(self, text: str) -> None:
        await self._api.check()  # showing it once more would show it move


class _Api:
    """ProPresenter's answers, or why there are none."""

    def __init__(self, http: aiohttp.ClientSession, address: str) -> None:
        self.address = address
        self._http = http

    async def check(self) -> None:
        """Raises what `ask` raises, and InvalidInput where another program has the port."""
        answer = await self.ask("GET", "/version")
        try:
            check_version(answer)
        except ValueError as error:
            raise self._stranger() from error

    async def messages(self) -> dict[str, Message]:
        """Those for the audience by their names. Raises what `check` raises."""
        answer = await self.ask("GET", "/v1/messages")
        try:
            return messages_of(answer)
        except ValueError as error:
            raise self._stranger() from error

    async def ask(self, method: str, path: str, content: Any = None) -> bytes:
        """The answer.

        Raises:
            Unavailable: ProPresenter does not answer, or refuses.
            InvalidInput: NOT_PROPRESENTER, it has no such path.
        """
        try:
            async with (
                asyncio.timeout(REPLY_TIMEOUT_S),
                self._http.request(
                    method, f"http://{self.address}{path}", json=content, allow_redirects=False
                ) as answer,
            ):
                if answer.status == 404 and path == "/version":
                    raise self._stranger()
                if not answer.ok:
                    raise Unavailable(
                        "PROPRESENTER_REFUSED",
                        f"ProPresenter at {self.address} refuses {method} {path} with HTTP status "
                        f"{answer.status}",
                    )
                return await answer.read()
        except (TimeoutError, aiohttp.ClientError) as error:
            raise Unavailable(
                "PROPRESENTER_UNREACHABLE",
                f"no ProPresenter answers at {self.address}; start it, and enable its network "
                "(Settings > Network)",
            ) from error

    def _stranger(self) -> InvalidInput:
        return InvalidInput(
            "NOT_PROPRESENTER",
            f"what answers at {self.address} is not ProPresenter 7.9 or newer; Settings > Network "
            "shows its port",
        )
