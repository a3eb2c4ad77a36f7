"""A translation as it grows, and a caller that does not wait for its end."""

from __future__ import annotations

import asyncio

import grpc

from glossa.mt.v1 import mt_pb2
from glossa.types.v1 import types_pb2
from tests.mt.scripted import (
    STREAMING,
    WAIT_S,
    Script,
    Serve,
    arrival,
    failure,
    reached,
    says,
)


async def test_a_stream_grows_and_ends_with_the_whole_text_and_its_terms(serve: Serve) -> None:
    final = Script(lambda job: "la gracia es un regalo", STREAMING)
    final.words_go.clear()
    mt = await serve(final=final)
    stream = mt.stream(
        "Grace is a gift.",
        glossary=[types_pb2.GlossaryTerm(source="gift", target="don")],
    )
    messages: list[mt_pb2.StreamTranslateResponse] = []

    async def read() -> None:
        async for message in stream:
            messages.append(message)
            final.words_go.set()

    reading = asyncio.create_task(read())
    await arrival(final)
    final.words_go.set()
    await asyncio.wait_for(reading, WAIT_S)
    assert [message.is_final for message in messages[:-1]] == [False] * (len(messages) - 1)
    for message in messages[:-1]:
        assert "La gracia es un regalo".startswith(message.translation.text)
    last = messages[-1]
    assert last.is_final
    assert last.translation.text == "La gracia es un regalo"
    assert last.translation.token_count == 5
    assert 0 < last.translation.first_token_ms <= last.translation.engine_ms
    assert last.translation.generation_ms > 0
    assert list(last.translation.flags) == ["missing_term"]  # "regalo" alone is "la gracia es ..."


async def test_the_text_is_sent_while_the_engine_still_works(serve: Serve) -> None:
    final = Script(lambda job: "uno dos tres", STREAMING)
    final.calls_go.clear()
    mt = await serve(final=final)
    messages = aiter(mt.stream("One two three."))
    await arrival(final)
    for text in ("uno", "uno dos"):
        await asyncio.to_thread(final.tasks[0].tell, text, 1)
        message = await anext(messages)
        assert (message.translation.text, message.is_final) == (text.capitalize(), False)
    final.calls_go.set()
    *_, last = [message async for message in messages]
    assert (last.translation.text, last.is_final) == ("Uno dos tres", True)


async def test_a_slow_reader_gets_the_newest_text_and_the_last_one(serve: Serve) -> None:
    words = [f"palabra{number}" for number in range(400)]
    source = " ".join(f"w{number}" for number in range(400))[:1600]
    mt = await serve(final=Script(lambda job: " ".join(words)[:1900], STREAMING))
    texts = []
    async for message in mt.stream(source):
        texts.append(message.translation.text)
        await asyncio.sleep(0.01)
    assert texts[-1] == f"P{' '.join(words)[:1900][1:]}"
    assert texts == sorted(texts, key=len)


async def test_a_caller_that_leaves_stops_the_engine_at_the_next_token(serve: Serve) -> None:
    words = [f"p{number}" for number in range(5)]
    final = Script(lambda job: " ".join(words), STREAMING)
    mt = await serve({"draft_mask_words": 0}, final=final)
    final.words_go.clear()
    for ask in (mt.translate, mt.stream):
        final.told_words = 0
        call = ask("One. " * 30)
        await arrival(final)
        call.cancel()
        await reached(lambda: not final.tasks[-1].is_wanted)
        final.words_go.set()
        assert (await mt.translate("Two.", draft=True)).text  # the engine is free again
        await arrival(final)
        assert final.told_words == len(words)
        final.words_go.clear()


async def test_a_deadline_stops_the_engine_too(serve: Serve) -> None:
    final = Script(lambda job: "uno dos tres", STREAMING)
    mt = await serve(final=final)
    final.words_go.clear()
    error = await failure(mt.translate("One two three.", timeout_s=0.2))
    assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    await reached(lambda: not final.tasks[-1].is_wanted)
    final.words_go.set()
    assert (await mt.translate("One two three.")).text
    assert final.told_words == 3


async def test_what_waits_and_is_cancelled_never_reaches_the_engine(serve: Serve) -> None:
    final = says("Uno.")
    final.calls_go.clear()
    mt = await serve(final=final)
    first = mt.translate("First.")
    await arrival(final)
    waiting = mt.stream("Second.")
    await reached(lambda: len(mt.app.translator().final._queue._finals) == 1)
    waiting.cancel()
    await reached(lambda: not mt.app.translator().final._queue._finals)
    final.calls_go.set()
    assert (await first).text == "Uno."
    assert [job.text for job in final.jobs] == ["First."]
