"""A tiny UnifiedMetric in the layout of CometKiwi, and what unbabel-comet itself says of it.

The library lives in the environment of qe alone, so everything that needs it runs there:
`python -m tests.tiny.unified_metric build FOLDER`, `... vary FOLDER VARIANT ORIGINAL` and
`... predict FOLDER`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.tiny import pairs
from tests.tiny.cache import built

REPOSITORY = Path(__file__).resolve().parents[2]
HIDDEN_SIZE = 32
LAYERS = 2
# Untrained, but made to lie inside [0, 1] and to differ by more than rounding.
MEAN_SCORE = 0.5
SCORE_SPREAD = 0.1


def unified_metric(python: str, variant: str = "") -> Path:
    """The folder of a model; seconds the first time.

    Args:
        python: of an environment that holds unbabel-comet.
        variant: a name in VARIANTS, for a model that something is wrong with.
    """
    sources = Path(__file__), Path(pairs.__file__)
    if not variant:
        return built("unified-metric", lambda at: _run(python, "build", str(at)), *sources)
    original = str(unified_metric(python))
    return built(
        f"unified-metric-{variant}",
        lambda at: _run(python, "vary", str(at), variant, original),
        *sources,
    )


def predicted(python: str, folder: Path, asked: Sequence[tuple[str, str]]) -> list[float]:
    """What the library's own `predict()` gives for (source, target) pairs."""
    said = _run(python, "predict", str(folder), given=json.dumps(asked))
    scores: list[float] = json.loads(said.splitlines()[-1])
    return scores


def _run(python: str, *arguments: str, given: str = "") -> str:
    done = subprocess.run(
        [python, "-m", __name__, *arguments],
        cwd=REPOSITORY,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
        input=given,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{arguments} failed: {done.stderr[-3000:]}")
    return done.stdout


# ---- below: in the environment of qe ----


def _without_estimator(checkpoint: dict[str, Any], hparams: dict[str, Any]) -> None:
    for name in [name for name in checkpoint["state_dict"] if name.startswith("estimator.")]:
        del checkpoint["state_dict"][name]


def _not_a_number(checkpoint: dict[str, Any], hparams: dict[str, Any]) -> None:
    bias = [name for name in checkpoint["state_dict"] if name.endswith("bias")][-1]
    checkpoint["state_dict"][bias].fill_(float("nan"))


def _another_class(checkpoint: dict[str, Any], hparams: dict[str, Any]) -> None:
    hparams["class_identifier"] = "regression_metric"


def _needs_a_reference(checkpoint: dict[str, Any], hparams: dict[str, Any]) -> None:
    checkpoint["hyper_parameters"]["input_segments"] = ["mt", "ref"]


def _of_an_earlier_library(checkpoint: dict[str, Any], hparams: dict[str, Any]) -> None:
    import torch

    position_ids = torch.arange(514).expand((1, -1))
    checkpoint["state_dict"]["encoder.model.embeddings.position_ids"] = position_ids


def _with_a_program(checkpoint: dict[str, Any], hparams: dict[str, Any]) -> None:
    checkpoint["callbacks"] = {"run": subprocess.Popen}


VARIANTS: dict[str, Callable[[dict[str, Any], dict[str, Any]], None]] = {
    "without-estimator": _without_estimator,
    "not-a-number": _not_a_number,
    "another-class": _another_class,
    "needs-a-reference": _needs_a_reference,
    "of-an-earlier-library": _of_an_earlier_library,
    "with-a-program": _with_a_program,
}


def _build(folder: Path) -> None:
    import pytorch_lightning
    import torch
    from comet.models.multitask.unified_metric import UnifiedMetric

    encoder = folder / "encoder"
    _write_encoder(encoder)
    torch.manual_seed(0)
    hparams: dict[str, Any] = {
        "nr_frozen_epochs": 0.3,
        "encoder_model": "XLM-RoBERTa",
        "pretrained_model": str(encoder),
        "sent_layer": "mix",
        "layer_transformation": "sparsemax",
        "layer_norm": False,
        "word_layer": LAYERS,
        "hidden_sizes": [48, 16],
        "activations": "Tanh",
        "input_segments": ["mt", "src"],
        "word_level_training": False,
    }
    metric = UnifiedMetric(**hparams, load_pretrained_weights=False, local_files_only=True)
    _spread_scores(metric.eval())
    # A folder that moves: the one that the cache gives it is not known yet.
    hparams["pretrained_model"] = "microsoft/infoxlm-large"
    checkpoint = {
        "state_dict": metric.state_dict(),
        "hyper_parameters": dict(hparams),
        "pytorch-lightning_version": pytorch_lightning.__version__,
    }
    _write(folder, checkpoint, {**hparams, "class_identifier": "unified_metric"})


def _vary(folder: Path, variant: str, original: Path) -> None:
    import torch
    import yaml

    shutil.copytree(original / "encoder", folder / "encoder")
    checkpoint = torch.load(original / "checkpoints" / "model.ckpt", weights_only=True)
    hparams = yaml.safe_load((original / "hparams.yaml").read_text())
    VARIANTS[variant](checkpoint, hparams)
    _write(folder, checkpoint, hparams)


def _write(folder: Path, checkpoint: dict[str, Any], hparams: dict[str, Any]) -> None:
    import torch
    import yaml

    (folder / "checkpoints").mkdir()
    torch.save(checkpoint, folder / "checkpoints" / "model.ckpt")
    (folder / "hparams.yaml").write_text(yaml.safe_dump(hparams))


def _spread_scores(metric: Any) -> None:
    import torch

    head = metric.estimator.ff[-1]
    sample = [{"src": source, "mt": target} for source, target in pairs.EN_ES]
    with torch.no_grad():
        head.bias.zero_()
        (inputs,) = metric.prepare_sample(sample, stage="predict")
        scores = metric(**inputs).score
        factor = SCORE_SPREAD / scores.std()
        head.weight.mul_(factor)
        head.bias.fill_(MEAN_SCORE - scores.mean() * factor)


def _write_encoder(folder: Path) -> None:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import XLMRobertaConfig, XLMRobertaTokenizerFast

    special = {"bos": "<s>", "pad": "<pad>", "eos": "</s>", "unk": "<unk>", "mask": "<mask>"}
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.train_from_iterator(
        [text for pair in pairs.EN_ES for text in pair],
        trainers.UnigramTrainer(
            vocab_size=400,
            special_tokens=list(special.values()),
            unk_token="<unk>",
            show_progress=False,
        ),
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[("<s>", 0), ("</s>", 2)],
    )
    XLMRobertaTokenizerFast(
        tokenizer_object=tokenizer, **{f"{name}_token": token for name, token in special.items()}
    ).save_pretrained(folder)
    XLMRobertaConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=HIDDEN_SIZE,
        num_hidden_layers=LAYERS,
        num_attention_heads=4,
        intermediate_size=4 * HIDDEN_SIZE,
        max_position_embeddings=514,
        type_vocab_size=1,
        initializer_range=0.3,
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,
    ).save_pretrained(folder)


def _predict(folder: Path, asked: list[list[str]]) -> list[float]:
    from comet.models.multitask.unified_metric import UnifiedMetric

    metric = UnifiedMetric.load_from_checkpoint(
        folder / "checkpoints" / "model.ckpt",
        pretrained_model=str(folder / "encoder"),
        load_pretrained_weights=False,
        local_files_only=True,
        strict=True,
        map_location="cpu",
    )
    said = metric.predict(
        [{"src": source, "mt": target} for source, target in asked],
        batch_size=4,
        gpus=0,
        progress_bar=False,
        num_workers=0,
    )
    return [float(score) for score in said.scores]


if __name__ == "__main__":
    command, target_folder, *rest = sys.argv[1:]
    if command == "build":
        _build(Path(target_folder))
    elif command == "vary":
        _vary(Path(target_folder), rest[0], Path(rest[1]))
    else:
        print(json.dumps(_predict(Path(target_folder), json.load(sys.stdin))))
