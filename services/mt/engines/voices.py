"""The two that speak in the embedded translator, and what each makes of a sentence, checked.

A sentence is translated, places in the Bible are written by rule (services.mt.places), the
glossary's terms are put in place, and what then stands there is checked. Terms come first because
placing one is cheap and harms nothing: only what the translator itself writes for the term gives
way to it. What it says in other words stays, fails the check, and the other voice is heard.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from services import marian
from services.bible_references import Place
from services.mt import places, sentence_checks
from services.mt.engine import Job, LanguagePair, Rendering, RequiredTerm
from services.mt.engines.apertium import ApertiumEngine
from services.mt.engines.failures import as_engine_failed
from services.mt.glossary import Glossary
from services.mt.sentence_checks import Check, Sentence
from services.mt.task import TextTask
from services.mt.terms_alone import TermsAlone

# Each new term in a draft that the model wrote in other words costs a translation of its own.
_TERMS_ALONE_OF_A_DRAFT = 1


@dataclass(frozen=True)
class Asked:
    """A sentence to translate.

    Args:
        glossary: of the pair.
        committed: what its translation should begin with.
    """

    source: str
    pair: LanguagePair
    glossary: Glossary
    draft: bool = False
    committed: str = ""

    @cached_property
    def places(self) -> tuple[Place, ...]:
        """Places in the Bible that the source names and the other language can write."""
        if not places.knows(self.pair.source, self.pair.target):
            return ()
        return tuple(places.found(self.source, self.pair.source))

    @property
    def is_unfinished(self) -> bool:
        """Whether it is still being spoken."""
        return self.draft and not self.source.rstrip("\"'”’»)").endswith((".", "!", "?", "…"))


@dataclass(frozen=True)
class Said:
    """What a voice made of a sentence, terms in place.

    Args:
        model: runtime and model of the voice.
        checks: those that it fails.
    """

    text: str
    model: str
    checks: tuple[Check, ...] = ()
    unknown_words: tuple[str, ...] = ()
    token_count: int = 0
    is_cut_off: bool = False
    placed_terms: tuple[RequiredTerm, ...] = ()


class Voice(Protocol):
    name: str

    def say(self, asked: Sequence[Asked]) -> list[Said]:
        """Translates sentences of one text. Raises EngineFailed."""


class ModelVoice:
    """The own model of one direction; drafts greedily, finals with a beam."""

    def __init__(self, model: marian.Model, pair: LanguagePair) -> None:
        self.name = marian.model_name(model.folder)
        self._model = model
        self._pair = pair
        self._terms_alone = TermsAlone(self._translated)

    def say(self, asked: Sequence[Asked]) -> list[Said]:
        if not asked:
            return []
        beam_size = 1 if asked[0].draft else marian.FINAL_BEAM_SIZE
        units = [
            self._model.units(places.hidden(each.source, each.places), _committed(each))
            for each in asked
        ]
        self._decode([unit for of_one in units for unit in of_one], beam_size)
        return [self._said(each, of_one) for each, of_one in zip(asked, units, strict=True)]

    def close(self) -> None:
        self._model.close()

    def _said(self, asked: Asked, units: Sequence[marian.Unit]) -> Said:
        allowed = _TERMS_ALONE_OF_A_DRAFT if asked.draft else math.inf
        applied = asked.glossary.apply(
            asked.source,
            Rendering(
                places.shown(
                    self._model.text(units, _committed(asked)), asked.places, asked.pair.target
                ),
                self._model.unknown_words(units),
            ),
            self._terms_alone.renderer(self._pair, allowed),
            was_told=True,
            committed_text=asked.committed,
        )
        is_cut_off = any(unit.is_cut_off for unit in units)
        # What was committed says nothing of what the model made of it; its own words do.
        return Said(
            applied.rendering.text,
            self.name,
            _checks(
                asked,
                applied.rendering,
                len(applied.missing),
                marian.mean_log_probability(units),
                is_cut_off,
            ),
            applied.rendering.unknown_words,
            sum(len(unit.tokens) for unit in units),
            is_cut_off,
            tuple(RequiredTerm(term.source, term.target) for term in applied.terms),
        )

    def _translated(self, job: Job) -> str:
        units = self._model.units(job.text)
        self._decode(units, marian.FINAL_BEAM_SIZE)
        return self._model.text(units)

    def _decode(self, units: Sequence[marian.Unit], beam_size: int) -> None:
        with as_engine_failed(marian.NAME, "translate"):
            if units:
                self._model.decode(units, self._pair.target, beam_size=beam_size)


def _committed(asked: Asked) -> str:
    return places.hidden_again(asked.committed, asked.places, asked.pair.target)


class RulesVoice:
    """Apertium in one direction. It does not go on from a text that is committed."""

    def __init__(self, engine: ApertiumEngine, pair: LanguagePair) -> None:
        self.name = engine.model(pair)
        self._engine = engine
        self._pair = pair
        self._terms_alone = TermsAlone(lambda job: self._translated(job.text).text)

    def say(self, asked: Sequence[Asked]) -> list[Said]:
        return [self._said(each) for each in asked]

    def _said(self, asked: Asked) -> Said:
        applied = asked.glossary.apply(
            asked.source,
            self._translated(places.spelled(asked.source, asked.places, asked.pair.target)),
            self._terms_alone.renderer(self._pair),
        )
        return Said(
            applied.rendering.text,
            self.name,
            _checks(asked, applied.rendering, len(applied.missing)),
            applied.rendering.unknown_words,
            placed_terms=tuple(RequiredTerm(term.source, term.target) for term in applied.terms),
        )

    def _translated(self, text: str) -> Rendering:
        task = TextTask(Job(text, self._pair), Glossary(), deadline=None)
        (rendering,) = self._engine.translate([task])
        return rendering


def _checks(
    asked: Asked,
    rendering: Rendering,
    missing_terms: int,
    log_probability: float | None = None,
    is_cut_off: bool = False,
) -> tuple[Check, ...]:
    return sentence_checks.failed(
        Sentence(
            asked.source,
            rendering.text,
            asked.pair,
            log_probability,
            rendering.unknown_words,
            [spelling for spelling, _ in asked.glossary.find(asked.source)],
            missing_terms,
            is_cut_off,
            asked.is_unfinished,
        )
    )
