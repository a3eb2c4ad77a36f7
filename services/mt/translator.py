"""Takes one text through the tiers: cap, glossary, doubts, and what stands in when a tier fails."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import structlog

from services.errors import DeadlinePassed, EngineFailed, GlossaError, InvalidInput, NotFound
from services.mt import masking, metrics, runaway, sentences
from services.mt.engine import Earlier, Job, LanguagePair
from services.mt.glossary import Glossary, Term
from services.mt.loaded import Answer
from services.mt.runaway import Doubt
from services.mt.task import Progress, TextTask
from services.mt.tier import Tier, TierName

log = structlog.get_logger()

# A text of so few tokens is not cut further, whatever the engine says.
_LEAST_TOKENS = 30.0
# How bad an answer is when there is none without a doubt: the least bad one is shown.
_SEVERITY: dict[Doubt, int] = {"copied": 1, "length": 2, "loop": 3, "leak": 4, "empty": 5}


@dataclass(frozen=True)
class Request:
    """A checked text with what was sent along.

    Args:
        terms: before the service's own.
    """

    text: str
    pair: LanguagePair
    draft: bool = False
    context: tuple[Earlier, ...] = ()
    terms: tuple[Term, ...] = ()
    committed_text: str = ""
    previous_text: str = ""


@dataclass(frozen=True)
class Translation:
    """A translated text.

    Args:
        terms: those that changed the text, each once.
        first_token_ms: from the request, waiting included; 0 when the runtime does not stream.
        generation_ms: time in engines.
        flags: the names of glossa.types.v1.Translation.flags.
        is_whole: False for a text that is still growing.
        required_terms: those that the source of a final holds, each once.
        missing_terms: those of them that do not stand in `text`.
        held_back_word_count: words at the end of a draft that `text` goes without.
    """

    text: str
    model: str
    terms: tuple[Term, ...] = ()
    unknown_word_count: int = 0
    token_count: int = 0
    first_token_ms: float = 0.0
    generation_ms: float = 0.0
    flags: tuple[str, ...] = ()
    is_whole: bool = True
    required_terms: tuple[Term, ...] = ()
    missing_terms: tuple[Term, ...] = ()
    held_back_word_count: int = 0


@dataclass(frozen=True)
class _Tried:
    """An answer of a tier to what it was told, and what speaks against it."""

    job: Job
    answer: Answer
    tier: Tier
    doubts: tuple[Doubt, ...]

    @property
    def severity(self) -> int:
        return max((_SEVERITY[doubt] for doubt in self.doubts), default=0)


@dataclass
class _Course:
    """What a request has met so far.

    Args:
        deadline: time.monotonic(), None for no deadline.
    """

    request: Request
    glossary: Glossary
    deadline: float | None
    progress: Progress | None
    started_at: float = field(default_factory=time.monotonic)
    first_token_at: float | None = None
    generation_ms: float = 0.0
    token_count: int = 0
    flags: dict[str, None] = field(default_factory=dict)  # ordered


class Translator:
    """The tiers and the glossaries.

    Args:
        final: translates finals, and drafts where it is the only tier.
        draft: the same tier, or one of its own; it also stands in for the final one.
        mask_words: last words of a draft that are held back.
    """

    def __init__(
        self,
        final: Tier,
        draft: Tier,
        service_glossaries: Mapping[LanguagePair, Glossary],
        mask_words: int = 0,
    ) -> None:
        self.final = final
        self.draft = draft
        self._glossaries = service_glossaries
        self._mask_words = mask_words

    @property
    def tiers(self) -> tuple[Tier, ...]:
        """Each once, the final one first."""
        return (self.final,) if self.draft is self.final else (self.final, self.draft)

    @property
    def pairs(self) -> tuple[LanguagePair, ...]:
        """What one tier or the other translates."""
        return tuple(dict.fromkeys(pair for tier in self.tiers for pair in tier.capabilities.pairs))

    def tier(self, name: str) -> Tier:
        """Raises NotFound: NO_SUCH_TIER."""
        for tier in self.tiers:
            if tier.name == name:
                return tier
        names: list[TierName] = [tier.name for tier in self.tiers]
        raise NotFound(
            "NO_SUCH_TIER",
            f"there is no tier {name!r} of its own here; there is: {', '.join(names)}",
        )

    def check_pair(self, source_language: str, target_language: str) -> LanguagePair:
        """The pair of two BCP 47 tags, regions left aside.

        Raises:
            InvalidInput: UNSUPPORTED_LANGUAGE_PAIR, naming those that there are.
        """
        pair = LanguagePair(_primary(source_language), _primary(target_language))
        if pair not in self.pairs:
            known = ", ".join(map(str, self.pairs))
            raise InvalidInput(
                "UNSUPPORTED_LANGUAGE_PAIR",
                f"cannot translate {pair}; this service translates {known}",
                pair=pair,
                supported=known,
            )
        return pair

    async def translate(
        self, request: Request, timeout_s: float | None, progress: Progress | None = None
    ) -> Translation:
        """Translates one text; `progress` hears it as it grows.

        Raises:
            Overloaded, DeadlinePassed, EngineFailed.
        """
        glossary = self._glossaries.get(request.pair, Glossary())
        if request.terms:
            glossary = glossary.preferring(request.terms)
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        course = _Course(request, glossary, deadline, progress)
        try:
            return await self._translate(course)
        finally:
            metrics.ENGINE_RESTARTS.set(sum(tier.loaded.engine.restarts for tier in self.tiers))

    async def stream(
        self, request: Request, timeout_s: float | None
    ) -> AsyncGenerator[Translation, None]:
        """The translation as it grows, newest text first to be sent; the last one is whole.

        Raises:
            Overloaded, DeadlinePassed, EngineFailed.
        """
        progress = Progress()
        translating = asyncio.create_task(self.translate(request, timeout_s, progress))
        translating.add_done_callback(lambda _: progress.close())
        model, shown = self._tier_for(request).loaded.engine.model(request.pair), ""
        try:
            async for text in progress.texts():
                caption = self._as_caption(request, text)
                if caption and caption != shown:
                    shown = caption
                    yield Translation(caption, model, is_whole=False)
            yield await translating
        finally:
            translating.cancel()
            await asyncio.wait({translating})
            if not translating.cancelled():
                translating.exception()  # the caller has left, or has it

    async def _translate(self, course: _Course) -> Translation:
        request = course.request
        parts = deque(sentences.pieces(request.text))
        is_whole = len(parts) == 1
        context, text = request.context, ""
        done: list[_Tried] = []
        while parts:
            part = parts.popleft()
            if part.cuts_word:
                course.flags["truncated_source"] = None
            job = Job(
                part.text,
                request.pair,
                request.draft,
                context,
                committed_text=request.committed_text if is_whole else "",
                previous_text=request.previous_text if is_whole else "",
            )
            try:
                tried = await self._answer(job, course, prefix=text)
            except InvalidInput as error:
                # The engine counts exactly, and this part was estimated too short.
                smaller = sentences.estimated_tokens(part.text) / 2
                if error.reason != "TEXT_TOO_LONG" or smaller < _LEAST_TOKENS:
                    raise
                *before, last = sentences.pieces(part.text, smaller)
                parts.extendleft(reversed([*before, replace(last, gap=part.gap)]))
                is_whole = False
                continue
            translated = self._shown(tried, course)
            done.append(tried)
            text += translated + part.gap
            context = (*context, Earlier(part.text, translated))
        return self._translation(course, text, done)

    def _translation(self, course: _Course, text: str, done: Sequence[_Tried]) -> Translation:
        """What the caller gets of a text whose parts are all translated; counts it."""
        request = course.request
        applied = [tried.answer.applied for tried in done]
        # Looked for in what is shown: a doubtful answer is shown in part, or not at all.
        checked = course.glossary.check(request.text, text)
        if checked.missing:
            course.flags["missing_term"] = None
        if not request.draft:
            metrics.TERMS.labels("kept").inc(sum(one.kept for one in applied))
            metrics.TERMS.labels("placed").inc(sum(one.placed for one in applied))
            metrics.TERMS.labels("missing").inc(sum(len(one.missing) for one in applied))
        unknown_word_count = sum(len(one.rendering.unknown_words) for one in applied)
        metrics.UNKNOWN_WORDS.inc(unknown_word_count)
        first_token_s = 0.0
        if course.first_token_at is not None:
            first_token_s = course.first_token_at - course.started_at
            kind = "draft" if request.draft else "final"
            metrics.FIRST_TOKEN_SECONDS.labels(kind).observe(first_token_s)
        caption = self._as_caption(request, text)
        return Translation(
            text=caption,
            model=done[-1].answer.model,
            terms=tuple(dict.fromkeys(term for one in applied for term in one.terms)),
            unknown_word_count=unknown_word_count,
            token_count=course.token_count,
            first_token_ms=first_token_s * 1000,
            generation_ms=course.generation_ms,
            flags=tuple(course.flags),
            required_terms=() if request.draft else tuple(dict.fromkeys(checked.required)),
            missing_terms=() if request.draft else tuple(dict.fromkeys(checked.missing)),
            held_back_word_count=len(text.split()) - len(caption.split()),
        )

    async def _answer(self, job: Job, course: _Course, prefix: str) -> _Tried:
        """The best answer that there is for one part; notes in `course` what was wrong."""
        tier = self._tier_for(course.request)
        if job.draft:
            return await self._ask(tier, job, course, prefix)
        if tier is not self.final:
            return await self._shed(job, course, prefix, "PAIR")
        can_shed = tier is not self.draft and job.pair in self.draft.capabilities.pairs
        if can_shed and not tier.may_try():
            return await self._shed(job, course, prefix, "RESTING")
        asked_at = time.monotonic()
        try:
            first = await self._ask(tier, job, course, prefix)
        except EngineFailed as error:
            if not can_shed:
                raise
            tier.rest(error, asked_at)
            return await self._shed(job, course, prefix, error.reason)
        tier.recover()
        if not first.doubts:
            return first
        return await self._better(first, job, course, prefix, can_shed=can_shed)

    async def _better(
        self, first: _Tried, job: Job, course: _Course, prefix: str, *, can_shed: bool
    ) -> _Tried:
        """Asks again after a doubtful answer: without what may have misled it, then elsewhere."""
        tried = [first]
        # What a text is not told cannot mislead it: asked alone it would get the same answer.
        alone = Job(job.text, job.pair, previous_text=job.previous_text)
        if first.job != alone:
            with _noting_failure(self.final):
                tried.append(await self._ask(self.final, alone, course, prefix, alone=True))
        if not tried[-1].doubts:
            return tried[-1]
        if can_shed:
            with _noting_failure(self.draft):
                tried.append(await self._ask(self.draft, job, course, prefix))
        best = min(tried, key=lambda one: one.severity)
        if best.tier is not self.final:
            course.flags["shed"] = None
            course.flags.update(dict.fromkeys(_flags(first.doubts)))
            metrics.SHED.labels("DOUBT").inc()
        log.warning("doubtful_answer", doubts=first.doubts, answered_by=best.tier.name)
        return best

    async def _shed(self, job: Job, course: _Course, prefix: str, reason: str) -> _Tried:
        """The draft tier's answer, because the final one cannot give one."""
        course.flags["shed"] = None
        metrics.SHED.labels(reason).inc()
        return await self._ask(self.draft, job, course, prefix)

    async def _ask(
        self, tier: Tier, job: Job, course: _Course, prefix: str, *, alone: bool = False
    ) -> _Tried:
        """Has a tier translate a text, told what its engine can use.

        Args:
            alone: tell it nothing but the text.
        """
        capabilities = tier.capabilities
        if not capabilities.uses_context:
            job = replace(job, context=())
        elif not alone:
            job = replace(job, terms=course.glossary.hints(job.text))
        if not capabilities.continues_text:
            job = replace(job, committed_text="")
        task = TextTask(job, course.glossary, course.deadline, course.progress, prefix)
        answer = await tier.translate(task, draft=job.draft, deadline=course.deadline)
        if course.deadline is not None and time.monotonic() >= course.deadline:
            raise DeadlinePassed("DEADLINE_PASSED", "the deadline passed while it was translated")
        if course.first_token_at is None:
            course.first_token_at = task.first_token_at
        course.generation_ms += answer.generation_ms
        rendering = answer.applied.rendering
        course.token_count += rendering.token_count
        doubts = runaway.doubts(job.text, rendering.text, job.pair)
        if rendering.hit_token_limit and "length" not in doubts:
            doubts = (*doubts, "length")
        if task.ran_away and "loop" not in doubts and "length" not in doubts:
            doubts = (*doubts, "loop")
        for doubt in doubts:
            metrics.DOUBTS.labels(tier.name, doubt).inc()
        return _Tried(job, answer, tier, doubts)

    def _shown(self, tried: _Tried, course: _Course) -> str:
        """The text of an answer as far as it may be shown; flags what is doubtful about it."""
        job, text = tried.job, tried.answer.applied.rendering.text
        course.flags.update(dict.fromkeys(_flags(tried.doubts)))
        if "empty" in tried.doubts:
            return "" if job.draft else job.text
        if "runaway" in _flags(tried.doubts):
            return runaway.mended(job.text, text, job.pair) or job.text
        return text

    def _as_caption(self, request: Request, text: str) -> str:
        text = _with_first_letter_capital(text)
        if not request.draft:
            return text
        settled = (request.previous_text, request.committed_text)
        return masking.settled_part(text, request.text, settled, self._mask_words)

    def _tier_for(self, request: Request) -> Tier:
        wanted, other = (self.draft, self.final) if request.draft else (self.final, self.draft)
        return wanted if request.pair in wanted.capabilities.pairs else other


@contextlib.contextmanager
def _noting_failure(tier: Tier) -> Iterator[None]:
    """An answer is there already: a tier that fails to give a better one is only noted."""
    try:
        yield
    except GlossaError as error:
        log.warning("no_better_answer", tier=tier.name, reason=error.reason)


def _flags(doubts: tuple[Doubt, ...]) -> list[str]:
    """The flags of doubts; an empty answer is replaced by its source."""
    return sorted({"copied" if doubt in ("copied", "empty") else "runaway" for doubt in doubts})


def _primary(language: str) -> str:
    return language.replace("_", "-").partition("-")[0].lower()


def _with_first_letter_capital(text: str) -> str:
    """A recogniser writes lower case; a caption is a sentence and begins with a capital."""
    for index, character in enumerate(text):
        if character.isalpha():
            return text[:index] + character.upper() + text[index + 1 :]
        if character.isdigit():
            break
    return text
