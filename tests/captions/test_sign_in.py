"""Tokens, and the cookies that stand for them."""

from __future__ import annotations

import asyncio
import contextlib

import grpc
import pytest

from cli.client import CaptionSubscriber
from services.errors import Unauthenticated, reason_of
from tests.captions.callers import SETTINGS, TOKENS, WRONG, Caller
from tests.captions.conftest import StartCaptions
from tests.captions.displays import DEADLINE_S, subscribed
from tests.captions.upstream import ScriptedJournal


async def test_a_cookie_is_for_this_site_alone_and_tells_nothing_of_the_token(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    captions = await start_captions(**SETTINGS)
    caller = Caller(captions)
    body = {"token": TOKENS["view"]}
    status, answer, headers = await caller.ask("POST", "/sign-in", json=body)
    assert (status, answer) == (200, {"roles": ["view"], "wants_token": False})
    cookie, *attributes = headers["Set-Cookie"].split("; ")
    assert set(attributes) == {"HttpOnly", "Path=/", "SameSite=Strict"}
    assert TOKENS["view"] not in cookie
    assert headers["Cache-Control"] == "no-store"
    encrypted = {"X-Forwarded-Proto": "https"}
    _, _, headers = await caller.ask("POST", "/sign-in", json=body, headers=encrypted)
    assert "Secure" in headers["Set-Cookie"].split("; ")
    # It outlives the service, which knows nothing of who signed in.
    captions.kill()
    captions.start()
    await captions.wait_ready()
    _, answer, _ = await caller.ask("GET", "/access", headers={"Cookie": cookie})
    assert answer == {"roles": ["view"], "wants_token": False}
    _, answer, _ = await caller.ask("GET", "/access")
    assert answer == {"roles": [], "wants_token": True}


async def test_a_plus_in_a_token_needs_no_escape_in_an_address(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    caller = Caller(await start_captions(view_token="a+token/with~base64=="))
    for escaped in ("a+token/with~base64==", "a%2Btoken%2Fwith~base64%3D%3D"):
        assert await caller.status("GET", f"/sessions?token={escaped}") == 200


async def test_an_operator_who_follows_a_link_for_phones_stays_an_operator(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    caller = Caller(await start_captions(**SETTINGS))
    operator = {"Cookie": await caller.cookie(TOKENS["operate"])}
    body = {"token": TOKENS["view"]}
    status, _, headers = await caller.ask("POST", "/sign-in", json=body, headers=operator)
    assert (status, headers.get("Set-Cookie")) == (200, None)
    viewer = {"Cookie": await caller.cookie(TOKENS["view"])}
    body = {"token": TOKENS["operate"]}
    _, _, headers = await caller.ask("POST", "/sign-in", json=body, headers=viewer)
    assert headers["Set-Cookie"].startswith(operator["Cookie"])


async def test_what_is_no_sign_in_is_refused_with_a_reason(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    caller = Caller(await start_captions(**SETTINGS))
    json_type = {"Content-Type": "application/json"}
    refusals = {
        b"": (400, "INVALID_REQUEST"),
        b"[]": (400, "INVALID_REQUEST"),
        b"[" * 10_000: (400, "INVALID_REQUEST"),
        b'{"token": 1}': (400, "INVALID_REQUEST"),
        rb'{"token": "\ud800"}': (400, "INVALID_REQUEST"),
        b'{"token": "' + b"x" * 40_000 + b'"}': (413, "BODY_TOO_LARGE"),
        b'{"token": "not it"}': (401, "TOKEN_UNKNOWN"),
        '{"token": "né"}'.encode(): (401, "TOKEN_UNKNOWN"),
    }
    for body, refusal in refusals.items():
        given = await caller.reason("POST", "/sign-in", data=body, headers=json_type)
        assert given == refusal, body[:40]
    for token, words in (("not it", "nobody here knows"), ("", "wanted here")):
        _, answer, _ = await caller.ask("POST", "/sign-in", json={"token": token})
        assert words in answer["error"]["message"]
    form = {"data": {"token": TOKENS["view"]}}
    assert await caller.reason("POST", "/sign-in", **form) == (415, "JSON_WANTED")


async def test_who_guesses_is_slowed_down_and_nobody_else(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    captions = await start_captions(**SETTINGS)
    guesser, neighbour = Caller(captions, "127.0.2.1"), Caller(captions, "127.0.2.2")
    cookie = {"Cookie": await guesser.cookie(TOKENS["view"])}
    reasons = [await guesser.reason("GET", f"/sessions?token={WRONG}{i}") for i in range(25)]
    assert reasons[:20] == [(401, "TOKEN_UNKNOWN")] * 20
    assert reasons[-1] == (429, "TOO_MANY_WRONG_TOKENS")
    right = {"Authorization": f"Bearer {TOKENS['view']}"}
    status, _, headers = await guesser.ask("GET", "/sessions", headers=right)
    assert (status, 1 <= int(headers["Retry-After"]) <= 3) == (429, True)
    assert await guesser.reason("GET", f"/access?token={WRONG}") == (429, "TOO_MANY_WRONG_TOKENS")
    assert await guesser.status("GET", "/sessions", headers=cookie) == 200
    assert await neighbour.status("GET", "/sessions", headers=right) == 200


async def test_who_guesses_cookies_is_slowed_down_as_with_tokens(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    captions = await start_captions(**SETTINGS)
    guesser, neighbour = Caller(captions, "127.0.2.1"), Caller(captions, "127.0.2.2")
    right = {"Cookie": await guesser.cookie(TOKENS["view"])}
    name = right["Cookie"].split("=")[0]
    statuses = [
        await guesser.status("GET", "/sessions", headers={"Cookie": f"{name}={WRONG}{number}"})
        for number in range(25)
    ]
    assert statuses[:20] == [401] * 20
    assert statuses[-1] == 429
    # A right one that came through would tell.
    refused = await guesser.reason("GET", "/sessions", headers=right)
    assert refused == (429, "TOO_MANY_WRONG_TOKENS")
    assert await neighbour.status("GET", "/sessions", headers=right) == 200
    # A browser cannot drop a cookie that was good once: a right token is good beside it.
    stale = {"Cookie": f"{name}={WRONG}"}
    token = {"Authorization": f"Bearer {TOKENS['view']}"}
    assert await guesser.status("GET", "/sessions", headers={**stale, **token}) == 200
    signing_in = {"json": {"token": TOKENS["view"]}, "headers": stale}
    assert await guesser.status("POST", "/sign-in", **signing_in) == 200
    assert WRONG not in captions.log_path.read_text()


async def test_displays_over_grpc_and_relays_bring_the_view_token(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    journal.start_session()
    captions = await start_captions(**SETTINGS)
    upstream = {"upstream_kind": "captions", "upstream_address": captions.address}
    relay = await start_captions(**upstream, token=TOKENS["view"])
    async with subscribed(relay.address) as display:
        assert (await display.until_caught_up())[0].session_started.title == "A sermon"
    for metadata, reason in (
        (None, "TOKEN_WANTED"),
        ([("authorization", f"Bearer {WRONG}")], "TOKEN_UNKNOWN"),
        ([("authorization", TOKENS["view"])], "TOKEN_WANTED"),
    ):
        async with subscribed(captions.address, metadata=metadata) as display:
            refused = await display.failure()
        assert refused.code() is grpc.StatusCode.UNAUTHENTICATED
        assert reason_of(refused) == reason
    for token in TOKENS.values():
        metadata = [("authorization", f"Bearer {token}")]
        async with subscribed(captions.address, metadata=metadata) as display:
            await display.until_caught_up()
    lost = await start_captions(**upstream, token=WRONG, catch_up_wait_s=0)
    async with subscribed(lost.address) as display:
        assert reason_of(await display.failure()) == "NOT_READY"
    assert "TOKEN_UNKNOWN" in lost.log_path.read_text()


async def test_the_subscriber_brings_its_token_and_does_not_try_a_wrong_one_again(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    journal.start_session()
    captions = await start_captions(**SETTINGS)
    async with asyncio.timeout(DEADLINE_S):
        events = CaptionSubscriber(captions.address, token=TOKENS["view"]).events()
        async with contextlib.aclosing(events):
            assert (await anext(events)).session_started.title == "A sermon"
        for token in ("", WRONG):
            with pytest.raises(Unauthenticated, match="token"):
                await anext(CaptionSubscriber(captions.address, token=token).events())
