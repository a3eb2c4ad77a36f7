"""What a model library raises, as the service's errors."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from services.errors import EngineFailed, GlossaError, OutOfMemory

# CTranslate2, torch, MLX and llama.cpp each word it in their own way.
_OUT_OF_MEMORY = (
    "out of memory",
    "failed to allocate",
    "cannot allocate",
    "bad_alloc",
    "alloc_fail",
)


@contextlib.contextmanager
def as_engine_failed(runtime: str, doing: str) -> Iterator[None]:
    """Raises what a library raises inside as EngineFailed, as OutOfMemory when it had no room.

    Args:
        doing: what was being done, for the message: "load its model".
    """
    try:
        yield
    except GlossaError:
        raise
    # A library raises what it likes; whatever it is, it ends in a clear line and not in the server.
    except Exception as error:
        said = str(error).strip().partition("\n")[0] or type(error).__name__
        message = f"the translation runtime {runtime} could not {doing}: {said}"
        if isinstance(error, MemoryError) or any(
            words in str(error).lower() for words in _OUT_OF_MEMORY
        ):
            raise OutOfMemory(message, engine=runtime) from error
        raise EngineFailed(message, engine=runtime) from error


def no_such_device(runtime: str, device: str) -> EngineFailed:
    """For a device that was asked for by name and is not there."""
    return EngineFailed(
        f"the translation runtime {runtime} is told to use {device} and finds none; set "
        "GLOSSA_MT_DEVICE (drafts: GLOSSA_MT_DRAFT_DEVICE) to auto or cpu, or mend the driver",
        engine=runtime,
        device=device,
    )
