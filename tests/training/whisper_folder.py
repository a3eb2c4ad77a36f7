"""A Whisper of the real architecture, tiny and untrained, as Hugging Face lays it out.

It hears 6 s at once, and its byte-pair encoding is learnt from the sentences that it is to say.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

WINDOW_S = 6
_FRAMES = WINDOW_S * 50
_SPECIAL = ("endoftext", "startoftranscript", "en", "es", "translate", "transcribe", "startofprev")


def write_whisper(folder: Path, sentences: Iterable[str], *, seed: int = 0) -> Path:
    import torch
    from tokenizers import ByteLevelBPETokenizer
    from transformers import (
        WhisperConfig,
        WhisperFeatureExtractor,
        WhisperForConditionalGeneration,
        WhisperTokenizer,
    )

    folder.mkdir(parents=True)
    learnt = ByteLevelBPETokenizer()
    learnt.train_from_iterator([f" {one}" for one in sentences], vocab_size=400)
    learnt.save_model(str(folder))
    names = [f"<|{name}|>" for name in (*_SPECIAL, "nospeech", "notimestamps")]
    tokenizer = WhisperTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"))
    tokenizer.add_special_tokens({"additional_special_tokens": names})
    tokenizer.save_pretrained(folder)
    token = {name.strip("<|>"): tokenizer.convert_tokens_to_ids(name) for name in names}
    end, start = token["endoftext"], token["startoftranscript"]
    torch.manual_seed(seed)
    model = WhisperForConditionalGeneration(
        WhisperConfig(
            vocab_size=len(tokenizer),
            d_model=64,
            encoder_layers=1,
            decoder_layers=2,
            encoder_attention_heads=2,
            decoder_attention_heads=2,
            encoder_ffn_dim=128,
            decoder_ffn_dim=128,
            max_source_positions=_FRAMES,
            max_target_positions=64,
            pad_token_id=end,
            bos_token_id=end,
            eos_token_id=end,
            decoder_start_token_id=start,
            init_std=0.1,
        )
    )
    model.save_pretrained(folder)
    WhisperFeatureExtractor(feature_size=80, chunk_length=WINDOW_S).save_pretrained(folder)
    generation = {
        "is_multilingual": True,
        "lang_to_id": {"<|en|>": token["en"], "<|es|>": token["es"]},
        "task_to_id": {"transcribe": token["transcribe"], "translate": token["translate"]},
        "no_timestamps_token_id": token["notimestamps"],
        "prev_sot_token_id": token["startofprev"],
        "decoder_start_token_id": start,
        "bos_token_id": end,
        "eos_token_id": end,
        "pad_token_id": end,
    }
    (folder / "generation_config.json").write_text(json.dumps(generation))
    return folder
