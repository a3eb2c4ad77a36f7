"""What a caller of qe gets, over gRPC from a real process."""

from __future__ import annotations

import grpc
import pytest

from glossa.types.v1 import models_pb2, models_pb2_grpc
from services.errors import reason_of
from tests.qe.conftest import QeProcess

pytestmark = pytest.mark.asyncio(loop_scope="session")

SIGNALS = [
    "length_ratio",
    "copied_through",
    "unknown_word_rate",
    "number_parity",
    "negation_parity",
    "bible_references",
    "glossary_terms",
    "repetition",
    "back_translation",
    "heuristic_quality",
]
# Beside the rules; unset where there is nothing to compare with.
AGREEMENT = "marian_agreement"
GOOD = ("The house of my brother is very big.", "La casa de mi hermano es muy grande.")
UNRELATED = ("The house of my brother is very big.", "Mañana comeremos pescado con arroz.")


async def reason(call: grpc.aio.UnaryUnaryCall) -> str:
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await call
    assert failure.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    return reason_of(failure.value)


async def test_every_signal_comes_with_its_method(shared_qe: QeProcess) -> None:
    answer = await shared_qe.score([GOOD])
    models = {signal.name: signal.model for signal in answer.scores[0].signals}
    assert list(models) == [*SIGNALS, AGREEMENT]
    assert models["back_translation"] == "chrf+apertium/spa-eng"
    assert models["heuristic_quality"] == "heuristic/1+apertium/spa-eng"
    assert all(models.values())
    for signal in answer.scores[0].signals[: len(SIGNALS)]:
        # It names no place in the Bible, and mt was not asked for terms.
        assert signal.HasField("value") == (
            signal.name not in ("bible_references", "glossary_terms")
        )
        assert 0.0 <= signal.value <= 1.0


async def test_it_never_claims_to_be_a_learned_estimate(shared_qe: QeProcess) -> None:
    answer = await shared_qe.score([GOOD])
    model = await models_pb2_grpc.ModelServiceStub(shared_qe.channel).GetModel(
        models_pb2.GetModelRequest(), timeout=5
    )
    said = f"{answer} {model}".lower()
    assert "kiwi" not in said
    assert "translation_qe" not in said


async def test_a_translation_scores_above_what_is_none(shared_qe: QeProcess) -> None:
    good = await quality(shared_qe, *GOOD)
    assert good > 0.7
    assert await quality(shared_qe, *UNRELATED) < 0.1
    assert await quality(shared_qe, GOOD[0], GOOD[0]) == 0.0
    assert await quality(shared_qe, GOOD[0], "La casa.") < good / 2


async def quality(qe: QeProcess, source_text: str, target_text: str) -> float:
    value = (await qe.values(source_text, target_text))["heuristic_quality"]
    assert value is not None
    return value


async def test_lost_numbers_and_negations_pull_the_quality_down(shared_qe: QeProcess) -> None:
    right = await shared_qe.values("He did not have three houses.", "No tuvo tres casas.")
    number = await shared_qe.values("He did not have three houses.", "No tuvo cuatro casas.")
    negation = await shared_qe.values("He has never had three houses.", "Ha tenido tres casas.")
    assert right["number_parity"] == right["negation_parity"] == 1.0
    assert right["heuristic_quality"] == 1.0
    assert number["number_parity"] == number["heuristic_quality"] == 0.0
    assert negation["negation_parity"] == 0.0
    assert negation["back_translation"] > 0.55  # type: ignore[operator]  # alone it would pass
    assert negation["heuristic_quality"] < 0.5  # type: ignore[operator]


async def test_case_and_punctuation_do_not_change_the_way_back(shared_qe: QeProcess) -> None:
    spoken = await shared_qe.values("the house is red", "La casa es roja.")
    written = await shared_qe.values("The house is red!", "La casa es roja.")
    assert spoken["back_translation"] == written["back_translation"] == 1.0


async def test_unknown_words_of_the_translation_are_counted(shared_qe: QeProcess) -> None:
    values = await shared_qe.values("the quux is red", "la quuxa es roja")
    assert values["unknown_word_rate"] == pytest.approx(0.75)


async def test_the_other_direction_is_measured_too(shared_qe: QeProcess) -> None:
    values = await shared_qe.values("La casa es roja.", "The house is red.", "es-MX", "en-US")
    assert values["back_translation"] == 1.0


async def test_without_a_way_back_its_signals_are_missing_not_zero(shared_qe: QeProcess) -> None:
    values = await shared_qe.values("The house is red.", "La maison est rouge.", "en", "fr")
    for name in ("back_translation", "heuristic_quality", "unknown_word_rate", "negation_parity"):
        assert values[name] is None
    assert values["length_ratio"] is not None
    assert values["number_parity"] == 1.0


async def test_results_come_in_the_order_of_the_pairs(shared_qe: QeProcess) -> None:
    answer = await shared_qe.score([GOOD, UNRELATED] * 32)
    assert len(answer.scores) == 64
    quality_at = SIGNALS.index("heuristic_quality")
    qualities = [score.signals[quality_at].value for score in answer.scores]
    assert qualities[0] > 0.7
    assert qualities == [qualities[0], qualities[1]] * 32


async def test_requests_outside_the_limits_are_refused(shared_qe: QeProcess) -> None:
    assert await reason(shared_qe.score([])) == "NO_PAIRS"
    assert len((await shared_qe.score([GOOD] * 64)).scores) == 64
    assert await reason(shared_qe.score([GOOD] * 65)) == "TOO_MANY_PAIRS"
    assert await reason(shared_qe.score([GOOD, ("", "hola")])) == "EMPTY_TEXT"
    assert await reason(shared_qe.score([("hello", " \n")])) == "EMPTY_TEXT"
    assert (await shared_qe.score([("a" * 2000, "a" * 4000)])).scores
    assert await reason(shared_qe.score([("a" * 2001, "a")])) == "TEXT_TOO_LONG"
    assert await reason(shared_qe.score([("a", "a" * 4001)])) == "TEXT_TOO_LONG"


@pytest.mark.parametrize("text", ["...", "\0", "a\0b [x] {y} ^$ *#@", "4", "\N{MAN}", "ve " * 600])
async def test_strange_texts_are_measured(shared_qe: QeProcess, text: str) -> None:
    for value in (await shared_qe.values(text, text)).values():
        assert value is None or 0.0 <= value <= 1.0
    assert (await shared_qe.values(*GOOD))["back_translation"] is not None


async def test_the_model_service_names_engine_and_signals(shared_qe: QeProcess) -> None:
    answer = await models_pb2_grpc.ModelServiceStub(shared_qe.channel).GetModel(
        models_pb2.GetModelRequest(), timeout=5
    )
    assert (answer.engine, answer.model) == ("heuristic", "heuristic/1")
    assert [name for name in answer.capabilities if name != AGREEMENT] == SIGNALS
    assert answer.tiers[0].tier == "rules"


async def test_outcomes_and_missing_signals_are_counted(shared_qe: QeProcess) -> None:
    outcome = 'glossa_qe_requests_total{outcome="NO_PAIRS"}'
    missing = 'glossa_qe_signals_missing_total{signal="back_translation"}'
    before = await shared_qe.metric(outcome), await shared_qe.metric(missing)
    assert await reason(shared_qe.score([])) == "NO_PAIRS"
    await shared_qe.values("hello", "salut", "en", "fr")
    assert (await shared_qe.metric(outcome), await shared_qe.metric(missing)) == (
        before[0] + 1,
        before[1] + 1,
    )
