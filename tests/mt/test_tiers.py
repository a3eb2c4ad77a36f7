"""Two tiers, their batches, and the one that stands in, with engines that do what a test wants."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import grpc
import pytest

from services.errors import EngineFailed, InvalidInput, OutOfMemory, reason_of
from services.mt.engine import Capabilities, Job
from tests.mt.scripted import (
    EN_ES,
    ES_EN,
    WAIT_S,
    Mt,
    Script,
    Serve,
    arrival,
    counted,
    failure,
    reached,
    says,
)

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
