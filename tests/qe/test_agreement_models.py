"""Agreement by real models: a tiny Marian translates, tiny sentence embeddings compare."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from glossa.qe.v1 import qe_pb2
from services import marian
from services.errors import Unavailable
from services.qe.engine import Pair, Signal
from services.qe.engines import agreement
from services.qe.engines.agreement import AgreementEngine
from services.qe.settings import QeSettings
from tests.qe.conftest import QeProcess
from tests.tiny.embedding import MAX_TOKENS, sentence_embedding
from tests.tiny.marian import marian_ct2
from tests.tiny.pairs import EN_ES

# The first test may have to train the tiny Marian.
pytestmark = pytest.mark.engines

SOURCE, TARGET = EN_ES[1]
UNRELATED = EN_ES[5][1]
OWN = "marian/opus-mt-en-es"


@pytest.fixture(scope="module")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models as ./glossa models pull leaves it."""
    folder = tmp_path_factory.mktemp("models")
    shutil.copytree(marian_ct2(), folder / "opus-mt-en-es")
    shutil.copytree(sentence_embedding(), folder / "minilm")
    return folder


@pytest.fixture(scope="module")
def load(models_dir: Path) -> Iterator[Callable[..., AgreementEngine]]:
    loaded: list[AgreementEngine] = []

    def load(**settings: object) -> AgreementEngine:
        settings = {"marian_model": "opus-mt-en-es", "threads": 1, **settings}
        loaded.append(
            agreement.load(QeSettings.model_validate({"models_dir": models_dir, **settings}))
        )
        return loaded[-1]

    yield load
    for engine in loaded:
        engine.close()


@pytest.fixture(scope="module")
def by_characters(load: Callable[..., AgreementEngine]) -> AgreementEngine:
    return load()


@pytest.fixture(scope="module")
def by_cosine(load: Callable[..., AgreementEngine]) -> AgreementEngine:
    return load(embedding_model="minilm")


def pair(source: str = SOURCE, target: str = TARGET, **more: str) -> Pair:
    return Pair(source, target, **{"source_language": "en", "target_language": "es", **more})


def signal(engine: AgreementEngine, *pairs: Pair) -> Signal:
    return engine.score(pairs)[0][0]


def value(engine: AgreementEngine, scored: Pair) -> float:
    found = signal(engine, scored)
    assert found.value is not None, found.model
    return found.value


@pytest.mark.parametrize("method", ["chrf++", "cosine/minilm"])
def test_a_translation_agrees_with_marians_own_and_another_text_does_not(
    by_characters: AgreementEngine, by_cosine: AgreementEngine, method: str
) -> None:
    engine = by_characters if method == "chrf++" else by_cosine
    assert signal(engine, pair()).model == f"{method} vs {OWN}"
    assert value(engine, pair()) == pytest.approx(1.0, abs=1e-5)
    # Untrained embeddings of one kind of text are not far from each other.
    assert value(engine, pair(target=UNRELATED)) < 0.95


def test_what_came_along_saves_translating(by_cosine: AgreementEngine) -> None:
    came = pair(independent_text=UNRELATED, independent_model="marian/other", target=UNRELATED)
    assert signal(by_cosine, came).model == "cosine/minilm vs marian/other"
    assert value(by_cosine, came) == pytest.approx(1.0, abs=1e-5)


def test_a_model_is_not_asked_whether_it_agrees_with_itself(by_characters: AgreementEngine) -> None:
    for more in ({}, {"independent_text": TARGET, "independent_model": OWN}):
        own = signal(by_characters, pair(target_model=OWN, **more))
        assert own.value is None
        assert own.model == "agreement: SAME_MODEL"


def test_a_direction_without_a_model_is_unset(by_characters: AgreementEngine) -> None:
    other = signal(by_characters, pair(target_language="fr"))
    assert other.value is None
    assert other.model == "agreement: UNSUPPORTED_LANGUAGE_PAIR"


def test_a_source_that_marian_cannot_read_as_a_whole_is_unset(
    by_characters: AgreementEngine,
) -> None:
    cut = signal(by_characters, pair(source="so we went on and on " * 90))
    assert cut.value is None
    assert cut.model == "agreement: SOURCE_TOO_LONG"


def test_a_translation_that_marian_did_not_end_is_unset(
    by_characters: AgreementEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(marian, "max_new_tokens", lambda source_tokens: 3)
    cut = signal(by_characters, pair())
    assert cut.value is None
    assert cut.model == "agreement: RAN_AWAY"


def test_a_text_that_the_embeddings_would_cut_is_unset(by_cosine: AgreementEngine) -> None:
    long = pair(target=" ".join([TARGET] * MAX_TOKENS))
    cut, whole = by_cosine.score([long, pair()])
    assert cut[0].value is None
    assert cut[0].model == "cosine/minilm: TEXT_TOO_LONG"
    assert whole[0].value is not None


def test_a_batch_gives_what_each_pair_gives_alone(by_cosine: AgreementEngine) -> None:
    pairs = [
        pair(),
        pair(target_language="fr"),
        pair(target=UNRELATED),
        pair(*EN_ES[7]),
        pair(independent_text=UNRELATED, independent_model="marian/other"),
        pair(target_model=OWN),
    ]
    together = [score[0] for score in by_cosine.score(pairs)]
    alone = [signal(by_cosine, each) for each in pairs]
    assert [one.model for one in together] == [one.model for one in alone]
    for one, other in zip(together, alone, strict=True):
        assert one.value == (None if other.value is None else pytest.approx(other.value, abs=1e-4))


def test_a_marian_model_that_is_not_there_is_named(load: Callable[..., AgreementEngine]) -> None:
    with pytest.raises(Unavailable, match="opus-mt-en-xx") as error:
        load(marian_model="opus-mt-en-xx")
    assert error.value.reason == "MODEL_MISSING"


@pytest.mark.parametrize("damage", ["missing", "empty", "truncated"])
def test_embeddings_that_cannot_be_loaded_give_way_to_chrf(
    load: Callable[..., AgreementEngine],
    tmp_path: Path,
    damage: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "embeddings"
    if damage == "empty":
        folder.mkdir()
    elif damage == "truncated":
        shutil.copytree(sentence_embedding(), folder)
        (weights,) = folder.rglob("*.safetensors")
        weights.write_bytes(weights.read_bytes()[:100])
    engine = load(embedding_model=str(folder))
    assert "no_embedding_model" in capfd.readouterr().out
    assert signal(engine, pair()).model == f"chrf++ vs {OWN}"


@pytest.mark.asyncio(loop_scope="session")
async def test_the_service_compares_by_both_models(
    own_qe: Callable[..., QeProcess], models_dir: Path
) -> None:
    qe = own_qe(models_dir=models_dir, marian_model="opus-mt-en-es", embedding_model="minilm")
    await qe.wait_ready()
    message = qe_pb2.Pair(
        source_text=SOURCE, target_text=TARGET, source_language="en", target_language="es"
    )
    answer = await qe.stub.Score(qe_pb2.ScoreRequest(pairs=[message]), timeout=60)
    (found,) = [s for s in answer.scores[0].signals if s.name == "marian_agreement"]
    assert found.value == pytest.approx(1.0, abs=1e-5)
    assert found.model == f"cosine/minilm vs {OWN}"
