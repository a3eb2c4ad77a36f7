"""Verse pairs to train on, with the glossary's terms and some everyday language.

    python -m training.bible --data ../data --out var/runs/bible

Of versions that are public domain or CC BY; split into train, dev and test by whole books.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from services.errors import InvalidInput
from training.data_folder import DataFolder
from training.job import Job, data_option, out_option, seed_option
from training.rows import Row, write_rows
from training.run_folder import RunFolder
from training.texts.general_rows import LICENCE, ORIGIN, general_rows
from training.texts.glossary_rows import glossary_rows
from training.texts.leakage import Leakage
from training.texts.mix_table import print_table, table
from training.texts.passages import told
from training.texts.references import reference_rows
from training.texts.spanish_articles import ArticleMender
from training.texts.verse_pairs import ARCHAIC, VERSIONS, Verse, VersionPair, aligned
from training.texts.verse_text import DIVINE_NAMES, DivineName

DEFAULT_PAIRS = ("BBE-BES", "BSB-BES", "WEB-BES", "WEB-RV1909", "KJV-RV1909")
SPLITS = ("train", "dev", "test")


@click.command(cls=Job)
@data_option
@out_option
@click.option(
    "--pair",
    "pair_names",
    multiple=True,
    default=DEFAULT_PAIRS,
    help="An English and a Spanish version; more than once for more.",
)
@click.option(
    "--allow-share-alike",
    is_flag=True,
    help="Take versions under CC BY-SA (FBV, VBL): the model carries that condition, too.",
)
@click.option(
    "--passage-share",
    type=click.FloatRange(0, 1),
    default=0.5,
    help="Of the verses, told three to five in a row; the others alone.",
)
@click.option(
    "--passage-words", type=click.IntRange(1), default=120, help="The most in a passage's source."
)
@click.option(
    "--modern-share",
    type=click.FloatRange(0, 1),
    default=0.65,
    help="Of the words in Spanish verses, modern ones, where there are both.",
)
@click.option(
    "--divine-name",
    type=click.Choice(DIVINE_NAMES),
    default="tagged",
    help='"Jehová" under the tag <archaic> alone and "el Señor" elsewhere; one of them everywhere; '
    "or as each version has it.",
)
@click.option(
    "--glossary-copies",
    type=click.IntRange(0),
    default=15,
    help="Rows of each term, most of them sentences.",
)
@click.option(
    "--reference-copies",
    type=click.IntRange(0),
    default=30,
    help='Rows of each book with a place in it: "Romans 8:28".',
)
@click.option(
    "--general-share",
    type=click.FloatRange(0, 0.5),
    default=0.07,
    help="Of the rows, everyday language.",
)
@seed_option
def bible(
    data: Path,
    out: Path,
    pair_names: tuple[str, ...],
    allow_share_alike: bool,
    passage_share: float,
    passage_words: int,
    modern_share: float,
    divine_name: DivineName,
    glossary_copies: int,
    reference_copies: int,
    general_share: float,
    seed: int,
) -> None:
    """Writes train.jsonl, dev.jsonl and test.jsonl of Bible verses.

    \b
    Example: modern Spanish alone
      python -m training.bible --data ../data --pair BBE-BES --pair BSB-BES --out var/runs/modern
    """
    options = {name: value for name, value in locals().items() if name != "out"}
    pairs = [VersionPair.parse(name) for name in dict.fromkeys(pair_names)]
    refuse_share_alike(pairs, allow_share_alike)
    folder = DataFolder(data)
    inputs = {
        "verses": data / "bible/verses.jsonl.gz",
        "glossary": data / "glossary/core_en_es.tsv",
        "books": data / "glossary/book_names.tsv",
        "tatoeba": data / "tatoeba/train.tsv",
    }
    with RunFolder(out, "bible", options, inputs=inputs) as run:
        rng = random.Random(seed)
        verses = list(folder.verses())
        mended = ArticleMender(verse.get("BES") or "" for verse in verses)
        of_pair: dict[VersionPair, list[Verse]] = {}
        dropped: dict[str, dict[str, int]] = {}
        for pair in pairs:
            of_pair[pair], counts = aligned(verses, pair, divine_name, mended.texts(verses, pair))
            dropped[pair.name] = dict(counts)
            click.echo(f"{pair.name}: {len(of_pair[pair])} verses, without {dict(counts)}")
        rows = {
            split: [
                row
                for pair in pairs
                for row in pair_rows(
                    pair,
                    [verse for verse in of_pair[pair] if verse.split == split],
                    passage_share if split == "train" else 0.0,
                    passage_words,
                    rng,
                )
            ]
            for split in SPLITS
        }
        leakage = Leakage.of_rows(row for split in SPLITS[1:] for row in rows[split])
        clean, leaked_count = leakage.parted(rows["train"])
        train = balanced(clean, modern_share, rng)
        train += glossary_rows(folder.table("core_en_es"), glossary_copies, rng)
        train += reference_rows(folder.table("book_names"), reference_copies, rng)
        wanted = round(len(train) * general_share / (1 - general_share))
        general = general_rows(folder, "train")
        train += rng.sample(general, min(wanted, len(general)))
        rng.shuffle(train)
        for split in SPLITS:
            write_rows(out / f"{split}.jsonl", train if split == "train" else rows[split])
        run.note(
            dropped=dropped,
            leaked_count=leaked_count,
            mended_verse_count=mended.count,
            modern_share=round(word_share(train), 4),
            licences={
                name: VERSIONS[name].licence
                for pair in pairs
                for name in (pair.source, pair.target)
            }
            | {ORIGIN: LICENCE},
            rows={split: len(rows[split]) for split in SPLITS[1:]} | {"train": len(train)},
            table=table(train),
        )
        print_table(train)
        click.echo(
            f"{leaked_count} rows left out as they stand in dev or test; "
            f"dev {len(rows['dev'])}, test {len(rows['test'])} rows; {out}"
        )


def refuse_share_alike(pairs: Sequence[VersionPair], is_allowed: bool) -> None:
    """Raises InvalidInput."""
    refused = [pair.name for pair in pairs if pair.is_share_alike]
    if refused and not is_allowed:
        raise InvalidInput(
            "SHARE_ALIKE",
            f"{', '.join(refused)}: FBV and VBL are CC BY-SA, and a model trained on them may be, "
            "too; choose other versions, or --allow-share-alike if that is what you want",
        )


def pair_rows(
    pair: VersionPair,
    verses: Sequence[Verse],
    passage_share: float,
    passage_words: int,
    rng: random.Random,
) -> Iterator[Row]:
    """The verses of two versions, alone and in passages."""
    for passage in told(verses, passage_share, passage_words, rng):
        yield Row(
            source=" ".join(verse.source for verse in passage),
            target=" ".join(verse.target for verse in passage),
            kind="bible",
            origin=pair.name,
            group=passage[0].book,
            tag=ARCHAIC if pair.is_archaic else "",
        )


def balanced(rows: Sequence[Row], modern_share: float, rng: random.Random) -> list[Row]:
    """The rows without as many of one register as there are too many, by words of Spanish."""
    by_register = {
        is_archaic: [row for row in rows if (row.tag == ARCHAIC) == is_archaic]
        for is_archaic in (False, True)
    }
    if not all(by_register.values()):
        return list(rows)
    words = {key: _target_words(found) for key, found in by_register.items()}
    wanted = {False: modern_share, True: 1 - modern_share}
    whole = min(words[key] / wanted[key] for key in wanted if wanted[key])
    kept: list[Row] = []
    for key, found in by_register.items():
        chance = wanted[key] * whole / words[key]
        kept += [row for row in found if rng.random() < chance]
    return kept


def word_share(rows: Sequence[Row]) -> float:
    """The share of modern Spanish in the words of the Bible's rows."""
    verses = [row for row in rows if row.kind == "bible"]
    modern = [row for row in verses if row.tag != ARCHAIC]
    return _target_words(modern) / (_target_words(verses) or 1)


def _target_words(rows: Sequence[Row]) -> int:
    return sum(len(row.target.split()) for row in rows)


if __name__ == "__main__":
    bible()
