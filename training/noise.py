"""Adds pairs whose English is what a recogniser makes of it, so that captions survive its errors.

    python -m training.noise --mix var/runs/mix --out var/runs/noisy
    ./glossa queue export --band corrected --out gold.jsonl
    python -m training.noise --mix var/runs/mix --corrected gold.jsonl --out var/runs/noisy

Spanish stays what it was. Of the rows, 30 % are as heard: first the pairs that people put right,
with what was really heard before them, then clean ones with errors put in: church terms misheard,
homophones, small words dropped, fillers, no case and punctuation.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import click

from services.errors import InvalidInput
from training.data_folder import DataFolder
from training.hearing.confusions import (
    CORRECTIONS,
    Confusions,
    homophones,
    listed,
    put_right,
    read_listed,
)
from training.hearing.disfluency import with_dropped_words, with_fillers
from training.hearing.heard import unpunctuated
from training.job import Job, out_option, seed_option
from training.rows import Row, read_rows, write_rows
from training.run_folder import RunFolder, noted
from training.text_lines import WRONG_SHAPE, text_lines
from training.texts.curriculum import order_of, ordered
from training.texts.leakage import JUDGED, Leakage, judged_file
from training.texts.mix_table import print_table, table

_KEPT = ("dev.jsonl", "test.jsonl", JUDGED)
# Which error a row gets, where it can have it. Terms first: they are what matters and are rare.
_ERRORS = {"term": 4.0, "homophone": 2.0, "dropped": 2.0, "filler": 1.0}
_SECOND_ERROR_SHARE = 0.3
_UNPUNCTUATED_SHARE = 0.5

Error = Callable[[str, random.Random], str | None]


@click.command(cls=Job)
@click.option(
    "--mix",
    "mix_folder",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="What `python -m training.mix` wrote.",
)
@click.option(
    "--corrected",
    type=click.Path(path_type=Path, dir_okay=False),
    multiple=True,
    help="Lines of `./glossa queue export --band corrected`.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder of public texts, for more church terms as they are misheard.",
)
@click.option(
    "--noisy-share",
    type=click.FloatRange(0, 0.9),
    default=0.3,
    help="Of the rows, with an English as heard.",
)
@out_option
@seed_option
def noise(
    mix_folder: Path,
    corrected: tuple[Path, ...],
    data: Path | None,
    noisy_share: float,
    out: Path,
    seed: int,
) -> None:
    """Writes train.jsonl with noisy rows among the clean ones; dev and test as they were.

    \b
    Example: half of it as heard
      python -m training.noise --mix var/runs/mix --noisy-share 0.5 --out var/runs/noisy
    """
    options = {name: value for name, value in locals().items() if name != "out"}
    inputs = {name: mix_folder / name for name in ("train.jsonl", *_KEPT)}
    inputs[JUDGED] = judged_file(mix_folder)
    inputs |= {f"corrected {index}": path for index, path in enumerate(corrected)}
    if data:
        inputs["confusions"] = data / "glossary/asr_confusions.tsv"
    with RunFolder(out, "noise", options, inputs=inputs) as run:
        rng = random.Random(seed)
        clean = list(read_rows(mix_folder / "train.jsonl"))
        kept = {name: list(read_rows(mix_folder / name)) for name in _KEPT}
        leakage = Leakage.of_rows(kept[JUDGED])
        directions = {(row.source_language, row.target_language) for row in clean}
        sermon_weight = noted(mix_folder).get("weights", {}).get("sermon", 1.0)
        reviewed = [
            (replace(row, weight=sermon_weight), said)
            for path in corrected
            for row, said in read_reviewed(path)
            if (row.source_language, row.target_language) in directions
        ]
        allowed = [
            (row, said)
            for row, said in reviewed
            if not leakage.holds(row) and not leakage.is_leaked(said)
        ]
        terms = read_listed(CORRECTIONS)
        if data:
            terms += listed(DataFolder(data).table("asr_confusions"))
        terms += [each for row, said in allowed for each in put_right(row.source, said)]
        errors: dict[str, Error] = {
            "term": Confusions(terms).misheard,
            "homophone": Confusions(homophones()).misheard,
            "dropped": with_dropped_words,
            "filler": with_fillers,
        }
        wanted = round(len(clean) * noisy_share / (1 - noisy_share))
        recognised = [row for row, said in allowed if row.source != said]
        rng.shuffle(recognised)
        made: Counter[str] = Counter()
        noisy = recognised[:wanted]
        noisy += spoilt(clean, wanted - len(noisy), errors, made, rng)
        order = order_of(mix_folder)
        rows = ordered(clean + noisy, order, rng)
        write_rows(out / "train.jsonl", rows)
        for name, unchanged in kept.items():
            write_rows(out / name, unchanged)
        run.note(
            rows={"clean": len(clean), "noisy": len(noisy), "recognised": len(recognised)},
            order=order,
            noisy_share=round(len(noisy) / (len(rows) or 1), 4),
            errors=dict(made),
            leaked_count=len(reviewed) - len(allowed),
            table=table(rows),
        )
        print_table(rows)
        click.echo(
            f"{len(noisy) / (len(rows) or 1):.1%} of the rows as heard, {len(recognised)} of them "
            f"really; errors put in: {dict(made)}; {out}"
        )


def read_reviewed(path: Path) -> Iterator[tuple[Row, str]]:
    """Pairs that people found right or put right: what was heard with their translation, and what
    was said.

    Raises InvalidInput, naming the line.
    """
    try:
        lines = text_lines(path)
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput("ROWS_MISSING", f"cannot read {path}: {error}") from error
    for number, line in enumerate(lines, start=1):
        try:
            fields = json.loads(line)
            if fields["decision"] not in ("accepted", "fixed"):
                continue
            source_language = fields["source_language"]
            row = Row(
                source=fields["original_source_text"],
                target=fields[fields["target_language"]],
                kind="sermon",
                origin="recognised",
                group=fields["session_id"],
                source_language=source_language,
                target_language=fields["target_language"],
            )
            yield row, fields[source_language]
        except WRONG_SHAPE as error:
            raise InvalidInput(
                "ROWS_DAMAGED",
                f"{path}, line {number}, is no reviewed pair: {error!r}; export it with "
                "`./glossa queue export --band corrected`",
            ) from error


def spoilt(
    rows: Sequence[Row],
    count: int,
    errors: dict[str, Error],
    made: Counter[str],
    rng: random.Random,
) -> list[Row]:
    """So many of the English rows with errors in their sources, fewer where there are not enough.

    Args:
        made: counts the errors by name.
    """
    found: list[Row] = []
    for row in rng.sample(rows, len(rows)):
        if len(found) >= count:
            break
        if row.source_language != "en":
            continue
        source = row.source
        for _ in range(1 + (rng.random() < _SECOND_ERROR_SHARE)):
            for name in _drawn_order(rng):
                changed = errors[name](source, rng)
                if changed is not None:
                    made[name] += 1
                    source = changed
                    break
        if rng.random() < _UNPUNCTUATED_SHARE and (bare := unpunctuated(source)):
            source = bare
        if source != row.source:
            found.append(replace(row, source=source, origin=f"{row.origin}, noisy"))
    return found


def _drawn_order(rng: random.Random) -> list[str]:
    """Names of errors, likelier ones earlier (Efraimidis and Spirakis 2006)."""
    return sorted(_ERRORS, key=lambda name: rng.random() ** (1 / _ERRORS[name]), reverse=True)


if __name__ == "__main__":
    noise()
