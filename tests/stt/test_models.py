"""Replacing models while streams go on."""

from __future__ import annotations

import asyncio
import threading
from itertools import pairwise
from pathlib import Path

import pytest

from services.errors import EngineFailed, GlossaError, OutOfMemory, WrongState
from services.stt import partials as partial_steps
from services.stt.engine import Decoding, HypothesisWord, LiveDecoder
from services.stt.events import Event, Partial
from services.stt.redecoding import Redecoder
from services.stt.tiers import ModelInUse, Tiers
from tests.speech import Pcm
from tests.stt.scripted import (
    Manner,
    Script,
    ScriptedEngine,
    finals,
    partials,
    said,
    scripted,
    settings,
    silence_ms,
    transcribe,
)
from tests.stt.test_streaming import LONG, distinct_words, with_silence


def models(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).mkdir()
    return folder


async def reason_of(work: object) -> str:
    with pytest.raises(GlossaError) as raised:
        await work
    return raised.value.reason


async def test_a_model_is_replaced_in_the_middle_of_a_stream_that_loses_nothing(
    tmp_path: Path,
) -> None:
    script = Script()
    old, new = Manner(script), Manner(script)
    pcm = with_silence(script.say(LONG))
    loading: list[asyncio.Task[object]] = []
    with scripted(final=old, other=new):
        async with Tiers(settings(models(tmp_path, "other"))).loaded() as tiers:

            def load_at_the_third_partial(event: Event) -> None:
                if isinstance(event.body, Partial) and event.body.revision == 3 and not loading:
                    loading.append(asyncio.create_task(tiers.load("", "", "other")))

            events = await transcribe(tiers, pcm, on_event=load_at_the_third_partial)
            done = await loading[0]
            assert done.current == ModelInUse("final", "scripted", "other")
            assert done.previous == ModelInUse("final", "scripted", "final")
            assert tiers.in_use == (done.current,)
    assert said(events) == LONG
    labels = [final.model for final in finals(events)]
    assert labels[-1] == "scripted/other"
    assert {partial.model for partial in partials(events)} == {"scripted/final", "scripted/other"}
    for segment_id in range(1, len(finals(events)) + 1):
        stable = [partial.stable_text for partial in partials(events, segment_id)]
        assert all(later.startswith(earlier) for earlier, later in pairwise(stable))
    assert (old.closed, new.closed) == (1, 1)


async def test_the_old_model_is_closed_while_a_quiet_stream_is_open(tmp_path: Path) -> None:
    script = Script()
    old = Manner(script)
    with scripted(final=old, other=Manner(script)):
        async with Tiers(settings(models(tmp_path, "other"))).loaded() as tiers:
            stream = asyncio.create_task(
                transcribe(
                    tiers, [(0, script.say("we wait")), (10**6, silence_ms(30_000))], speed=1
                )
            )
            await tiers.load("final", "scripted", "other")
            async with asyncio.timeout(20):
                while not old.closed:
                    await asyncio.sleep(0.01)
            stream.cancel()
            await asyncio.wait({stream})


async def test_partials_go_on_though_a_model_is_replaced_while_its_decoder_fails_to_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opening, is_replaced = threading.Event(), threading.Event()

    def open_live(engine: ScriptedEngine, decoding: Decoding) -> LiveDecoder:
        if engine.model == "final":
            opening.set()
            assert is_replaced.wait(20)
            raise EngineFailed("it broke")
        return Redecoder(engine, decoding)

    monkeypatch.setattr(ScriptedEngine, "open_live", open_live)
    script = Script()
    manners = {"final": Manner(script, live_decoders=1), "other": Manner(script, live_decoders=1)}
    with scripted(**manners):
        async with Tiers(settings(models(tmp_path, "other"))).loaded() as tiers:
            pcm = with_silence(script.say(LONG))
            stream = asyncio.create_task(transcribe(tiers, pcm))
            assert await asyncio.to_thread(opening.wait, 20)
            await tiers.load("", "", "other")
            is_replaced.set()
            events = await stream
    assert {partial.model for partial in partials(events)} == {"scripted/other"}


async def test_a_stream_that_found_no_free_decoder_gets_one_when_another_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(partial_steps, "RETRY_S", 0.05)
    script = Script()
    short, long = with_silence(script.say("and so we pray")), with_silence(script.say(LONG))
    with scripted(final=Manner(script)):
        async with Tiers(settings(live_decoders=1)).loaded() as tiers:
            first = asyncio.create_task(transcribe(tiers, short))
            second = asyncio.create_task(transcribe(tiers, long))
            assert partials(await first)
            assert partials(await second)


async def test_rollback_goes_back_and_forth(tmp_path: Path) -> None:
    script = Script()
    manners = {"final": Manner(script), "other": Manner(script)}
    with scripted(**manners):
        async with Tiers(settings(models(tmp_path, "other"))).loaded() as tiers:
            assert await reason_of(tiers.rollback("final")) == "NOTHING_TO_ROLL_BACK"
            await tiers.load("", "", "other")
            assert (await tiers.rollback("")).current.model == "final"
            assert (await tiers.rollback("final")).current.model == "other"
            assert tiers.in_use[0].model == "other"


def silent_nan(_: Decoding) -> float:
    return float("nan")


def off_the_clip(words: list[HypothesisWord], _: Decoding) -> list[HypothesisWord]:
    return [*words, HypothesisWord("late", 10_000, 10_500, 0.5)]


class _Fickle:
    def __init__(self) -> None:
        self._count = 0

    def __call__(self, words: list[HypothesisWord], _: Decoding) -> list[HypothesisWord]:
        self._count += 1
        return [HypothesisWord(f"answer{self._count}", 0, 100, 0.5)]


@pytest.mark.parametrize(
    ("manner", "reason", "error"),
    [
        (Manner(Script(), avg_logprob=silent_nan), "SMOKE_TEST_FAILED", WrongState),
        (Manner(Script(), hear=off_the_clip), "SMOKE_TEST_FAILED", WrongState),
        (Manner(Script(), hear=_Fickle()), "SMOKE_TEST_FAILED", WrongState),
        (Manner(Script(), load_error=OutOfMemory("no room")), "OUT_OF_MEMORY", OutOfMemory),
        (Manner(Script(), load_error=MemoryError()), "OUT_OF_MEMORY", OutOfMemory),
    ],
    ids=["nan", "word times", "not deterministic", "device memory", "memory"],
)
async def test_a_model_that_cannot_be_used_leaves_the_old_one_in_use(
    tmp_path: Path, manner: Manner, reason: str, error: type[GlossaError]
) -> None:
    script = Script()
    with scripted(final=Manner(script), broken=manner):
        async with Tiers(settings(models(tmp_path, "broken"))).loaded() as tiers:
            with pytest.raises(error) as raised:
                await tiers.load("final", "", "broken")
            assert raised.value.reason == reason
            assert tiers.in_use[0].model == "final"
            assert manner.closed == (0 if manner.load_error else 1)
            pcm = with_silence(script.say("in the beginning"))
            assert said(await transcribe(tiers, pcm)) == "in the beginning"
            assert await reason_of(tiers.rollback("final")) == "NOTHING_TO_ROLL_BACK"


@pytest.mark.parametrize(
    "model", ["", ".", "..", "../outside", "/etc", "a/../../outside", "absent"]
)
async def test_only_models_below_the_models_folder_are_loaded(tmp_path: Path, model: str) -> None:
    models(tmp_path, "outside", "models")
    with scripted(final=Manner(Script())):
        async with Tiers(settings(tmp_path / "models")).loaded() as tiers:
            assert await reason_of(tiers.load("final", "", model)) == "MODEL_MISSING"


async def test_a_path_below_the_models_folder_will_do(tmp_path: Path) -> None:
    folder = models(tmp_path, "other")
    with scripted(final=Manner(Script()), other=Manner(Script())):
        async with Tiers(settings(folder)).loaded() as tiers:
            done = await tiers.load("final", "", str(folder / "other"))
            assert done.current.model == "other"
            assert (await tiers.load("", "", "owner/other")).current.model == "other"


async def test_unknown_tiers_and_engines_have_their_reasons(tmp_path: Path) -> None:
    with scripted(final=Manner(Script())):
        async with Tiers(settings(models(tmp_path, "other"))).loaded() as tiers:
            assert await reason_of(tiers.load("draft", "", "other")) == "NO_SUCH_TIER"
            assert await reason_of(tiers.load("partial", "", "other")) == "NO_SUCH_TIER"
            assert await reason_of(tiers.load("final", "whistle", "other")) == "UNKNOWN_ENGINE"


async def test_one_replacement_at_a_time(tmp_path: Path) -> None:
    slow = Manner(Script())
    with scripted(final=Manner(Script()), slow=slow):
        async with Tiers(settings(models(tmp_path, "slow"))).loaded() as tiers:
            with slow.gate:
                first = asyncio.create_task(tiers.load("final", "", "slow"))
                await asyncio.sleep(0)
                assert await reason_of(tiers.load("final", "", "slow")) == "LOAD_IN_PROGRESS"
            assert (await first).current.model == "slow"


async def test_a_caller_that_goes_away_does_not_stop_the_loading(tmp_path: Path) -> None:
    slow = Manner(Script())
    with scripted(final=Manner(Script()), slow=slow):
        async with Tiers(settings(models(tmp_path, "slow"))).loaded() as tiers:
            with slow.gate:
                call = asyncio.create_task(tiers.load("final", "", "slow"))
                await asyncio.sleep(0)
                call.cancel()
                await asyncio.wait({call})
            async with asyncio.timeout(20):
                await tiers.final.replaced()
            assert tiers.in_use[0].model == "slow"


async def test_a_model_without_a_language_that_is_being_spoken_is_refused(tmp_path: Path) -> None:
    script = Script()
    both = Manner(script, languages=("en", "es"))
    english = Manner(Script())
    with scripted(final=both, english=english):
        async with Tiers(settings(models(tmp_path, "english"))).loaded() as tiers:
            with tiers.speaking("es"):
                reason = await reason_of(tiers.load("final", "", "english"))
                assert reason == "UNSUPPORTED_LANGUAGE"
                events = await transcribe(tiers, with_silence(script.say("porque de tal manera")))
                assert said(events) == "porque de tal manera"
            assert (await tiers.load("final", "", "english")).current.model == "english"


async def test_partials_come_from_their_own_model_and_finals_from_theirs(tmp_path: Path) -> None:
    script = Script()
    fast, slow = Manner(script), Manner(script)
    with scripted(final=slow, fast=fast):
        async with Tiers(settings(tmp_path, partial_model="fast")).loaded() as tiers:
            assert [model.tier for model in tiers.in_use] == ["final", "partial"]
            events = await transcribe(tiers, with_silence(script.say(LONG[:120])))
            assert {partial.model for partial in partials(events)} == {"scripted/fast"}
            assert {final.model for final in finals(events)} == {"scripted/final"}


async def test_the_model_of_finals_makes_partials_of_a_language_that_the_fast_one_lacks(
    tmp_path: Path,
) -> None:
    script = Script()
    fast, slow = Manner(script), Manner(script, languages=("en", "es"))
    with scripted(final=slow, fast=fast):
        async with Tiers(settings(tmp_path, partial_model="fast")).loaded() as tiers:
            pcm = with_silence(script.say("porque de tal manera amó Dios al mundo"))
            events = await transcribe(tiers, pcm, language="es")
            assert {partial.model for partial in partials(events)} == {"scripted/final"}
            assert {decoding.language for _, decoding in slow.decodings[2:]} == {"es"}


async def test_finals_do_not_wait_for_partials_that_are_stuck(tmp_path: Path) -> None:
    script = Script()
    fast, slow = Manner(script), Manner(script)
    with scripted(final=slow, fast=fast):
        async with Tiers(settings(tmp_path, partial_model="fast")).loaded() as tiers:
            pcm: Pcm = with_silence(script.say(" ".join(distinct_words(8))))
            with fast.gate:
                events = await transcribe(tiers, pcm)
            assert not partials(events)
            assert len(finals(events)) == 1
