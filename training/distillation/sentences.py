"""Sequence-level distillation (Kim and Rush 2016, arXiv 1606.07947): rows that a teacher wrote.

python -m training.distill sentences --data var/training/mix --runtime gguf --out OUT
"""

from __future__ import annotations

import random
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from services.errors import InvalidInput
from services.mt.engine import RUNTIMES, EngineOptions, Job, LanguagePair
from training.distillation.pair_filter import LEARNED_LEAST, load_filter
from training.distillation.teacher import Teacher, Translations
from training.job import Job as JobCommand
from training.job import out_option, resume_option, seed_option
from training.rows import Row, read_rows, write_rows
from training.run_folder import RunFolder
from training.text_lines import text_lines
from training.texts.leakage import Leakage, judged_file


@click.command(cls=JobCommand)
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="What training.mix wrote, or training.noise: references, and the sources to translate.",
)
@click.option(
    "--texts",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Further sources without references, one a line; without those that are judged with.",
)
@out_option
@click.option(
    "--runtime", type=click.Choice(sorted(RUNTIMES)), required=True, help="The teacher's."
)
@click.option("--model", default="", help="Its model: a folder, or a name in --models-dir.")
@click.option(
    "--models-dir", type=click.Path(path_type=Path, file_okay=False), default="var/models"
)
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto")
@click.option("--batch", type=click.IntRange(1), default=32, help="Texts between two savings.")
@click.option(
    "--share",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.5,
    help="Of the teacher's rows among all; the rest are references.",
)
@click.option(
    "--tag",
    default="",
    help="Told before the teacher's sources, as in <rules>: words are learned from a poor teacher, "
    "and its style stays with the tag.",
)
@click.option(
    "--learned-qe/--no-learned-qe",
    default=False,
    help="Ask CometKiwi, too, where it is installed.",
)
@click.option(
    "--least-learned-qe",
    type=click.FloatRange(0, 1),
    default=LEARNED_LEAST,
    help="Of CometKiwi's estimate.",
)
@seed_option
@resume_option
def sentences(
    data: Path, texts: Path | None, out: Path, share: float, resume: bool, **options: Any
) -> None:
    """Let any runtime translate, keep what passes quality estimation, and mix it with references.

    \b
    Example:
      python -m training.distill sentences --data var/training/mix --out var/training/taught \\
        --runtime gguf --model translategemma-4b-it-Q4_K_M --texts sermons.txt
      python -m training.marian --data var/training/taught --out var/training/en-es

    Interrupted, go on with --resume: what is translated stays. run.json says how many translations
    each signal refused.
    """
    from rich.progress import Progress

    from services.qe.settings import QeSettings

    inputs = {name: data / f"{name}.jsonl" for name in ("train", "dev")}
    if texts is not None:
        inputs |= {"texts": texts, "judged": judged_file(data)}
    told = {**options, "data": data, "texts": texts, "share": share}
    with RunFolder(out, "distill sentences", told, inputs=inputs, resumes=resume) as run:
        references = list(read_rows(inputs["train"]))
        # Those of a register that is asked for by its tag have no teacher here.
        asked = {row.source: row for row in references if not row.tag}
        if not references:
            raise InvalidInput(
                "NO_ROWS", f"{inputs['train']} is empty; there is nothing to mix with"
            )
        first = references[0]
        pair = LanguagePair(first.source_language, first.target_language)
        leakage = Leakage.of_rows(read_rows(inputs["judged"]) if texts else ())
        leaked_count = 0
        for line in text_lines(texts) if texts else ():
            if leakage.is_leaked(line):
                leaked_count += 1
            elif line.strip():
                alone = Row(line.strip(), "", "general", texts.name if texts else "")
                asked.setdefault(line.strip(), _of_pair(alone, pair))
        jobs = [Job(source, _pair_of(row)) for source, row in asked.items()]
        engine_options = EngineOptions(
            model=options["model"] or RUNTIMES[options["runtime"]].model,
            models_dir=options["models_dir"],
            device=options["device"],
            max_batch=options["batch"],
            pairs=tuple(sorted({job.pair for job in jobs})),
            request_timeout_s=30.0,
        )
        translations = Translations(out / "teacher.jsonl")
        with Teacher(options["runtime"], engine_options) as teacher, Progress() as progress:
            bar = progress.add_task("translating", total=len(jobs))
            progress.advance(bar, sum(job.text in translations.by_source for job in jobs))
            groups = {source: row.group for source, row in asked.items()}
            for count in translations.make(teacher, jobs, groups, options["batch"]):
                progress.advance(bar, count)
            origin = f"teacher {teacher.model}"

        settings = QeSettings.model_validate(
            {
                "engine": "cometkiwi" if options["learned_qe"] else "heuristic",
                "models_dir": options["models_dir"],
                "second_tier_back_translation": "never",
            }
        )
        taught = [
            replace(row, target=translations.by_source[source], origin=origin)
            for source, row in asked.items()
        ]
        judge = load_filter(settings, options["least_learned_qe"])
        try:
            good = judge.passes([_qe_pair(row) for row in taught])
        finally:
            judge.close()
        kept = [
            replace(row, tag=options["tag"])
            for row, is_good in zip(taught, good, strict=True)
            if is_good
        ]
        mixed = mix(references, kept, share, random.Random(options["seed"]))
        shutil.copyfile(inputs["dev"], out / "dev.jsonl")
        write_rows(out / "train.jsonl", mixed)
        run.note(
            teacher=origin,
            leaked_count=leaked_count,
            translated=len(taught),
            kept=len(kept),
            refused=dict(judge.refused),
            thresholds=judge.least,
            rows={
                "teacher": sum(row.origin == origin for row in mixed),
                "references": sum(row.origin != origin for row in mixed),
            },
        )
        refused = ", ".join(f"{name} {count}" for name, count in judge.refused.most_common())
        click.echo(f"{len(kept)} of {len(taught)} translations kept; refused: {refused or 'none'}")
        click.echo(f"{run.manifest['metrics']['rows']} in {out / 'train.jsonl'}")


def mix(references: list[Row], taught: list[Row], share: float, chance: random.Random) -> list[Row]:
    """As many rows as there can be with `share` of them from the teacher, in random order."""
    total = len(taught) / share
    if share < 1:
        total = min(total, len(references) / (1 - share))
    chosen = chance.sample(taught, min(len(taught), round(total * share)))
    chosen += chance.sample(references, min(len(references), round(total * (1 - share))))
    chance.shuffle(chosen)
    return chosen


def _pair_of(row: Row) -> LanguagePair:
    return LanguagePair(row.source_language, row.target_language)


def _of_pair(row: Row, pair: LanguagePair) -> Row:
    return replace(row, source_language=pair.source, target_language=pair.target)


def _qe_pair(row: Row) -> Any:
    from services.qe.engine import Pair

    return Pair(row.source, row.target, row.source_language, row.target_language)
