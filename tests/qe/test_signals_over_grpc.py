"""Rules that need more of a pair than its texts, and which pairs are translated back."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from glossa.qe.v1 import qe_pb2
from glossa.types.v1 import types_pb2
from tests.qe.conftest import QeProcess

pytestmark = pytest.mark.asyncio(loop_scope="session")

GOOD = ("The house of my brother is very big.", "La casa de mi hermano es muy grande.")
WITHOUT_ITS_NUMBER = ("He has three houses.", "Tiene unas casas.")
NEEDING_THE_WAY_BACK = ("unknown_word_rate", "back_translation", "heuristic_quality")


async def test_terms_that_mt_missed_lower_their_signal(shared_qe: QeProcess) -> None:
    terms = [
        types_pb2.GlossaryTerm(source="house", target="casa"),
        types_pb2.GlossaryTerm(source="brother", target="hermano en la fe"),
    ]
    pair = qe_pb2.Pair(
        source_text=GOOD[0],
        target_text=GOOD[1],
        source_language="en",
        target_language="es",
        required_terms=terms,
        missing_terms=terms[1:],
    )
    answer = await shared_qe.stub.Score(qe_pb2.ScoreRequest(pairs=[pair]), timeout=10)
    (signal,) = [s for s in answer.scores[0].signals if s.name == "glossary_terms"]
    assert signal.value == 0.5


async def test_lost_references_and_loops_lower_their_signals(shared_qe: QeProcess) -> None:
    right = await shared_qe.values("Read first John 3:16.", "Lean Primera de Juan 3:16.")
    wrong = await shared_qe.values("Read first John 3:16.", "Lean Juan 3:16. " + "y así es " * 9)
    assert (right["bible_references"], right["repetition"]) == (1.0, 1.0)
    assert wrong["bible_references"] == 0.0
    assert wrong["repetition"] is not None
    assert wrong["repetition"] < 0.5


async def test_the_way_back_can_be_switched_off(own_qe: Callable[..., QeProcess]) -> None:
    qe = own_qe(second_tier_back_translation="never")
    await qe.wait_ready()
    values = await qe.values(*WITHOUT_ITS_NUMBER)
    assert [values[name] for name in NEEDING_THE_WAY_BACK] == [None] * 3
    assert values["number_parity"] == 0.0
    assert qe.stages() == []  # Apertium is not even started
    answer = await qe.score([GOOD])
    models = {signal.name: signal.model for signal in answer.scores[0].signals}
    assert models["back_translation"] == "chrf: SWITCHED_OFF"


async def test_only_pairs_that_a_rule_doubts_are_translated_back_if_so_wished(
    own_qe: Callable[..., QeProcess],
) -> None:
    qe = own_qe(second_tier_back_translation="doubtful")
    await qe.wait_ready()
    undoubted = await qe.values(*GOOD)
    assert [undoubted[name] for name in NEEDING_THE_WAY_BACK] == [None] * 3
    doubted = await qe.values(*WITHOUT_ITS_NUMBER)
    assert None not in [doubted[name] for name in NEEDING_THE_WAY_BACK]
