"""What model libraries raise, for each service that runs them."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from services.errors import EngineFailed, InvalidInput, OutOfMemory
from services.mt.engines import failures
from services.stt.engines import whisper

Guard = Callable[[str, str], AbstractContextManager[None]]


@pytest.mark.parametrize("guard", [whisper.as_engine_failed, failures.as_engine_failed])
@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (RuntimeError("CUDA failed with error out of memory"), OutOfMemory),
        (RuntimeError("[METAL] Command buffer execution failed: Insufficient Memory"), OutOfMemory),
        (RuntimeError("[metal::malloc] Attempting to allocate 9 bytes"), OutOfMemory),
        (RuntimeError("CUBLAS_STATUS_ALLOC_FAILED"), OutOfMemory),
        (MemoryError(), OutOfMemory),
        (RuntimeError("cuBLAS failed"), EngineFailed),
        (Exception("expected value at line 1"), EngineFailed),
    ],
)
def test_what_a_library_raises_has_its_reason(
    guard: Guard, raised: Exception, expected: type[EngineFailed]
) -> None:
    with (
        pytest.raises(EngineFailed, match="tiny could not decode") as caught,
        guard("tiny", "decode"),
    ):
        raise raised
    assert type(caught.value) is expected
    assert caught.value.__cause__ is raised


def test_what_has_a_reason_keeps_it() -> None:
    refusal = InvalidInput("AUDIO_TOO_LONG", "31 s")
    with pytest.raises(InvalidInput) as caught, whisper.as_engine_failed("tiny", "decode"):
        raise refusal
    assert caught.value is refusal


def test_a_failure_for_want_of_memory_lets_go_of_what_filled_it() -> None:
    class Tensor:
        """Something large."""

    def fill() -> None:
        tensor = Tensor()
        held.append(weakref.ref(tensor))
        raise MemoryError

    held: list[weakref.ref[Tensor]] = []
    with pytest.raises(OutOfMemory) as caught, failures.as_engine_failed("tiny", "decode"):
        fill()
    gc.collect()
    assert caught.value.__cause__ is not None  # the error is still held, with its traceback
    assert held[0]() is None
