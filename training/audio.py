"""Makes training clips of church recordings: cut, judged, transcribed, of equal loudness.

    python -m training.audio --recordings sermons/ --out var/training/clips

What comes out is a HuggingFace audiofolder that training.whisper reads: train/ and validation/, no
speaker or session in both. Nothing is deleted or changed in the recordings. Killed or stopped, it
goes on with --resume at the recording it was at.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import click

from services.errors import GlossaError, InvalidInput
from services.stt.engine import ENGINES, EngineOptions, loader
from training.clips.folder import TRAIN, VALIDATION, write_metadata
from training.clips.gates import Limits
from training.clips.recordings import Accents, Recording, find_recordings
from training.clips.shares import Share, accent_weights, validation_groups
from training.job import Job, out_option, resume_option, seed_option
from training.run_folder import RunFolder, write_json

_PENDING = ".pending"
_REPORTS = "recordings"
_DEFAULTS = Limits()


@click.command(
    cls=Job,
    epilog="Example: python -m training.audio --recordings sermons/lagos "
    "--recordings sermons/glasgow --accent sermons/lagos=nigerian "
    "--accent sermons/glasgow=scottish --out var/training/clips",
)
@click.option(
    "--recordings",
    "sources",
    multiple=True,
    type=click.Path(path_type=Path, exists=True),
    help="A file, or a folder of recordings of any format; with a manifest.jsonl in it "
    "(file, text, start_s, end_s, lang, speaker, accent) its transcripts are taken.",
)
@click.option(
    "--dataset",
    "datasets",
    multiple=True,
    type=click.Path(path_type=Path, exists=True),
    help="A dataset made with ./glossa queue snapshot --audio, to be taken in.",
)
@out_option
@click.option("--language", default="en", help="What is spoken.")
@click.option(
    "--accent",
    "accents",
    multiple=True,
    metavar="FOLDER=NAME",
    help="How people speak in the recordings of a folder; can be given again.",
)
@click.option(
    "--accent-table",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The same by file: a CSV file with the columns file and accent.",
)
@click.option(
    "--max-accent-weight",
    type=click.FloatRange(1),
    default=4.0,
    help="At most so often is a clip of a rare accent seen, to balance them; 1: never.",
)
@click.option(
    "--engine",
    type=click.Choice(sorted(ENGINES)),
    default="faster_whisper",
    help="Recogniser that transcribes what came without a transcript.",
)
@click.option(
    "--model",
    default="",
    help="Its model: a folder or a name below --models-dir; its "
    "usual one when empty. The largest that you have is the best teacher.",
)
@click.option("--models-dir", type=click.Path(path_type=Path), default=Path("var/models"))
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto")
@click.option(
    "--min-confidence",
    type=click.FloatRange(0, 1, min_open=True),
    default=None,
    help="Clips transcribed with less are refused; what is flagged live, when not given.",
)
@click.option(
    "--min-snr-db",
    type=float,
    default=_DEFAULTS.min_snr_db,
    help="Clips with less speech over noise are refused.",
)
@click.option(
    "--max-clipped-share",
    type=click.FloatRange(0, 1),
    default=_DEFAULTS.max_clipped_share,
    help="Clips with a greater share of samples cut off at full scale are refused.",
)
@click.option(
    "--max-clip-s",
    type=click.FloatRange(2, 30),
    default=_DEFAULTS.max_s,
    help="Clips are cut to at most that; Whisper hears 30 s at once.",
)
@click.option(
    "--denoise",
    is_flag=True,
    help="Take steady noise (fans, hum) out of the clips. "
    "Only where the live sound is denoised too: what is trained on should sound alike.",
)
@click.option(
    "--validation-share",
    type=click.FloatRange(0, 0.5),
    default=0.1,
    help="Share of the time, by whole speakers and sessions, that is kept for judging.",
)
@seed_option
@resume_option
def audio(sources: tuple[Path, ...], datasets: tuple[Path, ...], out: Path, **options: Any) -> None:
    """Make training clips of church recordings."""
    accents = Accents(_by_folder(options["accents"]), options["accent_table"])
    recordings = find_recordings(sources, datasets, options["language"], accents)
    inputs = {f"{index}": path for index, path in enumerate((*sources, *datasets))}
    resumes = options.pop("resume")
    told = {"sources": sources, "datasets": datasets, **options}
    with RunFolder(out, "audio", told, inputs=inputs, resumes=resumes) as run:
        reports = _made(recordings, out, options)
        counts = _assembled(recordings, reports, out, options)
        run.note(**counts)
    _show(counts)
    if not counts["clips"][TRAIN]:
        raise GlossaError("NO_CLIPS", "no clip passed: the table says what refused them")


def _made(
    recordings: list[Recording], out: Path, options: dict[str, Any]
) -> dict[str, dict[str, Any]]:
    """Reports by recording; those that a run before this one wrote are taken as they are."""
    from rich.progress import track

    from services.stt.vad import VoiceActivityModel
    from training.clips.making import ClipMaker
    from training.clips.pseudo_labels import Labeller

    (out / _REPORTS).mkdir(exist_ok=True)
    paths = {recording.key: out / _REPORTS / f"{recording.key}.json" for recording in recordings}
    left = [recording for recording in recordings if not paths[recording.key].is_file()]
    labeller = None
    if any(not piece.text for recording in left for piece in recording.pieces):
        name = options["engine"]
        engine = loader(name)(
            EngineOptions(
                model=options["model"] or ENGINES[name].model,
                models_dir=options["models_dir"],
                device=options["device"],
            )
        )
        labeller = Labeller(engine, options["language"], options["min_confidence"])
    maker = ClipMaker(
        Limits(
            max_s=options["max_clip_s"],
            min_snr_db=options["min_snr_db"],
            max_clipped_share=options["max_clipped_share"],
        ),
        VoiceActivityModel(),
        labeller,
        options["denoise"],
    )
    for recording in track(left, "recordings", disable=not left):
        # The report last: without one, a recording is begun anew.
        write_json(paths[recording.key], maker.make(recording, out / _PENDING))
    return {key: json.loads(path.read_text(encoding="utf-8")) for key, path in paths.items()}


def _assembled(
    recordings: list[Recording],
    reports: dict[str, dict[str, Any]],
    out: Path,
    options: dict[str, Any],
) -> dict[str, Any]:
    """Shares the recordings out, writes metadata.jsonl, and says what there is."""
    shares = [
        Share(recording.group, recording.accent, _clips_s(reports[recording.key]))
        for recording in recordings
        if reports[recording.key]["clips"]
    ]
    judging = validation_groups(shares, options["validation_share"], options["seed"])
    splits_of = {one.group: VALIDATION if one.group in judging else TRAIN for one in recordings}
    seconds: dict[str, dict[str, float]] = {TRAIN: {}, VALIDATION: {}}
    for share, split in ((share, splits_of[share.group]) for share in shares):
        seconds[split][share.accent] = seconds[split].get(share.accent, 0.0) + share.clips_s
    weights = accent_weights(seconds[TRAIN], options["max_accent_weight"])
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for recording in recordings:
        split, pending = splits_of[recording.group], out / _PENDING / recording.key
        (out / split).mkdir(exist_ok=True)
        if pending.is_dir():
            pending.rename(out / split / recording.key)
        weight = weights.get(recording.accent, 1.0) if split == TRAIN else 1.0
        rows[split] += [
            {**clip, "weight": round(weight, 3)} for clip in reports[recording.key]["clips"]
        ]
    for split in (TRAIN, VALIDATION):
        if rows[split]:
            write_metadata(out, split, rows[split])
        else:
            shutil.rmtree(out / split, ignore_errors=True)
    shutil.rmtree(out / _PENDING, ignore_errors=True)
    refused: Counter[str] = Counter()
    for report in reports.values():
        refused.update(report["refused"])
    return {
        "clips": {split: len(rows[split]) for split in (TRAIN, VALIDATION)},
        "seconds": {
            split: {name: round(length, 1) for name, length in sorted(of_split.items())}
            for split, of_split in seconds.items()
        },
        "weights": {name: round(weight, 3) for name, weight in sorted(weights.items())},
        "audio_s": round(sum(report["audio_s"] for report in reports.values()), 1),
        "refused": dict(refused.most_common()),
    }


def _clips_s(report: dict[str, Any]) -> float:
    return float(sum(clip["duration_ms"] for clip in report["clips"])) / 1000


def _by_folder(told: tuple[str, ...]) -> dict[Path, str]:
    pairs = [one.rpartition("=") for one in told]
    for folder, _, accent in pairs:
        if not (folder and accent.strip()):
            raise InvalidInput("BAD_ACCENTS", "--accent is FOLDER=NAME: sermons/lagos=nigerian")
    return {Path(folder): accent.strip() for folder, _, accent in pairs}


def _show(counts: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("accent", "train, min", "validation, min", "seen, times")
    trained, judged = counts["seconds"][TRAIN], counts["seconds"][VALIDATION]
    for accent in sorted({*trained, *judged}):
        table.add_row(
            accent or "(not named)",
            f"{trained.get(accent, 0) / 60:.1f}",
            f"{judged.get(accent, 0) / 60:.1f}",
            f"{counts['weights'].get(accent, 1):.2f}",
        )
    console = Console()
    console.print(table)
    refused = Table("refused because", "clips")
    for reason, count in counts["refused"].items():
        refused.add_row(reason, str(count))
    if counts["refused"]:
        console.print(refused)
    kept = sum(counts["clips"].values())
    console.print(f"{kept} clips of {counts['audio_s'] / 60:.1f} minutes of recordings")
    if not counts["clips"][VALIDATION]:
        console.print(
            "Nothing is kept for judging: recordings of one speaker or session alone. "
            "Give a second, and training can say whether the model got better."
        )


if __name__ == "__main__":
    audio()
