"""A Whisper with LoRA matrices in it, its clips and the Trainer that teaches it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from torch.utils.tensorboard import SummaryWriter
from transformers import TrainingArguments, WhisperForConditionalGeneration, set_seed
from transformers.integrations import TensorBoardCallback

from services.errors import InvalidInput
from training.clips.folder import TRAIN, VALIDATION, Clip, read_clips
from training.clips.shares import repeated
from training.recogniser.examples import (
    Transcript,
    WhisperClips,
    WhisperFolder,
    collated,
    transcript,
)
from training.recogniser.term_weights import read_terms
from training.recogniser.trainer import WhisperTrainer
from training.recogniser.word_errors import term_recall, word_error_rates

CHECKPOINTS = "checkpoints"
# All of a layer's matrices, encoder and decoder.
_TARGETS = ["q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"]


def lora_trainer(options: Mapping[str, Any]) -> WhisperTrainer:
    """
    Args:
        options: of training.whisper, by name.

    Raises:
        InvalidInput: NO_CLIPS, CLIPS_DAMAGED, MODEL_UNUSABLE, UNSUPPORTED_LANGUAGE.
        Unavailable: GLOSSARY_UNREADABLE, CORRECTIONS_UNREADABLE.
    """
    out, seed = options["out"], options["seed"]
    folder = WhisperFolder(options["model"])
    terms = read_terms(options["glossary"], options["glossary_languages"])
    train, judged = (read_clips(options["clips"], split) for split in (TRAIN, VALIDATION))
    if not train:
        raise InvalidInput("NO_CLIPS", f"{options['clips']} holds no clips; training.audio does")
    said = [transcript(folder, clip, terms, options["term_weight"]) for clip in train]
    reference = [transcript(folder, clip, terms, options["term_weight"]) for clip in judged]

    set_seed(seed)
    model = _with_lora(folder.path, options)
    most_tokens = model.config.max_target_positions
    _check_lengths((*train, *judged), (*said, *reference), most_tokens)

    def metrics(outcome: Any) -> dict[str, float]:
        heard = [folder.text(tokens) for tokens in outcome.predictions.tolist()]
        pairs = list(zip(judged, heard, strict=True))
        rates = word_error_rates((clip.accent, clip.text, text) for clip, text in pairs)
        recall = term_recall(((clip.language, clip.text, text) for clip, text in pairs), terms)
        return rates if recall is None else rates | {"term_recall": recall}

    has_cuda = torch.cuda.is_available()
    has_bf16 = has_cuda and torch.cuda.is_bf16_supported()
    strategy = "steps" if judged else "no"
    arguments = TrainingArguments(
        output_dir=str(out / CHECKPOINTS),
        num_train_epochs=options["epochs"],
        max_steps=options["max_steps"] or -1,
        per_device_train_batch_size=options["batch_size"],
        per_device_eval_batch_size=options["batch_size"],
        gradient_accumulation_steps=options["accumulate"],
        activation_checkpointing=options["checkpoint_activations"],
        activation_checkpointing_kwargs={"use_reentrant": False},
        learning_rate=options["learning_rate"],
        lr_scheduler_type="cosine",
        warmup_steps=options["warmup_share"],
        weight_decay=options["weight_decay"],
        use_cpu=not torch.accelerator.is_available(),
        bf16=has_bf16,
        fp16=has_cuda and not has_bf16,
        eval_strategy=strategy,
        eval_steps=options["evaluate_every"],
        save_strategy="steps",
        save_steps=options["evaluate_every"],
        save_total_limit=2,
        load_best_model_at_end=bool(judged),
        metric_for_best_model="wer" if judged else None,
        greater_is_better=False if judged else None,
        restore_callback_states_from_checkpoint=True,
        logging_steps=10,
        logging_first_step=True,
        report_to="none",
        remove_unused_columns=False,
        label_names=["labels"],
        dataloader_num_workers=options["workers"],
        seed=seed,
        data_seed=seed,
    )
    longest = max((len(one.tokens) for one in reference), default=0)
    trainer = WhisperTrainer(
        model=model,
        args=arguments,
        train_dataset=WhisperClips(
            folder, train, said, repeated([clip.weight for clip in train], seed)
        ),
        eval_dataset=WhisperClips(folder, judged, reference, range(len(judged))) or None,
        data_collator=collated,
        compute_metrics=metrics,
        languages=_languages(folder, {clip.language for clip in judged}),
        # A decode that loops is cut off, not far behind the longest text.
        max_new_tokens=min(longest * 3 // 2 + 8, most_tokens - 4),
    )
    if trainer.is_world_process_zero():
        trainer.add_callback(TensorBoardCallback(SummaryWriter(out / "tensorboard")))
    return trainer


def _with_lora(path: Path, options: Mapping[str, Any]) -> Any:
    model, loading = WhisperForConditionalGeneration.from_pretrained(
        path, local_files_only=True, output_loading_info=True, dtype=torch.float32
    )
    if loading["missing_keys"]:
        raise InvalidInput(
            "MODEL_UNUSABLE", f"{path} lacks weights: {sorted(loading['missing_keys'])[:3]}"
        )
    return get_peft_model(
        model,
        LoraConfig(
            r=options["rank"],
            lora_alpha=2 * options["rank"],
            lora_dropout=options["dropout"],
            target_modules=_TARGETS,
        ),
    )


def _check_lengths(
    clips: Sequence[Clip], transcripts: Sequence[Transcript], most_tokens: int
) -> None:
    too_long = [
        clip.path
        for clip, one in zip(clips, transcripts, strict=True)
        if len(one.tokens) > most_tokens
    ]
    if too_long:
        raise InvalidInput(
            "CLIPS_DAMAGED",
            f"the text of {len(too_long)} clips is longer than the {most_tokens} tokens that "
            f"Whisper can say, the first of them {too_long[0]}; shorten or delete them",
        )


def _languages(folder: WhisperFolder, languages: set[str]) -> dict[int, str]:
    if not folder.is_multilingual:
        return {}
    return {folder.prefix(language)[0]: language for language in languages}
