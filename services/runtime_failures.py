"""What a model library raises, as the services' errors.

stt, mt and qe share it: they run the same libraries, and a wording that one of them did not know
for want of memory would be taken for a broken engine there.
"""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Iterator

from services.errors import EngineFailed, GlossaError, OutOfMemory

# CTranslate2, torch, MLX and llama.cpp each word it in their own way.
_OUT_OF_MEMORY = (
    "out of memory",
    "outofmemory",
    "insufficient memory",
    "failed to allocate",
    "cannot allocate",
    "unable to allocate",
    "attempting to allocate",
    "bad_alloc",
    "alloc_fail",
)


@contextlib.contextmanager
def as_engine_failed(kind: str, engine: str, doing: str) -> Iterator[None]:
    """Raises what a library raises inside as EngineFailed, as OutOfMemory when it had no room.

    Args:
        kind: what the service calls its engines, for the message: "speech engine".
        doing: what was being done, for the message: "load its model".
    """
    try:
        yield
    except GlossaError:
        raise
    # A library raises what it likes; whatever it is, it ends in a clear line and not in the server.
    except Exception as error:
        said = str(error).strip().partition("\n")[0] or type(error).__name__
        message = f"the {kind} {engine} could not {doing}: {said}"
        if is_out_of_memory(error):
            # The frames that failed hold what filled the memory for as long as the error is held.
            traceback.clear_frames(error.__traceback__)
            raise OutOfMemory(message, engine=engine) from error
        raise EngineFailed(message, engine=engine) from error


def is_out_of_memory(error: Exception) -> bool:
    """Whether a library says that there was no room."""
    return isinstance(error, MemoryError) or any(
        words in str(error).lower() for words in _OUT_OF_MEMORY
    )
