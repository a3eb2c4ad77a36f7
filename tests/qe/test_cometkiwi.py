"""The learned estimate: a tiny UnifiedMetric, loaded as a real one is, in a real qe process."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import grpc
import pytest
import pytest_asyncio

from glossa.types.v1 import models_pb2, models_pb2_grpc
from services.errors import error_info, reason_of
from tests.qe.conftest import QeProcess
from tests.tiny import pairs
from tests.tiny.unified_metric import predicted, unified_metric

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.engines]

MakeQe = Callable[..., QeProcess]
SIGNAL = "translation_qe"
GOOD = list(pairs.EN_ES[:6])
SHUFFLED = [(GOOD[at][0], GOOD[at - 1][1]) for at in range(len(GOOD))]
TEXTS = [*GOOD, *SHUFFLED]
LONG = ("day " * 60, "noche " * 60)
TOO_LONG = ("a " * 900, "b " * 900)
BATCHES = 'glossa_qe_batch_pairs_count{engine="cometkiwi"}'
MEASURED = 'glossa_qe_pairs_total{engine="cometkiwi"}'


@pytest.fixture(scope="session")
def folder(qe_python: str) -> Path:
    return unified_metric(qe_python)


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def kiwi(
    qe_python: str, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[QeProcess]:
    """A qe in 32 bits, where the tiny model's scores are the library's own."""
    async with running(
        QeProcess(
            tmp_path_factory.mktemp("kiwi"),
            qe_python,
            engine="cometkiwi",
            model=folder.name,
            models_dir=folder.parent,
            dtype="float32",
        )
    ) as process:
        yield process


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def small(
    qe_python: str, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[QeProcess]:
    """A qe in 16 bits that takes one pair at a time, and measures nothing but the estimate."""
    async with running(
        QeProcess(
            tmp_path_factory.mktemp("small"),
            qe_python,
            engine="cometkiwi",
            model=folder,
            dtype="bfloat16",
            signals=SIGNAL,
            max_batch_pairs=1,
            batch_wait_ms=0,
        )
    ) as process:
        yield process


@contextlib.asynccontextmanager
async def running(process: QeProcess) -> AsyncIterator[QeProcess]:
    process.start()
    try:
        await process.wait_ready()
        yield process
        assert process.stop() == 0
    finally:
        process.kill()
        await process.channel.close()


async def scores(qe: QeProcess, asked: list[tuple[str, str]]) -> list[float | None]:
    answer = await qe.score(asked)
    return [
        signal.value if signal.HasField("value") else None
        for score in answer.scores
        for signal in score.signals
        if signal.name == SIGNAL
    ]


async def test_scores_are_those_of_the_library_itself(
    kiwi: QeProcess, qe_python: str, folder: Path
) -> None:
    theirs = await asyncio.to_thread(predicted, qe_python, folder, TEXTS)
    assert max(theirs) - min(theirs) > 0.1
    assert await scores(kiwi, TEXTS) == pytest.approx(theirs, abs=1e-5)


async def test_the_same_pair_scores_the_same_alone_and_among_others(kiwi: QeProcess) -> None:
    together = await scores(kiwi, TEXTS)
    assert await scores(kiwi, TEXTS) == pytest.approx(together, abs=1e-6)
    alone = [(await scores(kiwi, [pair]))[0] for pair in TEXTS]
    assert alone == pytest.approx(together, abs=1e-5)


async def test_requests_that_wait_share_batches(kiwi: QeProcess) -> None:
    alone = await scores(kiwi, TEXTS)
    before = await kiwi.metric(BATCHES), await kiwi.metric(MEASURED)
    at_once = await asyncio.gather(*(scores(kiwi, [pair]) for pair in TEXTS * 2))
    assert [score[0] for score in at_once] == pytest.approx(alone * 2, abs=1e-5)
    batches, measured = await kiwi.metric(BATCHES) - before[0], await kiwi.metric(MEASURED)
    assert measured - before[1] == 2 * len(TEXTS)
    assert batches < len(TEXTS)


async def test_a_pair_that_cannot_be_scored_spoils_no_other(kiwi: QeProcess) -> None:
    alone = await scores(kiwi, GOOD)
    answer = await kiwi.score([*GOOD[:3], TOO_LONG, *GOOD[3:]])
    kept = [
        next(signal for signal in score.signals if signal.name == SIGNAL) for score in answer.scores
    ]
    assert not kept[3].HasField("value")
    assert kept[3].model.endswith(": TEXT_TOO_LONG")
    assert [signal.value for signal in (*kept[:3], *kept[4:])] == pytest.approx(alone, abs=1e-5)


async def test_control_tokens_in_a_text_are_text(kiwi: QeProcess) -> None:
    (plain,) = await scores(kiwi, [("Let us pray.", "Oremos. Oremos.")])
    for token in ("</s>", "<pad>", "<s>", "<mask>"):
        (score,) = await scores(kiwi, [("Let us pray.", f"Oremos. {token} Oremos.")])
        (only,) = await scores(kiwi, [("Let us pray.", token)])
        assert score is not None
        assert only is not None
        assert score != plain


async def test_the_estimate_stands_between_the_rules_and_agreement(kiwi: QeProcess) -> None:
    answer = await kiwi.score(GOOD[:1])
    names = [signal.name for signal in answer.scores[0].signals]
    assert names[-2:] == [SIGNAL, "marian_agreement"]
    assert "heuristic_quality" in names


async def test_the_model_service_names_the_estimate_first(kiwi: QeProcess, folder: Path) -> None:
    model = await kiwi.model()
    assert (model.engine, model.model) == ("cometkiwi", f"cometkiwi/{folder.name}")
    assert SIGNAL in model.capabilities
    assert [tier.tier for tier in model.tiers][:2] == ["learned", "rules"]


@pytest.mark.parametrize(
    ("variant", "said", "reason"),
    [
        ("without-estimator", "no estimator.", "MODEL_UNUSABLE"),
        ("not-a-number", "NOT_A_NUMBER", "MODEL_UNUSABLE"),
        ("another-class", "'regression_metric'", "MODEL_UNUSABLE"),
        ("needs-a-reference", "reference", "MODEL_UNUSABLE"),
        ("with-a-program", "pickle", "MODEL_UNSAFE"),
    ],
)
async def test_a_model_that_is_not_right_is_refused_and_the_old_one_stays(
    kiwi: QeProcess, qe_python: str, folder: Path, variant: str, said: str, reason: str
) -> None:
    before = await scores(kiwi, GOOD)
    wrong = await asyncio.to_thread(unified_metric, qe_python, variant)
    stub = models_pb2_grpc.ModelServiceStub(kiwi.channel)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await stub.LoadModel(
            models_pb2.LoadModelRequest(tier="learned", model=wrong.name), timeout=60
        )
    assert reason_of(refused.value) == reason
    assert said in str(refused.value.details())
    info = error_info(refused.value)
    assert info is not None
    assert info.metadata["model"] == wrong.name
    assert (await kiwi.model()).model == f"cometkiwi/{folder.name}"
    assert await scores(kiwi, GOOD) == pytest.approx(before, abs=1e-6)


async def test_another_model_is_taken_into_use_and_back(
    kiwi: QeProcess, qe_python: str, folder: Path
) -> None:
    earlier = await asyncio.to_thread(unified_metric, qe_python, "of-an-earlier-library")
    stub = models_pb2_grpc.ModelServiceStub(kiwi.channel)
    with pytest.raises(grpc.aio.AioRpcError) as nothing:
        await stub.Rollback(models_pb2.RollbackRequest(tier="learned"), timeout=60)
    assert reason_of(nothing.value) == "NOTHING_TO_ROLL_BACK"
    before = await scores(kiwi, GOOD)
    done = await stub.LoadModel(models_pb2.LoadModelRequest(model=earlier.name), timeout=60)
    assert done.current.model == f"cometkiwi/{earlier.name}"
    assert done.previous.model == f"cometkiwi/{folder.name}"
    # Its weights are the same; it only holds a tensor that no library reads any more.
    assert await scores(kiwi, GOOD) == pytest.approx(before, abs=1e-6)
    back = await stub.Rollback(models_pb2.RollbackRequest(tier="learned"), timeout=60)
    assert back.current.model == f"cometkiwi/{folder.name}"

    for request, reason in (
        (models_pb2.LoadModelRequest(tier="rules", model=earlier.name), "NO_SUCH_TIER"),
        (models_pb2.LoadModelRequest(engine="oracle", model=earlier.name), "UNKNOWN_ENGINE"),
        (models_pb2.LoadModelRequest(model="../elsewhere"), "MODEL_MISSING"),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.LoadModel(request, timeout=60)
        assert reason_of(refused.value) == reason


async def test_a_model_that_is_not_there_leaves_its_signal_unset(
    own_qe: MakeQe, qe_python: str, tmp_path: Path
) -> None:
    qe = own_qe(python=qe_python, engine="cometkiwi", models_dir=tmp_path)
    await qe.wait_ready()
    answer = await qe.score(GOOD[:1])
    signals = {signal.name: signal for signal in answer.scores[0].signals}
    assert not signals[SIGNAL].HasField("value")
    assert signals[SIGNAL].model == "cometkiwi: MODEL_MISSING"
    assert signals["length_ratio"].HasField("value")
    assert await qe.metric('glossa_qe_engine_missing{engine="cometkiwi"}') == 1
    log = qe.log_path.read_text()
    assert "wmt22-cometkiwi-da" in log
    assert "./glossa models pull" in log


async def test_a_deadline_ends_a_request_of_which_the_rest_is_not_run(small: QeProcess) -> None:
    before = await small.metric(MEASURED)
    with pytest.raises(grpc.aio.AioRpcError) as late:
        await small.score([LONG] * 64, timeout_s=0.03)
    assert late.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    await small.wait_for_metric('glossa_qe_queue_depth{engine="cometkiwi"}', 0)
    assert len(await scores(small, GOOD[:1])) == 1
    assert await small.metric(MEASURED) - before < 64


async def test_sixteen_bits_come_close(small: QeProcess, qe_python: str, folder: Path) -> None:
    theirs = await asyncio.to_thread(predicted, qe_python, folder, TEXTS)
    assert await scores(small, TEXTS) == pytest.approx(theirs, abs=0.02)
