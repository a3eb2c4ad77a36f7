"""Makes a dataset: reads the collector and the gateway, chooses, writes, and says how far it is."""

from __future__ import annotations

import asyncio
import hashlib
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.collector_client import Collector, collector_address, run
from cli.counted import counted
from cli.datasets_folder import datasets_dir
from cli.session_audio import gateway_audio
from cli.stack import address_of
from cli.training_line import band_name, decision_name, score_of
from services.collector import audio_folder, snapshot
from services.collector.candidate import Candidate, Candidates
from services.collector.general import GeneralPair, read
from services.collector.pair import Decision
from services.collector.row import Row, Tier
from services.collector.tiers import Draw, select
from services.errors import WrongState

if TYPE_CHECKING:
    from glossa.collector.v1 import collector_pb2

_BANDS = ("accept", "moderate", "corrected")
_LIBRARIES = ("datasketch", "numpy", "soundfile")
_PROGRESS_PAIRS = 10_000
_PATIENCE_PAIRS = 50_000

Languages = tuple[str, str]  # source, target


@dataclass(frozen=True)
class General:
    """Pairs from outside.

    Args:
        path: everyday language to draw from, if any.
        note: its licence and source.
        held_out: files whose pairs are kept for evaluation.
    """

    path: Path | None
    languages: Languages
    note: str
    held_out: Sequence[Path]

    def pairs(self, languages: Languages) -> Iterable[GeneralPair]:
        if self.path is None or languages != self.languages:
            return ()
        return read(self.path, languages)

    def held_out_texts(self, languages: Languages) -> list[str]:
        if languages[0] != self.languages[0]:
            return []
        return [pair.source_text for path in self.held_out for pair in read(path, self.languages)]


@dataclass(frozen=True)
class Wanted:
    """What the user asked for."""

    out: Path | None
    draw: Draw
    general: General
    gateway: str | None
    with_audio: bool


def make(collector: str | None, wanted: Wanted) -> tuple[Path, dict[str, Any]]:
    """The new dataset's folder and manifest.

    Raises:
        GlossaError: a file cannot be read or written, the gateway fails, or NOTHING_ACCEPTED.
        click.ClickException: the collector fails.
    """
    out = (wanted.out or _new_folder()).absolute()
    with snapshot.being_written(out) as folder:
        stats, candidates = run(_read_collector(collector_address(collector)))
        rows = _choose(candidates, wanted)
        if not any(row.tier is Tier.ACCEPTED for of_pair in rows.values() for row in of_pair):
            raise WrongState("NOTHING_ACCEPTED", _what_to_do(stats, wanted))
        for languages, of_pair in rows.items():
            snapshot.write_pairs(folder, languages, of_pair)
        facts = _facts(stats, candidates, wanted)
        if wanted.with_audio:
            facts["audio"] = _write_audio(folder, rows, wanted.gateway)
        manifest = snapshot.write_manifest(folder, facts)
    _warn(out, rows, wanted, manifest)
    return out, manifest


def _new_folder() -> Path:
    return datasets_dir() / datetime.now(UTC).strftime("%Y%m%d-%H%M%S")


async def _read_collector(address: str) -> tuple[collector_pb2.StatsResponse, Candidates]:
    """Stats come first: whatever they count is among the pairs."""
    candidates = Candidates()
    async with Collector(address) as collector:
        stats = await collector.stats()
        count = 0
        async for message in collector.pairs(_BANDS):
            candidates.add(_candidate(message))
            count += 1
            if count % _PROGRESS_PAIRS == 0:
                click.echo(f"{counted(count, 'pair')} read", err=True)
    click.echo(f"{counted(count, 'pair')} read", err=True)
    return stats, candidates


def _candidate(message: Any) -> Candidate:
    def measured(field: str) -> float | None:
        return getattr(message, field) if message.HasField(field) else None

    decision = decision_name(message.decision)
    return Candidate(
        pair_id=message.pair_id,
        session_id=message.session_id,
        segment_id=message.segment_id,
        source_language=message.source_language,
        target_language=message.target_language,
        source_text=message.source_text,
        target_text=message.target_text,
        band=band_name(message.band),
        quality_score=score_of(message),
        stt_confidence=measured("stt_confidence"),
        translation_qe=measured("translation_qe"),
        marian_agreement=measured("marian_agreement"),
        stt_model=message.stt_model,
        mt_model=message.mt_model,
        start_offset_ms=message.start_offset_ms,
        end_offset_ms=message.end_offset_ms,
        sequence=message.sequence,
        decision=None if decision is None else Decision(decision),
        revision=message.review_revision,
    )


def _choose(candidates: Candidates, wanted: Wanted) -> dict[Languages, list[Row]]:
    by_languages: dict[Languages, list[Candidate]] = {}
    for candidate in candidates:
        by_languages.setdefault(candidate.languages, []).append(candidate)
    rows = {}
    for languages, of_pair in sorted(by_languages.items()):
        patience = ", a minute or more" if len(of_pair) > _PATIENCE_PAIRS else ""
        click.echo(
            f"choosing among {len(of_pair)} pairs {' > '.join(languages)}{patience}", err=True
        )
        rows[languages] = select(
            of_pair,
            wanted.draw,
            wanted.general.pairs(languages),
            wanted.general.held_out_texts(languages),
        )
    return rows


def _what_to_do(stats: Any, wanted: Wanted) -> str:
    counts = {band_name(count.band): count.pair_count for count in stats.counts}
    if not any(counts.values()):
        return "nothing has been collected yet; `./glossa demo` feeds a passage"
    moderate = counts.get("moderate", 0)
    advice = (
        f"nothing is accepted yet ({moderate} moderate, {counts.get('review', 0)} in review): the "
        "embedded profile accepts no pair by itself; look through them with `./glossa review`"
    )
    if moderate and wanted.draw.min_band != "moderate":
        advice += ", or take the moderate ones unseen with --min-band moderate"
    return advice


def _facts(stats: Any, candidates: Candidates, wanted: Wanted) -> dict[str, Any]:
    """What the manifest says of where the rows come from; of files the name alone, no path."""
    general = wanted.general
    return {
        "seed": wanted.draw.seed,
        "options": {
            "min_band": wanted.draw.min_band,
            "diversity_share": wanted.draw.diversity_share,
            "general_share": wanted.draw.general_share if general.path else 0.0,
        },
        "journal": {"journal_id": stats.journal_id, "cursor_sequence": stats.cursor_sequence},
        "decisions": candidates.decisions(),
        "general": general.path
        and {
            **_file_facts(general.path),
            "languages": list(general.languages),
            "licence_and_source": general.note or None,
        },
        "held_out": [_file_facts(path) for path in general.held_out],
        "libraries": {name: version(name) for name in _LIBRARIES},
    }


def _file_facts(path: Path) -> dict[str, str]:
    with path.open("rb") as file:
        return {"name": path.name, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def _write_audio(
    folder: Path, rows: Mapping[Languages, Sequence[Row]], gateway: str | None
) -> dict[str, Any]:
    wanted = audio_folder.clips(row for of_pair in rows.values() for row in of_pair)

    async def write() -> dict[str, dict[str, int]]:
        async with gateway_audio(gateway or address_of("gateway")) as source:
            return await audio_folder.write(
                folder / "audio", wanted, source, lambda: progress.update(1)
            )

    with click.progressbar(length=len(wanted), label="audio", file=sys.stderr) as progress:
        skipped = asyncio.run(write())
    return {"padding_ms": audio_folder.PADDING_MS, "skipped": skipped}


def _warn(
    out: Path, rows: Mapping[Languages, Sequence[Row]], wanted: Wanted, manifest: Mapping[str, Any]
) -> None:
    """What came out otherwise than somebody may think."""
    general = wanted.general
    if general.path is None:
        click.echo("no --general file: the general tier is empty", err=True)
    elif not general.note:
        click.echo("no --general-note: the manifest cannot name its licence", err=True)
    if general.path is not None and general.languages not in rows:
        pair = " > ".join(general.languages)
        click.echo(f"nothing is collected of {pair}, so nothing was drawn of it", err=True)
    elif general.path is not None and not manifest["counts"]["tiers"].get(Tier.GENERAL.value):
        click.echo(
            f"nothing was drawn of {general.path}: too few pairs are collected for its share, or "
            "it has no sentence that is new",
            err=True,
        )
    for reason, sessions in manifest.get("audio", {}).get("skipped", {}).items():
        clips = sum(sessions.values())
        names = ", ".join(sessions)
        click.echo(f"left out, {reason}: {clips} clips of {names}", err=True)
    if not out.is_relative_to(datasets_dir()):
        click.echo(
            f"{out} is outside of {datasets_dir()}: `./glossa queue forget` finds it only with "
            f"GLOSSA_DATASETS_DIR set to a folder that it is in",
            err=True,
        )
