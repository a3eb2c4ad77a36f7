"""Mixes rows of many origins by a recipe into what a trainer reads.

    python -m training.mix --recipe base --bible var/runs/bible --data ../data --out var/runs/base
    python -m training.mix --recipe first --bible var/runs/bible --sermons var/datasets/november \\
        --out var/runs/first

Whatever stands in dev.jsonl or test.jsonl, in what a dataset holds out or in Glossa's own test of
sermons is left out of train.jsonl, also in near copies. judged.jsonl has all of it, for the jobs
that add rows to these.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import click

from services.collector.snapshot import MANIFEST
from services.errors import InvalidInput
from training.collected.datasets import files, is_dataset, read_datasets
from training.data_folder import DataFolder
from training.evaluation.sets import OWN_SERMON, rows_of
from training.job import Job, out_option, seed_option
from training.rows import Kind, Row, read_rows, write_rows
from training.run_folder import RunFolder
from training.texts.augmentation import Augmentation, general_passes, heard, number_passes
from training.texts.curriculum import ORDERS, Order, ordered
from training.texts.general_rows import general_rows
from training.texts.hidden_places import with_places_hidden
from training.texts.leakage import JUDGED, Leakage
from training.texts.mix_table import print_table, table
from training.texts.own_sentences import FOLDER, ORIGIN, own_sentences
from training.texts.recipes import RECIPES, by_shares

_TRAIN, _DEV, _TEST = "train.jsonl", "dev.jsonl", "test.jsonl"
# Copies of the few rows with numbers, each with other numbers.
_NUMBER_COPIES = 3


@click.command(cls=Job)
@click.option(
    "--recipe",
    "recipe_name",
    type=click.Choice(list(RECIPES)),
    required=True,
    help="base: all of everything, to train from nothing. first: 70/25/5 % Bible, sermons, "
    "glossary. later: 50/40/10 % sermons, Bible, glossary.",
)
@click.option(
    "--bible",
    "bible_folder",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="What `python -m training.bible` wrote.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder of public texts, for everyday language; base needs it.",
)
@click.option(
    "--sermons",
    type=click.Path(path_type=Path),
    multiple=True,
    help="A dataset's folder (`python -m training.snapshot`), or a JSONL file of rows. Name all "
    "datasets: what they hold out is left out, and of a pair the newest says what people made "
    "of it.",
)
@click.option(
    "--extra",
    type=click.Path(path_type=Path, dir_okay=False),
    multiple=True,
    help="A JSONL file of more rows, all of which are taken: distilled ones, say.",
)
@click.option(
    "--evaluation",
    "evaluations",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    multiple=True,
    help="What models are judged with beside that (.jsonl, .tsv): none of it is trained on.",
)
@click.option(
    "--pairs",
    type=click.IntRange(1),
    default=20_000,
    help="Rows; fewer where a kind has too few; base takes all.",
)
@click.option(
    "--replay",
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder of an earlier mix.",
)
@click.option(
    "--replay-share",
    type=click.FloatRange(0, 0.9),
    default=0.1,
    help="Of the rows, drawn from --replay, against forgetting.",
)
@click.option(
    "--general-copies",
    type=click.IntRange(1),
    default=2,
    help="base: passes over everyday language, each told otherwise.",
)
@click.option(
    "--sermon-copies",
    type=click.IntRange(0),
    default=4,
    help="base: the same over Glossa's own sentences of sermons (training/texts/parallel).",
)
@click.option(
    "--unpunctuated-share",
    type=click.FloatRange(0, 1),
    default=0.07,
    help="Sources in lower case without punctuation, as small recognisers give them.",
)
@click.option(
    "--hidden-places-share",
    type=click.FloatRange(0, 1),
    default=0.7,
    help="Rows with places in the Bible that have a stand-in for them, as the embedded translator "
    "gives them to the own model; 0 for a model that always speaks alone.",
)
@click.option(
    "--order",
    type=click.Choice(ORDERS),
    default="shuffled",
    help="curriculum: from clean and short to hard, which a trainer's first pass follows.",
)
@click.option(
    "--dev-rows", type=click.IntRange(1), default=150, help="Of each origin in dev.jsonl."
)
@out_option
@seed_option
def mix(
    recipe_name: str,
    bible_folder: Path,
    data: Path | None,
    sermons: tuple[Path, ...],
    extra: tuple[Path, ...],
    evaluations: tuple[Path, ...],
    pairs: int,
    replay: Path | None,
    replay_share: float,
    general_copies: int,
    sermon_copies: int,
    unpunctuated_share: float,
    hidden_places_share: float,
    order: Order,
    dev_rows: int,
    out: Path,
    seed: int,
) -> None:
    """Writes train.jsonl, dev.jsonl and test.jsonl by a recipe.

    \b
    Example: everything, to train a model from nothing
      python -m training.mix --recipe base --bible var/runs/bible --data ../data --out var/runs/base
    """
    recipe = RECIPES[recipe_name]
    options = {name: value for name, value in locals().items() if name not in ("out", "recipe")}
    if recipe.shares is None and data is None:
        raise InvalidInput("DATA_MISSING", "the recipe base needs --data for everyday language")
    datasets = [path for path in sermons if is_dataset(path)]
    sermon_files = [_rows_file(path) for path in sermons if path not in datasets]
    inputs = {name: bible_folder / name for name in (_TRAIN, _DEV, _TEST)}
    inputs["own sentences"] = FOLDER
    inputs |= {f"sermons {index}": file for index, file in enumerate(sermon_files)}
    for index, folder in enumerate(datasets):
        inputs |= {f"dataset {index} {split}": path for split, path in files(folder)}
        if (folder / MANIFEST).is_file():
            inputs[f"dataset {index}"] = folder / MANIFEST
    inputs |= {f"extra {index}": path for index, path in enumerate(extra)}
    inputs |= {f"evaluation {index}": path for index, path in enumerate(evaluations)}
    if data:
        inputs["tatoeba"] = data / "tatoeba"
    if replay:
        inputs["replay"] = replay / _TRAIN

    with RunFolder(out, "mix", options, inputs=inputs) as run:
        rng = random.Random(seed)
        everyday = {
            split: general_rows(DataFolder(data), split) if data else []
            for split in ("train", "dev", "test")
        }
        dev = list(read_rows(bible_folder / _DEV)) + everyday["dev"]
        test = list(read_rows(bible_folder / _TEST)) + everyday["test"]
        collected = read_datasets(datasets)
        dev += collected.rows["dev"]
        # What a dataset holds out for tests is judged with by itself, and so not in test.jsonl.
        judged = [*dev, *test, *collected.rows["test"]]
        judged += collected.outdated["dev"] + collected.outdated["test"]
        judged += [row for path in (OWN_SERMON, *evaluations) for row in rows_of(path)]
        leakage = Leakage.of_rows(judged)

        found = list(read_rows(bible_folder / _TRAIN))
        if recipe.shares is None:  # all of Tatoeba is here already
            found = [row for row in found if row.kind != "general"] + everyday["train"]
            found += own_sentences()
        found += collected.rows["train"]
        outdated = [row for rows in collected.outdated.values() for row in rows]
        found += _standing((row for path in sermon_files for row in read_rows(path)), outdated)
        clean, leaked = leakage.parted(found)
        more, leaked_more = leakage.parted(row for path in extra for row in read_rows(path))
        more = _standing(more, outdated)
        old, leaked_old = leakage.parted(read_rows(replay / _TRAIN) if replay else ())
        old = _standing(old, outdated)

        scarce: Kind | None = None
        if recipe.shares is None:
            chosen = _everything(clean, general_copies, sermon_copies, rng)
        else:
            chosen, scarce = by_shares(clean, recipe.shares, pairs, rng)
            run.note(pairs={"wanted": pairs, "mixed": len(chosen), "scarce": scarce})
        chosen = [
            replace(row, weight=row.weight * recipe.weights.get(row.kind, 1.0))
            for row in chosen + more
        ]
        # The rows of an earlier mix carry its weights.
        chosen += _drawn(old, round(len(chosen) * replay_share / (1 - replay_share)), rng)
        told = list(heard(chosen, unpunctuated_share, rng))
        rows = ordered(list(with_places_hidden(told, hidden_places_share, rng)), order, rng)
        if not rows:
            raise InvalidInput("NOTHING_TO_MIX", "no row is left; are --bible and --sermons right?")

        write_rows(out / _TRAIN, rows)
        shown_dev = _of_each_origin(dev, dev_rows, rng)
        write_rows(out / _DEV, shown_dev)
        write_rows(out / _TEST, test)
        write_rows(out / JUDGED, judged)
        leaked_count = leaked + leaked_more + leaked_old
        run.note(
            rows={"train": len(rows), "dev": len(shown_dev), "test": len(test)},
            order=order,
            leaked_count=leaked_count,
            outdated_count=len(outdated),
            weights=dict(recipe.weights),
            augmentation=vars(Augmentation()) | {"unpunctuated": unpunctuated_share},
            table=table(rows),
        )
        print_table(rows)
        if scarce is not None:
            click.echo(
                f"{run.manifest['metrics']['pairs']['mixed']:,} rows by the recipe and not "
                f"{pairs:,}: there are too few of the kind {scarce}"
            )
        if outdated:
            click.echo(f"{len(outdated)} rows left out: a newer dataset speaks of their pairs")
        click.echo(f"{leaked_count} rows left out as models are judged with them; {out}")


def _everything(
    rows: Sequence[Row], general_copies: int, sermon_copies: int, rng: random.Random
) -> list[Row]:
    """All rows; everyday language and our own sentences several times, numbers with other ones."""
    general = [row for row in rows if row.kind == "general"]
    own = [row for row in rows if row.origin == ORIGIN and sermon_copies]
    others = [row for row in rows if row.kind != "general" and row.origin != ORIGIN]
    return [
        *others,
        *general_passes(general, general_copies, rng),
        *general_passes(own, sermon_copies, rng),
        *number_passes([*general, *own], _NUMBER_COPIES, rng),
    ]


def _standing(rows: Iterable[Row], outdated: Sequence[Row]) -> list[Row]:
    """The rows but those that are outdated, also where an earlier mix hid places in them."""
    hidden = with_places_hidden(outdated, 1.0, random.Random(0))
    gone = {(row.group, row.target) for row in (*outdated, *hidden)}
    return [row for row in rows if (row.group, row.target) not in gone]


def _rows_file(path: Path) -> Path:
    """A mix's rows, or the file itself."""
    return path / _TRAIN if (path / _TRAIN).is_file() else path


def _drawn(rows: Sequence[Row], count: int, rng: random.Random) -> list[Row]:
    return rng.sample(rows, min(count, len(rows)))


def _of_each_origin(rows: Sequence[Row], most: int, rng: random.Random) -> list[Row]:
    by_origin: dict[str, list[Row]] = {}
    for row in rows:
        by_origin.setdefault(row.origin, []).append(row)
    return [row for found in by_origin.values() for row in _drawn(found, most, rng)]


if __name__ == "__main__":
    mix()
