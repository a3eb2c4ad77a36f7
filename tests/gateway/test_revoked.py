"""A speaker whose token is revoked in mid-session."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from glossa.gateway.v1 import gateway_pb2_grpc
from services.channels import Identity, identify, open_channel
from services.errors import reason_of
from services.token_file import Role, TokenEntry, hash_of, write_tokens
from tests.gateway.conftest import Talk, drained, open_stream
from tests.gateway.peers import sentence, sermon
from tests.gateway.test_sessions import StartStack, said


@contextlib.contextmanager
def opened_by(name: str) -> Iterator[None]:
    """Channels that are opened within bring a token."""
    identify(Identity(token=f"the-token-of-{name}"))
    try:
        yield
    finally:
        identify(Identity())


async def test_a_speaker_whose_token_is_revoked_is_cut_and_another_goes_on_with_the_session(
    own_stack: StartStack, tmp_path: Path
) -> None:
    book = tmp_path / "tokens.toml"
    ana, pulpit = (
        TokenEntry(name, role, hash_of(f"the-token-of-{name}"))
        for name, role in (("ana", Role.OPERATE), ("pulpit", Role.INGEST))
    )
    write_tokens(book, (ana, pulpit))
    with opened_by("ana"):
        stack = await own_stack(tokens_file=book)
    with opened_by("pulpit"):
        channel = open_channel(stack.gateway.address)
    async with channel:
        call = gateway_pb2_grpc.GatewayServiceStub(channel).StreamAudio(timeout=60)
        talk = Talk(stack, call, (await open_stream(call)).session_id)
        await talk.say(sermon([1]))
        write_tokens(book, [ana])
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await drained(call)
    assert ended.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert reason_of(ended.value) == "TOKEN_UNKNOWN"
    assert await talk.resume() == len(sermon([1]))
    await talk.say(sermon([2]))
    assert said(await talk.end()) == [sentence(1), sentence(2)]
