"""mt with a language model for finals and a small model for drafts: real processes, tiny models."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from glossa.mt.v1 import mt_pb2
from tests.mt.conftest import WAIT_S, MtProcess
from tests.tiny.pairs import EN_ES

pytestmark = [pytest.mark.engines, pytest.mark.asyncio(loop_scope="session")]


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def two_tiers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[MtProcess]:
    """GGUF for finals, Marian for drafts."""
    from tests.tiny.gemma import gemma_gguf
    from tests.tiny.marian import marian_ct2

    folder = tmp_path_factory.mktemp("mt")
    # The tiny models know their prompts by heart: terms in it would be new to them.
    (folder / "glossary.tsv").write_text("source\ttarget\nquux\tcuux\n")
    process = MtProcess(
        folder,
        glossary_file=folder / "glossary.tsv",
        runtime="gguf",
        model=gemma_gguf(),
        draft_runtime="marian",
        draft_model=_named(tmp_path_factory, marian_ct2("en-es")),
        threads=1,
    )
    process.start()
    try:
        await process.wait_ready()
        yield process
        assert await asyncio.to_thread(process.stop) == 0
    finally:
        process.kill()
        await process.channel.close()


def _named(factory: pytest.TempPathFactory, folder: Path) -> Path:
    """The model under a name that tells its direction, as Marian's folders do."""
    link = factory.mktemp("models") / "tiny-en-es"
    link.symlink_to(folder)
    return link


async def test_each_tier_translates_what_it_was_trained_on(two_tiers: MtProcess) -> None:
    right = {True: 0, False: 0}
    for source, target in EN_ES:
        for draft in (True, False):
            answer = await two_tiers.translate(source, draft=draft)
            right[draft] += answer.text == target
            assert answer.model.startswith("marian" if draft else "gguf")
    assert min(right.values()) >= len(EN_ES) - 2, right


async def test_a_final_is_streamed_token_by_token(two_tiers: MtProcess) -> None:
    source, target = EN_ES[1]
    request = mt_pb2.TranslateRequest(text=source, source_language="en", target_language="es")
    stream = two_tiers.stub.StreamTranslate(
        mt_pb2.StreamTranslateRequest(request=request), timeout=WAIT_S
    )
    messages = [message async for message in stream]
    last = messages[-1].translation
    assert messages[-1].is_final
    assert last.text == target
    assert last.token_count > 5
    assert 0 < last.first_token_ms < last.engine_ms
    assert 0 < last.generation_ms <= last.engine_ms
    growing = [message.translation.text for message in messages[:-1]]
    assert len(growing) > 1
    assert all(target.startswith(text) for text in growing)


async def test_a_committed_beginning_stays(two_tiers: MtProcess) -> None:
    source, target = EN_ES[2]
    committed = " ".join(target.split()[:3])
    answer = await two_tiers.translate(source, committed_text=committed)
    assert answer.text.startswith(committed)
