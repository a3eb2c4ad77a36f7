"""A Marian model of OPUS-MT's shape, small, over-fitted; and the same for CTranslate2."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

from tests.tiny import pairs
from tests.tiny.cache import built

STEPS = 400
# One model of several targets; the token before the source says which is wanted.
MULTILINGUAL = "en-mul"


def marian_ct2(pair: str = "en-es") -> Path:
    """The folder of an int8 model: "en-es", "es-en" or MULTILINGUAL. About 20 s the first time."""
    return built(f"marian-{pair}", lambda folder: _convert(marian_hf(pair), folder), *_SOURCES)


def marian_hf(pair: str = "en-es") -> Path:
    """The same model as transformers saves it."""
    return built(f"marian-hf-{pair}", lambda folder: _build(pair, folder), *_SOURCES)


_SOURCES = (Path(__file__), Path(pairs.__file__))


def examples(pair: str) -> list[tuple[str, str]]:
    """What a model was trained on: source, target."""
    english_first = list(pairs.EN_ES)
    if pair == "es-en":
        return [(spanish, english) for english, spanish in english_first]
    if pair == MULTILINGUAL:
        return [(f">>es<< {english}", spanish) for english, spanish in english_first] + [
            (f">>en<< {english}", english) for english, _ in english_first
        ]
    return english_first


def _convert(trained: Path, folder: Path) -> None:
    from ctranslate2.converters import TransformersConverter

    TransformersConverter(str(trained), copy_files=["source.spm", "target.spm"]).convert(
        str(folder), quantization="int8", force=True
    )


def _build(pair: str, trained: Path) -> None:
    import torch
    from transformers import MarianConfig, MarianMTModel

    torch.manual_seed(0)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # on a busy machine, two that wait for each other take thrice as long
    encode_source, encode_target, size = _tokenizers(pair, trained)
    end, padding = 0, size - 1
    model = MarianMTModel(
        MarianConfig(
            vocab_size=size,
            decoder_vocab_size=size,
            d_model=128,
            encoder_layers=2,
            decoder_layers=2,
            encoder_ffn_dim=256,
            decoder_ffn_dim=256,
            encoder_attention_heads=4,
            decoder_attention_heads=4,
            max_position_embeddings=512,
            pad_token_id=padding,
            eos_token_id=end,
            decoder_start_token_id=padding,
            forced_eos_token_id=end,
            activation_function="swish",
            scale_embedding=True,
            static_position_embeddings=True,
            share_encoder_decoder_embeddings=True,
            tie_word_embeddings=True,
            dropout=0.0,
            num_beams=1,
        )
    )
    # Recognisers write without capitals and full stops; a model for them has seen such text.
    rows = [
        (encode_source(text), encode_target(target))
        for source, target in examples(pair)
        for text in (source, source.lower().rstrip("."))
    ]
    _train(model, rows, padding)
    model.eval().save_pretrained(trained)
    torch.set_num_threads(threads)


def _tokenizers(pair: str, folder: Path):  # type: ignore[no-untyped-def]
    """Writes the tokenizer's files; gives the two encoders and the size of the vocabulary."""
    import sentencepiece

    processors = {}
    for side, texts in zip(("source", "target"), zip(*examples(pair), strict=True), strict=True):
        written = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter([*texts, *(text.lower() for text in texts)]),
            model_writer=written,
            model_type="unigram",
            vocab_size=300,
            hard_vocab_limit=False,
            character_coverage=1.0,
            minloglevel=2,
        )
        (folder / f"{side}.spm").write_bytes(written.getvalue())
        processors[side] = sentencepiece.SentencePieceProcessor(model_proto=written.getvalue())
    vocabulary = {"</s>": 0, "<unk>": 1}
    for token in (">>es<<", ">>en<<") if pair == MULTILINGUAL else ():
        vocabulary[token] = len(vocabulary)
    for processor in processors.values():
        for index in range(processor.get_piece_size()):
            piece = processor.id_to_piece(index)
            if piece != "<s>":
                vocabulary.setdefault(piece, len(vocabulary))
    vocabulary["<pad>"] = len(vocabulary)
    (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False))
    (folder / "tokenizer_config.json").write_text(
        json.dumps(
            {
                "source_lang": pair.partition("-")[0],
                "target_lang": pair.partition("-")[2],
                "tokenizer_class": "MarianTokenizer",
                "model_max_length": 512,
            }
        )
    )

    def encoder(side: str):  # type: ignore[no-untyped-def]
        def encode(text: str) -> list[int]:
            first, _, rest = text.partition(" ")
            tokens = (
                [first, *processors[side].encode(rest, out_type=str)]
                if first.startswith(">>")
                else processors[side].encode(text, out_type=str)
            )
            return [vocabulary[token] for token in tokens] + [vocabulary["</s>"]]

        return encode

    return encoder("source"), encoder("target"), len(vocabulary)


def _train(model, rows, padding: int) -> None:  # type: ignore[no-untyped-def]
    import torch
    from torch.nn.utils.rnn import pad_sequence

    sources = pad_sequence(
        [torch.tensor(source) for source, _ in rows], batch_first=True, padding_value=padding
    )
    targets = pad_sequence(
        [torch.tensor(target) for _, target in rows], batch_first=True, padding_value=-100
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.0)
    model.train()
    embeddings = model.get_input_embeddings().weight
    for step in range(STEPS):
        with torch.no_grad():
            embeddings[padding] = 0  # Marian decodes from an embedding of zeros; so is it trained
        for group in optimizer.param_groups:
            group["lr"] = 2e-3 * min(1.0, (step + 1) / 30) * (1 if step < STEPS * 0.6 else 0.3)
        loss = model(
            input_ids=sources, attention_mask=(sources != padding).long(), labels=targets
        ).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if loss.item() < 0.003:
            break
    print(f"marian: loss {loss.item():.4f} after {step + 1} steps", file=sys.stderr)
