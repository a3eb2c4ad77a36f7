"""A model that was brought in is the one that a profile's engine loads."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.verb import run_verb
from tests.tiny.marian import examples, marian_ct2

pytestmark = pytest.mark.engines


def test_a_profiles_model_is_brought_in_and_translates_by_its_usual_name(tmp_path: Path) -> None:
    models = {"GLOSSA_MODELS_DIR": str(tmp_path / "models")}
    for name, pair in (("opus-mt-en-es", "en-es"), ("opus-mt-es-en", "es-en")):
        done = run_verb("models", "pull", name, "--from", str(marian_ct2(pair)), **models)
        assert done.returncode == 0, done.stderr
    assert run_verb("models", "verify", **models).returncode == 0

    # No model is named: the runtime's usual one, a folder with a model for each direction.
    for source, target in (("en", "es"), ("es", "en")):
        text, wanted = examples(f"{source}-{target}")[0]
        direction = ("--source", source, "--target", target)
        done = run_verb("translate", "--profile", "cpu", *direction, stdin=text, **models)
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip() == wanted
