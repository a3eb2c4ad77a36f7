"""The guard before every RPC of a real service: tokens, scope, and what is open without any."""

from __future__ import annotations

import asyncio
import datetime
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from glossa.captions.v1 import captions_pb2
from glossa.gateway.v1 import gateway_pb2
from glossa.mt.v1 import mt_pb2
from services.access import check_session
from services.channels import Identity, identify, open_channel
from services.errors import Forbidden, reason_of
from services.token_file import Role, TokenEntry, hash_of, write_tokens
from services.tokens import utc_today
from tests.contract.every_service import EveryServiceSettings
from tests.contract.token_holders import TOKENS, write_book
from tests.processes import REPOSITORY, free_port_base
from tests.services.conftest import TrialStarter

DEADLINE_S = 20.0
SUBSCRIBE = "/glossa.captions.v1.CaptionService/Subscribe"
STREAM_AUDIO = "/glossa.gateway.v1.GatewayService/StreamAudio"


async def test_what_a_process_says_it_is_opens_the_door_and_a_revoked_token_closes_it(
    start_trial: TrialStarter, tmp_path: Path
) -> None:
    book = tmp_path / "tokens.toml"
    write_book(book)
    trial = start_trial(tokens_file=book)
    await trial.wait_health("SERVING")
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await trial.translate("hola")
    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert reason_of(refused.value) == "TOKEN_WANTED"
    identify(Identity(token=TOKENS["service"]))
    try:
        channel = open_channel(trial.address)
    finally:
        identify(Identity())
    async with channel:
        translate = channel.unary_unary(
            "/glossa.mt.v1.MtService/Translate",
            mt_pb2.TranslateRequest.SerializeToString,
            mt_pb2.TranslateResponse.FromString,
        )
        request = mt_pb2.TranslateRequest(text="hola")
        assert (await translate(request, timeout=DEADLINE_S)).text == "hola"
        write_tokens(book, [])

        async def until_refused() -> None:
            while True:
                await translate(request, timeout=DEADLINE_S)
                await asyncio.sleep(0.05)

        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await asyncio.wait_for(until_refused(), DEADLINE_S)
        assert reason_of(refused.value) == "NO_TOKEN_SET"


def book_of_two(folder: Path) -> tuple[Path, TokenEntry]:
    """Where ana and ben have tokens to operate with, and ana's."""
    book = folder / "tokens.toml"
    ana, ben = (
        TokenEntry(name, Role.OPERATE, hash_of(f"the-token-of-{name}")) for name in ("ana", "ben")
    )
    write_tokens(book, (ana, ben))
    return book, ana


async def test_an_open_stream_ends_with_its_token_and_another_goes_on(
    start_trial: TrialStarter, tmp_path: Path
) -> None:
    book, kept = book_of_two(tmp_path)
    trial = start_trial(tokens_file=book)
    await trial.wait_health("SERVING")
    request = mt_pb2.StreamTranslateRequest(request=mt_pb2.TranslateRequest(text="hola"))
    streams = {}
    for name in ("ana", "ben"):
        metadata = (("authorization", f"Bearer the-token-of-{name}"),)
        streams[name] = trial.mt.StreamTranslate(request, metadata=metadata, timeout=60)
        assert (await streams[name].read()).translation.text == "hola"
    write_tokens(book, [kept])
    with pytest.raises(grpc.aio.AioRpcError) as ended:
        await asyncio.wait_for(streams["ben"].read(), DEADLINE_S)
    assert ended.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert reason_of(ended.value) == "TOKEN_UNKNOWN"
    assert "(ben) has been revoked" in (ended.value.details() or "")
    assert not streams["ana"].done()
    trial.terminate()  # which ends it in its own way
    with pytest.raises(grpc.aio.AioRpcError) as ended:
        await asyncio.wait_for(streams["ana"].read(), DEADLINE_S)
    assert reason_of(ended.value) == "SHUTTING_DOWN"


async def test_a_stream_that_its_reader_is_behind_with_ends_with_its_token_too(
    start_trial: TrialStarter, tmp_path: Path
) -> None:
    book, kept = book_of_two(tmp_path)
    trial = start_trial(tokens_file=book)
    await trial.wait_health("SERVING")
    request = mt_pb2.StreamTranslateRequest(request=mt_pb2.TranslateRequest(text="flood"))
    metadata = (("authorization", "Bearer the-token-of-ben"),)
    stream = trial.mt.StreamTranslate(request, metadata=metadata, timeout=60)
    await stream.read()  # and no more: the service waits in the middle of a message
    write_tokens(book, [kept])
    async with asyncio.timeout(DEADLINE_S):
        while "token_ended" not in trial.log():
            await asyncio.sleep(0.05)
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await read_on(stream)
    assert reason_of(ended.value) == "TOKEN_UNKNOWN"


async def read_on(stream: Any) -> None:
    while await stream.read() is not grpc.aio.EOF:
        pass


async def test_a_refusal_says_what_is_wanted_and_who_has_too_little(
    start_trial: TrialStarter, tmp_path: Path
) -> None:
    book = tmp_path / "tokens.toml"
    write_book(book)
    trial = start_trial(tokens_file=book)
    await trial.wait_health("SERVING")
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await trial.mt.Translate(
            mt_pb2.TranslateRequest(text="hola"),
            metadata=(("authorization", f"Bearer {TOKENS['view']}"),),
        )
    assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
    assert "is for view, and operate is wanted here" in (refused.value.details() or "")
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await trial.mt.Translate(
            mt_pb2.TranslateRequest(text="hola"),
            metadata=(("authorization", f"Basic {TOKENS['operate']}"),),
        )
    assert reason_of(refused.value) == "TOKEN_WANTED"
    assert not [token for token in TOKENS.values() if token and token in trial.log()]


async def test_without_any_token_who_reaches_this_machines_port_may_call(
    start_trial: TrialStarter,
) -> None:
    trial = start_trial()
    await trial.wait_health("SERVING")
    assert await trial.translate("hola") == "hola"


def test_beyond_this_machine_encrypted_and_without_a_token_nothing_starts(tmp_path: Path) -> None:
    beyond = {"grpc_port": 7300, "http_port": 7301, "host": "0.0.0.0", "certificates_dir": tmp_path}
    with pytest.raises(ValueError, match="NO_TOKEN_SET"):
        EveryServiceSettings(**beyond)
    book = tmp_path / "tokens.toml"
    write_book(book)
    assert not EveryServiceSettings(**beyond, tokens_file=book).is_trusted
    assert EveryServiceSettings(**beyond, allow_plaintext=True).is_trusted


def test_a_container_whose_port_is_published_to_others_starts_with_tokens_alone(
    tmp_path: Path,
) -> None:
    contained = {"grpc_port": 7300, "http_port": 7301, "host": "0.0.0.0", "allow_plaintext": True}
    assert EveryServiceSettings(**contained, published_host="127.0.0.1").is_trusted
    for encrypted in ({}, {"certificates_dir": tmp_path}):
        published = {**contained, **encrypted, "published_host": "0.0.0.0"}
        with pytest.raises(ValueError, match=r"PUBLISHED_HOST=0\.0\.0\.0 .*NO_TOKEN_SET"):
            EveryServiceSettings(**published)
        book = tmp_path / "tokens.toml"
        write_book(book)
        assert not EveryServiceSettings(**published, tokens_file=book).is_trusted


@pytest.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[grpc.aio.Channel]:
    """A channel to every RPC, where `guest` and `pulpit` may go into sunday's sessions alone."""
    base, book = free_port_base(), tmp_path / "tokens.toml"
    tomorrow = utc_today() + datetime.timedelta(1)
    scoped = (("guest", Role.VIEW), ("pulpit", Role.INGEST))
    write_tokens(
        book,
        [
            TokenEntry(name, role, hash_of(f"the-token-of-{name}"), tomorrow, ("sunday-*",))
            for name, role in scoped
        ],
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.contract.every_service"],
        cwd=REPOSITORY,
        env={
            "PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'protos'}",
            "GLOSSA_EVERY_GRPC_PORT": str(base),
            "GLOSSA_EVERY_HTTP_PORT": str(base + 1),
            "GLOSSA_TOKENS_FILE": str(book),
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    async with open_channel(f"127.0.0.1:{base}") as channel:
        yield channel
    process.kill()
    process.wait()


async def told(channel: grpc.aio.Channel, name: str, method: str, *messages: bytes) -> str:
    metadata = (("authorization", f"Bearer the-token-of-{name}"),)
    call = channel.stream_stream(method)(
        iter(messages), metadata=metadata, timeout=DEADLINE_S, wait_for_ready=True
    )
    try:
        async for _ in call:
            pass
    except grpc.aio.AioRpcError as error:
        return reason_of(error)
    return "OK"


async def test_a_token_of_some_sessions_goes_into_those_that_it_names_and_nowhere_else(
    guarded: grpc.aio.Channel,
) -> None:
    def viewing(session_id: str) -> bytes:
        return captions_pb2.SubscribeRequest(session_id=session_id).SerializeToString()

    def speaking(session_id: str) -> bytes:
        config = gateway_pb2.SessionConfig(session_id=session_id)
        return gateway_pb2.StreamAudioRequest(config=config).SerializeToString()

    audio = gateway_pb2.StreamAudioRequest(audio={"first_sample": 0}).SerializeToString()
    for name in ("guest", "pulpit"):
        assert await told(guarded, name, SUBSCRIBE, viewing("sunday-1")) == "OK"
        for other in ("monday-1", ""):
            assert await told(guarded, name, SUBSCRIBE, viewing(other)) == "SESSION_REFUSED"
        for listing in ("captions.v1.CaptionService", "gateway.v1.GatewayService"):
            method = f"/glossa.{listing}/ListSessions"
            assert await told(guarded, name, method, b"") == "SESSION_REFUSED"
    assert await told(guarded, "pulpit", STREAM_AUDIO, speaking("sunday-1"), audio) == "OK"
    for first in (speaking("monday-1"), speaking(""), audio):
        assert await told(guarded, "pulpit", STREAM_AUDIO, first) == "SESSION_REFUSED"
    assert await told(guarded, "guest", STREAM_AUDIO, speaking("sunday-1")) == "ROLE_TOO_SMALL"


def test_a_refused_session_is_told_which_ones_are_not() -> None:
    holder = TokenEntry("guest", Role.VIEW, hash_of("x"), sessions=("sunday-*",))
    with pytest.raises(Forbidden, match=r"is for the sessions sunday-\*; not for 'monday'"):
        check_session(holder, "monday")
