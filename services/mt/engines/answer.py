"""A language model's answer while it is being written, token by token."""

from __future__ import annotations

from services.errors import InvalidInput
from services.mt.engine import Rendering, Task
from services.mt.prompt import MAX_SOURCE_TOKENS, Prompt, max_new_tokens

# Stands for bytes that are no whole character yet.
_INCOMPLETE = "\ufffd"


def token_limit(source_tokens: int, prompt_tokens: int, context_tokens: int) -> int:
    """Tokens that the answer may have.

    Raises:
        InvalidInput: TEXT_TOO_LONG, for a source over the cap, or when prompt and answer together
            do not fit into the context.
    """
    if source_tokens > MAX_SOURCE_TOKENS:
        raise InvalidInput(
            "TEXT_TOO_LONG",
            f"the text has {source_tokens} tokens; split it below {MAX_SOURCE_TOKENS}",
            max_tokens=MAX_SOURCE_TOKENS,
        )
    limit = max_new_tokens(source_tokens)
    if prompt_tokens + limit > context_tokens:
        raise InvalidInput(
            "TEXT_TOO_LONG",
            f"the prompt has {prompt_tokens} tokens and its answer may have {limit}, together more "
            f"than {context_tokens}; send less context, or raise GLOSSA_MT_CONTEXT_TOKENS",
            max_tokens=context_tokens,
        )
    return limit


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
        new_tokens = token_count - self._token_count
        self._token_count = token_count
        if told != self._text:
            self._text = told
            self._task.tell(told, new_tokens)
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
