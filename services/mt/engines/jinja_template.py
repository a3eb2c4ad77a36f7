"""A model's own chat template, for runtimes that do not apply it themselves."""

from __future__ import annotations

from collections.abc import Sequence

from services.errors import InvalidInput, Unavailable
from services.mt.prompt import ChatTemplate, Message


def chat_template(source: str) -> ChatTemplate:
    """The template as `prompt.build` calls it. It comes with the model, so it runs sandboxed.

    Raises:
        Unavailable: ENGINE_NOT_INSTALLED, without jinja2.
        InvalidInput: UNKNOWN_PROMPT_FAMILY, for one that jinja2 cannot read.
    """
    try:
        import jinja2  # type: ignore[import-not-found, unused-ignore]
        from jinja2.sandbox import (  # type: ignore[import-not-found, unused-ignore]
            ImmutableSandboxedEnvironment,
        )
    except ModuleNotFoundError as error:
        raise Unavailable(
            "ENGINE_NOT_INSTALLED",
            "the model's own chat template needs jinja2: pip install jinja2",
            missing="jinja2",
        ) from error

    def unreadable(error: Exception) -> InvalidInput:
        return InvalidInput(
            "UNKNOWN_PROMPT_FAMILY", f"the model's own chat template cannot be used: {error}"
        )

    def raise_exception(message: str) -> None:
        raise jinja2.TemplateError(message)

    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    environment.globals["raise_exception"] = raise_exception
    try:
        template = environment.from_string(source)
    except jinja2.TemplateError as error:
        raise unreadable(error) from error

    def apply(messages: Sequence[Message]) -> str:
        try:
            text: str = template.render(
                messages=list(messages),
                add_generation_prompt=True,
                enable_thinking=False,
                # The runtime's tokenizer begins the sequence.
                bos_token="",
                eos_token="",
            )
            return text
        # It is the model's program and raises what it likes.
        except Exception as error:
            raise unreadable(error) from error

    return apply
