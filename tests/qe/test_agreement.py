"""Agreement with a translation that came along with the pair, without any model of qe's own."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glossa.qe.v1 import qe_pb2
from services.errors import Unavailable
from services.qe.engine import Pair, Signal
from services.qe.engines import agreement
from services.qe.engines.agreement import AgreementEngine
from services.qe.engines.comparison import ChrfPlusPlus
from services.qe.settings import QeSettings
from tests.qe.conftest import QeProcess

SOURCE = "The grace of God is enough for us."
TARGET = "La gracia de Dios nos basta."
OTHER = "La gracia de Dios es suficiente para nosotros."
MARIAN = "marian/opus-mt-en-es"


def pair(target: str = TARGET, **more: str) -> Pair:
    return Pair(SOURCE, target, "en", "es", **{"target_model": "gguf/large", **more})


def signal(scored: Pair, engine: AgreementEngine | None = None) -> Signal:
    ((found,),) = (engine or agreement.load(QeSettings())).score([scored])
    return found


def test_a_translation_that_came_along_is_compared_with() -> None:
    near = signal(pair(independent_text=OTHER, independent_model=MARIAN))
    far = signal(pair("Mañana iremos a pescar.", independent_text=OTHER, independent_model=MARIAN))
    same = signal(pair(OTHER, independent_text=OTHER, independent_model=MARIAN))
    assert near.name == "marian_agreement"
    assert near.model == f"chrf++ vs {MARIAN}"
    assert near.value is not None
    assert far.value is not None
    assert far.value < near.value < 1.0
    assert same.value == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({}, "NO_MODEL"),
        ({"independent_text": OTHER, "independent_model": "apertium/eng-spa"}, "NO_MODEL"),
        ({"independent_text": "  ", "independent_model": MARIAN}, "NO_MODEL"),
        (
            {"independent_text": OTHER, "independent_model": MARIAN, "target_model": MARIAN},
            "NO_MODEL",
        ),
        ({"independent_text": "y es así " * 20, "independent_model": MARIAN}, "RAN_AWAY"),
    ],
)
def test_what_speaks_for_nothing_is_no_agreement(more: dict[str, str], reason: str) -> None:
    unset = signal(pair(**more))
    assert unset.value is None
    assert unset.model == f"agreement: {reason}"


def test_pairs_keep_their_order_whatever_is_known_of_them() -> None:
    known = pair(OTHER, independent_text=OTHER, independent_model=MARIAN)
    scores = agreement.load(QeSettings()).score([pair(), known, pair(), known])
    assert [score[0].value is None for score in scores] == [True, False, True, False]


@given(st.text(max_size=60), st.text(max_size=60))
def test_chrf_lies_between_0_and_1_for_any_texts(text: str, other: str) -> None:
    (value,) = ChrfPlusPlus().values([(text, other)])
    assert value is not None
    assert 0.0 <= value <= 1.0 + 1e-9


def test_a_marian_model_without_its_library_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "ctranslate2", None)
    with pytest.raises(Unavailable, match=r"ctranslate2.*pip install") as error:
        agreement.load(QeSettings(marian_model="opus-mt-en-es"))
    assert error.value.reason == "ENGINE_MISSING"


def test_embeddings_without_their_library_give_way_to_chrf(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    engine = agreement.load(QeSettings(embedding_model=str(tmp_path)))
    compared = signal(pair(independent_text=OTHER, independent_model=MARIAN), engine)
    assert compared.value is not None
    assert compared.model == f"chrf++ vs {MARIAN}"


@pytest.mark.asyncio(loop_scope="session")
async def test_what_the_caller_sends_along_reaches_the_comparison(shared_qe: QeProcess) -> None:
    message = qe_pb2.Pair(
        source_text=SOURCE,
        target_text=TARGET,
        source_language="en-US",
        target_language="es-MX",
        target_model="gguf/large",
        independent_text=OTHER,
        independent_model=MARIAN,
    )
    answer = await shared_qe.stub.Score(qe_pb2.ScoreRequest(pairs=[message]), timeout=10)
    (found,) = [s for s in answer.scores[0].signals if s.name == "marian_agreement"]
    assert 0.3 < found.value < 1.0
    assert found.model == f"chrf++ vs {MARIAN}"
