"""Pairs through one qe service after another."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.memory import MemoryWatch, gpu_bytes
from bench.side_by_side import figure, print_side_by_side
from bench.spread import shown, spread
from cli.lone_service import lone_service
from glossa.qe.v1 import qe_pb2, qe_pb2_grpc
from services.channels import open_channel
from services.errors import InvalidInput, Unavailable
from services.mt.smoke import SENTENCES
from services.qe.engine import ENGINES, LEARNED, RULES

_TIMEOUT_S = 120.0
_BATCH_PAIRS = 8
_IN_FLIGHT = 8


async def measure(
    specs: Sequence[str],
    pairs_path: Path | None,
    count: int,
    languages: tuple[str, str],
    settings: Mapping[str, str],
) -> dict[str, Any]:
    """Measures each ENGINE[:MODEL]; prints a table to stderr.

    Returns:
        {spec: {models, pairs, ms_a_pair_alone, ms_a_pair_by_8, pairs_per_s, load_s,
        peak_memory_mb, gpu_memory_mb}}; `models` are those of the signals.

    Raises:
        InvalidInput: UNKNOWN_ENGINE, EMPTY_FILE.
        Unavailable: the engine could not be loaded.
    """
    pairs = _pairs(pairs_path, count, languages)
    figures = {}
    for spec in specs:
        started_at = time.monotonic()
        async with lone_service("qe", "embedded", {**_settings(spec), **settings}, _say) as service:
            load_s = time.monotonic() - started_at
            watch = MemoryWatch(service.pid)
            async with (
                watch.watching(),
                open_channel(service.address) as channel,
            ):
                stub = qe_pb2_grpc.QeServiceStub(channel)
                models = await _models(stub, pairs[0], spec, service.log_path)
                alone_ms = await _one_after_the_other(stub, pairs, 1)
                by_8_ms = await _one_after_the_other(stub, pairs, _BATCH_PAIRS)
                pairs_per_s = await _at_once(stub, pairs)
        figures[spec] = {
            "models": models,
            "pairs": len(pairs),
            "ms_a_pair_alone": spread(alone_ms, 2),
            "ms_a_pair_by_8": spread(by_8_ms, 2),
            "pairs_per_s": round(pairs_per_s, 1),
            "load_s": round(load_s, 1),
            "peak_memory_mb": round(watch.peak_bytes / 1e6, 1),
            "gpu_memory_mb": _megabytes(gpu_bytes(service.pid)),
        }
    print_side_by_side(
        f"qe, {'>'.join(languages)} (p50 / p95 / p99)",
        {
            "ms a pair, alone": lambda row: shown(row["ms_a_pair_alone"], 1),
            "ms a pair, eight a request": lambda row: shown(row["ms_a_pair_by_8"], 1),
            "pairs/s, eight requests at once": figure("pairs_per_s"),
            "load, s": figure("load_s"),
            "peak memory, MB": figure("peak_memory_mb"),
            "GPU memory, MB": figure("gpu_memory_mb"),
        },
        figures,
    )
    return figures


def _settings(spec: str) -> dict[str, str]:
    """What makes qe measure with one engine and nothing else."""
    name, _, model = spec.partition(":")
    if name not in ENGINES:
        raise InvalidInput(
            "UNKNOWN_ENGINE", f"qe has no engine {name!r}; there are: {', '.join(ENGINES)}"
        )
    variable = "GLOSSA_QE_MODEL" if name == LEARNED else "GLOSSA_QE_MARIAN_MODEL"
    return {
        "GLOSSA_QE_ENGINE": LEARNED if name == LEARNED else RULES,
        "GLOSSA_QE_SIGNALS": ",".join(ENGINES[name].signal_names),
        **({variable: model} if model else {}),
    }


def _pairs(path: Path | None, count: int, languages: tuple[str, str]) -> list[qe_pb2.Pair]:
    if path is None:
        rows = list(zip(SENTENCES["en"], SENTENCES["es"], strict=True))
    else:
        lines = path.read_text(encoding="utf-8").splitlines()
        rows = [
            (source.strip(), target.strip())
            for source, _, target in (line.partition("\t") for line in lines)
            if source.strip() and target.strip()
        ]
    if not rows:
        raise InvalidInput("EMPTY_FILE", f"{path} holds no pairs with a tab between them")
    return [
        qe_pb2.Pair(
            source_text=source,
            target_text=target,
            source_language=languages[0],
            target_language=languages[1],
        )
        for source, target in itertools.islice(itertools.cycle(rows), count)
    ]


async def _models(
    stub: qe_pb2_grpc.QeServiceStub, pair: qe_pb2.Pair, spec: str, log_path: Path
) -> list[str]:
    """What measures; it pays for what is made on first use, too."""
    answer = await stub.Score(qe_pb2.ScoreRequest(pairs=[pair]), timeout=_TIMEOUT_S)
    measured = [signal for signal in answer.scores[0].signals if signal.HasField("value")]
    if not measured:
        why = await asyncio.to_thread(_what_is_missing, log_path)
        raise Unavailable("ENGINE_MISSING", f"{spec} measures nothing here: {why}")
    return list(dict.fromkeys(signal.model for signal in measured))


def _what_is_missing(log_path: Path) -> str:
    """What qe's log says of an engine that it could not load."""
    for line in log_path.read_text(encoding="utf-8").splitlines():
        with contextlib.suppress(ValueError, KeyError):
            said = json.loads(line)
            if said["event"] == "engine_missing":
                return str(said["message"])
    return "the texts have nothing that it could measure"


async def _one_after_the_other(
    stub: qe_pb2_grpc.QeServiceStub, pairs: Sequence[qe_pb2.Pair], size: int
) -> list[float]:
    """Milliseconds a pair of each request of `size` pairs."""
    taken_ms = []
    for request in _requests(pairs, size):
        sent_at = time.monotonic()
        await stub.Score(request, timeout=_TIMEOUT_S)
        taken_ms.append((time.monotonic() - sent_at) * 1000 / len(request.pairs))
    return taken_ms


async def _at_once(stub: qe_pb2_grpc.QeServiceStub, pairs: Sequence[qe_pb2.Pair]) -> float:
    """Pairs a second while several callers ask for one pair after the other."""
    waiting = iter(_requests(pairs, 1))

    async def ask() -> None:
        for request in waiting:
            await stub.Score(request, timeout=_TIMEOUT_S)

    started_at = time.monotonic()
    await asyncio.gather(*(ask() for _ in range(_IN_FLIGHT)))
    return len(pairs) / (time.monotonic() - started_at)


def _requests(pairs: Sequence[qe_pb2.Pair], size: int) -> list[qe_pb2.ScoreRequest]:
    return [
        qe_pb2.ScoreRequest(pairs=pairs[start : start + size])
        for start in range(0, len(pairs), size)
    ]


def _megabytes(count_bytes: int | None) -> float | None:
    return None if count_bytes is None else round(count_bytes / 1e6, 1)


def _say(line: str) -> None:
    print(f"glossa: {line}", file=sys.stderr)
