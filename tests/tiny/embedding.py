"""A tiny model of sentence-transformers: untrained, but texts that share words are nearer by it."""

from __future__ import annotations

import subprocess
import tempfile
from importlib.metadata import version
from pathlib import Path

from tests.tiny import pairs
from tests.tiny.cache import built

MAX_TOKENS = 64


def sentence_embedding() -> Path:
    """The folder of a model; seconds the first time. Needs sentence-transformers.

    qe's own environment has another major version of transformers, and they write tokenizers that
    the other does not read.
    """
    major = version("transformers").partition(".")[0]
    name = f"sentence-embedding-transformers-{major}"
    return built(name, _build, Path(__file__), Path(pairs.__file__))


def _build(folder: Path) -> None:
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as name:
        size = _tokenizer(Path(name))
        bert = BertModel(
            BertConfig(
                vocab_size=size,
                hidden_size=32,
                num_hidden_layers=1,
                num_attention_heads=4,
                intermediate_size=64,
                max_position_embeddings=MAX_TOKENS,
                initializer_range=0.5,
            )
        )
        # Untrained positions are the same noise in every text, and would make all texts alike.
        with torch.no_grad():
            bert.embeddings.position_embeddings.weight.zero_()
            bert.embeddings.token_type_embeddings.weight.zero_()
        bert.save_pretrained(name)
        transformer = Transformer(name, max_seq_length=MAX_TOKENS)
        model = SentenceTransformer(modules=[transformer, Pooling(32)], device="cpu")
        model.save(str(folder))


def _tokenizer(folder: Path) -> int:
    """Writes a tokenizer of the pairs' word pieces; gives the size of its vocabulary."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordPiece
    from tokenizers.normalizers import BertNormalizer
    from tokenizers.pre_tokenizers import BertPreTokenizer
    from tokenizers.processors import TemplateProcessing
    from tokenizers.trainers import WordPieceTrainer
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    tokenizer.train_from_iterator(
        [text for pair in pairs.EN_ES for text in pair],
        WordPieceTrainer(vocab_size=400, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]"]),
    )
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]",
        special_tokens=[(name, tokenizer.token_to_id(name)) for name in ("[CLS]", "[SEP]")],
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_max_length=MAX_TOKENS,
    ).save_pretrained(folder)
    return tokenizer.get_vocab_size()


def sentence_embedding_of(python: str) -> Path:
    """The same, made by another environment for itself."""
    done = subprocess.run(
        [python, "-c", f"from {__name__} import sentence_embedding; print(sentence_embedding())"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-3000:])
    return Path(done.stdout.splitlines()[-1])
