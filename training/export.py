"""python -m training.export --model var/runs/sunday/model --to ctranslate2 \
       --out var/exports/glossa-en-es

Makes of a trained model the folder that a service loads. Both translate the same sentences, and
what differs is told and kept:

    <out>/glossa-manifest.json   size and SHA-256 of each file, licence, what it was made of
    <out>/check.json             the sentences, both translations, and how like they are

The folder is there when it is whole and checked, or not at all.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from cli.model_folder import KeptFile, Manifest, files_of, sha256_of, write_manifest
from services.errors import InvalidInput, WrongState
from services.marian import sentences
from services.mt.engine import LanguagePair
from training.check_texts import CheckTexts, check_texts
from training.evaluation.translators import load_translator
from training.formats import FORMATS, Format, Kind, kind_of
from training.job import Job, out_option
from training.likeness import Likeness, compare
from training.lineage import licence_of, lineage_of
from training.run_folder import write_json

CHECK = "check.json"


@click.command(cls=Job)
@click.option(
    "--model",
    "source",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    required=True,
    help="The folder that a trainer wrote, <out>/model.",
)
@click.option("--to", "target", type=click.Choice(list(FORMATS)), required=True)
@click.option(
    "--quantization",
    default="",
    help="Number format; "
    + "; ".join(f"{name}: {', '.join(known.quantizations)}" for name, known in FORMATS.items())
    + ".  [default: the first]",
)
@click.option("--pair", default="en>es", help="What it translates.")
@click.option(
    "--check-with",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Sentences to check with, one a line, or .tsv or .jsonl with their translations; the gate "
    "wants 100.  [default: fifty of our own]",
)
@click.option("--no-check", is_flag=True, help="Do not compare; the manifest says so.")
@click.option("--licence", default="", help="Where no manifest tells it, as in Apache-2.0.")
@click.option("--base", default="", help="The model that it was trained from, where no run tells.")
@out_option
def export(
    source: Path,
    target: str,
    quantization: str,
    pair: str,
    check_with: Path | None,
    no_check: bool,
    licence: str,
    base: str,
    out: Path,
) -> None:
    """Make of a trained model the folder that a service loads, and check that it says the same.

    \b
    python -m training.export --model var/runs/sunday/model --to ctranslate2 \\
        --licence Apache-2.0 --out var/exports/glossa-en-es
    """
    chosen, kind = FORMATS[target], kind_of(source)
    quantization = _quantization(target, chosen, kind, quantization)
    first, _, second = pair.partition(">")
    direction = LanguagePair(first.strip(), second.strip())
    texts = None if no_check else check_texts(check_with, direction)
    origin = lineage_of(source, None, base)
    licence = licence_of(source, origin["base"], licence)
    if out.exists():
        raise WrongState("FOLDER_EXISTS", f"{out} is there already; name another folder")

    unfinished = out.with_name(f".{out.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.parent.mkdir(parents=True, exist_ok=True)
    try:
        _say(f"converting {source} to {target}, {quantization}")
        chosen.convert(source, unfinished, quantization)
        likeness = None
        if texts is not None:
            _say(f"translating {len(texts.sources)} sentences with both")
            likeness = _check(source, kind, chosen, unfinished, direction, texts)
        files = {
            name: KeptFile(path.stat().st_size, sha256_of(path))
            for name, path in files_of(unfinished)
        }
        told = {
            **origin,
            "format": target,
            "quantization": quantization,
            "engine": chosen.engines[kind],
            "pair": str(direction),
            "check": None if likeness is None else asdict(likeness),
        }
        write_manifest(unfinished, Manifest(out.name, "", "", licence, files, told))
        unfinished.rename(out)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    _show(out, sum(kept.bytes for kept in files.values()), likeness)


def _quantization(target: str, chosen: Format, kind: Kind, wanted: str) -> str:
    if kind not in chosen.engines:
        raise InvalidInput(
            "WRONG_FORMAT",
            f"{target} takes models of the kind {' and '.join(chosen.engines)}, and this is one of "
            f"the kind {kind}; it goes to "
            + " or ".join(name for name, known in FORMATS.items() if kind in known.engines),
        )
    wanted = wanted or chosen.quantizations[0]
    if wanted not in chosen.quantizations:
        raise InvalidInput(
            "WRONG_FORMAT",
            f"{target} has no {wanted!r}; --quantization is one of "
            f"{', '.join(chosen.quantizations)}",
        )
    return wanted


def _check(
    source: Path, kind: Kind, chosen: Format, out: Path, pair: LanguagePair, texts: CheckTexts
) -> Likeness:
    # As services.marian does it for its models.
    units = [list(sentences(text)) if kind == "marian" else [text] for text in texts.sources]
    flat = _translated(f"transformers:{source}", pair, [unit for text in units for unit in text])
    following = iter(flat)
    of_source = [" ".join(next(following) for _ in text) for text in units]
    of_export = _translated(f"{chosen.engines[kind]}:{out}", pair, texts.sources)
    likeness = compare(of_source, of_export, texts.references)
    rows = [
        {"source": text, "of_source": one, "of_export": other}
        for text, one, other in zip(texts.sources, of_source, of_export, strict=True)
    ]
    for row, reference in zip(rows, texts.references, strict=False):
        row["reference"] = reference
    write_json(out / CHECK, {**asdict(likeness), "rows": rows})
    return likeness


def _translated(spec: str, pair: LanguagePair, texts: Sequence[str]) -> list[str]:
    translator = load_translator(spec, pair)
    try:
        return translator.translate(texts)
    finally:
        translator.close()


def _show(out: Path, size_bytes: int, likeness: Likeness | None) -> None:
    _say(f"{out} is whole: {size_bytes / 1e6:.1f} MB")
    if likeness is None:
        _say("it was not checked")
        return
    scores: list[tuple[str, Any]] = [("export against its source", likeness.between)]
    scores += [("source against a person", likeness.source)] if likeness.source else []
    scores += [("export against a person", likeness.export)] if likeness.export else []
    click.echo(f"{'':26}  BLEU  chrF++")
    for name, score in scores:
        click.echo(f"{name:26} {score.bleu:5.1f}  {score.chrf:6.1f}")
    click.echo(f"the same to the letter: {likeness.identical_share:.0%} of {likeness.count}")


def _say(line: str) -> None:
    print(f"export: {line}", file=sys.stderr)


if __name__ == "__main__":
    export()
