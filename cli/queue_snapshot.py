"""`./glossa queue snapshot`: a dataset for training, made of what is collected now."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from cli.collector_client import collector_option
from cli.counted import counted
from cli.options import json_option


@click.command()
@collector_option
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Folder to make.  [default: a new one in GLOSSA_DATASETS_DIR, var/datasets]",
)
@click.option(
    "--min-band",
    type=click.Choice(("accept", "moderate")),
    default="accept",
    show_default=True,
    help="Lowest band that goes in without a person's word.",
)
@click.option(
    "--diversity-share",
    type=click.FloatRange(0.0, 1.0),
    default=0.2,
    show_default=True,
    help="Moderate pairs drawn for their words, as a share of the accepted ones.",
)
@click.option(
    "--general",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Pairs of everyday language to draw from: .tsv (source, tab, target) or .jsonl.",
)
@click.option(
    "--general-share",
    type=float,
    default=0.07,
    show_default=True,
    help="Their share of the whole: 0, or from 0.05 to 0.10.",
)
@click.option(
    "--general-languages",
    nargs=2,
    default=("en", "es"),
    show_default=True,
    metavar="SOURCE TARGET",
    help="Languages of the --general and --held-out files.",
)
@click.option("--general-note", default="", metavar="TEXT", help="Its licence and source.")
@click.option(
    "--held-out",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Pairs kept for evaluation: no tier takes them, nor near duplicates of them.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Decides what is drawn.")
@click.option("--audio", is_flag=True, help="Also the sound, of sessions that agreed to keep it.")
@click.option("--gateway", help="Gateway that has the sound.  [default: the running stack's]")
@json_option
@click.pass_context
def snapshot(
    context: click.Context,
    collector: str | None,
    out: Path | None,
    min_band: str,
    diversity_share: float,
    general: Path | None,
    general_share: float,
    general_languages: tuple[str, str],
    general_note: str,
    held_out: tuple[Path, ...],
    seed: int,
    audio: bool,
    gateway: str | None,
    as_json: bool,
) -> None:
    """Make a dataset of what is collected now. It never changes again, but by forgetting.

    Three tiers: accepted pairs and those that people found right or put right; moderate pairs with
    new words; a little everyday language. Repeats count less, new words count more. With --audio
    the accepted segments' sound and transcripts come along in HuggingFace's audiofolder layout.

    \b
    ./glossa queue snapshot --out var/datasets/november
    ./glossa queue snapshot --general tatoeba.tsv --general-note "CC BY 2.0 FR, tatoeba.org" --audio
    """
    from services.collector.bands import Band
    from services.errors import GlossaError

    group_collector, _ = context.obj or (None, "")
    try:
        from cli.dataset_making import General, Wanted, make
        from services.collector.tiers import Draw

        drawn = Draw(
            seed=seed,
            min_band=Band(min_band),
            diversity_share=diversity_share,
            general_share=general_share,
        )
        wanted = Wanted(
            out=out,
            draw=drawn,
            general=General(general, general_languages, general_note, held_out),
            gateway=gateway,
            with_audio=audio,
        )
        folder, manifest = make(collector or group_collector, wanted)
    except ModuleNotFoundError as error:
        raise click.ClickException(
            f"{error.name} is not installed; `./glossa queue snapshot`, with snapshot right after "
            "queue, installs it"
        ) from error
    except ValueError as error:
        raise click.UsageError(f"{error}; see --help") from error
    except GlossaError as error:
        raise click.ClickException(error.message) from error
    _report(folder, manifest, as_json)


def _report(folder: Path, manifest: Mapping[str, Any], as_json: bool) -> None:
    import json

    if as_json:
        shown = {"folder": str(folder), **{k: v for k, v in manifest.items() if k != "files"}}
        click.echo(json.dumps(shown, ensure_ascii=False))
        return
    counts = manifest["counts"]
    tiers = ", ".join(f"{count} {tier}" for tier, count in counts["tiers"].items())
    pairs, clips = counted(counts["rows"], "pair"), counted(counts["clips"], "clip")
    click.echo(f"{folder}: {pairs} ({tiers}), {clips} of audio")
