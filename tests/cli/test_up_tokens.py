"""`./glossa up` where tokens are wanted: its services know each other, and everybody is asked."""

from __future__ import annotations

import asyncio
import re
import wave
from pathlib import Path

import aiohttp
import grpc

from cli import stack
from cli.client import CaptionSubscriber
from cli.lan import page_links, with_page_tokens
from services.channels import open_channel
from services.errors import reason_of
from services.token_file import Role, read_tokens
from tests.cli.test_supervisor import Up, up
from tests.cli.verb import run_verb
from tests.contract.token_holders import TOKENS, write_book

__all__ = ["up"]

DEADLINE_S = 30.0
# One call of each service that a stranger must not get an answer to.
ASKED = {
    "gateway": "glossa.gateway.v1.GatewayService/GetStatus",
    "stt": "glossa.types.v1.ModelService/GetModel",
    "mt": "glossa.types.v1.ModelService/GetModel",
    "qe": "glossa.types.v1.ModelService/GetModel",
    "captions": "glossa.captions.v1.CaptionService/ListSessions",
    "collector": "glossa.collector.v1.CollectorService/Stats",
}


async def _outcome(address: str, method: str, token: str) -> str:
    metadata = (("authorization", f"Bearer {token}"),) if token else ()
    async with open_channel(address) as channel:
        try:
            await channel.unary_unary(f"/{method}")(b"", metadata=metadata, timeout=DEADLINE_S)
        except grpc.aio.AioRpcError as error:
            return reason_of(error)
    return "OK"


async def test_every_service_asks_strangers_and_they_know_each_other(up: Up) -> None:
    book = up.folder / "tokens.toml"
    write_book(book)
    # The operator's own is in the shell, too; services bring theirs.
    up.start(GLOSSA_TOKENS_FILE=str(book), GLOSSA_TOKEN=TOKENS["view"])
    await up.until_ready()
    plan = stack.plan("embedded", up.folder, up.base, {})
    for service, method in ASKED.items():
        address = plan.address(service)
        outcomes = [await _outcome(address, method, TOKENS[who]) for who in ("nobody", "operate")]
        assert outcomes == ["TOKEN_WANTED", "OK"], service
    # captions follow the gateway, or it would not come to this.
    events = CaptionSubscriber(plan.address("captions"), token=TOKENS["view"]).events()
    assert (await anext(events)).WhichOneof("event") in ("caught_up", "screens")
    await events.aclose()
    own = [entry for entry in read_tokens(book) if entry.name.startswith("services-")]
    assert [(entry.role, entry.expires) for entry in own] == [(Role.SERVICE, None)]
    token_file = up.folder / "state" / "service.token"
    assert token_file.stat().st_mode & 0o777 == 0o600
    # A link that is printed operates; the page without it does not.
    await up.until(lambda: "operator#token=" in up.output())
    (token,) = set(re.findall(r"operator#token=(\S+)", up.output()))
    async with aiohttp.ClientSession() as http:
        for given, status in ((token, 200), ("", 401)):
            headers = {"Authorization": f"Bearer {given}"} if given else {}
            async with http.get(f"{plan.page_url}operator/status", headers=headers) as answer:
                assert answer.status == status
    logs = "".join(path.read_text() for path in (up.folder / "state" / "logs").glob("*.log"))
    assert "TOKEN_" not in re.sub(r"TOKEN_WANTED", "", logs)
    assert "ROLE_TOO_SMALL" not in logs  # the gateway may ask which model each engine has
    secrets = (*TOKENS.values(), token, token_file.read_text().strip())
    assert not [secret for secret in secrets if secret and secret in logs]
    # Who may not speak is told so, and nothing is tried again.
    sermon = up.folder / "sermon.wav"
    with wave.open(str(sermon), "wb") as audio:
        audio.setparams((1, 2, 16_000, 0, "NONE", ""))
        audio.writeframes(bytes(32_000))
    told = await asyncio.to_thread(
        run_verb,
        *("live", str(sermon), "--gateway", plan.address("gateway")),
        GLOSSA_TOKEN=TOKENS["view"],
    )
    assert told.returncode == 1
    assert "(ROLE_TOO_SMALL)" in told.stderr
    assert "trying for" not in told.stderr


def test_links_hold_a_token_to_view_only_where_one_is_wanted(tmp_path: Path) -> None:
    book = tmp_path / "tokens.toml"
    write_book(book)
    wanted = {"GLOSSA_TOKENS_FILE": str(book)}
    for environment, has_token in (
        (wanted, True),
        ({**wanted, "GLOSSA_CAPTIONS_ANYONE_MAY_VIEW": "true"}, False),
        ({}, False),
    ):
        plan = with_page_tokens(stack.plan("embedded", tmp_path, 20_000, environment))
        links = page_links(plan, is_lan=False)
        assert ("#token=" in links.phone) == has_token
        assert "#token=" in links.operator
    secret = tmp_path / "view"
    secret.write_text(f"{TOKENS['view']}\n")
    in_a_file = {**wanted, "GLOSSA_CAPTIONS_VIEW_TOKEN_FILE": str(secret)}
    plan = with_page_tokens(stack.plan("embedded", tmp_path, 20_000, in_a_file))
    assert page_links(plan, is_lan=False).phone.endswith(f"#token={TOKENS['view']}")
