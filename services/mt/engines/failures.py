"""What a model library raises, as the service's errors."""

from __future__ import annotations

from contextlib import AbstractContextManager

from services import runtime_failures
from services.errors import EngineFailed


def as_engine_failed(runtime: str, doing: str) -> AbstractContextManager[None]:
    """Raises what a library raises inside as EngineFailed, as OutOfMemory when it had no room.

    Args:
        doing: what was being done, for the message: "load its model".
    """
    return runtime_failures.as_engine_failed("translation runtime", runtime, doing)


def no_such_device(runtime: str, device: str) -> EngineFailed:
    """For a device that was asked for by name and is not there."""
    return EngineFailed(
        f"the translation runtime {runtime} is told to use {device} and finds none; set "
        "GLOSSA_MT_DEVICE (drafts: GLOSSA_MT_DRAFT_DEVICE) to auto or cpu, or mend the driver",
        engine=runtime,
        device=device,
    )
