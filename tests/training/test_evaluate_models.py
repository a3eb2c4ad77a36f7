"""The judge with models as trainers write them and as the service loads them, all tiny and real."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from services.errors import InvalidInput, Unavailable
from services.mt.engine import LanguagePair
from tests.tiny import pairs
from training.evaluate import evaluate
from training.evaluation.translators import load_translator, size_bytes
from training.gate import gate
from training.rows import Row, write_rows

pytestmark = pytest.mark.training

EN_ES = LanguagePair("en", "es")
SOURCES = [english for english, _ in pairs.EN_ES]
TARGETS = [spanish for _, spanish in pairs.EN_ES]
# The models know these sentences alone: no edge case, no other set.
THRESHOLDS = """
[[check]]
says = "chrF++"
value = "translation.overall.plain.chrf.low"
least = 0.0

[[check]]
says = "terms"
value = "translation.overall.plain.terms.difference"
least = 0.0
"""


@pytest.fixture(scope="module")
def ct2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose folder's name tells no direction."""
    from tests.tiny.marian import marian_ct2

    folder = tmp_path_factory.mktemp("models") / "sunday"
    shutil.copytree(marian_ct2(), folder)
    return folder


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sets") / "known.jsonl"
    write_rows(path, (Row(*texts, "sermon", "test") for texts in pairs.EN_ES))
    return path


def judged(out: Path, known: Path, new: str, old: str) -> dict[str, Any]:
    done = CliRunner().invoke(
        evaluate,
        [
            *("--out", str(out), "--new", new, "--old", old, "--no-own-sermon", "--no-as-heard"),
            *("--set", f"sermon={known}"),
        ],
    )
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads((out / "evaluation.json").read_text())
    return found


def gated(out: Path) -> int:
    (out / "gate.toml").write_text(THRESHOLDS)
    return (
        CliRunner()
        .invoke(gate, ["--evaluation", str(out), "--thresholds", str(out / "gate.toml")])
        .exit_code
    )


def test_a_model_that_learnt_the_sermon_passes_against_apertium_and_apertium_not_against_it(
    ct2: Path, known: Path, tmp_path: Path
) -> None:
    better = judged(tmp_path / "better", known, f"marian:{ct2}", "apertium")
    assert better["systems"]["new"]["model"] == "marian/sunday-en-es"
    assert better["systems"]["new"]["size_bytes"] == size_bytes(ct2) > 10_000
    assert better["translation"]["overall"]["plain"]["chrf"]["new"] > 90
    assert gated(tmp_path / "better") == 0
    judged(tmp_path / "worse", known, "apertium", f"marian:{ct2}")
    assert gated(tmp_path / "worse") == 1


def test_of_a_model_with_apertium_beside_it_is_told_which_of_them_spoke(
    ct2: Path, known: Path, tmp_path: Path
) -> None:
    unknown = tmp_path / "unknown.jsonl"
    # The model learnt no number: what it makes of one fails a check.
    rows = [("The cat eats 314 mice.", "El gato come 314 ratones.")]
    write_rows(unknown, (Row(*texts, "general", "test") for texts in rows))
    done = CliRunner().invoke(
        evaluate,
        [
            *("--out", str(tmp_path / "out"), "--new", f"embedded:{ct2}", "--old", "apertium"),
            *("--set", f"sermon={known}", "--set", f"modern={unknown}"),
            *("--no-own-sermon", "--no-as-heard"),
        ],
    )
    assert done.exit_code == 0, done.output
    found = json.loads((tmp_path / "out/evaluation.json").read_text())
    assert found["systems"]["new"]["model"] == "marian/sunday-en-es+apertium/eng-spa"
    assert found["systems"]["new"]["size_bytes"] == size_bytes(ct2)
    sermon, modern = (found["translation"]["sets"][name]["plain"] for name in ("sermon", "modern"))
    assert sermon["voices"]["new"]["marian/sunday-en-es"] > 0.5
    assert sum(sermon["voices"]["new"].values()) == pytest.approx(1, abs=0.001)
    assert modern["voices"]["new"] == {"apertium/eng-spa": 1.0}
    assert modern["voices"]["old"] == {"apertium/eng-spa": 1.0}
    assert "marian/sunday-en-es" in done.output.split("which model spoke")[1]
    assert "marian/sunday-en-es" in (tmp_path / "out/evaluation.html").read_text()


def test_a_pair_without_its_own_model_is_not_judged_as_one(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="Apertium speaks alone"):
        load_translator("embedded:nowhere", EN_ES)


def test_a_trainers_marian_folder_says_what_it_learnt_draft_and_final() -> None:
    from tests.tiny.marian import marian_hf

    translator = load_translator(f"transformers:{marian_hf()}", EN_ES)
    whole = [at for at, source in enumerate(SOURCES) if source.count("!") == 0]
    for draft in (False, True):
        made = translator.translate(["", *SOURCES], draft=draft)
        assert made[0] == ""
        assert [made[at + 1] for at in whole] == [TARGETS[at] for at in whole]
    translator.close()


def test_a_causal_model_is_asked_with_the_services_prompts() -> None:
    from tests.tiny.gemma import gemma_hf

    translator = load_translator(f"transformers:{gemma_hf()}", EN_ES)
    made = translator.translate(SOURCES[:4])
    translator.close()
    assert made == TARGETS[:4]


def test_a_checkpoint_that_lacks_weights_is_refused(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    from tests.tiny.gemma import gemma_hf

    folder = tmp_path / "model"
    shutil.copytree(gemma_hf(), folder)
    weights = load_file(folder / "model.safetensors")
    name = next(name for name in weights if name.endswith("q_proj.weight"))
    del weights[name]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InvalidInput, match="lacks 1 of its model's weights"):
        load_translator(f"transformers:{folder}", EN_ES)


def test_an_adapter_is_judged_on_its_base_and_a_missing_base_is_told(tmp_path: Path) -> None:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    from tests.tiny.gemma import gemma_hf

    base = AutoModelForCausalLM.from_pretrained(gemma_hf())
    adapted = get_peft_model(base, LoraConfig(r=2, target_modules=["q_proj"]))
    adapted.save_pretrained(tmp_path / "adapter")
    translator = load_translator(f"transformers:{tmp_path / 'adapter'}", EN_ES)
    # A fresh adapter changes nothing.
    assert translator.translate(SOURCES[:2]) == TARGETS[:2]
    translator.close()
    config = tmp_path / "adapter/adapter_config.json"
    fields = json.loads(config.read_text()) | {"base_model_name_or_path": "/nowhere"}
    config.write_text(json.dumps(fields))
    with pytest.raises(InvalidInput, match="an adapter for the model in /nowhere"):
        load_translator(f"transformers:{tmp_path / 'adapter'}", EN_ES)


def test_a_trainers_whisper_folder_is_judged(tmp_path: Path) -> None:
    import soundfile

    from tests import speech
    from tests.training.whisper_folder import write_whisper

    model = write_whisper(tmp_path / "whisper", ["Let us pray."])
    (tmp_path / "speech").mkdir()
    soundfile.write(tmp_path / "speech/0.flac", speech.spoken("Let us pray."), 16_000)
    line = {"file": "0.flac", "text": "Let us pray.", "lang": "en"}
    (tmp_path / "speech/manifest.jsonl").write_text(json.dumps(line) + "\n")
    done = CliRunner().invoke(
        evaluate,
        [
            *("--out", str(tmp_path / "out"), "--stt-new", f"transformers:{model}"),
            *("--speech", f"church={tmp_path / 'speech'}"),
        ],
    )
    assert done.exit_code == 0, done.output
    found = json.loads((tmp_path / "out/evaluation.json").read_text())["recognition"]
    assert found["overall"]["wer"]["new"] > 0  # it was never trained
