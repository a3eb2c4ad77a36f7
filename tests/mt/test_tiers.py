"""Two tiers, batches, streams and failures, with engines that do what a test wants."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio

from glossa.mt.v1 import mt_pb2
from glossa.types.v1 import types_pb2
from services.errors import EngineFailed, InvalidInput, OutOfMemory, reason_of
from services.mt.engine import Capabilities, Job, Rendering
from tests.mt.scripted import EN_ES, ES_EN, WAIT_S, Mt, Script, counted, serving_mt

Serve = Callable[..., Any]
STREAMING = Capabilities((EN_ES,), uses_context=True, streams=True, continues_text=True)


@pytest_asyncio.fixture
async def serve(tmp_path: Path) -> AsyncIterator[Serve]:
    """Starts an mt with scripted tiers; `settings` for the rest."""
    async with AsyncExitStack() as stack:

        async def start(settings: dict[str, Any] | None = None, **by_model: Script) -> Mt:
            service: AbstractAsyncContextManager[Mt] = serving_mt(
                tmp_path, by_model, **(settings or {})
            )
            return await stack.enter_async_context(service)

        yield start


def says(text: str) -> Script:
    return Script(lambda job: text)


async def arrival(script: Script) -> None:
    """Waits until the engine is called once more."""
    async with asyncio.timeout(WAIT_S):
        assert await asyncio.to_thread(script.arrived.acquire, timeout=WAIT_S)


async def reached(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not condition():
            await asyncio.sleep(0.005)


async def failure(call: grpc.aio.UnaryUnaryCall) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value


# ---- tiers and pairs ----


async def test_finals_and_drafts_go_to_their_tiers(serve: Serve) -> None:
    mt = await serve(final=says("El final."), draft=says("El borrador."))
    final = await mt.translate("The text.")
    draft = await mt.translate("The text.", draft=True)
    assert (final.text, final.model, list(final.flags)) == ("El final.", "scripted/final", [])
    assert (draft.text, draft.model) == ("El borrador.", "scripted/draft")


async def test_a_pair_that_one_tier_lacks_goes_to_the_other(serve: Serve) -> None:
    final = Script(lambda job: "Uno.", Capabilities((EN_ES,)))
    draft = Script(lambda job: "One.", Capabilities((ES_EN,)))
    mt = await serve(final=final, draft=draft)
    assert (await mt.translate("One.", draft=True)).model == "scripted/final"
    answer = await mt.translate("Uno.", ES_EN)
    assert (answer.model, list(answer.flags)) == ("scripted/draft", ["shed"])
    capabilities = {str(pair) for pair in mt.app.translator().pairs}
    assert capabilities == {"en>es", "es>en"}


async def test_one_runtime_and_model_for_both_tiers_is_loaded_once(serve: Serve) -> None:
    mt = await serve({"draft_runtime": "scripted", "draft_model": "final"}, final=says("Uno."))
    assert len(mt.app.translator().tiers) == 1


async def test_finals_do_not_wait_for_drafts_of_another_tier(serve: Serve) -> None:
    draft = says("Borrador.")
    draft.calls_go.clear()
    mt = await serve(final=says("Final."), draft=draft)
    held = mt.translate("A draft.", draft=True)
    await arrival(draft)
    assert (await mt.translate("A final.")).text == "Final."
    draft.calls_go.set()
    assert (await held).text == "Borrador."


# ---- batches ----


async def test_texts_that_wait_go_together_and_the_first_does_not_wait_for_them(
    serve: Serve,
) -> None:
    final = Script(lambda job: f"Texto {job.text}", Capabilities((EN_ES,), max_batch=3))
    final.calls_go.clear()
    mt = await serve(final=final)
    first = mt.translate("number 0.")
    await arrival(final)
    others = [mt.translate(f"number {number}.") for number in range(1, 6)]
    draft = mt.translate("a draft.", draft=True)
    waiting = mt.app.translator().final._queue
    await reached(lambda: len(waiting._finals) == 5 and len(waiting._drafts) == 1)
    final.calls_go.set()
    answers = await asyncio.gather(first, *others, draft)
    assert [answer.text for answer in answers[:6]] == [f"Texto number {n}." for n in range(6)]
    assert [len(call) for call in final.calls] == [1, 3, 2, 1]


async def test_a_batch_that_does_not_fit_is_done_in_smaller_ones(serve: Serve) -> None:
    sizes: list[int] = []

    def say(job: Job) -> str:
        sizes.append(len(final.calls[-1]))
        if sizes[-1] > 1:
            raise OutOfMemory("no room for two")
        return "Uno."

    final = Script(say, Capabilities((EN_ES,), max_batch=4))
    final.calls_go.clear()
    mt = await serve(final=final)
    calls = [mt.translate("First.")]
    await arrival(final)
    calls += [mt.translate(f"Text {number}.") for number in range(6)]
    await reached(lambda: len(mt.app.translator().final._queue._finals) == 6)
    final.calls_go.set()
    assert [answer.text for answer in await asyncio.gather(*calls)] == ["Uno."] * 7
    assert [len(call) for call in final.calls][:3] == [1, 4, 2]
    assert max(len(call) for call in final.calls[3:]) <= 2, "the next ones are smaller"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (lambda: EngineFailed("broke on a text"), "ENGINE_FAILED"),
        (lambda: InvalidInput("EMPTY_TEXT", "nothing but control tokens"), "EMPTY_TEXT"),
        (lambda: ZeroDivisionError("a bug"), "ENGINE_FAILED"),
    ],
)
async def test_one_text_that_an_engine_cannot_do_fails_no_other_of_its_batch(
    serve: Serve, error: Callable[[], Exception], reason: str
) -> None:
    def say(job: Job) -> str:
        if "poison" in job.text:
            raise error()
        return "Uno."

    final = Script(say, Capabilities((EN_ES,), max_batch=4))
    final.calls_go.clear()
    mt = await serve(final=final)
    first = mt.translate("First.")
    await arrival(final)
    good, bad = mt.translate("Good."), mt.translate("The poison.")
    await reached(lambda: len(mt.app.translator().final._queue._finals) == 2)
    final.calls_go.set()
    assert (await first).text == (await good).text == "Uno."
    assert reason_of(await failure(bad)) == reason


@pytest.mark.parametrize("text", ["", " \n", "<end_of_turn><bos>", " </s> "])
async def test_a_text_of_nothing_but_control_tokens_never_reaches_the_engine(
    serve: Serve, text: str
) -> None:
    final = says("Uno.")
    mt = await serve(final=final)
    assert reason_of(await failure(mt.translate(text))) == "EMPTY_TEXT"
    assert not final.calls


async def test_what_no_engine_may_raise_fails_its_text_and_nothing_else(serve: Serve) -> None:
    def say(job: Job) -> str:
        if "bug" in job.text:
            raise ZeroDivisionError(job.text)
        return "Uno."

    mt = await serve(final=Script(say))
    error = await failure(mt.translate("A bug."))
    assert reason_of(error) == "ENGINE_FAILED"
    assert "A bug" not in str(error.details())
    assert (await mt.translate("One.")).text == "Uno."


# ---- streams ----


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


# ---- answers that are no translations ----

LOOP = "el pan " * 100
SOURCE = "We thank you for the bread that we have today."
GOOD = "Gracias por el pan que tenemos hoy."
CONTEXT = {"context": [mt_pb2.ContextPair(source="Earlier.", target="Antes.")]}


async def test_a_runaway_is_stopped_and_asked_again_without_its_context(serve: Serve) -> None:
    final = Script(lambda job: LOOP if job.context else GOOD, STREAMING)
    mt = await serve(final=final)
    before = counted("glossa_mt_doubts_total", tier="final", doubt="loop")
    answer = await mt.translate(SOURCE, committed_text="el", **CONTEXT)
    assert (answer.text, list(answer.flags)) == (GOOD, [])
    assert final.told_words < 30, "it was stopped long before its end"
    again = final.jobs[1]
    assert (again.context, again.terms, again.committed_text) == ((), (), "")
    assert counted("glossa_mt_doubts_total", tier="final", doubt="loop") == before + 1


async def test_a_runaway_that_stays_one_is_answered_by_the_draft_tier(serve: Serve) -> None:
    final = Script(lambda job: LOOP, STREAMING)
    mt = await serve(final=final, draft=says(GOOD))
    answer = await mt.translate(SOURCE, **CONTEXT)
    assert (answer.text, answer.model) == (GOOD, "scripted/draft")
    assert set(answer.flags) == {"shed", "runaway"}
    assert len(final.calls) == 2


async def test_the_best_there_is_is_shown_and_flagged(serve: Serve) -> None:
    mt = await serve(final=says(GOOD.rstrip(".") + " y el vino" * 40))
    answer = await mt.translate(SOURCE)
    assert answer.text == GOOD.rstrip(".") + " y el vino"
    assert list(answer.flags) == ["runaway"]


async def test_a_copy_and_an_empty_answer_are_flagged_as_copied(serve: Serve) -> None:
    mt = await serve(final=Script(lambda job: job.text if "bread" in job.text else ""))
    copied = await mt.translate(SOURCE)
    assert (copied.text, list(copied.flags)) == (SOURCE, ["copied"])
    empty = await mt.translate("Something else.")
    assert (empty.text, list(empty.flags)) == ("Something else.", ["copied"])


async def test_an_engine_that_has_no_context_is_not_asked_the_same_twice(serve: Serve) -> None:
    final = says(LOOP)
    mt = await serve(final=final)
    await mt.translate(SOURCE, previous_text="Gracias", **CONTEXT)
    assert len(final.calls) == 1


async def test_a_second_try_that_fails_leaves_the_first_answer(serve: Serve) -> None:
    def say(job: Job) -> str:
        if job.context:
            return SOURCE
        raise EngineFailed("broke")

    mt = await serve(final=Script(say, STREAMING), draft=Script(_fails))
    answer = await mt.translate(SOURCE, **CONTEXT)
    assert (answer.text, list(answer.flags)) == (SOURCE, ["copied"])


def _fails(job: Job) -> str:
    raise EngineFailed("broke")


async def test_a_long_text_is_translated_in_parts(serve: Serve) -> None:
    final = Script(lambda job: job.text.replace("sentence", "frase"), STREAMING)
    mt = await serve(final=final)
    text = " ".join(f"A sentence {number}." for number in range(125))
    answer = await mt.translate(text)
    assert len(final.calls) > 1
    assert answer.text == text.replace("sentence", "frase")
    assert final.jobs[1].context[-1].source == final.jobs[0].text
    assert "truncated_source" not in answer.flags


async def test_a_text_that_the_engine_counts_longer_is_cut_further(serve: Serve) -> None:
    def say(job: Job) -> str:
        if len(job.text) > 260 or "short" in job.text:
            raise InvalidInput("TEXT_TOO_LONG", "too many tokens")
        return job.text.replace("sentence", "frase")

    mt = await serve(final=Script(say))
    text = " ".join(f"A sentence {number}." for number in range(80))
    answer = await mt.translate(text)
    assert answer.text == text.replace("sentence", "frase")
    assert reason_of(await failure(mt.translate("A short one."))) == "TEXT_TOO_LONG"


async def test_a_text_without_a_place_to_cut_is_flagged(serve: Serve) -> None:
    mt = await serve(final=Script(lambda job: "x" * len(job.text)))
    answer = await mt.translate("語" * 900)
    assert "truncated_source" in answer.flags


# ---- memory, and the draft tier that stands in ----


async def test_a_final_without_memory_is_answered_by_the_draft_tier_until_it_recovers(
    serve: Serve,
) -> None:
    has_room = False

    def say(job: Job) -> str:
        if not has_room:
            raise OutOfMemory("no room")
        return "Final."

    final = Script(say)
    mt = await serve(final=final, draft=says("Borrador."))
    mt.app.translator().final._first_rest_s = 0.05
    shed = await mt.translate("A text.")
    assert (shed.text, shed.model, list(shed.flags)) == ("Borrador.", "scripted/draft", ["shed"])
    assert counted("glossa_mt_degraded_bool") == 1
    await until_warned(mt, "warning: glossa.mt.v1.final: the draft model writes finals: no room")
    assert counted("glossa_mt_shed_total", reason="OUT_OF_MEMORY") >= 1
    has_room = True
    async with asyncio.timeout(WAIT_S):
        while (answer := await mt.translate("A text.")).flags:
            assert answer.text == "Borrador."
    assert answer.text == "Final."
    assert counted("glossa_mt_degraded_bool") == 0
    await until_warned(mt)


async def until_warned(mt: Mt, *lines: str) -> None:
    """Until /readyz says this."""
    async with asyncio.timeout(WAIT_S):
        while mt.app.conditions.lines() != list(lines):
            await asyncio.sleep(0.01)


def _no_room(job: Job) -> str:
    raise OutOfMemory("no room")


async def test_a_tier_without_memory_rests_longer_each_time(serve: Serve) -> None:
    final = Script(_no_room)
    mt = await serve(final=final, draft=says("Borrador."))
    tier = mt.app.translator().final
    tier._first_rest_s = 60.0
    for _ in range(20):
        assert (await mt.translate("A text.")).text == "Borrador."
    assert len(final.calls) == 1, "it is left alone"
    tier._first_rest_s, tier._rest_s = 1.0, 0.0
    rests = []
    for _ in range(8):
        tier._rests_until = 0.0
        assert (await mt.translate("A text.")).text == "Borrador."
        rests.append(tier._rest_s)
    assert rests == [1, 2, 4, 8, 16, 32, 60, 60]


async def test_texts_that_fail_together_count_as_one_failure(serve: Serve) -> None:
    final = Script(_no_room)
    final.calls_go.clear()
    mt = await serve(final=final, draft=says("Borrador."))
    tier = mt.app.translator().final
    tier._first_rest_s = 20.0
    calls = [mt.translate("First.")]
    await arrival(final)
    calls += [mt.translate(f"Text {number}.") for number in range(6)]
    await reached(lambda: len(tier._queue._finals) == 6)
    final.calls_go.set()
    assert {answer.text for answer in await asyncio.gather(*calls)} == {"Borrador."}
    assert len(final.calls) == 7
    assert tier._rest_s == 20.0


async def test_without_a_draft_tier_the_reason_is_told_and_the_next_text_tried(
    serve: Serve,
) -> None:
    def say(job: Job) -> str:
        if len(final.calls) == 1:
            raise OutOfMemory("no room")
        return "Uno."

    final = Script(say)
    mt = await serve(final=final)
    error = await failure(mt.translate("One."))
    assert error.code() == grpc.StatusCode.UNAVAILABLE
    assert reason_of(error) == "OUT_OF_MEMORY"
    assert (await mt.translate("One.")).text == "Uno."


# ---- what engines are told ----


async def test_terms_context_and_committed_text_go_to_engines_that_can_use_them(
    serve: Serve,
) -> None:
    final, draft = Script(lambda job: "la gracia", STREAMING), says("la gracia")
    mt = await serve(final=final, draft=draft)
    for is_draft in (False, True):
        await mt.translate(
            "grace and peace",
            draft=is_draft,
            committed_text="la",
            previous_text="la gracia",
            **CONTEXT,
        )
    told, untold = final.jobs[0], draft.jobs[0]
    assert [(term.source, term.target) for term in told.terms] == [("grace", "gracia")]
    assert told.context[0].target == "Antes."
    assert (told.committed_text, told.previous_text) == ("la", "la gracia")
    assert (untold.terms, untold.context, untold.committed_text) == ((), (), "")


@pytest.mark.parametrize("field", ["committed_text", "previous_text"])
async def test_texts_sent_along_are_limited_too(serve: Serve, field: str) -> None:
    mt = await serve(final=says("Uno."))
    error = await failure(mt.translate("One.", **{field: "a" * 2001}))
    assert reason_of(error) == "TEXT_TOO_LONG"
    assert field in str(error.details())
    long = {"context": [mt_pb2.ContextPair(source="a" * 2001, target="b")]}
    assert reason_of(await failure(mt.translate("One.", **long))) == "TEXT_TOO_LONG"


async def test_the_last_words_of_a_draft_are_held_back(serve: Serve) -> None:
    mt = await serve(final=says("Ella habla a la gente"), draft=says("Ella habla a la gente"))
    draft = await mt.translate("she speaks to the", draft=True)
    assert draft.text == "Ella habla a"
    longer = await mt.translate("she speaks to the", draft=True, previous_text="Ella habla a la")
    assert longer.text == "Ella habla a la"
    assert (await mt.translate("she speaks to the")).text == "Ella habla a la gente"


async def test_terms_are_counted_by_what_became_of_them(serve: Serve) -> None:
    mt = await serve(
        final=Script(
            lambda job: {"Grace": "favor", "faith": "fe", "mercy": "piedad"}.get(
                job.text, "El favor y la fe y la compasión"
            )
        )
    )
    before = {o: counted("glossa_mt_terms_total", outcome=o) for o in ("kept", "placed", "missing")}
    answer = await mt.translate("Grace and faith and mercy", draft=False)
    assert answer.text == "El gracia y la fe y la compasión"
    assert "missing_term" in answer.flags
    after = {o: counted("glossa_mt_terms_total", outcome=o) for o in before}
    assert {o: after[o] - before[o] for o in before} == {"kept": 1, "placed": 1, "missing": 1}
    required = ["grace", "faith", "mercy"]
    assert [term.source.casefold() for term in answer.required_terms] == required
    assert [term.source.casefold() for term in answer.missing_terms] == ["mercy"]


async def test_a_term_that_stood_in_what_is_not_shown_is_missing(serve: Serve) -> None:
    looping = "La gente " + "habla sin parar " * 30 + "de la gracia"
    mt = await serve(
        final=Script(lambda job: "favor" if job.text.casefold() == "grace" else looping)
    )
    answer = await mt.translate("the people speak of grace without end")
    assert "gracia" not in answer.text
    assert "runaway" in answer.flags
    assert [term.target for term in answer.missing_terms] == ["gracia"]
    assert "missing_term" in answer.flags


async def test_an_answer_cut_at_the_token_limit_is_no_whole_answer(serve: Serve) -> None:
    mt = await serve(
        final=Script(lambda job: Rendering("Uno dos", (), 2, hit_token_limit=True)),
        draft=says("Uno dos tres."),
    )
    answer = await mt.translate("One two three.")
    assert answer.text == "Uno dos tres."
    assert set(answer.flags) == {"shed", "runaway"}
