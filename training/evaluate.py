"""python -m training.evaluate --out var/evaluations/sunday --new embedded:PATH --old embedded \\
    --set biblical=test_bible.jsonl --set modern=test_tatoeba.jsonl

Judges a translator or a recogniser, alone or against the one that it would replace, on the same
sentences, and writes down what came of it:

    <out>/evaluation.json      every figure, with intervals; training.gate reads it
    <out>/evaluation.html      the same for people, and the sentences to read first
    <out>/translations.jsonl   every sentence with what was made of it
    <out>/run.json             what was judged with what
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from services.errors import InvalidInput
from services.mt.engine import LanguagePair
from training.evaluation.sets import EvaluationSet, Variant, read_sets, sources
from training.job import Job, out_option, seed_option
from training.run_folder import RunFolder, write_json, write_text

if TYPE_CHECKING:
    from training.evaluation.recognisers import Clip

EVALUATION = "evaluation.json"
PAGE = "evaluation.html"
SCHEMA = "glossa-evaluation"
_TRANSLATIONS = "translations.jsonl"


@click.command(cls=Job)
@out_option
@click.option("--new", "new_spec", help="The translator to judge: RUNTIME[:PATH].")
@click.option("--old", "old_spec", help="The translator that it would replace.")
@click.option(
    "--set",
    "set_names",
    multiple=True,
    help="REGISTER=FILE or NAME:REGISTER=FILE: rows as training.mix writes them, or a .tsv "
    "(source, tab, translation); a register is biblical, modern or sermon. May be given "
    "several times.",
)
@click.option(
    "--own-sermon/--no-own-sermon", default=True, help="Judge on Glossa's fifty sentences as well."
)
@click.option(
    "--as-heard/--no-as-heard",
    default=True,
    help="Each set once more as recognisers write: lower case, no punctuation.",
)
@click.option("--limit", type=click.IntRange(1), help="Sentences of a set at most, drawn.")
@click.option("--stt-new", help="The recogniser to judge: ENGINE[:PATH].")
@click.option("--stt-old", help="The recogniser that it would replace.")
@click.option(
    "--speech",
    "speech_names",
    multiple=True,
    help="NAME=FOLDER: an audiofolder, or one with manifest.jsonl. May be given several times.",
)
@click.option(
    "--trained-on",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    multiple=True,
    help="Clips of training.audio that --stt-new learned from: none of them judges it.",
)
@click.option("--source-language", default="en")
@click.option("--target-language", default="es")
@click.option("--threads", type=click.IntRange(1), default=1, help="CPU threads of a model.")
@click.option(
    "--comet",
    "comet_model",
    type=click.Path(path_type=Path),
    help="The folder of a COMET model.  [default: var/models/wmt22-comet-da if it is there]",
)
@click.option(
    "--comet-python",
    type=click.Path(path_type=Path),
    help="The Python that has unbabel-comet.  [default: .venv-qe/bin/python]",
)
@seed_option
def evaluate(**options: Any) -> None:
    """Judges models on the same sentences, old against new.

    RUNTIME is one of the service's (embedded, marian, apertium, gguf, ...) or `transformers` for a
    folder that a trainer wrote; ENGINE likewise (pocketsphinx, faster_whisper, ...).

    \b
    python -m training.evaluate --out var/evaluations/sunday \\
        --new embedded:var/exports/glossa-en-es --old embedded \\
        --set biblical=var/training/bible/test.jsonl --set modern=DATA/tatoeba/test.tsv
    python -m training.evaluate --out var/evaluations/ears \\
        --stt-new faster_whisper:var/runs/ears/ct2 --stt-old faster_whisper:large-v3-turbo \\
        --speech church=var/datasets/november/audio/en
    """
    _check(options)
    sets = _sets(options) if options["new_spec"] else []
    clips = _clips(options) if options["stt_new"] else {}
    files = [name.partition("=")[2] for name in (*options["set_names"], *options["speech_names"])]
    inputs = {file: Path(file) for file in files if file}
    with RunFolder(options["out"], "evaluate", options, inputs=inputs) as run:
        evaluation: dict[str, Any] = {
            "schema": SCHEMA,
            "direction": {
                "source": options["source_language"],
                "target": options["target_language"],
            },
            "systems": {},
        }
        if options["new_spec"]:
            _judge_translators(options, sets, run, evaluation)
        if options["stt_new"]:
            _judge_recognisers(options, clips, evaluation)

        from training.evaluation.page import page
        from training.evaluation.tables import print_tables

        write_text(run.path / PAGE, page(evaluation))
        write_json(run.path / EVALUATION, evaluation)
        run.note(**_summary(evaluation))
        print_tables(evaluation)
        click.echo(f"{run.path / PAGE} has the sentences to read first")


def _check(options: dict[str, Any]) -> None:
    if not (options["new_spec"] or options["stt_new"]):
        raise InvalidInput("NOTHING_TO_JUDGE", "name a model: --new RUNTIME:PATH, or --stt-new")
    if options["stt_new"] and not options["speech_names"]:
        raise InvalidInput("NOTHING_TO_JUDGE", "name speech to judge by: --speech NAME=FOLDER")
    if options["new_spec"] and not (options["set_names"] or options["own_sermon"]):
        raise InvalidInput("NOTHING_TO_JUDGE", "name a set to judge by: --set REGISTER=FILE")


def _pair(options: dict[str, Any]) -> LanguagePair:
    return LanguagePair(options["source_language"], options["target_language"])


def _sets(options: dict[str, Any]) -> list[EvaluationSet]:
    drawn = {name: options[name] for name in ("limit", "seed")}
    return read_sets(options["set_names"], _pair(options), with_own=options["own_sermon"], **drawn)


def _clips(options: dict[str, Any]) -> dict[str, list[Clip]]:
    from training.evaluation.recognisers import read_speech
    from training.evaluation.trained_on import apart

    found = read_speech(options["speech_names"], options["source_language"])
    kept = apart(found, options["stt_new"], options["trained_on"])
    return {name: clips[: options["limit"]] for name, clips in kept.items()}


def _judge_translators(
    options: dict[str, Any],
    sets: list[EvaluationSet],
    run: RunFolder,
    evaluation: dict[str, Any],
) -> None:
    from training.evaluation import comet, differences, edge_cases, latency, measures, translation
    from training.evaluation.kept import TermCheck
    from training.evaluation.translators import describe, load_translator

    pair = _pair(options)
    variants: tuple[Variant, ...] = ("plain", "as_heard") if options["as_heard"] else ("plain",)
    cases = edge_cases.read_cases(edge_cases.OWN, pair)
    measured = latency.suitable([row.source for each in sets for row in each.rows])

    comet_model = options["comet_model"] or comet.MODEL
    comet_python = options["comet_python"] or comet.PYTHON
    without_comet = comet.why_not(comet_model, comet_python)
    if without_comet and options["comet_model"]:
        raise InvalidInput("MODEL_MISSING", without_comet)
    score = (
        None
        if without_comet
        else functools.partial(
            comet.comet_scores,
            model=comet_model,
            python=comet_python,
            threads=options["threads"],
        )
    )

    terms = TermCheck()
    systems: dict[str, dict[tuple[str, Variant], translation.SystemResult]] = {}
    judged_cases: dict[str, list[dict[str, Any]]] = {}
    speeds: dict[str, Any] = {}
    for name in ("new", "old"):
        if not (spec := options[f"{name}_spec"]):
            continue
        click.echo(f"{name}: {spec}", err=True)
        translator = load_translator(spec, pair, threads=options["threads"])
        try:
            speeds[name] = latency.latency(translator, measured)
            judged_cases[name] = edge_cases.judge_cases(cases, translator)
            systems[name] = {}
            for each in sets:
                for variant in variants:
                    asked = sources(each.rows, variant)
                    click.echo(f"  {each.name}, {variant}: {len(asked)} sentences", err=True)
                    made = translator.renderings(asked)
                    systems[name][each.name, variant] = translation.system_result(
                        each.rows,
                        asked,
                        [rendering.text for rendering in made],
                        terms,
                        score,
                        [rendering.model or translator.model for rendering in made],
                    )
        finally:
            translator.close()
        evaluation["systems"][name] = describe(spec, translator)

    results = [
        translation.SetResult(
            each,
            variant,
            systems["new"][each.name, variant],
            systems["old"][each.name, variant] if "old" in systems else None,
        )
        for each in sets
        for variant in variants
    ]
    evaluation["signatures"] = measures.signatures() | {
        "comet": f"not measured: {without_comet}" if without_comet else comet_model.name
    }
    evaluation["translation"] = translation.figures(results)
    evaluation["latency"] = {"sentences": len(measured), "threads": options["threads"], **speeds}
    evaluation["edge_cases"] = {
        "shares": {name: edge_cases.shares(cases, found) for name, found in judged_cases.items()},
        "cases": [
            {
                "kind": case.kind,
                "case": case.case,
                "source": case.source,
                **{name: found[at] for name, found in judged_cases.items()},
            }
            for at, case in enumerate(cases)
        ],
    }
    evaluation["to_read"] = differences.to_read(results)
    lines = (json.dumps(each, ensure_ascii=False) for each in differences.sentences(results))
    write_text(run.path / _TRANSLATIONS, "".join(f"{line}\n" for line in lines))


def _judge_recognisers(
    options: dict[str, Any], clips: dict[str, list[Clip]], evaluation: dict[str, Any]
) -> None:
    from training.evaluation import recognition
    from training.evaluation.recognisers import load_recogniser
    from training.evaluation.translators import describe

    language = options["source_language"]
    texts: dict[str, dict[str, tuple[str, ...]]] = {}
    for system in ("new", "old"):
        if not (spec := options[f"stt_{system}"]):
            continue
        click.echo(f"{system}: {spec}", err=True)
        recogniser = load_recogniser(spec, threads=options["threads"])
        try:
            texts[system] = {
                name: recognition.hear_all(recogniser, found, language)
                for name, found in clips.items()
            }
        finally:
            recogniser.close()
        evaluation["systems"][f"stt_{system}"] = describe(spec, recogniser)
    results = [
        recognition.SpeechResult(
            name, tuple(found), texts["new"][name], texts["old"][name] if "old" in texts else None
        )
        for name, found in clips.items()
    ]
    evaluation["recognition"] = recognition.figures(results) | {"heard": recognition.heard(results)}


def _summary(evaluation: dict[str, Any]) -> dict[str, Any]:
    """What the run's manifest says of the result."""
    found: dict[str, Any] = {}
    if "translation" in evaluation:
        overall = evaluation["translation"]["overall"]["plain"]
        found = {name: overall[name]["new"] for name in overall}
    if "recognition" in evaluation:
        found["wer"] = evaluation["recognition"]["overall"]["wer"]["new"]
    return found


if __name__ == "__main__":
    evaluate()
