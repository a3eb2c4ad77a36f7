"""Texts through one mt service after another."""

from __future__ import annotations

import asyncio
import itertools
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from rich.console import Console
from rich.progress import Progress

from bench.memory import MemoryWatch, gpu_bytes
from bench.side_by_side import figure, print_side_by_side
from bench.spread import drift, shown, spread
from cli.client import as_glossa_error
from cli.lone_service import lone_service
from cli.spoken import SAMPLE_TEXT
from glossa.mt.v1 import mt_pb2, mt_pb2_grpc
from services.channels import open_channel
from services.errors import InvalidInput
from services.mt import glossary_file
from services.mt.glossary import Glossary, term_accuracy
from services.mt.settings import MtSettings
from services.settings import load as read_settings

_TIMEOUT_S = 120.0
_WARM_UP_TEXTS = 3  # the first ones pay for what is made on first use


@dataclass(frozen=True)
class Load:
    """How the texts are sent."""

    source_language: str
    target_language: str
    draft: bool
    parallel: int
    stress: int | None


@dataclass
class _Run:
    """What one runtime gave."""

    model: str = ""
    latencies_ms: list[float] = field(default_factory=list)
    first_tokens_ms: list[float] = field(default_factory=list)
    tokens_per_s: list[float] = field(default_factory=list)
    memory_bytes: list[int] = field(default_factory=list)  # after each text
    flags: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    translations: list[tuple[str, str, str]] = field(default_factory=list)  # with text, reference
    load_s: float = 0.0
    peak_bytes: int = 0
    gpu_bytes: int | None = None


async def measure(
    specs: Sequence[str],
    lines_path: Path | None,
    limit: int,
    load: Load,
    settings: Mapping[str, str],
) -> dict[str, Any]:
    """Measures each RUNTIME[:MODEL]; prints a table to stderr.

    Returns:
        {spec: {model, texts, latency_ms, first_token_ms, tokens_per_s, peak_memory_mb,
        gpu_memory_mb, load_s, flags, errors, bleu, chrf, terms: {kept, wanted}}}, with --stress
        {latency_drift, memory_growth} too.

    Raises:
        GlossaError: a runtime cannot be started.
    """
    texts = _texts(lines_path, limit)
    glossary = _glossary(load, settings)
    figures = {}
    for spec in specs:
        runtime, _, model = spec.partition(":")
        lone = {
            "GLOSSA_MT_RUNTIME": runtime,
            "GLOSSA_MT_MODEL": model,
            "GLOSSA_MT_PAIRS": f"{load.source_language}>{load.target_language}",
            **settings,
        }
        started_at = time.monotonic()
        async with lone_service("mt", "embedded", lone, _say) as service:
            run = _Run(load_s=time.monotonic() - started_at)
            watch = MemoryWatch(service.pid)
            async with (
                watch.watching(),
                open_channel(service.address) as channel,
            ):
                await _send_all(mt_pb2_grpc.MtServiceStub(channel), texts, load, run, watch, spec)
            run.peak_bytes, run.gpu_bytes = watch.peak_bytes, gpu_bytes(service.pid)
        figures[spec] = _figures(run, load, glossary)
    _print_table(figures, load)
    return figures


def _texts(path: Path | None, limit: int) -> list[tuple[str, str]]:
    """(text, reference or "") of each line."""
    lines = (path or SAMPLE_TEXT).read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t")[:2] for line in lines if line.strip()][:limit]
    if not rows:
        raise InvalidInput("EMPTY_FILE", f"{path} holds no lines")
    return [(row[0].strip(), row[1].strip() if len(row) > 1 else "") for row in rows]


def _glossary(load: Load, settings: Mapping[str, str]) -> Glossary:
    """The one that the services measured use, in the direction measured; empty for other pairs.

    Raises:
        Unavailable: GLOSSARY_UNREADABLE.
    """
    known = read_settings(MtSettings)
    path = Path(settings.get("GLOSSA_MT_GLOSSARY_FILE") or known.glossary_file)
    pair = (known.glossary_source_language, known.glossary_target_language)
    terms = glossary_file.read(path)
    if (load.source_language, load.target_language) == pair:
        return Glossary(terms)
    is_reversed = (load.target_language, load.source_language) == pair
    return Glossary(glossary_file.reverse(terms)) if is_reversed else Glossary()


async def _send_all(
    stub: mt_pb2_grpc.MtServiceStub,
    texts: Sequence[tuple[str, str]],
    load: Load,
    run: _Run,
    watch: MemoryWatch,
    spec: str,
) -> None:
    for text, _ in texts[:_WARM_UP_TEXTS]:
        await _send(stub, text, "", load, _Run(), watch)
    count = load.stress or len(texts)
    waiting = iter(itertools.islice(itertools.cycle(texts), count))
    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal, transient=True) as progress:
        bar = progress.add_task(spec, total=count)

        async def work() -> None:
            for text, reference in waiting:
                await _send(stub, text, reference, load, run, watch)
                progress.advance(bar)

        await asyncio.gather(*(work() for _ in range(load.parallel)))


async def _send(
    stub: mt_pb2_grpc.MtServiceStub,
    text: str,
    reference: str,
    load: Load,
    run: _Run,
    watch: MemoryWatch,
) -> None:
    request = mt_pb2.StreamTranslateRequest(
        request=mt_pb2.TranslateRequest(
            text=text,
            source_language=load.source_language,
            target_language=load.target_language,
            draft=load.draft,
        )
    )
    sent_at = time.monotonic()
    first_ms: float | None = None
    try:
        async for answered in stub.StreamTranslate(request, timeout=_TIMEOUT_S):
            answer = answered.translation
            passed_ms = (time.monotonic() - sent_at) * 1000
            if first_ms is None:
                first_ms = passed_ms
    except grpc.aio.AioRpcError as error:
        known = as_glossa_error(error)
        if known.reason == "UNSUPPORTED_LANGUAGE_PAIR":
            raise known from error
        run.errors[known.reason] += 1
        return
    run.model = answer.model
    run.latencies_ms.append(passed_ms)
    if answer.token_count:
        run.first_tokens_ms.append(answer.first_token_ms or first_ms or passed_ms)
        if answer.generation_ms:
            run.tokens_per_s.append(answer.token_count / answer.generation_ms * 1000)
    run.flags.update(answer.flags)
    run.memory_bytes.append(watch.now())
    run.translations.append((answer.text, text, reference))


def _figures(run: _Run, load: Load, glossary: Glossary) -> dict[str, Any]:
    figures: dict[str, Any] = {
        "model": run.model,
        "texts": len(run.latencies_ms),
        "latency_ms": spread(run.latencies_ms),
        "first_token_ms": spread(run.first_tokens_ms),
        "tokens_per_s": spread(run.tokens_per_s),
        "peak_memory_mb": round(run.peak_bytes / 1e6, 1),
        "gpu_memory_mb": None if run.gpu_bytes is None else round(run.gpu_bytes / 1e6, 1),
        "load_s": round(run.load_s, 1),
        "flags": dict(run.flags),
        "errors": dict(run.errors),
        **_quality([(text, reference) for text, _, reference in run.translations if reference]),
        "terms": _terms(run, glossary),
    }
    if load.stress:
        tenth = max(1, len(run.memory_bytes) // 10)
        figures["latency_drift"] = drift(run.latencies_ms)
        figures["memory_growth"] = (
            round(run.memory_bytes[-1] / run.memory_bytes[tenth - 1] - 1, 3)
            if run.memory_bytes
            else None
        )
    return figures


def _quality(pairs: Sequence[tuple[str, str]]) -> dict[str, float | None]:
    """BLEU and chrF++ (sacrebleu's defaults) over the texts that have a reference."""
    if not pairs:
        return {"bleu": None, "chrf": None}
    import sacrebleu

    translations = [translation for translation, _ in pairs]
    references = [[reference for _, reference in pairs]]
    return {
        "bleu": round(sacrebleu.corpus_bleu(translations, references).score, 1),
        "chrf": round(sacrebleu.corpus_chrf(translations, references, word_order=2).score, 1),
    }


def _terms(run: _Run, glossary: Glossary) -> dict[str, int]:
    """The glossary's terms in the texts, and those of them that stand in the translations."""
    kept = wanted = 0
    for translation, text, _ in run.translations:
        text_kept, text_wanted = term_accuracy(text, translation, glossary)
        kept, wanted = kept + text_kept, wanted + text_wanted
    return {"kept": kept, "wanted": wanted}


def _shown_terms(row: Mapping[str, Any]) -> str:
    terms = row["terms"]
    return f"{terms['kept']} of {terms['wanted']}" if terms["wanted"] else ""


def _print_table(figures: Mapping[str, Any], load: Load) -> None:
    kind = "drafts" if load.draft else "finals"
    print_side_by_side(
        f"mt, {kind} {load.source_language}>{load.target_language}, {load.parallel} at once "
        "(p50 / p95 / p99)",
        {
            "texts": figure("texts"),
            "latency, ms": lambda row: shown(row["latency_ms"]),
            "first token, ms": lambda row: shown(row["first_token_ms"]),
            "tok/s": lambda row: shown(row["tokens_per_s"], 1),
            "load, s": figure("load_s"),
            "peak memory, MB": figure("peak_memory_mb"),
            "GPU memory, MB": figure("gpu_memory_mb"),
            "BLEU": figure("bleu"),
            "chrF++": figure("chrf"),
            "glossary terms kept": _shown_terms,
            "latency, last tenth / first": figure("latency_drift"),
            "memory growth": figure("memory_growth"),
        },
        figures,
    )


def _say(line: str) -> None:
    print(f"glossa: {line}", file=sys.stderr)
