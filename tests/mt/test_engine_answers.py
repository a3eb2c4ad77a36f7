"""What becomes of an engine's answer, and what the engine was told: scripted engines."""

from __future__ import annotations

from glossa.mt.v1 import mt_pb2
from services.errors import EngineFailed, InvalidInput, reason_of
from services.mt.engine import Job, Rendering
from tests.mt.scripted import (
    STREAMING,
    Script,
    Serve,
    counted,
    failure,
    says,
)

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
