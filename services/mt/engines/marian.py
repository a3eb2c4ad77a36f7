"""Marian models (OPUS-MT) through CTranslate2: small, quick on a CPU, one direction each.

A model is a folder as ctranslate2's converters write it, with its SentencePiece files. Its folder's
name tells its direction (opus-mt-en-es, en-es-int8); a folder of such folders is several models.

OPUS-MT is trained on single sentences and drops what follows the first of several, so a text is
translated sentence by sentence, all of them at once. Drafts are decoded greedily, told token by
token and can be stopped; finals are decoded with a beam, which tells nothing before its end.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ctranslate2
import sentencepiece

from services.errors import EngineFailed, Unavailable
from services.model_files import find_model
from services.mt.engine import Capabilities, EngineOptions, LanguagePair, Rendering, Task
from services.mt.engines.failures import as_engine_failed, no_such_device
from services.mt.languages import NAMES
from services.mt.prompt import max_new_tokens

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
_COMPUTE_TYPES = {
    "cpu": ("int8", "int8_float32", "float32"),
    "cuda": ("int8_float16", "int8_float32", "float16", "float32"),
}

_END = "</s>"
_WORD_START = "▁"
_TARGET_TOKEN = re.compile(r">>(\w+)<<")
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


def load(options: EngineOptions) -> MarianEngine:
    folder = find_model(options.model, options.models_dir)
    folders = [folder]
    if not (folder / "model.bin").exists():
        folders = sorted(path.parent for path in folder.glob("*/model.bin")) or [folder]
    device = _device(options.device)
    models: dict[LanguagePair, _Model] = {}
    for path in folders:
        find_model(str(path), options.models_dir, needs=FILES)
        model = _Model(path, device, _compute_type(options.compute_type, device), options.threads)
        for pair in model.pairs(options.pairs):
            models.setdefault(pair, model)
    missing = [str(pair) for pair in options.pairs if pair not in models]
    if missing:
        raise Unavailable(
            "MODEL_MISSING",
            f"the Marian models in {folder} do not translate {', '.join(missing)}; they translate "
            f"{', '.join(map(str, sorted(models))) or 'nothing that their folders name'}. A "
            "folder's name tells its direction, as in opus-mt-en-es",
            model=options.model,
        )
    for pair in options.pairs:
        models[pair].open()
    return MarianEngine(models, options.max_batch)


def _device(wanted: str) -> str:
    with as_engine_failed(NAME, "look for a CUDA device"):
        has_cuda = ctranslate2.get_cuda_device_count() > 0
    if wanted == "auto":
        return "cuda" if has_cuda else "cpu"
    if wanted == "cuda" and not has_cuda:
        raise no_such_device(NAME, wanted)
    return wanted


def _compute_type(wanted: str, device: str) -> str:
    supported = ctranslate2.get_supported_compute_types(device)
    if wanted == "auto":
        return next(name for name in _COMPUTE_TYPES[device] if name in supported)
    if wanted not in supported:
        raise EngineFailed(
            f"marian cannot compute in {wanted} on {device} here; set GLOSSA_MT_COMPUTE_TYPE to "
            f"auto or one of {', '.join(sorted(supported))}",
            engine=NAME,
        )
    return wanted


@dataclass
class _Unit:
    """A sentence that is translated on its own.

    Args:
        source: its tokens, without the target's and the end's.
        prefix: tokens that its translation begins with.
        tokens: what was generated after them.
    """

    source: list[str]
    prefix: list[str] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    is_ended: bool = False

    @property
    def token_limit(self) -> int:
        limit = len(self.prefix) + max_new_tokens(len(self.source))
        return max(len(self.prefix) + 1, min(limit, MAX_TARGET_TOKENS))

    @property
    def is_cut_off(self) -> bool:
        return not self.is_ended and len(self.prefix) + len(self.tokens) >= self.token_limit


class _Model:
    """One folder: its tokenizers from the start, its weights from the first use."""

    def __init__(self, folder: Path, device: str, compute_type: str, threads: int) -> None:
        self.folder = folder
        self._device = device
        self._compute_type = compute_type
        self._threads = threads or (DEFAULT_THREADS if device == "cpu" else 0)
        self._translator: Any = None
        with as_engine_failed(NAME, f"read the tokenizer in {folder}"):
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

    def pairs(self, wanted: Sequence[LanguagePair]) -> set[LanguagePair]:
        """Its directions, by its folder's name and by the targets that its vocabulary names."""
        codes = re.split(r"[-_.]", self.folder.name)
        named = [
            LanguagePair(source, target)
            for source, target in itertools.pairwise(codes)
            if source in NAMES and target in NAMES
        ][-1:]
        if not self._target_tokens:
            return set(named)
        # "en-mul" and "en-ROMANCE" name no target, "mul-en" and a family of sources no source.
        sources = {pair.source for pair in named} or (set(codes) & NAMES.keys())
        sources = sources or {pair.source for pair in wanted}
        return {
            LanguagePair(source, target)
            for source in sources
            for target in self._target_tokens
            if source != target
        } | set(named)

    def open(self) -> None:
        if self._translator is not None:
            return
        with as_engine_failed(NAME, f"load the model in {self.folder}"):
            self._translator = ctranslate2.Translator(
                str(self.folder),
                device=self._device,
                compute_type=self._compute_type,
                inter_threads=1,
                intra_threads=self._threads,
            )

    def close(self) -> None:
        if self._translator is not None:
            self._translator.unload_model()
            self._translator = None

    def units(self, text: str, committed_text: str) -> list[_Unit]:
        """What `text` is translated in. A committed translation is gone on from as a whole: its
        sentences need not be those of the source."""
        sentences = [text] if committed_text else list(_sentences(text))
        units = [
            _Unit(tokens)
            for sentence in sentences
            for tokens in _pieces(self._source.encode(sentence, out_type=str))
        ]
        if units and committed_text:
            units[0].prefix = self._target.encode(committed_text, out_type=str)[:MAX_UNIT_TOKENS]
        return units

    def decode(
        self, units: Sequence[_Unit], target: str, *, beam_size: int, callback: Any = None
    ) -> None:
        """Fills in the tokens of `units`. `callback` needs a beam of 1."""
        self.open()
        first = [self._target_tokens[target]] if target in self._target_tokens else []
        results = self._translator.translate_batch(
            [[*first, *unit.source, _END] for unit in units],
            target_prefix=[unit.prefix or None for unit in units],
            beam_size=beam_size,
            max_decoding_length=max(unit.token_limit for unit in units),
            disable_unk=True,
            return_end_token=True,
            callback=callback,
        )
        for unit, result in zip(units, results, strict=True):
            tokens = result.hypotheses[0][len(unit.prefix) :]
            unit.is_ended = tokens[-1:] == [_END]
            unit.tokens = tokens[:-1] if unit.is_ended else tokens

    def text(self, units: Sequence[_Unit], committed_text: str) -> str:
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

    def unknown_words(self, units: Sequence[_Unit]) -> tuple[str, ...]:
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


class MarianEngine:
    """Models by direction; one that is not warmed is loaded with its first text."""

    name = NAME
    restarts = 0

    def __init__(self, models: dict[LanguagePair, _Model], max_batch: int) -> None:
        self._models = models
        self.capabilities = Capabilities(
            pairs=tuple(sorted(models)),
            streams=True,
            continues_text=True,
            max_batch=max_batch,
        )

    def model(self, pair: LanguagePair) -> str:
        return f"{self.name}/{self._models[pair].folder.name}"

    def translate(self, tasks: Sequence[Task]) -> list[Rendering]:
        renderings: dict[int, Rendering] = {}
        # Texts of one direction and tier are decoded together.
        groups: dict[tuple[LanguagePair, bool], list[int]] = {}
        for index, task in enumerate(tasks):
            groups.setdefault((task.job.pair, task.job.draft), []).append(index)
        with as_engine_failed(self.name, "translate"):
            for (pair, is_draft), indexes in groups.items():
                batch = _Batch(self._models[pair], pair, [tasks[index] for index in indexes])
                batch.decode_drafts() if is_draft else batch.decode_finals()
                renderings.update(zip(indexes, batch.renderings(), strict=True))
        return [renderings[index] for index in range(len(tasks))]

    def close(self) -> None:
        for model in self._models.values():
            model.close()


class _Batch:
    """Tasks of one model, cut into units."""

    def __init__(self, model: _Model, pair: LanguagePair, tasks: Sequence[Task]) -> None:
        self._model = model
        self._target = pair.target
        self._tasks = tasks
        self._units = [model.units(task.job.text, task.job.committed_text) for task in tasks]
        self._waiting = [
            (task, unit)
            for task, units in zip(tasks, self._units, strict=True)
            if task.is_wanted
            for unit in units
        ]

    def decode_finals(self) -> None:
        if not self._waiting:
            return
        self._model.decode(
            [unit for _, unit in self._waiting], self._target, beam_size=FINAL_BEAM_SIZE
        )
        for task, units in zip(self._tasks, self._units, strict=True):
            if task.is_wanted:
                task.tell(self._text(task, units), sum(len(unit.tokens) for unit in units))

    def decode_drafts(self) -> None:
        if not self._waiting:
            return
        units_of = {id(task): units for task, units in zip(self._tasks, self._units, strict=True)}

        # Called by CTranslate2's thread while this one waits for it, so never by both at once.
        def told(step: Any) -> bool:
            task, unit = self._waiting[step.batch_id]
            new_tokens = 0
            if step.token == _END:
                unit.is_ended = True
            elif step.step >= len(unit.prefix):
                unit.tokens.append(step.token)
                new_tokens = 1
            task.tell(self._text(task, units_of[id(task)]), new_tokens)
            return not task.is_wanted or unit.is_cut_off

        self._model.decode(
            [unit for _, unit in self._waiting], self._target, beam_size=1, callback=told
        )

    def renderings(self) -> Iterator[Rendering]:
        for task, units in zip(self._tasks, self._units, strict=True):
            yield Rendering(
                self._text(task, units),
                unknown_words=self._model.unknown_words(units),
                token_count=sum(len(unit.tokens) for unit in units),
                hit_token_limit=any(unit.is_cut_off for unit in units),
            )

    def _text(self, task: Task, units: Sequence[_Unit]) -> str:
        return self._model.text(units, task.job.committed_text)


def _source_vocabulary(folder: Path) -> list[str]:
    for name in FILES[-1].split("|"):
        path = folder / name
        if path.exists():
            text = path.read_text(encoding="utf-8")
            return list(json.loads(text)) if path.suffix == ".json" else text.split("\n")
    return []


def _sentences(text: str) -> Iterator[str]:
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
