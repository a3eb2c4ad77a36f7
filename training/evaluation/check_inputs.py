"""What an export and its source are asked about: sentences, or clips of speech."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from services.errors import InvalidInput
from services.marian import sentences
from services.mt.engine import LanguagePair
from training.evaluation.recognisers import Clip, load_recogniser, read_clips
from training.evaluation.sets import OWN_SERMON
from training.evaluation.translators import TRANSFORMERS, load_translator
from training.rows import read_rows
from training.text_lines import text_lines

# As many as the gate wants of sentences; each takes seconds, twice.
_MOST_CLIPS = 100


class CheckInputs(Protocol):
    """Sentences or clips.

    Args:
        names: the sentences, or the clips' files.
        references: what a person made of each, in the same order; empty where nobody did.
        is_private: of each, whether it is of a session. An export goes to other machines and stays
            in the registry, where a session cannot be forgotten: no such text is written there.
    """

    names: tuple[str, ...]
    references: tuple[str, ...]
    is_private: tuple[bool, ...]

    def __len__(self) -> int: ...

    def answers(self, spec: str) -> list[str]:
        """What the model RUNTIME:PATH makes of each. Raises GlossaError."""


@dataclass
class CheckTexts:
    """Sentences to translate.

    Args:
        sentence_by_sentence: a model as trained is given them as services.marian gives them.
    """

    names: tuple[str, ...]
    references: tuple[str, ...]
    is_private: tuple[bool, ...]
    pair: LanguagePair
    sentence_by_sentence: bool = False

    def __len__(self) -> int:
        return len(self.names)

    def answers(self, spec: str) -> list[str]:
        translator = load_translator(spec, self.pair)
        try:
            if not (self.sentence_by_sentence and spec.startswith(f"{TRANSFORMERS}:")):
                return translator.translate(self.names)
            units = [list(sentences(text)) for text in self.names]
            made = iter(translator.translate([unit for text in units for unit in text]))
            return [" ".join(next(made) for _ in text) for text in units]
        finally:
            translator.close()


@dataclass
class CheckClips:
    """Clips to write down."""

    names: tuple[str, ...]
    references: tuple[str, ...]
    is_private: tuple[bool, ...]
    clips: tuple[Clip, ...]
    language: str

    def __len__(self) -> int:
        return len(self.names)

    def answers(self, spec: str) -> list[str]:
        recogniser = load_recogniser(spec)
        try:
            return [recogniser.hear(clip.samples(), self.language) for clip in self.clips]
        finally:
            recogniser.close()


def check_clips(path: Path, language: str) -> CheckClips:
    """The first of a folder. Raises InvalidInput: BAD_SPEECH."""
    clips = tuple(read_clips(path, language))[:_MOST_CLIPS]
    return CheckClips(
        tuple(clip.path.name for clip in clips),
        tuple(clip.text for clip in clips),
        tuple(bool(clip.session_id) for clip in clips),
        clips,
        language,
    )


def check_texts(
    path: Path | None, pair: LanguagePair, *, sentence_by_sentence: bool = False
) -> CheckTexts:
    """Those of a file, or fifty of our own.

    Args:
        path: .jsonl rows of pairs, .tsv (source, tab, reference), or a plain list of sentences.

    Raises:
        InvalidInput: NO_TEXTS, ROWS_MISSING, ROWS_DAMAGED.
    """
    is_own = path is None
    path = path or OWN_SERMON
    rows: list[tuple[str, str]] = []
    private: list[bool] = []
    if path.suffix == ".jsonl":
        for row in read_rows(path):
            languages = row.source_language, row.target_language
            if languages == (pair.source, pair.target):
                rows.append((row.source, row.target))
            elif languages == (pair.target, pair.source):
                rows.append((row.target, row.source))
            else:
                continue
            private.append(row.kind == "sermon" and bool(row.group) and not is_own)
    else:
        try:
            lines = text_lines(path)
        except (OSError, ValueError) as error:
            raise InvalidInput("ROWS_MISSING", f"cannot read {path}: {error}") from error
        cells = [line.split("\t") for line in lines if line.strip()]
        rows = [(row[0].strip(), row[1].strip() if len(row) > 1 else "") for row in cells]
        private = [False] * len(rows)
    if not rows:
        raise InvalidInput("NO_TEXTS", f"there is no sentence for {pair} in {path}")
    references = tuple(reference for _, reference in rows if reference)
    if references and len(references) < len(rows):
        raise InvalidInput(
            "ROWS_DAMAGED", f"some sentences of {path} have a translation and some have none"
        )
    sources = tuple(source for source, _ in rows)
    return CheckTexts(sources, references, tuple(private), pair, sentence_by_sentence)
