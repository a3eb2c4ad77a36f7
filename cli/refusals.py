"""An error with a reason as the line that a verb ends with, for verbs without an event loop."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import click


@contextlib.contextmanager
def told() -> Iterator[None]:
    """Raises ClickException for a GlossaError."""
    from cli.signals import sentence
    from services.errors import GlossaError

    try:
        yield
    except GlossaError as error:
        raise click.ClickException(sentence(error)) from error
