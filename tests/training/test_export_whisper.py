"""A Whisper exported for faster-whisper hears what the trained one heard."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import soundfile
from click.testing import CliRunner

from services.model_manifest import read_manifest
from tests import speech
from tests.tiny import whisper as tiny
from training.clips.folder import TRAIN, write_metadata
from training.export import export

# The first run builds the model.
pytestmark = pytest.mark.engines

SENTENCES = tiny.SENTENCES["en"][:2]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As a trainer keeps it: with what its processor is, and which token is which language."""
    from tokenizers import Tokenizer
    from transformers import WhisperFeatureExtractor

    folder = tmp_path_factory.mktemp("whisper") / "model"
    shutil.copytree(tiny._trained(), folder)
    WhisperFeatureExtractor().save_pretrained(folder)
    settings = {"tokenizer_class": "WhisperTokenizer"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    token = Tokenizer.from_file(str(folder / "tokenizer.json")).token_to_id
    silent = ("translate", "transcribe", "startoflm", "startofprev", "nospeech")
    generation = json.loads((folder / "generation_config.json").read_text())
    generation.pop("_from_model_config")
    generation |= {
        "is_multilingual": True,
        "lang_to_id": {f"<|{name}|>": token(f"<|{name}|>") for name in ("en", "es")},
        "task_to_id": {name: token(f"<|{name}|>") for name in ("transcribe", "translate")},
        "no_timestamps_token_id": token("<|notimestamps|>"),
        "prev_sot_token_id": token("<|startofprev|>"),
        "alignment_heads": [[0, 0]],
        "begin_suppress_tokens": [220, token("<|endoftext|>")],
        "suppress_tokens": [token(f"<|{name}|>") for name in silent],
    }
    (folder / "generation_config.json").write_text(json.dumps(generation))
    return folder


def test_both_write_down_the_same_clips_and_what_differs_is_kept(
    model: Path, tmp_path: Path
) -> None:
    rows = []
    for at, said in enumerate(SENTENCES):
        name = f"a/{at}.flac"
        (tmp_path / "clips/train/a").mkdir(parents=True, exist_ok=True)
        soundfile.write(tmp_path / "clips/train" / name, speech.spoken(said), 16_000)
        # The second is of a session, whose texts are in no export.
        session = f"sunday-{at}" if at else ""
        rows.append({"file_name": name, "transcription": said, "language": "en"})
        rows[-1] |= {"session_id": session}
    write_metadata(tmp_path / "clips", TRAIN, rows)
    out = tmp_path / "whisper-church"
    done = CliRunner().invoke(
        export,
        [
            *("--model", str(model), "--to", "ctranslate2", "--licence", "none"),
            *("--quantization", "float32"),
            *("--check-with", str(tmp_path / "clips"), "--out", str(out)),
        ],
    )
    assert done.exit_code == 0, done.output
    check = json.loads((out / "check.json").read_text())
    assert check["count"] == 2
    # The service looks for the best of several texts, which so small a model is thrown by.
    assert check["between"]["chrf"] > 60
    (row,) = check["rows"]
    assert (row["source"], row["reference"]) == ("0.flac", SENTENCES[0])
    manifest = read_manifest(out)
    assert manifest is not None
    assert manifest.lineage["engine"] == "faster_whisper"
    assert manifest.lineage["check"]["count"] == 2
