"""python -m training.export --model var/runs/sunday/model --to ctranslate2 \
       --out var/exports/glossa-en-es

Makes of a trained model the folder that a service loads. Both translate the same sentences, and
what differs is told and kept:

    <out>/glossa-manifest.json   size and SHA-256 of each file, licence, what it was made of
    <out>/check.json             the sentences, both translations, and how like they are; of the
                                 sentences of sessions the last alone

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

from cli.model_folder import write_manifest
from services.errors import InvalidInput, WrongState
from services.marian import NAME as MARIAN
from services.marian import named_direction
from services.model_manifest import KeptFile, Manifest, files_of, sha256_of
from services.mt.engine import LanguagePair
from training.evaluation.check_inputs import CheckInputs, check_clips, check_texts
from training.evaluation.likeness import Likeness, compare
from training.formats import FORMATS, Format, Kind, huggingface_folder, kind_of, runtime_of
from training.formats.lineage import base_of, licence_of, lineage_of
from training.job import Job, out_option
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
@click.option(
    "--adapter",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="A LoRA adapter, <out>/adapter, to merge in; --model is its base in full precision then.",
)
@click.option("--to", "target", type=click.Choice(list(FORMATS)), required=True)
@click.option(
    "--quantization",
    default="",
    show_default="the first",
    help="Number format; "
    + "; ".join(f"{name}: {', '.join(known.quantizations)}" for name, known in FORMATS.items())
    + ".",
)
@click.option(
    "--engine",
    default="",
    help="The service's engine that is to speak with it, as it is judged and deployed; for a "
    "Marian model embedded, which checks its sentences and has Apertium beside it, or marian "
    "alone.  [default: embedded for Marian, the only one for others]",
)
@click.option("--pair", default="en>es", help="What it translates.")
@click.option(
    "--check-with",
    type=click.Path(path_type=Path, exists=True),
    help="Sentences to check with, one a line, or .tsv or .jsonl with their translations; the gate "
    "wants 100. For Whisper a folder of clips with metadata.jsonl.  [default: fifty of our own]",
)
@click.option("--no-check", is_flag=True, help="Do not compare; the manifest says so.")
@click.option("--licence", default="", help="Where no manifest tells it, as in Apache-2.0.")
@click.option("--base", default="", help="The model that it was trained from, where no run tells.")
@out_option
def export(
    source: Path,
    adapter: Path | None,
    target: str,
    quantization: str,
    engine: str,
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
    engine = _engine(chosen, kind, engine)
    first, _, second = pair.partition(">")
    direction = LanguagePair(first.strip(), second.strip())
    if chosen.engines[kind] == MARIAN:
        _check_name(out, direction)
    inputs = None if no_check else _inputs(kind, check_with, direction)
    base = base_of(source, adapter, base)
    origin = lineage_of(source, adapter, base)
    licence = licence_of(source, base, licence)
    if out.exists():
        raise WrongState("FOLDER_EXISTS", f"{out} is there already; name another folder")

    unfinished = out.with_name(f".{out.name}.unfinished")
    merged = out.with_name(f".{out.name}.merged")
    unfinished.parent.mkdir(parents=True, exist_ok=True)
    try:
        _clear(unfinished, merged)
        if adapter is not None:
            _say(f"merging {adapter} into {source}")
            huggingface_folder.merge(source, adapter, merged)
            source = merged
        _say(f"converting {source} to {target}, {quantization}")
        chosen.convert(source, unfinished, quantization)
        likeness = None
        if inputs is not None:
            _say(f"asking both about {len(inputs)} {'clips' if kind == 'whisper' else 'sentences'}")
            # Alone, whatever speaks with it: Apertium would hide what was lost.
            specs = f"{runtime_of(source)}:{source}", f"{chosen.engines[kind]}:{unfinished}"
            of_source, of_export = (inputs.answers(spec) for spec in specs)
            likeness = compare(of_source, of_export, inputs.references)
            _write(unfinished / CHECK, inputs, of_source, of_export, likeness)
        files = {
            name: KeptFile(path.stat().st_size, sha256_of(path))
            for name, path in files_of(unfinished)
        }
        told = {
            **origin,
            "format": target,
            "quantization": quantization,
            "engine": engine,
            "pair": str(direction),
            "check": None if likeness is None else asdict(likeness),
        }
        write_manifest(unfinished, Manifest(out.name, "", "", licence, files, told))
        unfinished.rename(out)
    finally:
        _clear(unfinished, merged)
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


def _engine(chosen: Format, kind: Kind, wanted: str) -> str:
    engines = chosen.speaking_engines(kind)
    if wanted and wanted not in engines:
        raise InvalidInput(
            "WRONG_ENGINE",
            f"no engine {wanted!r} speaks with that; --engine is one of {', '.join(engines)}",
        )
    return wanted or engines[0]


def _check_name(out: Path, pair: LanguagePair) -> None:
    """The service knows a model's languages by its folder's name, here and as a version."""
    if named_direction(out.name) != (pair.source, pair.target):
        good = f"{out.name}-{pair.source}-{pair.target}"
        raise InvalidInput(
            "BAD_NAME",
            f"the name {out.name!r} does not tell that the model translates {pair}, and there the "
            f"service reads it; name the folder as in --out {out.with_name(good)}",
        )


def _inputs(kind: Kind, path: Path | None, pair: LanguagePair) -> CheckInputs:
    if kind != "whisper":
        return check_texts(path, pair, sentence_by_sentence=kind == "marian")
    if path is None:
        raise InvalidInput(
            "NO_TEXTS",
            "to check a Whisper model, name a folder of clips with --check-with, as training.audio "
            "makes them; or --no-check",
        )
    return check_clips(path, pair.source)


def _write(
    path: Path,
    inputs: CheckInputs,
    of_source: Sequence[str],
    of_export: Sequence[str],
    likeness: Likeness,
) -> None:
    rows: list[dict[str, Any]] = [
        {"source": name, "of_source": one, "of_export": other}
        for name, one, other in zip(inputs.names, of_source, of_export, strict=True)
    ]
    for row, reference in zip(rows, inputs.references, strict=False):
        row["reference"] = reference
    written = [row for row, private in zip(rows, inputs.is_private, strict=True) if not private]
    write_json(path, {**asdict(likeness), "rows": written})


def _clear(*folders: Path) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


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
