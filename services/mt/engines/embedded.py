"""The embedded profile's translator: the project's own small model, and Apertium where it fails.

Each sentence of the own model is checked (services.mt.sentence_checks). One that fails is given to
Apertium as well, and the less bad of the two is taken; which of them spoke is told with the text:
"marian/glossa-en-es", "apertium/eng-spa" or both. Pairs that the own model does not know are
Apertium's alone, and so is everything where the own model cannot be loaded: captions go on, and
`Capabilities.lacks` says what is missing.

Drafts must not flip between the two from one partial to the next. Finished sentences come out alike
each time, as both are deterministic. In the one that is still being spoken the own model goes on
from what is committed; once Apertium has spoken, it goes on speaking as long as its text carries on
what is shown better than the own model's would. The final is chosen afresh.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import structlog

from services import marian
from services.errors import GlossaError, Unavailable
from services.mt import masking, metrics
from services.mt.engine import (
    OWN_MODEL,
    RUNTIMES,
    Capabilities,
    EngineOptions,
    Job,
    LanguagePair,
    Rendering,
    Task,
)
from services.mt.engines import apertium
from services.mt.engines.voices import Asked, ModelVoice, RulesVoice, Said, Voice
from services.mt.sentence_checks import badness

log = structlog.get_logger()

NAME = "embedded"
# So much of what is shown Apertium's new draft must repeat to be taken for the one that wrote it.
_CARRIES_ON = 0.8


def load(options: EngineOptions) -> EmbeddedEngine:
    """Raises Unavailable: TOOL_MISSING, without Apertium."""
    rules = apertium.load(options)
    try:
        models = _own_models(options)
        lacks = ""
    except GlossaError as error:
        models, lacks = {}, f"the own model is not loaded, Apertium speaks alone: {error.message}"
        log.error("own_model_missing", reason=error.reason, message=lacks)
    return EmbeddedEngine(models, rules, lacks)


def _own_models(options: EngineOptions) -> dict[LanguagePair, marian.Model]:
    """Raises Unavailable: ENGINE_NOT_INSTALLED, MODEL_MISSING; EngineFailed."""
    try:
        from services.mt.engines.marian import placement
    except ModuleNotFoundError as error:
        raise Unavailable(
            "ENGINE_NOT_INSTALLED",
            f"it needs {error.name}: {RUNTIMES['marian'].install}",
            missing=error.name,
        ) from error
    # It is quicker on a CPU than a card's other work would let it be, and a card has no room.
    device = "cpu" if options.device == "auto" else options.device
    found = marian.models_by_direction(
        options.model or OWN_MODEL,
        options.models_dir,
        [(pair.source, pair.target) for pair in options.pairs],
        placement(replace(options, device=device)),
    )
    models = {LanguagePair(*direction): model for direction, model in found.items()}
    if not models:
        raise Unavailable(
            "MODEL_MISSING",
            f"the folder of {options.model} tells no direction, as glossa-en-es does",
            model=options.model,
        )
    for pair in options.pairs:
        if pair in models:
            models[pair].open()
    return models


class EmbeddedEngine:
    """A voice or two for each pair.

    Args:
        models: the own ones by direction; opened with their first text unless they are.
        lacks: why there are none; empty when there are.
    """

    name = NAME

    def __init__(
        self,
        models: dict[LanguagePair, marian.Model],
        rules: apertium.ApertiumEngine,
        lacks: str = "",
    ) -> None:
        self._rules_engine = rules
        self._own = {pair: ModelVoice(model, pair) for pair, model in models.items()}
        self._rules = {pair: RulesVoice(rules, pair) for pair in rules.capabilities.pairs}
        self.capabilities = Capabilities(
            pairs=tuple(sorted({*self._own, *self._rules})),
            continues_text=True,
            places_terms=True,
            lacks=lacks,
        )

    @property
    def restarts(self) -> int:
        return self._rules_engine.restarts

    def model(self, pair: LanguagePair) -> str:
        return "+".join(voice.name for voice in self._voices(pair))

    def translate(self, tasks: Sequence[Task]) -> list[Rendering]:
        return [self._translate(task) if task.is_wanted else Rendering("") for task in tasks]

    def close(self) -> None:
        for voice in self._own.values():
            voice.close()
        self._rules_engine.close()

    def _voices(self, pair: LanguagePair) -> list[Voice]:
        """The own model first; at least one."""
        voices: list[Voice | None] = [self._own.get(pair), self._rules.get(pair)]
        return [voice for voice in voices if voice is not None]

    def _translate(self, task: Task) -> Rendering:
        job = task.job
        first, *others = self._voices(job.pair)
        whole = Asked(job.text, job.pair, task.glossary, job.draft)
        if not others and isinstance(first, RulesVoice):
            said = first.say([whole])
            return self._rendering(job, said)
        *before, last = [replace(whole, source=each) for each in marian.sentences(job.text)]
        other = others[0] if others else None
        # Of several sentences those before the last are finished, in a draft, too.
        said = [
            _less_bad(asked, mine, other)
            for asked, mine in zip(before, _said(first, before, other), strict=True)
        ]
        shown = " ".join(each.text for each in said)
        said.append(
            _spoken_on(
                replace(last, committed=_after(job.committed_text, shown)),
                first,
                other,
                _after(job.previous_text, shown),
            )
        )
        return self._rendering(job, said)

    def _rendering(self, job: Job, said: Sequence[Said]) -> Rendering:
        kind = "draft" if job.draft else "final"
        for each in said:
            metrics.SENTENCES.labels(kind, each.model).inc()
        spoke = {each.model for each in said}
        names = [voice.name for voice in self._voices(job.pair) if voice.name in spoke]
        return Rendering(
            " ".join(each.text for each in said if each.text),
            tuple(word for each in said for word in each.unknown_words),
            sum(each.token_count for each in said),
            any(each.is_cut_off for each in said),
            "+".join(names),
            tuple(term for each in said for term in each.placed_terms),
        )


def _said(voice: Voice, asked: Sequence[Asked], other: Voice | None) -> list[Said]:
    """What a voice says or, should it break, the other one; what fails a check is counted."""
    try:
        said = voice.say(asked)
    except GlossaError as error:
        if other is None:
            raise
        log.warning("voice_failed", model=voice.name, reason=error.reason)
        return other.say(asked)
    for each, mine in zip(asked, said, strict=True):
        for check in mine.checks:
            metrics.FAILED_CHECKS.labels("draft" if each.draft else "final", check).inc()
    return said


def _less_bad(asked: Asked, mine: Said, other: Voice | None) -> Said:
    """`mine` unless it fails a check and what the other voice says is less bad."""
    if not mine.checks or other is None or mine.model == other.name:
        return mine
    try:
        (theirs,) = other.say([asked])
    except GlossaError as error:
        log.warning("voice_failed", model=other.name, reason=error.reason)
        return mine
    return min(mine, theirs, key=lambda said: badness(said.checks))


def _spoken_on(asked: Asked, own: Voice, other: Voice | None, previous: str) -> Said:
    """The last sentence, which may have been shown in part.

    Args:
        previous: how it was shown last.
    """
    (mine,) = _said(own, [asked], other)
    if mine.checks and asked.committed and not asked.draft:
        # What was committed while it was being spoken may have misled it.
        (free,) = _said(own, [replace(asked, committed="")], other)
        mine = min(mine, free, key=lambda said: badness(said.checks))
    if mine.checks or other is None or not asked.draft:
        return _less_bad(asked, mine, other)
    shown_words = previous.casefold().split()
    carried_on = masking.same_words(mine.text.casefold().split(), shown_words)
    if carried_on == len(shown_words):
        return mine
    try:
        (theirs,) = other.say([asked])
    except GlossaError as error:
        log.warning("voice_failed", model=other.name, reason=error.reason)
        return mine
    carried_on_by_other = masking.same_words(theirs.text.casefold().split(), shown_words)
    wrote_it = carried_on_by_other >= _CARRIES_ON * len(shown_words)
    return theirs if wrote_it and carried_on_by_other > carried_on else mine


def _after(shown: str, before: str) -> str:
    """What of a shown text follows its finished sentences; empty where it begins otherwise."""
    if shown.lower().startswith(before.lower()):
        return shown[len(before) :].lstrip()
    return ""
