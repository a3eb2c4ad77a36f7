"""ProPresenter's answers that are read, checked as they come: any program may have its port."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True)


class _Version(_Part):
    api_version: str


class _Id(_Part):
    name: str
    uuid: Annotated[str, Field(pattern=r"^[\w-]+$")]  # it becomes part of a path


class _Token(_Part):
    name: str
    text: dict[str, Any] | None = None  # timers and clocks have something else


class Message(_Part):
    """A message for the audience's screens."""

    id: _Id
    tokens: list[_Token] = []

    @property
    def text_tokens(self) -> list[str]:
        """The names of those that take a text."""
        return [token.name for token in self.tokens if token.text is not None]


_Messages = TypeAdapter(list[Message])


def check_version(answer: bytes) -> None:
    """Raises ValueError where it is not that of a ProPresenter."""
    _Version.model_validate_json(answer)


def messages_of(answer: bytes) -> dict[str, Message]:
    """The messages by their names. Raises ValueError."""
    return {message.id.name: message for message in _Messages.validate_json(answer)}
