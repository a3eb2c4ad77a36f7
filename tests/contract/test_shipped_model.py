"""The model that comes with Glossa: whole, small, free, and what embedded speaks with."""

from __future__ import annotations

from pathlib import Path

from cli.model_folder import kept_models
from services.model_files import SHIPPED
from services.model_manifest import damages, read_manifest
from services.mt.engine import OWN_MODEL, EngineOptions, Job, LanguagePair, loader
from services.mt.glossary import Glossary
from services.mt.task import TextTask

EN_ES = LanguagePair("en", "es")
MOST_BYTES = 20_000_000


def test_it_is_as_its_manifest_says() -> None:
    assert [folder.name for folder in kept_models(SHIPPED)] == [OWN_MODEL]
    manifest = read_manifest(SHIPPED / OWN_MODEL)
    assert manifest is not None
    assert damages(SHIPPED / OWN_MODEL, manifest) == []
    assert manifest.bytes <= MOST_BYTES
    assert manifest.licence == "Apache-2.0"
    assert manifest.lineage["pair"] == str(EN_ES)


def test_it_speaks_without_being_named_and_is_told_with_the_text(tmp_path: Path) -> None:
    engine = loader("embedded")(EngineOptions(models_dir=tmp_path, threads=1))
    try:
        assert engine.capabilities.lacks == ""
        assert engine.model(EN_ES) == f"marian/{OWN_MODEL}+apertium/eng-spa"
        asked = [
            "Good morning, everyone.",
            "I want to read a book today.",
            "We are here to help our friends.",
            "The house is very old.",
        ]
        tasks = [TextTask(Job(text, EN_ES), Glossary(), deadline=None) for text in asked]
        made = [rendering for task in tasks for rendering in engine.translate([task])]
    finally:
        engine.close()
    assert all(rendering.text for rendering in made)
    assert f"marian/{OWN_MODEL}" in {rendering.model for rendering in made}
