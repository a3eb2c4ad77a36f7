"""`python -m training.lm`: from texts to a model with which pocketsphinx hears names."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from pocketsphinx import get_model_path

from services.errors import EngineFailed
from services.stt.engine import Decoding, Engine, EngineOptions, loader
from tests.speech import spoken as speech
from training.lm import lm
from training.run_folder import fingerprint
from training.trigrams.pronunciations import read_dictionary, spoken, write_dictionary
from training.trigrams.spoken_words import spoken_sentences, spoken_words

SENTENCE = "And Mephibosheth lived in Jerusalem and ate at the table of the king."
VERSES = (
    SENTENCE,
    "Mephibosheth came to the king and fell on his face.",
    "The king said to Mephibosheth, do not be afraid.",
    "Mephibosheth the son of Jonathan ate at the table of the king.",
)
# In the engine's own model's words, and not in the texts that are learned.
MODERN = ("I do not know what you want to do.", "He said it was a good time for the people.")
EVERYDAY = ("The bus is late.", "We have bread and water.", "He said that he saw the new house.")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    for name in ("bible", "tatoeba", "sermons"):
        (folder / name).mkdir()
    with gzip.open(folder / "bible/verses.jsonl.gz", "wt", encoding="utf-8") as lines:
        for number, verse in enumerate(VERSES):
            row = {"verse_id": f"2SA.9.{number}", "split": "train", "WEB": verse, "KJV": verse}
            lines.write(json.dumps(row) + "\n")
        for split in ("dev", "test"):
            row = {"verse_id": f"{split}.1.1", "split": split, "BSB": VERSES[1]}
            row |= {"WEB": f"Now {split} ate Zelophehad's bread.", "KJV": ""}
            lines.write(json.dumps(row) + "\n")
    for split, sentences in (("train", EVERYDAY), ("dev", MODERN)):
        lines = "".join(f"{sentence}\tx\n" for sentence in sentences)
        (folder / f"tatoeba/{split}.tsv").write_text(lines)
    for name in ("spurgeon", "state_union_modern"):
        lines = "\n".join(f"{sentence} {name} speaks." for sentence in EVERYDAY)
        (folder / f"sermons/{name}_sentences.txt").write_text(lines)
    return folder


def run(data: Path, out: Path, *options: str) -> Result:
    # A hundred words of the engine's own model: all of them take a minute.
    arguments = ["--data", str(data), "--out", str(out), "--least-probability", "1e-3", *options]
    return CliRunner().invoke(lm, arguments)


@pytest.fixture(scope="module")
def made(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "lm"
    done = run(data, out, "--size-mb", "3")
    assert done.exit_code == 0, done.output
    assert "perplexity of bible" in done.output
    return out


def heard(model: str) -> tuple[str, str]:
    """What the engine hears of SENTENCE with a model, and the model that it names."""
    engine: Engine = loader("pocketsphinx")(EngineOptions(model=model))
    try:
        samples = speech(SENTENCE).astype("float32") / 32768
        return engine.transcribe(samples, Decoding("en")).text.lower(), engine.model
    finally:
        engine.close()


def test_a_name_of_the_texts_is_heard_that_the_engines_own_model_does_not_know(made: Path) -> None:
    text, model = heard(str(made / "model"))
    assert model == "model"
    assert text == SENTENCE.lower().rstrip(".")
    text, model = heard("")
    assert model == "en-us"
    assert "mephibosheth" not in text


def test_the_manifest_tells_what_the_files_are_made_of(made: Path) -> None:
    manifest = json.loads((made / "model/manifest.json").read_text())
    assert set(manifest["files"]) == {"model.lm.bin", "model.dict"}
    sizes = 0
    for name, file in manifest["files"].items():
        path = made / "model" / name
        assert file == {"bytes": path.stat().st_size, "sha256": fingerprint(path)}
        sizes += file["bytes"]
    assert sizes == manifest["metrics"]["bytes"] <= 3e6
    assert {source["name"] for source in manifest["sources"]} == {
        *("bible", "tatoeba", "addresses", "sermons", "generic")
    }
    assert sum(manifest["metrics"]["shares"].values()) == pytest.approx(1)
    assert manifest["inputs"]["verses"]
    assert json.loads((made / "run.json").read_text())["status"] == "done"


@pytest.fixture(scope="module")
def held_out(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "lm"
    done = run(data, out, "--size-mb", "3", "--hold-out", "--generic-share", "0.2")
    assert done.exit_code == 0, done.output
    return out / "model"


def test_books_that_are_held_out_are_not_in_the_model(made: Path, held_out: Path) -> None:
    kept = read_dictionary(held_out / "model.dict")
    assert "mephibosheth" in kept
    assert "zelophehad's" not in kept
    assert "zelophehad's" in read_dictionary(made / "model/model.dict")


def test_the_engines_own_model_has_the_share_that_is_asked_for(made: Path, held_out: Path) -> None:
    def own_share_and_perplexity(model: Path) -> tuple[float, float]:
        metrics = json.loads((model / "manifest.json").read_text())["metrics"]
        return metrics["shares"]["generic"], metrics["dev_perplexity"]["tatoeba"]["whole"]

    usual, less = own_share_and_perplexity(made / "model"), own_share_and_perplexity(held_out)
    assert (usual[0], less[0]) == (0.6, 0.2)
    # Everyday speech, which it knows and the texts here do not.
    assert usual[1] < less[1]


def test_a_size_that_holds_not_even_the_words_is_refused(data: Path, tmp_path: Path) -> None:
    done = run(data, tmp_path / "lm", "--size-mb", "1", "--least-probability", "1e-7")
    assert done.exit_code == 2
    assert "--size-mb" in done.output


def test_the_help_shows_an_example() -> None:
    assert "python -m training.lm --data" in CliRunner().invoke(lm, ["--help"]).output


def test_flite_says_words_in_the_dictionarys_sounds(tmp_path: Path) -> None:
    dictionary = read_dictionary(Path(get_model_path("en-us/cmudict-en-us.dict")))
    sounds = {sound for phones in dictionary["the"] for sound in phones.split()}
    assert sounds == {"DH", "AH", "IY"}
    known = {
        sound for entries in dictionary.values() for entry in entries for sound in entry.split()
    }
    said = spoken(["mephibosheth", "abideth", "zelophehad's", "above", "joy"])
    assert {sound for entry in said.values() for sound in entry[0].split()} <= known
    assert said["joy"] == dictionary["joy"]

    path = tmp_path / "model.dict"
    written = {"the": dictionary["the"], **said}
    write_dictionary(path, written)
    assert read_dictionary(path) == written
    with pytest.raises(EngineFailed):
        spoken(["..."])


def test_text_becomes_what_is_heard_of_it() -> None:
    assert spoken_words("“God’s Spirit,” he said; don't—go!") == [
        *("god's", "spirit", "he", "said", "don't", "go")
    ]
    assert spoken_sentences(["In 1984 he came.", "He came.", "He came.", "…"]) == [["he", "came"]]
