"""Sentences of everyday language from a file: they keep a model from forgetting it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from services.collector.diversity import lot
from services.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class GeneralPair:
    """A sentence and its translation, from outside of any sermon."""

    source_text: str
    target_text: str


def read(path: Path, languages: tuple[str, str]) -> Iterator[GeneralPair]:
    """The pairs of a file, without those that lack a text.

    `.tsv`: source, tab, target, and whatever columns follow. `.jsonl`: one object a line with the
    texts under their languages, as `./glossa queue export` writes them; objects of other languages
    are passed over.

    Args:
        languages: (source, target), BCP 47.

    Raises:
        InvalidInput: PAIRS_UNREADABLE, with the line, or PAIRS_FORMAT for another kind of file.
    """
    parsers = {".tsv": _from_tsv, ".jsonl": _from_json}
    parse = parsers.get(path.suffix.lower())
    if parse is None:
        raise InvalidInput(
            "PAIRS_FORMAT",
            f"{path} is neither .tsv (source, tab, target) nor .jsonl (texts by their language)",
        )
    number = 0
    try:
        with path.open("rb") as lines:
            for number, encoded in enumerate(lines, start=1):  # noqa: B007  named by the error
                line = encoded.decode().removeprefix("\ufeff")
                if line.strip():
                    pair = parse(line, languages)
                    if pair is not None and pair.source_text and pair.target_text:
                        yield pair
    except OSError as error:
        raise InvalidInput(
            "PAIRS_UNREADABLE", f"cannot read {path}: {error.strerror or error}"
        ) from error
    except (ValueError, RecursionError) as error:  # also what is no UTF-8
        raise InvalidInput("PAIRS_UNREADABLE", f"{path}, line {number}: {error}") from error


def draw(
    pairs: Iterable[GeneralPair], count: int, seed: int, is_wanted: Callable[[GeneralPair], bool]
) -> list[GeneralPair]:
    """At most `count` pairs in an order that the seed alone decides; holds all of them meanwhile.

    `is_wanted` is asked in that order, and of no pair after the last one that is drawn.
    """
    drawn: list[GeneralPair] = []
    for pair in sorted(
        set(pairs),
        key=lambda pair: (lot(seed, f"{pair.source_text}\t{pair.target_text}"), pair.source_text),
    ):
        if len(drawn) >= count:
            break
        if is_wanted(pair):
            drawn.append(pair)
    return drawn


def _from_tsv(line: str, _: tuple[str, str]) -> GeneralPair | None:
    columns = line.rstrip("\r\n").split("\t")
    if len(columns) < 2:
        raise ValueError("no tab between source and target")
    return GeneralPair(columns[0].strip(), columns[1].strip())


def _from_json(line: str, languages: tuple[str, str]) -> GeneralPair | None:
    found = json.loads(line)
    if not isinstance(found, dict):
        raise ValueError("not a JSON object")
    source, target = (found.get(language) for language in languages)
    if source is None or target is None:
        return None
    if not isinstance(source, str) or not isinstance(target, str):
        raise ValueError(f"{' and '.join(languages)} must be texts")
    return GeneralPair(source.strip(), target.strip())
