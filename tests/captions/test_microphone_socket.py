"""A browser's microphone through captions to a real gateway."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

import aiohttp
import pytest

from tests.captions.operated import Operated, Socket, operated, own_operated
from tests.gateway.peers import sentence, sermon
from tests.speech import Pcm, chunks

__all__ = ["operated", "own_operated"]

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATH = "/operator/microphone"
MESSAGE_LIMIT_BYTES = 256 * 1024
CONFIG = {"source_language": "en", "target_languages": ["es"], "title": "Spoken in a browser"}


def message(first_sample: int, data: bytes) -> bytes:
    return first_sample.to_bytes(8, "little", signed=True) + data


async def opened(socket: Socket, **config: Any) -> tuple[str, int]:
    """Opens a session with the config of these tests; its id, and the first sample to send."""
    await socket.socket.send_json({**CONFIG, **config})
    answer = await socket.until(lambda answer: True)
    assert "session_opened" in answer, answer
    return answer["session_opened"]["session_id"], answer["session_opened"]["next_sample"]


async def send(socket: Socket, pcm: Pcm, from_sample: int = 0, step_ms: int = 100) -> None:
    for first_sample, data in chunks(pcm, step_ms):
        if first_sample >= from_sample:
            await socket.socket.send_bytes(message(first_sample, data))


async def finish(socket: Socket) -> dict[str, Any]:
    await socket.socket.send_json({"finish": True})
    closed = await socket.until(lambda answer: "session_closed" in answer)
    async with asyncio.timeout(5):
        assert (await socket.socket.receive()).type is aiohttp.WSMsgType.CLOSE
    assert socket.socket.close_code == 1000
    return dict(closed["session_closed"])


async def said(operated: Operated, session_id: str) -> list[str]:
    events = await operated.stack.events(session_id)
    return [each.transcript.stable_text for each in events if each.HasField("transcript")]


async def test_what_is_spoken_in_a_browser_becomes_a_session(operated: Operated) -> None:
    async with operated.socket(PATH) as socket:
        session_id, next_sample = await opened(socket, phrases=["grace"])
        assert next_sample == 0
        pcm = sermon(range(1, 4))
        await send(socket, pcm)
        receipt = await socket.until(
            lambda answer: answer.get("receipt", {}).get("received_sample") == len(pcm)
        )
        assert 0 <= receipt["receipt"]["safe_sample"] <= len(pcm)
        closed = await finish(socket)
    assert closed["final_count"] == 3
    events = await operated.stack.events(session_id)
    assert events[-1].sequence == closed["sequence"]
    config = events[0].session_started.config
    assert (config.title, config.source_language, list(config.target_languages)) == (
        "Spoken in a browser",
        "en",
        ["es"],
    )
    assert (list(config.phrases), config.store_audio) == (["grace"], False)
    assert await said(operated, session_id) == [sentence(number) for number in (1, 2, 3)]


async def test_samples_that_never_came_are_told_as_a_gap(operated: Operated) -> None:
    async with operated.socket(PATH) as socket:
        await opened(socket)
        pcm = sermon([1])
        await send(socket, pcm)
        await socket.socket.send_bytes(message(len(pcm) + 16_000, pcm.tobytes()))
        gap = await socket.until(lambda answer: "audio_gap" in answer)
        assert gap["audio_gap"] == {
            "first_sample": len(pcm),
            "next_sample": len(pcm) + 16_000,
            "reason": "",
        }
        assert (await finish(socket))["final_count"] == 2


async def test_a_browser_that_left_goes_on_where_the_gateway_wants(operated: Operated) -> None:
    pcm = sermon(range(1, 5))
    half = len(pcm) // 2
    async with operated.socket(PATH) as socket:
        session_id, _ = await opened(socket)
        await send(socket, pcm[:half])
        await socket.until(
            lambda answer: answer.get("receipt", {}).get("received_sample", 0) >= half
        )
    await operated.status(
        lambda status: any(
            session["session_id"] == session_id and not session["has_speaker"]
            for session in status["sessions"]
        )
    )
    async with operated.socket(PATH) as socket:
        again, next_sample = await opened(socket, session_id=session_id)
        assert (again, next_sample) == (session_id, half)
        await send(socket, pcm, next_sample)
        assert (await finish(socket))["final_count"] == 4
    assert await said(operated, session_id) == [sentence(number) for number in range(1, 5)]


async def test_a_killed_gateway_is_said_and_nothing_is_lost(own_operated: Operated) -> None:
    pcm = sermon(range(1, 5))
    async with own_operated.socket(PATH) as socket:
        session_id, _ = await opened(socket)
        await send(socket, pcm[: len(pcm) // 2])
        await socket.until(lambda answer: answer.get("receipt", {}).get("safe_sample", 0) > 0)
        own_operated.stack.gateway.kill()
        assert await socket.ending() == ("GATEWAY_UNAVAILABLE", 1013)
    async with own_operated.socket(PATH) as socket:
        await socket.socket.send_json({**CONFIG, "session_id": session_id})
        assert await socket.ending() == ("GATEWAY_UNAVAILABLE", 1013)
    own_operated.stack.gateway.start()
    await own_operated.stack.gateway.wait_ready()
    await own_operated.status(lambda _: True)  # captions has found it again, too
    async with own_operated.socket(PATH) as socket:
        _, next_sample = await opened(socket, session_id=session_id)
        assert next_sample <= len(pcm) // 2
        await send(socket, pcm, next_sample)
        assert (await finish(socket))["final_count"] == 4
    assert await said(own_operated, session_id) == [sentence(number) for number in range(1, 5)]


async def test_a_stopping_service_says_come_back(own_operated: Operated) -> None:
    async with (
        own_operated.socket(PATH) as socket,
        own_operated.socket("/operator/events") as events,
    ):
        session_id, _ = await opened(socket)
        await events.until(lambda answer: "caught_up" in answer)
        own_operated.captions.signal(signal.SIGTERM)
        assert await socket.ending() == ("SHUTTING_DOWN", 1012)
        assert await events.ending() == ("SHUTTING_DOWN", 1012)
    assert own_operated.captions.stop() == 0
    assert "Traceback" not in own_operated.captions.log_path.read_text()
    # The session waits for its speaker.
    events = await own_operated.stack.events(session_id)
    assert [event.WhichOneof("event") for event in events] == ["session_started"]


async def test_a_stopping_gateway_says_come_back(own_operated: Operated) -> None:
    async with own_operated.socket(PATH) as socket:
        await opened(socket)
        own_operated.stack.gateway.signal(signal.SIGTERM)
        assert await socket.ending() == ("SHUTTING_DOWN", 1012)


async def test_a_gateway_that_takes_nothing_holds_the_browser_back(own_operated: Operated) -> None:
    """Nothing gathers between them: a frozen gateway fills the browser's own buffer."""
    pcm = sermon(range(1, 3))
    data = b"\0" * 60_000
    async with own_operated.socket(PATH) as socket:
        session_id, _ = await opened(socket)
        own_operated.stack.gateway.signal(signal.SIGSTOP)
        sent = 0
        try:
            async with asyncio.timeout(2):
                while sent < 100_000_000:
                    await socket.socket.send_bytes(message(sent // 2, data))
                    sent += len(data)
        except TimeoutError:
            pass
        finally:
            own_operated.stack.gateway.signal(signal.SIGCONT)
        # The kernel's buffers on both ways, and 0.5 s of PCM in gRPC.
        assert sent < 20_000_000
    async with own_operated.socket(PATH) as socket:
        _, next_sample = await opened(socket, session_id=session_id)
        await send(socket, pcm, next_sample)
        await finish(socket)


@pytest.mark.parametrize(
    ("sent", "ending"),
    [
        ([b"\0" * 100], ("AUDIO_BEFORE_CONFIG", 4400)),
        (["no json"], ("INVALID_REQUEST", 4400)),
        (["[]"], ("INVALID_REQUEST", 4400)),
        (["[" * 50_000], ("INVALID_REQUEST", 4400)),
        (['{"languages": ["es"]}'], ("INVALID_REQUEST", 4400)),
        (['{"title": "\\ud800", "source_language": "en"}'], ("INVALID_REQUEST", 4400)),
        ([{}], ("UNSUPPORTED_LANGUAGE", 4400)),
        ([{**CONFIG, "target_languages": []}], ("INVALID_TARGET_LANGUAGES", 4400)),
        ([{**CONFIG, "title": "x" * 201}], ("TITLE_TOO_LONG", 4400)),
        ([{**CONFIG, "session_id": "nobody's"}], ("UNKNOWN_SESSION", 4404)),
        ([CONFIG, b""], ("EMPTY_CHUNK", 4400)),
        ([CONFIG, b"\0" * 7], ("EMPTY_CHUNK", 4400)),
        ([CONFIG, message(0, b"")], ("EMPTY_CHUNK", 4400)),
        ([CONFIG, message(0, b"\0" * 3)], ("ODD_BYTE_COUNT", 4400)),
        ([CONFIG, message(0, b"\0" * 65_538)], ("CHUNK_TOO_LARGE", 4400)),
        ([CONFIG, message(0, b"\0" * (MESSAGE_LIMIT_BYTES - 10))], ("CHUNK_TOO_LARGE", 4400)),
        ([CONFIG, message(-1, b"\0" * 2)], ("SAMPLES_BACKWARDS", 4400)),
        ([CONFIG, message(2**62, b"\0" * 2)], ("GAP_TOO_LARGE", 4400)),
        ([CONFIG, CONFIG], ("CONFIG_REPEATED", 4400)),
        ([CONFIG, {"finish": True}, message(0, b"\0\0")], ("AUDIO_AFTER_FINISH", 4400)),
    ],
)
async def test_what_is_no_speech_is_refused_with_its_reason(
    operated: Operated, sent: list[Any], ending: tuple[str, int]
) -> None:
    async with operated.socket(PATH) as socket:
        for each in sent:
            if isinstance(each, bytes):
                await socket.socket.send_bytes(each)
            elif isinstance(each, str):
                await socket.socket.send_str(each)
            else:
                await socket.socket.send_json(each)
        assert await socket.ending() == ending


async def test_a_message_beyond_every_limit_is_closed_without_being_read(
    operated: Operated,
) -> None:
    async with operated.socket(PATH) as socket:
        await opened(socket)
        await socket.socket.send_bytes(message(0, b"\0" * (MESSAGE_LIMIT_BYTES - 8)))
        async with asyncio.timeout(5):
            while not socket.socket.closed:
                await socket.socket.receive()
        assert socket.socket.close_code in (1009, 1006)


async def test_nine_browsers_do_not_speak_at_once(own_operated: Operated) -> None:
    path = PATH
    async with own_operated.http.ws_connect(path) as first:
        others = [await own_operated.http.ws_connect(path) for _ in range(7)]
        async with own_operated.socket(path) as ninth:
            assert await ninth.ending() == ("TOO_MANY_MICROPHONES", 1013)
        await first.close()
        assert "session_opened" in await own_operated.admitted(path, CONFIG)
        for each in others:
            await each.close()
