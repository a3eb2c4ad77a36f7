"""Small Marian models: made new with a tokenizer of their own, or read from a folder; and saved.

A folder is what transformers' MarianMTModel and MarianTokenizer read: config.json,
model.safetensors, source.spm, target.spm, vocab.json, tokenizer_config.json.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.errors import InvalidInput

END_ID, UNKNOWN_ID = 0, 1
PAD = "<pad>"  # the last one, as in OPUS-MT's folders: CTranslate2 takes it away there
# What a caption may hold whether or not the texts do.
_REQUIRED = "0123456789áéíóúüñÁÉÍÓÚÜÑ¿¡-%$€&/()[]\"';:.,!?…"


@dataclass(frozen=True)
class Size:
    """The shape of a new model. The default has 9 million parameters, 10 MB in 8 bits.

    Most layers are in the encoder: they run once a text, the decoder's once a token
    (arXiv 2006.10369).
    """

    model_width: int = 256
    feed_forward_width: int = 1024
    encoder_layers: int = 6
    decoder_layers: int = 2
    vocabulary_size: int = 8000
    dropout: float = 0.1


def new_tokenizer(
    folder: Path, texts: Iterable[str], vocabulary_size: int, tags: Collection[str] = ()
) -> MarianTokens:
    """Trains one tokenizer for both languages and writes it into a model's folder.

    Digits stand alone, so that a number is copied and not remembered; a tag is one token.

    Raises:
        InvalidInput: TOO_FEW_TEXTS for so large a vocabulary.
    """
    import sentencepiece

    folder.mkdir(parents=True, exist_ok=True)
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(texts),
            model_prefix=str(folder / "source"),
            vocab_size=vocabulary_size - 1,
            model_type="unigram",
            character_coverage=0.99995,
            eos_id=END_ID,
            unk_id=UNKNOWN_ID,
            pad_id=-1,
            bos_id=-1,
            user_defined_symbols=sorted(tags),
            required_chars=_REQUIRED,
            split_digits=True,
            num_threads=2,
            minloglevel=2,
        )
    except RuntimeError as error:
        raise InvalidInput(
            "TOO_FEW_TEXTS",
            f"cannot make a vocabulary of {vocabulary_size} from these texts; take a smaller "
            f"--vocabulary-size ({str(error).splitlines()[-1][:160]})",
        ) from error
    (folder / "source.vocab").unlink()
    (folder / "source.model").replace(folder / "source.spm")
    shutil.copyfile(folder / "source.spm", folder / "target.spm")
    pieces = _read_pieces(folder / "source.spm")
    ids = {pieces.id_to_piece(number): number for number in range(len(pieces))} | {PAD: len(pieces)}
    (folder / "vocab.json").write_text(json.dumps(ids, ensure_ascii=False), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "MarianTokenizer", "model_max_length": 512}),
        encoding="utf-8",
    )
    return MarianTokens(folder)


class MarianTokens:
    """A Marian folder's tokenizer: a piece model a language, pieces numbered by vocab.json.

    Raises:
        InvalidInput: MODEL_MISSING.
    """

    def __init__(self, folder: Path) -> None:
        for name in ("source.spm", "target.spm", "vocab.json"):
            if not (folder / name).exists():
                raise InvalidInput(
                    "MODEL_MISSING", f"{folder} has no {name}: it is no folder of a Marian model"
                )
        self.folder = folder
        self._source = _read_pieces(folder / "source.spm")
        self._target = _read_pieces(folder / "target.spm")
        self._ids: dict[str, int] = json.loads((folder / "vocab.json").read_text(encoding="utf-8"))
        self._pieces = {number: piece for piece, number in self._ids.items()}
        self.end_id, self.pad_id = self._ids["</s>"], self._ids[PAD]

    def __len__(self) -> int:
        return len(self._ids)

    @property
    def ids(self) -> Mapping[str, int]:
        """The number of each piece."""
        return self._ids

    def pieces(self, ids: Iterable[int]) -> list[str]:
        """The pieces of these numbers."""
        return [self._pieces[number] for number in ids]

    def encode_sources(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of each text, the end's included."""
        return self._encode(self._source, texts)

    def encode_targets(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of each text, the end's included."""
        return self._encode(self._target, texts)

    def decode(self, ids: Iterable[int]) -> str:
        """The text of a target's ids."""
        special = {self.end_id, self.pad_id}
        text: str = self._target.decode_pieces(
            [self._pieces[number] for number in ids if number not in special]
        )
        return text

    def copy_to(self, folder: Path) -> None:
        for name in ("source.spm", "target.spm", "vocab.json", "tokenizer_config.json"):
            if (self.folder / name).exists():
                shutil.copyfile(self.folder / name, folder / name)

    def _encode(self, pieces_of: Any, texts: Sequence[str]) -> list[list[int]]:
        unknown = self._ids["<unk>"]
        return [
            [*(self._ids.get(piece, unknown) for piece in pieces), self.end_id]
            for pieces in pieces_of.encode(list(texts), out_type=str)
        ]


def _read_pieces(path: Path) -> Any:
    import sentencepiece

    try:
        return sentencepiece.SentencePieceProcessor(model_file=str(path))
    except (OSError, RuntimeError) as error:
        raise InvalidInput("MODEL_MISSING", f"cannot read the tokenizer {path}") from error


def new_model(size: Size) -> Any:
    """A model with random weights from torch's generator."""
    from transformers import MarianConfig, MarianMTModel

    heads = max(1, size.model_width // 64)
    return MarianMTModel(
        MarianConfig(
            vocab_size=size.vocabulary_size,
            d_model=size.model_width,
            encoder_layers=size.encoder_layers,
            decoder_layers=size.decoder_layers,
            encoder_ffn_dim=size.feed_forward_width,
            decoder_ffn_dim=size.feed_forward_width,
            encoder_attention_heads=heads,
            decoder_attention_heads=heads,
            max_position_embeddings=512,
            activation_function="relu",
            dropout=size.dropout,
            attention_dropout=0.0,
            scale_embedding=True,
            static_position_embeddings=True,
            share_encoder_decoder_embeddings=True,
            pad_token_id=size.vocabulary_size - 1,
            eos_token_id=END_ID,
            bos_token_id=None,
            decoder_start_token_id=size.vocabulary_size - 1,
            forced_eos_token_id=None,
            attn_implementation="eager",  # twice as fast as sdpa at these lengths on a CPU
        )
    )


def keep_start_at_zero(model: Any) -> None:
    """Has the padding's embedding, which decoding begins with, stay zero while the model learns.

    CTranslate2 begins with zeros, as Marian does. Through the shared output layer it would learn.
    """
    import torch

    weight = model.get_input_embeddings().weight
    is_start = torch.zeros(len(weight), 1, dtype=torch.bool, device=weight.device)
    is_start[model.config.decoder_start_token_id] = True
    with torch.no_grad():
        weight.masked_fill_(is_start, 0)
    weight.register_hook(lambda gradient: gradient.masked_fill(is_start, 0))


def keep_positions(model: Any) -> None:
    """Has the positions' sinusoids be nothing to learn: no gradient ever comes for them, and
    several devices would wait for it."""
    for part in (model.get_encoder(), model.get_decoder()):
        part.embed_positions.requires_grad_(False)


def read_model(folder: Path, *, dropout: float | None = None) -> Any:
    """The model of a folder; `dropout` takes the place of its own.

    Raises:
        InvalidInput: MODEL_MISSING; MODEL_UNUSABLE naming weights that its file lacks, which
            transformers would fill with random ones.
    """
    from transformers import MarianMTModel

    if not (folder / "config.json").exists():
        raise InvalidInput("MODEL_MISSING", f"there is no model in {folder}")
    changed = {} if dropout is None else {"dropout": dropout}
    model, loading = MarianMTModel.from_pretrained(
        folder,
        output_loading_info=True,
        attn_implementation="eager",
        local_files_only=True,
        **changed,
    )
    missing = sorted(loading["missing_keys"])
    if missing:
        raise InvalidInput("MODEL_UNUSABLE", f"{folder} lacks weights: {', '.join(missing[:5])}")
    return model
