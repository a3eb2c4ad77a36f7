"""Plain sentences that a model must translate before it is taken into use."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from services.errors import GlossaError, OutOfMemory, WrongState
from services.mt import runaway
from services.mt.engine import Job, LanguagePair
from services.mt.glossary import Glossary
from services.mt.loaded import LoadedEngine
from services.mt.task import TextTask

log = structlog.get_logger()

SENTENCES = {
    "en": (
        "Good morning, everyone.",
        "The door of the house is open today.",
        "We have three books on the table.",
        "Let us read together from the first chapter.",
    ),
    "es": (
        "Buenos días a todos.",
        "La puerta de la casa está abierta hoy.",
        "Tenemos tres libros sobre la mesa.",
        "Leamos juntos el primer capítulo.",
    ),
}


async def try_out(loaded: LoadedEngine, pairs: Sequence[LanguagePair]) -> None:
    """Translates the sentences of each pair.

    Raises:
        OutOfMemory: it has no room to translate.
        WrongState: SMOKE_TEST_FAILED, with the pair and what was wrong.
    """
    lacks = loaded.engine.capabilities.lacks
    for pair in pairs:
        if lacks:
            raise _failed(loaded, pair, lacks)
        if pair not in loaded.engine.capabilities.pairs:
            raise _failed(loaded, pair, "it does not translate this pair")
        sentences = SENTENCES.get(pair.source, ())
        if not sentences:
            log.warning("no_smoke_sentences", language=pair.source)
        for sentence in sentences:
            (answer,) = await loaded.translate(
                [TextTask(Job(sentence, pair), Glossary(), deadline=None)]
            )
            if isinstance(answer, OutOfMemory):
                raise answer
            if isinstance(answer, Exception):
                message = answer.message if isinstance(answer, GlossaError) else str(answer)
                raise _failed(loaded, pair, message) from answer
            rendering = answer.applied.rendering
            doubts = runaway.doubts(sentence, rendering.text, pair)
            if doubts:
                raise _failed(loaded, pair, f"{sentence!r} became {rendering.text!r} ({doubts[0]})")


def _failed(loaded: LoadedEngine, pair: LanguagePair, problem: str) -> WrongState:
    return WrongState(
        "SMOKE_TEST_FAILED",
        f"{loaded.engine.name} failed its trial in {pair}: {problem}",
        pair=pair,
    )
