"""exl2 needs a card: with one, its models are run; without one, it says so."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.errors import Unavailable
from services.mt.engine import Engine, EngineOptions, loader
from tests.contract.translation import task

pytestmark = pytest.mark.engines
# No EXL3 model can be made without a card; where there is one, this names one of TranslateGemma.
MODEL_VARIABLE = "GLOSSA_TEST_EXL3_MODEL"


def _has_cuda() -> bool:
    import torch

    return bool(torch.cuda.is_available())


def test_without_a_card_it_says_so_at_the_start(tmp_path: Path) -> None:
    if _has_cuda():
        pytest.skip("this machine has CUDA")
    with pytest.raises(Unavailable, match=r"NVIDIA card with CUDA.*gguf") as refused:
        loader("exl2")(EngineOptions(model=str(tmp_path)))
    assert refused.value.reason == "ENGINE_NOT_INSTALLED"


@pytest.fixture
def engine() -> Iterator[Engine]:
    if not _has_cuda():
        pytest.skip("exllamav3 cannot be imported without CUDA")
    model = os.environ.get(MODEL_VARIABLE, "")
    if not model:
        pytest.skip(f"{MODEL_VARIABLE} names no model")
    loaded = loader("exl2")(EngineOptions(model=model))
    yield loaded
    loaded.close()


def test_with_a_card_a_text_is_translated_as_a_stream(engine: Engine) -> None:
    told = task("God is love.")
    rendering = engine.translate([told])[0]
    assert "amor" in rendering.text.lower()
    assert told.told[-1] == rendering.text


def test_with_a_card_a_translation_goes_on_and_stops(engine: Engine) -> None:
    assert engine.translate([task("God is love.", committed_text="Dios")])[0].text.startswith(
        "Dios"
    )
    left = task("In the beginning God created the heavens and the earth.", wanted_tokens=3)
    assert engine.translate([left])[0].token_count < 8
