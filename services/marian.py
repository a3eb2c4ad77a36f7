"""Marian models (OPUS-MT) through CTranslate2: small, quick on a CPU, one direction each.

mt translates with them and qe compares with what they make of a text, hence they are shared. A
model is a folder as ctranslate2's converters write it, with its SentencePiece files. Its folder's
name tells its direction (opus-mt-en-es, en-es-int8); a folder of such folders is several models.

OPUS-MT is trained on single sentences and drops what follows the first of several, so a text is
translated sentence by sentence, all of them at once.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from services import runtime_failures
from services.languages import NAMES, max_new_tokens
from services.model_files import checked, find_model

NAME = "marian"
FILES = (
    "model.bin",
    "config.json",
    "source.spm",
    "target.spm",
    "shared_vocabulary.json|shared_vocabulary.txt|source_vocabulary.json|source_vocabulary.txt",
)
FINAL_BEAM_SIZE = 4
# A Marian base model translates 20 tokens no faster with more threads than one (measured).
DEFAULT_THREADS = 1
# Marian's positions end at 512; a prefix and its continuation share the target's.
MAX_UNIT_TOKENS = 480
MAX_TARGET_TOKENS = 510
END = "</s>"
_COMPUTE_TYPES = {
    "cpu": ("int8", "int8_float32", "float32"),
    "cuda": ("int8_float16", "int8_float32", "float16", "float32"),
}

_WORD_START = "▁"
_TARGET_TOKEN = re.compile(r">>(\w+)<<")
# Between the parts of a folder's name, some of which are codes of languages.
_CODES = re.compile(r"[-_.]")
# Newer OPUS-MT models name their targets by ISO 639-3.
_ISO_639_3 = {
    "deu": "de",
    "eng": "en",
    "fra": "fr",
    "glg": "gl",
    "ita": "it",
    "cat": "ca",
    "kor": "ko",
    "por": "pt",
    "ron": "ro",
    "rus": "ru",
    "spa": "es",
    "ukr": "uk",
}
# A sentence ends before white space and something that can begin one, but not after an
# abbreviation or an initial.
_SENTENCE_END = re.compile(r"[.!?…]+[\"'”’»)\]]*\s+(?=[\"'“‘«(\[¿¡]*[A-ZÀ-ÖØ-Þ0-9])")
_ABBREVIATED = re.compile(
    r"(?:\b(?:Mr|Mrs|Ms|Dr|St|Rev|Fr|Sr|Sra|Srta|Jr|Prof|Gen|No|vs|v|cf|ca|p|pp|ch|vol)|\b[A-Z])\.\s+$"
)

# Source and target, BCP 47 primary subtags in lower case.
Direction = tuple[str, str]


def model_name(folder: Path) -> str:
    """The runtime and model that a translation names: "marian/opus-mt-en-es"."""
    return f"{NAME}/{folder.name}"


def named_direction(name: str) -> Direction | None:
    """The direction that a folder's name tells: ("en", "es") of "opus-mt-en-es"."""
    codes = _CODES.split(name)
    found = [pair for pair in itertools.pairwise(codes) if set(pair) <= NAMES.keys()]
    return found[-1] if found else None


def has_cuda() -> bool:
    """Whether CTranslate2 finds a CUDA device. Raises EngineFailed."""
    import ctranslate2

    with _as_engine_failed("look for a CUDA device"):
        return int(ctranslate2.get_cuda_device_count()) > 0


def compute_types(device: str) -> tuple[str, ...]:
    """The number formats that a device ("cpu", "cuda") computes in, the one to prefer first."""
    import ctranslate2

    supported = ctranslate2.get_supported_compute_types(device)
    preferred = [name for name in _COMPUTE_TYPES[device] if name in supported]
    return (*preferred, *sorted(set(supported).difference(preferred)))


def models_by_direction(
    model: str, models_dir: Path, wanted: Collection[Direction], placement: Placement
) -> dict[Direction, Model]:
    """The models of a folder, or of the folders in it, by direction; none is open yet.

    Args:
        model: a path, or a name below `models_dir`.
        wanted: directions that a model whose name tells no source language may be of.

    Raises:
        Unavailable: MODEL_MISSING, MODEL_ALTERED, MODEL_UNSAFE.
        EngineFailed: a tokenizer cannot be read.
    """
    models: dict[Direction, Model] = {}
    for path in model_folders(model, models_dir):
        found = Model(checked(path), placement)
        for direction in found.directions(wanted):
            models.setdefault(direction, found)
    return models


def model_folders(model: str, models_dir: Path) -> list[Path]:
    """The folder of a model, or the folders in it that are models.

    Raises:
        Unavailable: MODEL_MISSING, for a file that one of them lacks, too.
    """
    folder = find_model(model, models_dir)
    folders = [folder]
    if not (folder / "model.bin").exists():
        folders = sorted(path.parent for path in folder.glob("*/model.bin")) or [folder]
    for path in folders:
        find_model(str(path), models_dir, needs=FILES)
    return folders


@dataclass(frozen=True)
class Placement:
    """Where and how models compute.

    Args:
        device: "cpu" or "cuda".
        threads: CPU threads; 0 for what is quickest.
    """

    device: str
    compute_type: str
    threads: int = 0


@dataclass
class Unit:
    """A sentence that is translated on its own.

    Args:
        source: its tokens, without the target's and the end's.
        is_whole: False for a piece of a sentence that is too long for the model.
        prefix: tokens that its translation begins with.
        tokens: what was generated after them.
        log_probability: mean of the generated tokens, the end's included; 0.0 before decoding.
    """

    source: list[str]
    is_whole: bool = True
    prefix: list[str] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    is_ended: bool = False
    log_probability: float = 0.0

    @property
    def token_limit(self) -> int:
        limit = len(self.prefix) + max_new_tokens(len(self.source))
        return max(len(self.prefix) + 1, min(limit, MAX_TARGET_TOKENS))

    @property
    def is_cut_off(self) -> bool:
        """Whether its translation reached the limit before its end."""
        return not self.is_ended and len(self.prefix) + len(self.tokens) >= self.token_limit


class Model:
    """One folder: its tokenizers from the start, its weights from the first use."""

    def __init__(self, folder: Path, placement: Placement) -> None:
        import sentencepiece

        self.folder = folder
        self._placement = placement
        self._translator: Any = None
        with _as_engine_failed(f"read the tokenizer in {folder}"):
            self._source = sentencepiece.SentencePieceProcessor(
                model_file=str(folder / "source.spm")
            )
            self._target = sentencepiece.SentencePieceProcessor(
                model_file=str(folder / "target.spm")
            )
            self._vocabulary = frozenset(_source_vocabulary(folder))
        self._target_tokens = {
            _ISO_639_3.get(named[1], named[1]): token
            for token in sorted(self._vocabulary)
            if (named := _TARGET_TOKEN.fullmatch(token))
        }

    def directions(self, wanted: Collection[Direction]) -> set[Direction]:
        """Its directions, by its folder's name and by the targets that its vocabulary names."""
        named = {found} if (found := named_direction(self.folder.name)) else set()
        if not self._target_tokens:
            return named
        # "en-mul" and "en-ROMANCE" name no target, "mul-en" and a family of sources no source.
        codes = set(_CODES.split(self.folder.name)) & NAMES.keys()
        sources = {source for source, _ in named} or codes
        sources = sources or {source for source, _ in wanted}
        return {
            (source, target)
            for source in sources
            for target in self._target_tokens
            if source != target
        } | named

    def open(self) -> None:
        """Loads the weights unless they are. Raises EngineFailed, OutOfMemory."""
        import ctranslate2

        if self._translator is not None:
            return
        placement = self._placement
        default_threads = DEFAULT_THREADS if placement.device == "cpu" else 0
        with _as_engine_failed(f"load the model in {self.folder}"):
            self._translator = ctranslate2.Translator(
                str(self.folder),
                device=placement.device,
                compute_type=placement.compute_type,
                inter_threads=1,
                intra_threads=placement.threads or default_threads,
            )

    def close(self) -> None:
        if self._translator is not None:
            self._translator.unload_model()
            self._translator = None

    def units(self, text: str, committed_text: str = "") -> list[Unit]:
        """What `text` is translated in. A committed translation is gone on from as a whole: its
        sentences need not be those of the source."""
        units: list[Unit] = []
        for sentence in [text] if committed_text else sentences(text):
            pieces = list(_pieces(self._source.encode(sentence, out_type=str)))
            units += [Unit(piece, is_whole=len(pieces) == 1) for piece in pieces]
        if units and committed_text:
            units[0].prefix = self._target.encode(committed_text, out_type=str)[:MAX_UNIT_TOKENS]
        return units

    def decode(
        self, units: Sequence[Unit], target: str, *, beam_size: int, callback: Any = None
    ) -> None:
        """Fills in the tokens of `units` and how likely they are. `callback` needs a beam of 1."""
        self.open()
        first = [self._target_tokens[target]] if target in self._target_tokens else []
        results = self._translator.translate_batch(
            [[*first, *unit.source, END] for unit in units],
            target_prefix=[unit.prefix or None for unit in units],
            beam_size=beam_size,
            max_decoding_length=max(unit.token_limit for unit in units),
            disable_unk=True,
            return_end_token=True,
            return_scores=True,
            callback=callback,
        )
        for unit, result in zip(units, results, strict=True):
            tokens = result.hypotheses[0][len(unit.prefix) :]
            # CTranslate2 adds up what it generated and divides by the prefix's tokens as well.
            share = len(result.hypotheses[0]) / max(1, len(tokens))
            unit.log_probability = result.scores[0] * share
            unit.is_ended = tokens[-1:] == [END]
            unit.tokens = tokens[:-1] if unit.is_ended else tokens

    def text(self, units: Sequence[Unit], committed_text: str = "") -> str:
        """The translation as far as it is without a gap."""
        texts: list[str] = []
        for unit in units:
            text = self._target.decode([*unit.prefix, *unit.tokens])
            if unit.prefix:
                # Its tokenizer may write it in another way; what is shown stays as it is shown.
                text = committed_text + text[len(self._target.decode(unit.prefix)) :]
            texts.append(text)
            if not (unit.is_ended or unit.is_cut_off):
                break
        return " ".join(filter(None, texts))

    def unknown_words(self, units: Sequence[Unit]) -> tuple[str, ...]:
        """Words with a piece that the model has no token for."""
        words: list[list[str]] = []
        for unit in units:
            for piece in unit.source:
                if piece.startswith(_WORD_START) or not words:
                    words.append([])
                words[-1].append(piece)
        return tuple(
            "".join(word).removeprefix(_WORD_START)
            for word in words
            if not self._vocabulary.issuperset(word)
        )


def mean_log_probability(units: Sequence[Unit]) -> float:
    """Of all their tokens together, as `Unit.log_probability` is of one's."""
    token_counts = [len(unit.tokens) + unit.is_ended for unit in units]
    total = sum(
        unit.log_probability * count for unit, count in zip(units, token_counts, strict=True)
    )
    return total / max(1, sum(token_counts))


def _as_engine_failed(doing: str) -> AbstractContextManager[None]:
    return runtime_failures.as_engine_failed("translation runtime", NAME, doing)


def _source_vocabulary(folder: Path) -> list[str]:
    for name in FILES[-1].split("|"):
        path = folder / name
        if path.exists():
            text = path.read_text(encoding="utf-8")
            return list(json.loads(text)) if path.suffix == ".json" else text.split("\n")
    return []


def sentences(text: str) -> Iterator[str]:
    """The sentences of a text, which such a model translates one at a time."""
    start = 0
    for end in _SENTENCE_END.finditer(text):
        if not _ABBREVIATED.search(text, start, end.end()):
            yield text[start : end.end()].strip()
            start = end.end()
    if text[start:].strip():
        yield text[start:].strip()


def _pieces(tokens: list[str]) -> Iterator[list[str]]:
    """`tokens` in parts that fit into the model, parted between words where there is a word."""
    while len(tokens) > MAX_UNIT_TOKENS:
        cut = next(
            (at for at in range(MAX_UNIT_TOKENS, 0, -1) if tokens[at].startswith(_WORD_START)),
            MAX_UNIT_TOKENS,
        )
        yield tokens[:cut]
        tokens = tokens[cut:]
    if tokens:
        yield tokens
