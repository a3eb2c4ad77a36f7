"""Models replaced, refused and rolled back while texts keep coming."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from glossa.types.v1 import models_pb2, models_pb2_grpc
from services.errors import EngineFailed, OutOfMemory, Unavailable, reason_of
from services.mt.engine import Capabilities, Job
from tests.mt.conftest import MtProcess
from tests.mt.scripted import ES_EN, WAIT_S, Mt, Script, serving_mt

Serve = Callable[..., Any]
MakeMt = Callable[..., MtProcess]


def translating(name: str, **more: Any) -> Script:
    """A model whose answers name it."""
    return Script(lambda job: f"Texto de {name}.", **more)


@pytest_asyncio.fixture
async def serve(tmp_path: Path) -> AsyncIterator[Serve]:
    async with AsyncExitStack() as stack:

        async def start(**by_model: Script) -> Mt:
            return await stack.enter_async_context(serving_mt(tmp_path, by_model))

        yield start


def load(mt: Mt, model: str, **more: str) -> grpc.aio.UnaryUnaryCall:
    call: grpc.aio.UnaryUnaryCall = mt.models.LoadModel(
        models_pb2.LoadModelRequest(model=model, **more), timeout=WAIT_S
    )
    return call


def roll_back(mt: Mt, tier: str = "") -> grpc.aio.UnaryUnaryCall:
    call: grpc.aio.UnaryUnaryCall = mt.models.Rollback(
        models_pb2.RollbackRequest(tier=tier), timeout=WAIT_S
    )
    return call


async def reason(call: grpc.aio.UnaryUnaryCall) -> str:
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await call
    return reason_of(failure.value)


async def test_another_model_is_used_once_it_was_tried_and_the_old_one_is_closed(
    serve: Serve,
) -> None:
    final, better = translating("final"), translating("better")
    mt = await serve(final=final, better=better)
    answer = await load(mt, "better")
    assert (answer.current.model, answer.previous.model) == ("better", "final")
    assert answer.current.tier == "final"
    assert answer.load_ms > 0
    assert len(better.calls) > 2, "it was tried"
    assert (await mt.translate("A text.")).text == "Texto de better."
    assert final.is_closed
    assert not better.is_closed


async def test_texts_keep_being_translated_while_a_model_loads(serve: Serve) -> None:
    final, slow = translating("final"), translating("slow")
    slow.calls_go.clear()
    mt = await serve(final=final, slow=slow)
    loading = asyncio.ensure_future(load(mt, "slow"))
    assert await asyncio.to_thread(slow.arrived.acquire, timeout=WAIT_S)
    for _ in range(20):
        assert (await mt.translate("A text.")).text == "Texto de final."
    assert await reason(load(mt, "slow")) == "LOAD_IN_PROGRESS"
    slow.calls_go.set()
    await loading
    assert (await mt.translate("A text.")).text == "Texto de slow."


async def test_a_text_under_way_ends_with_the_model_that_it_began_with(serve: Serve) -> None:
    final, better = translating("final"), translating("better")
    mt = await serve(final=final, better=better)
    final.calls_go.clear()
    under_way = mt.translate("A text.")
    assert await asyncio.to_thread(final.arrived.acquire, timeout=WAIT_S)
    loading = asyncio.ensure_future(load(mt, "better"))
    await asyncio.wait_for(mt.app.translator().final._swap.replaced(), WAIT_S)
    assert not final.is_closed
    final.calls_go.set()
    assert (await under_way).text == "Texto de final."
    await loading
    assert final.is_closed


def _out_of_memory(job: Job) -> str:
    raise OutOfMemory("no room for a text")


def _broken(job: Job) -> str:
    raise EngineFailed("it broke")


@pytest.mark.parametrize(
    ("candidate", "expected"),
    [
        (Script(lambda job: job.text), "SMOKE_TEST_FAILED"),
        (Script(lambda job: ""), "SMOKE_TEST_FAILED"),
        (Script(lambda job: "el pan " * 90), "SMOKE_TEST_FAILED"),
        (Script(_broken), "SMOKE_TEST_FAILED"),
        (translating("candidate", capabilities=Capabilities((ES_EN,))), "SMOKE_TEST_FAILED"),
        (Script(_out_of_memory), "OUT_OF_MEMORY"),
        (translating("x", load_error=OutOfMemory("no room")), "OUT_OF_MEMORY"),
        (translating("x", load_error=MemoryError()), "OUT_OF_MEMORY"),
        (translating("x", load_error=ValueError("damaged")), "ENGINE_FAILED"),
        (translating("x", load_error=Unavailable("MODEL_MISSING", "gone")), "MODEL_MISSING"),
    ],
)
async def test_a_model_that_does_not_do_is_refused_and_the_old_one_stays(
    serve: Serve, candidate: Script, expected: str
) -> None:
    final = translating("final")
    mt = await serve(final=final, candidate=candidate)
    assert await reason(load(mt, "candidate")) == expected
    assert (await mt.translate("A text.")).text == "Texto de final."
    assert not final.is_closed
    assert candidate.is_closed is (candidate.load_error is None)
    assert await reason(roll_back(mt)) == "NOTHING_TO_ROLL_BACK"


async def test_rolling_back_goes_to_the_model_before_and_again_to_the_one_after(
    serve: Serve,
) -> None:
    mt = await serve(final=translating("final"), better=translating("better"))
    assert await reason(roll_back(mt)) == "NOTHING_TO_ROLL_BACK"
    await load(mt, "better")
    answer = await roll_back(mt)
    assert (answer.current.model, answer.previous.model) == ("final", "better")
    assert (await mt.translate("A text.")).text == "Texto de final."
    assert (await roll_back(mt)).current.model == "better"


async def test_each_tier_is_replaced_on_its_own(serve: Serve) -> None:
    mt = await serve(
        final=translating("final"), draft=translating("draft"), quick=translating("quick")
    )
    await load(mt, "quick", tier="draft")
    models = await mt.models.GetModel(models_pb2.GetModelRequest())
    assert [(tier.tier, tier.model) for tier in models.tiers] == [
        ("final", "final"),
        ("draft", "quick"),
    ]
    assert (await mt.translate("A text.")).text == "Texto de final."
    assert (await mt.translate("A text.", draft=True)).text == "Texto de quick."


async def test_a_renderings_of_terms_are_the_new_models_own(serve: Serve) -> None:
    def first(job: Job) -> str:
        return "favor" if job.text == "Grace" else "El favor llegó."

    def second(job: Job) -> str:
        return "merced" if job.text == "Grace" else "La merced llegó."

    mt = await serve(final=Script(first), other=Script(second))
    assert (await mt.translate("Grace came.")).text == "El gracia llegó."
    await load(mt, "other")
    assert (await mt.translate("Grace came.")).text == "La gracia llegó."


@pytest.mark.parametrize("model", ["missing", "/etc/passwd", "../final", "a/../../final"])
async def test_only_what_lies_in_the_models_folder_is_loaded(serve: Serve, model: str) -> None:
    mt = await serve(final=translating("final"))
    call = load(mt, model)
    assert await reason(call) == "MODEL_MISSING"
    assert await call.code() == grpc.StatusCode.INVALID_ARGUMENT


async def test_unknown_tiers_and_runtimes_are_refused(serve: Serve) -> None:
    mt = await serve(final=translating("final"))
    assert await reason(load(mt, "final", tier="draft")) == "NO_SUCH_TIER"
    assert await reason(load(mt, "final", tier="partial")) == "NO_SUCH_TIER"
    assert await reason(load(mt, "final", engine="babelfish")) == "UNKNOWN_ENGINE"


async def test_a_caller_that_leaves_a_load_changes_nothing(serve: Serve) -> None:
    final, slow = translating("final"), translating("slow")
    slow.calls_go.clear()
    mt = await serve(final=final, slow=slow)
    loading = load(mt, "slow")
    assert await asyncio.to_thread(slow.arrived.acquire, timeout=WAIT_S)
    loading.cancel()
    # Answered on the same connection, which tells of the cancellation first.
    await mt.translate("A text.")
    slow.calls_go.set()
    async with asyncio.timeout(WAIT_S):
        while not slow.is_closed:
            await asyncio.sleep(0.005)
    assert (await mt.translate("A text.")).text == "Texto de final."


# ---- real processes ----


@pytest.mark.asyncio(loop_scope="session")
async def test_apertium_is_replaced_and_rolled_back_without_a_failed_call(own_mt: MakeMt) -> None:
    mt = own_mt()
    await mt.wait_ready()
    await _replaced_under_load(mt, "", "Blessed are the poor in spirit.")


@pytest.mark.engines
@pytest.mark.asyncio(loop_scope="session")
async def test_marian_is_replaced_and_rolled_back_without_a_failed_call(
    own_mt: MakeMt, tmp_path: Path
) -> None:
    from tests.tiny.marian import marian_ct2

    folder = tmp_path / "models"
    folder.mkdir()
    for name in ("first-en-es", "second-en-es"):
        (folder / name).symlink_to(marian_ct2("en-es"))
    mt = own_mt(runtime="marian", model="first-en-es", models_dir=folder)
    await mt.wait_ready()
    await _replaced_under_load(mt, "second-en-es", "Jesus wept.")


@pytest.mark.engines
@pytest.mark.asyncio(loop_scope="session")
async def test_a_language_model_that_writes_nonsense_is_refused(
    own_mt: MakeMt, tmp_path: Path
) -> None:
    from tests.tiny.gemma import gemma_gguf

    # It knows sixteen sentences by heart, and goes round in circles on any other.
    (tmp_path / "nonsense.gguf").symlink_to(gemma_gguf())
    mt = own_mt(models_dir=tmp_path)
    await mt.wait_ready()
    models: Any = models_pb2_grpc.ModelServiceStub(mt.channel)
    request = models_pb2.LoadModelRequest(engine="gguf", model="nonsense.gguf")
    call = models.LoadModel(request, timeout=120)
    assert await reason(call) == "SMOKE_TEST_FAILED"
    assert await call.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert (await mt.translate("The house is red.")).model == "apertium/eng-spa"


async def _replaced_under_load(mt: MtProcess, model: str, text: str) -> None:
    """Loads `model` and rolls back while three callers ask without a pause; none may fail."""
    models: Any = models_pb2_grpc.ModelServiceStub(mt.channel)
    health: Any = health_pb2_grpc.HealthStub(mt.channel)
    expected = (await mt.translate(text)).text
    is_over = False
    answered = 0

    async def ask() -> None:
        nonlocal answered
        while not is_over:
            answer = await mt.translate(text)
            assert answer.text == expected
            answered += 1
            check = await health.Check(health_pb2.HealthCheckRequest())
            assert check.status == health_pb2.HealthCheckResponse.SERVING

    async with asyncio.TaskGroup() as tasks:
        for _ in range(3):
            tasks.create_task(ask())
        loaded = await models.LoadModel(models_pb2.LoadModelRequest(model=model), timeout=60)
        before = answered
        back = await models.Rollback(models_pb2.RollbackRequest(), timeout=60)
        is_over = True
    assert before > 0
    assert answered > before
    assert back.current == loaded.previous
