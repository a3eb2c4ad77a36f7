"""A language model's answer while it is being written, token by token."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from services.errors import InvalidInput
from services.languages import max_new_tokens
from services.mt.engine import Job, Rendering, Task
from services.mt.prompt import MAX_SOURCE_TOKENS, Prompt

# Stands for bytes that are no whole character yet.
_INCOMPLETE = "\ufffd"
# An answer gets at least as many tokens as its source has, and so many more.
_LEAST_ROOM = 32


def fitted(
    job: Job,
    source_tokens: int,
    context_tokens: int,
    build: Callable[[Job], Prompt],
    tokenize: Callable[[str], list[int]],
) -> tuple[Prompt, list[int], int]:
    """A job's prompt, its tokens, and how many the answer may have.

    Where they do not fit into the context, the job's context goes first, then its terms: the text
    itself is translated without them rather than not at all.

    Args:
        source_tokens: of `job.text`.
        context_tokens: room for prompt and answer together.

    Raises:
        InvalidInput: TEXT_TOO_LONG, for a source over the cap or one that does not fit alone.
    """
    if source_tokens > MAX_SOURCE_TOKENS:
        raise InvalidInput(
            "TEXT_TOO_LONG",
            f"the text has {source_tokens} tokens; split it below {MAX_SOURCE_TOKENS}",
            max_tokens=MAX_SOURCE_TOKENS,
        )
    wanted = max_new_tokens(source_tokens)
    lean = job
    while True:
        prompt = build(lean)
        ids = tokenize(prompt.text)
        room = context_tokens - len(ids)
        if room >= wanted:
            return prompt, ids, wanted
        if lean.context:
            lean = replace(lean, context=())
        elif lean.terms:
            lean = replace(lean, terms=())
        elif room >= source_tokens + _LEAST_ROOM:
            return prompt, ids, room
        else:
            raise InvalidInput(
                "TEXT_TOO_LONG",
                f"the prompt has {len(ids)} tokens and leaves {max(room, 0)} of {context_tokens} "
                "for the answer; split the text, or raise GLOSSA_MT_CONTEXT_TOKENS",
                max_tokens=context_tokens,
            )


class Answer:
    """What a model has written for a task, and whether it shall go on.

    Args:
        token_limit: tokens at which it is cut off.
    """

    def __init__(self, task: Task, prompt: Prompt, token_limit: int) -> None:
        self._task = task
        self._prompt = prompt
        self._token_limit = token_limit
        self._text = prompt.begins_answer
        self._token_count = 0
        self._told_count = 0
        self._is_ended = False

    @property
    def goes_on(self) -> bool:
        return not self._is_ended and self._token_count < self._token_limit and self._task.is_wanted

    def write(self, text: str, token_count: int, *, is_ended: bool = False) -> bool:
        """Takes all that the model wrote so far and tells it to the task; whether to go on.

        Args:
            text: what follows `prompt.begins_answer`; it may end within a character or within a
                stop string, which are not told.
            token_count: the tokens in it, without the one that ended it.
            is_ended: the model said that its answer is over.
        """
        found = [at for stop in self._prompt.stop if (at := text.find(stop)) >= 0]
        self._is_ended = is_ended or bool(found)
        if found:
            text = text[: min(found)]
        elif not is_ended:
            text = _without_begun_stop(text, self._prompt.stop).rstrip(_INCOMPLETE)
        told = self._prompt.begins_answer + text
        told = told.rstrip() if self._prompt.begins_answer else told.strip()
        self._token_count = token_count
        untold = token_count - self._told_count
        # A token that adds nothing to be seen is told with the next one, or at the end.
        if told != self._text or (untold and not self.goes_on):
            self._text = told
            self._told_count = token_count
            self._task.tell(told, untold)
        return self.goes_on

    def rendering(self) -> Rendering:
        return Rendering(
            self._text,
            token_count=self._token_count,
            hit_token_limit=not self._is_ended and self._token_count >= self._token_limit,
        )


def _without_begun_stop(text: str, stops: tuple[str, ...]) -> str:
    """`text` without a last part that may become a stop string."""
    for stop in stops:
        for length in range(min(len(stop) - 1, len(text)), 0, -1):
            if text.endswith(stop[:length]):
                return text[:-length]
    return text
