"""Exports: each loads in the service's own engine and says what its source says."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from services.marian import FILES
from services.model_manifest import damages, read_manifest
from tests.tiny import pairs
from training.export import export
from training.rows import Row, write_rows

pytestmark = pytest.mark.training


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sentences that every tiny model knows by heart, with their translations."""
    path = tmp_path_factory.mktemp("known") / "known.tsv"
    path.write_text("".join(f"{english}\t{spanish}\n" for english, spanish in pairs.EN_ES))
    return path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(export, [str(argument) for argument in arguments])


def check_of(folder: Path) -> dict[str, Any]:
    check: dict[str, Any] = json.loads((folder / "check.json").read_text())
    return check


@pytest.fixture(scope="module")
def marian_export(tmp_path_factory: pytest.TempPathFactory, known: Path) -> Path:
    from tests.tiny.marian import marian_hf

    out = tmp_path_factory.mktemp("exports") / "glossa-en-es"
    done = run(
        *("--model", marian_hf(), "--to", "ctranslate2", "--out", out),
        *("--check-with", known, "--licence", "Apache-2.0", "--base", "none"),
    )
    assert done.exit_code == 0, done.output
    return out


def test_a_marian_export_has_the_files_that_the_service_wants(marian_export: Path) -> None:
    for name in FILES:
        assert any((marian_export / option).exists() for option in name.split("|")), name


def test_an_export_is_compared_with_its_source(marian_export: Path) -> None:
    check = check_of(marian_export)
    assert check["count"] == len(pairs.EN_ES)
    assert check["identical_share"] > 0.9, "eight bits may change a word of so small a model"
    assert check["between"]["chrf"] > 97
    assert check["source"]["chrf"] > 90, "all but a text of two sentences, read one by one"
    assert {row["reference"] for row in check["rows"]} == {spanish for _, spanish in pairs.EN_ES}


def test_a_manifest_tells_each_file_and_where_the_model_comes_from(marian_export: Path) -> None:
    manifest = read_manifest(marian_export)
    assert manifest is not None
    assert (manifest.name, manifest.licence) == ("glossa-en-es", "Apache-2.0")
    assert damages(marian_export, manifest) == []
    assert manifest.lineage["engine"] == "embedded", "what is to speak with it, unless told"
    assert manifest.lineage["quantization"] == "int8"
    assert len(manifest.lineage["model_sha256"]) == 64
    assert manifest.lineage["check"]["count"] == len(pairs.EN_ES)


def test_an_export_holds_no_sentence_of_a_session(tmp_path: Path) -> None:
    from tests.tiny.marian import marian_hf

    said, read = (Row(*pair, "sermon", "sermons") for pair in pairs.EN_ES[:2])
    write_rows(tmp_path / "rows.jsonl", [replace(said, group="20261122-100214"), read])
    out = tmp_path / "glossa-en-es"
    done = run(
        *("--model", marian_hf(), "--to", "ctranslate2", "--out", out, "--licence", "x"),
        *("--check-with", tmp_path / "rows.jsonl"),
    )
    assert done.exit_code == 0, done.output
    check = check_of(out)
    assert (check["count"], [row["source"] for row in check["rows"]]) == (2, [read.source])


def test_what_was_not_wanted_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    from tests.tiny.marian import marian_hf

    model, out = ("--model", marian_hf()), tmp_path / "out-en-es"
    unlicensed = run(*model, "--to", "ctranslate2", "--out", out)
    assert unlicensed.exit_code == 2
    assert "--licence" in unlicensed.output
    unknown = run(*model, "--to", "ctranslate2", "--quantization", "int3", "--out", out)
    assert unknown.exit_code == 2
    assert "int8_float16" in unknown.output
    out.mkdir()
    there = run(*model, "--to", "ctranslate2", "--licence", "x", "--out", out)
    assert there.exit_code == 1
    assert list(tmp_path.iterdir()) == [out]


def test_a_vocabulary_that_does_not_fit_the_model_is_a_line_and_no_traceback(
    tmp_path: Path,
) -> None:
    from tests.tiny.marian import marian_hf

    model = tmp_path / "model"
    shutil.copytree(marian_hf(), model)
    words = json.loads((model / "vocab.json").read_text())
    words.pop(max(words, key=lambda word: words[word] if word != "<pad>" else -1))
    (model / "vocab.json").write_text(json.dumps(words))
    out = tmp_path / "out-en-es"
    done = run("--model", model, "--to", "ctranslate2", "--licence", "x", "--out", out)
    assert done.exit_code == 2, done.output
    assert f"CTranslate2 cannot convert {model}: " in done.output
    assert "vocabulary" in done.output
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def gemma_export(
    out: Path, known: Path, target: str, quantization: str, **more: object
) -> dict[str, Any]:
    from tests.tiny.gemma import gemma_hf

    given = {"model": gemma_hf(), "to": target, "quantization": quantization, **more}
    options = [text for name, value in given.items() for text in (f"--{name}", value)]
    done = run(*options, "--check-with", known, "--licence", "none", "--out", out)
    assert done.exit_code == 0, done.output
    return check_of(out)


def test_a_language_model_in_nf4_says_what_it_said(tmp_path: Path, known: Path) -> None:
    check = gemma_export(tmp_path / "nf4", known, "bitsandbytes", "nf4")
    assert check["export"]["chrf"] > 90
    config = json.loads((tmp_path / "nf4/config.json").read_text())
    assert config["quantization_config"]["bnb_4bit_quant_type"] == "nf4"


def test_an_adapter_is_merged_into_its_base(tmp_path: Path, known: Path) -> None:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    from tests.tiny.gemma import gemma_hf

    model: Any = get_peft_model(
        AutoModelForCausalLM.from_pretrained(gemma_hf()),
        LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False),
    )
    model.save_pretrained(tmp_path / "adapter")
    out = tmp_path / "merged"
    check = gemma_export(
        out, known, "huggingface", "float32", adapter=tmp_path / "adapter", base="tiny"
    )
    assert check["identical_share"] == 1.0
    manifest = read_manifest(out)
    assert manifest is not None
    assert len(manifest.lineage["adapter_sha256"]) == 64
    merged: Any = AutoModelForCausalLM.from_pretrained(out)
    before: Any = AutoModelForCausalLM.from_pretrained(gemma_hf())
    name = "model.layers.0.self_attn.q_proj.weight"
    assert not merged.state_dict()[name].equal(before.state_dict()[name].to(merged.dtype))


def test_an_adapter_is_not_merged_into_few_bits(tmp_path: Path, known: Path) -> None:
    from services.errors import InvalidInput
    from training.formats import huggingface_folder

    (tmp_path / "config.json").write_text('{"quantization_config": {"bits": 4}}')
    with pytest.raises(InvalidInput, match="full precision"):
        huggingface_folder.merge(tmp_path, tmp_path, tmp_path / "out")


@pytest.mark.parametrize("name", ["Evil", "pipeline", "AutoModelForCausalLM", "logging"])
def test_what_is_no_class_of_models_is_not_loaded(tmp_path: Path, name: str) -> None:
    from services.errors import InvalidInput
    from training.formats import huggingface_folder

    (tmp_path / "config.json").write_text(json.dumps({"architectures": [name]}))
    with pytest.raises(InvalidInput, match="names no architecture"):
        huggingface_folder.merge(tmp_path, tmp_path, tmp_path / "out")


@pytest.mark.parametrize(("target", "what"), [("exl3", "NVIDIA"), ("gptq", "NVIDIA")])
def test_what_needs_a_card_is_refused_without_one(
    tmp_path: Path, known: Path, target: str, what: str
) -> None:
    import torch

    from tests.tiny.gemma import gemma_hf

    if torch.cuda.is_available():
        pytest.skip("there is a card")
    out = tmp_path / "out"
    done = run("--model", gemma_hf(), "--to", target, "--licence", "x", "--out", out)
    assert done.exit_code == 1
    assert what in done.output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("is_named", [False, True], ids=["not installed", "named wrongly"])
def test_without_llama_cpps_script_it_says_where_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_named: bool
) -> None:
    from tests.tiny.gemma import gemma_hf

    model, empty = gemma_hf(), tmp_path / "empty"
    if is_named:
        monkeypatch.setenv("GLOSSA_LLAMA_CPP", str(empty))
    else:
        monkeypatch.delenv("GLOSSA_LLAMA_CPP", raising=False)
        monkeypatch.setattr(sys, "prefix", str(empty))
    done = run("--model", model, "--to", "gguf", "--licence", "x", "--out", tmp_path / "out")
    assert done.exit_code == 1
    assert str(empty) in done.output
    assert "GLOSSA_EXTRAS=gguf,training ./glossa doctor" in done.output
    assert not (tmp_path / "out").exists()


@pytest.mark.engines
@pytest.mark.parametrize("quantization", ["Q4_K_M", "Q5_K_M", "Q8_0"])
def test_a_gguf_says_what_its_source_says(tmp_path: Path, known: Path, quantization: str) -> None:
    check = gemma_export(tmp_path / "gguf", known, "gguf", quantization)
    assert check["export"]["chrf"] > 90
    assert len(list((tmp_path / "gguf").glob("*.gguf"))) == 1


@pytest.mark.engines
def test_a_model_goes_to_mlx_and_back(tmp_path: Path, known: Path) -> None:
    there = gemma_export(tmp_path / "mlx", known, "mlx", "8bit")
    assert there["export"]["chrf"] > 90
    back = gemma_export(tmp_path / "back", known, "huggingface", "float32", model=tmp_path / "mlx")
    assert back["export"]["chrf"] > 90
