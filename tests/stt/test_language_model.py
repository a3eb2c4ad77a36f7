"""Which language model pocketsphinx takes: its own, the one that comes with Glossa, another."""

from __future__ import annotations

from pathlib import Path

import pytest
import structlog
from pocketsphinx import get_model_path

from services.errors import GlossaError
from services.stt.engine import EngineOptions, loader
from services.stt.settings import SttSettings
from services.stt.tiers import Tiers


def model_in_use(name: str, models_dir: Path) -> str:
    engine = loader("pocketsphinx")(EngineOptions(model=name, models_dir=models_dir))
    try:
        return engine.model
    finally:
        engine.close()


@pytest.fixture
def own_folder(tmp_path: Path) -> Path:
    """A models folder with a language model of its own in it."""
    folder = tmp_path / "parish"
    folder.mkdir()
    for name, source in (
        ("model.lm.bin", "en-us/en-us.lm.bin"),
        ("model.dict", "en-us/cmudict-en-us.dict"),
    ):
        (folder / name).symlink_to(get_model_path(source))
    return tmp_path


def test_its_own_is_taken_where_none_is_named(tmp_path: Path) -> None:
    assert model_in_use("", tmp_path) == "en-us"
    assert model_in_use("en-us", tmp_path) == "en-us"


def test_one_of_the_models_folder_is_taken_by_its_name(own_folder: Path) -> None:
    assert model_in_use("parish", own_folder) == "parish"


def test_the_model_that_a_profile_names_for_another_engine_is_let_be(tmp_path: Path) -> None:
    (tmp_path / "small.en").mkdir()
    with structlog.testing.capture_logs() as logs:
        assert model_in_use("small.en", tmp_path) == "en-us"
    assert [line["event"] for line in logs] == ["model_left_alone"]


async def test_a_running_service_takes_another_one(own_folder: Path) -> None:
    settings = SttSettings(models_dir=own_folder, final_workers=1, live_decoders=0)
    async with Tiers(settings).loaded() as tiers:
        assert tiers.in_use[0].model == "en-us"
        assert (await tiers.load("final", "", "parish")).current.model == "parish"
        with pytest.raises(GlossaError) as refused:
            await tiers.load("final", "", "absent")
        assert refused.value.reason == "MODEL_MISSING"
