"""`./glossa queue` against a real collector and a real Redis."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from services.collector.bands import Band
from services.collector.filters import EXCLUSION_REASONS
from services.collector.pair import Decision, ExcludedPair, ReviewedPair, ScoredPair
from services.collector.queues import Queues
from services.collector.write_script import Write
from services.settings import port
from tests.collector.pairs import pair, signals
from tests.collector.redis_process import RedisProcess
from tests.processes import REPOSITORY, ServiceProcess, free_port_base

BY_RULES = signals(heuristic_quality=0.8, number_parity=1.0, back_translation=None)
JUDGED = [
    ScoredPair(pair(segment_id=1, sequence=1), Band.ACCEPT, 0.91, 0.92, 0.9, 0.95),
    ScoredPair(
        pair(segment_id=2, sequence=2, signals=BY_RULES), Band.MODERATE, 0.8, 0.8, None, None
    ),
    ScoredPair(pair(segment_id=3, sequence=3, session_id="session-b"), Band.ACCEPT, 1, 1, 1, 1),
    ScoredPair(
        pair(segment_id=4, sequence=4, target_language="fr", target_text="[red]où[/red]"),
        *(Band.ACCEPT, 0.9, 0.9, 0.9, 0.9),
    ),
    ExcludedPair(pair(segment_id=5, sequence=5), EXCLUSION_REASONS[1]),
    ScoredPair(
        pair(
            segment_id=6,
            sequence=6,
            session_id="session-c",
            signals=BY_RULES,
            flags=("low_confidence",),
            missing_terms=(("grace", "gracia"),),
            avg_logprob=None,
        ),
        *(Band.REVIEW, 0.6, None, None, None),
        caps=("missing_term",),
    ),
    ScoredPair(
        pair(segment_id=7, sequence=7, session_id="session-c"), Band.REVIEW, 0.55, 0.6, 0.5, 0.5
    ),
]
FIXED = ReviewedPair(
    machine=JUDGED[5],
    sequence=8,
    time=JUDGED[5].pair.time,
    decision=Decision.FIXED,
    source_text="Grace stands at the edge of the field",
    target_text="La gracia está en la orilla del campo",
    reviewer="Ana",
    review_id="review-1",
    revision=1,
)
SAVED = replace(
    FIXED, machine=JUDGED[4], sequence=9, decision=Decision.ACCEPTED, review_id="review-2"
)


@dataclass(frozen=True)
class Stack:
    collector: ServiceProcess
    redis: RedisProcess


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A collector that has no gateway, on queues that are filled already."""
    folder = tmp_path_factory.mktemp("queue")
    base = free_port_base()
    redis = RedisProcess(port("redis", base), folder / "redis")
    collector = ServiceProcess(
        "collector",
        base,
        folder,
        redis_url=redis.url,
        gateway_address=f"127.0.0.1:{port('gateway', base)}",
    )
    try:
        redis.start()
        asyncio.run(fill(redis.url))
        collector.start()
        asyncio.run(collector.wait_ready())
        yield Stack(collector, redis)
    finally:
        collector.kill()
        redis.kill()


async def fill(url: str) -> None:
    queues = Queues.open(url)
    await queues.write(
        *("journal-1", 0),
        [Write(judged.pair.sequence, judged) for judged in JUDGED]
        + [Write(8, FIXED), Write(9, SAVED)],
    )
    await queues.close()


def glossa_queue(*arguments: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from cli.queue import queue; queue()", *map(str, arguments)],
        cwd=REPOSITORY,
        env={"PATH": "/usr/bin:/bin", "COLUMNS": "160", **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def export(stack: Stack, *arguments: str | Path) -> list[dict[str, object]]:
    done = glossa_queue("export", "--collector", stack.collector.address, "--out", "-", *arguments)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_exports_an_object_a_line_with_every_field(stack: Stack, tmp_path: Path) -> None:
    out = tmp_path / "sermon_pairs.jsonl"
    done = glossa_queue(
        *("--collector", stack.collector.address, "export", "--band", "accept", "--out", out)
    )
    assert done.returncode == 0, done.stderr
    assert "3 pairs" in done.stderr
    assert done.stdout == ""
    lines = out.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 3
    assert json.loads(lines[0]) == {
        "en": "The river stands at the edge of the field",
        "es": "El río está en la orilla del campo abierto",
        "source": "sermon",
        "session_id": "session-a",
        "quality_score": 0.91,
        "stt_confidence": 0.92,
        "translation_qe": 0.9,
        "marian_agreement": 0.95,
        "timestamp": "2026-11-22T10:00:00.250Z",
        "pair_id": "session-a/1/es",
        "segment_id": 1,
        "source_language": "en",
        "target_language": "es",
        "band": "accept",
        "stt_model": "rule/stt",
        "mt_model": "rule/mt",
        "start_offset_ms": 1000,
        "end_offset_ms": 2500,
        "sequence": 1,
        "signals": {"translation_qe": 0.9, "marian_agreement": 0.95, "back_translation": None},
        "avg_logprob": -0.05,
        "no_speech_prob": 0.1,
        "compression_ratio": 1.2,
        "flags": [],
        "missing_terms": [],
        "caps": [],
        "calibration": None,
        "decision": None,
        "reviewer": None,
        "review_revision": 0,
        "original_source_text": None,
        "original_target_text": None,
    }
    assert "río" in lines[0]
    assert list(tmp_path.iterdir()) == [out]


def test_what_was_not_measured_is_null(stack: Stack) -> None:
    (by_rules,) = export(stack, "--band", "moderate")
    assert by_rules["translation_qe"] is None
    assert by_rules["marian_agreement"] is None
    assert by_rules["signals"] == {
        "heuristic_quality": 0.8,
        "number_parity": 1.0,
        "back_translation": None,
    }


def test_exports_what_people_decided_beside_what_the_machine_made(stack: Stack) -> None:
    fixed, saved = export(stack, "--band", "corrected")
    assert (saved["pair_id"], saved["decision"]) == ("session-a/5/es", "accepted")
    assert saved["quality_score"] is None  # it was excluded before it could be scored
    expected = {
        "en": FIXED.source_text,
        "es": FIXED.target_text,
        "original_source_text": FIXED.pair.source_text,
        "original_target_text": FIXED.pair.target_text,
        "decision": "fixed",
        "reviewer": "Ana",
        "review_revision": 1,
        "band": "corrected",
        "pair_id": "session-c/6/es",
        "quality_score": 0.6,
        "stt_confidence": None,
        "avg_logprob": None,
        "flags": ["low_confidence"],
        "missing_terms": [{"source": "grace", "target": "gracia"}],
        "caps": ["missing_term"],
    }
    assert {name: fixed[name] for name in expected} == expected


def test_exports_the_bands_and_the_session_asked_for(stack: Stack) -> None:
    both = export(stack, "--band", "accept", "--band", "moderate")
    assert [line["segment_id"] for line in both] == [1, 2, 3, 4]
    (one,) = export(stack, "--session", "session-b")
    assert one["pair_id"] == "session-b/3/es"
    assert export(stack, "--band", "reject") == []


def test_texts_are_named_by_their_language(stack: Stack) -> None:
    french = export(stack)[-1]
    assert french["fr"] == "[red]où[/red]"
    assert "es" not in french


def test_shows_bands_exclusions_and_the_newest_pairs(stack: Stack) -> None:
    done = glossa_queue(GLOSSA_COLLECTOR_ADDRESS=stack.collector.address)
    assert done.returncode == 0, done.stderr
    words = done.stdout.split()
    for word in ("accept", "moderate", "review", "reject", "excluded", "compression_ratio"):
        assert word in words
    assert "[red]où[/red]" in done.stdout
    assert "2 pairs wait for a person: `./glossa review`" in done.stdout
    assert "2026-11-22 10:00:00" in done.stdout


def test_of_a_session_that_is_not_there_it_says_where_they_are_listed(stack: Stack) -> None:
    done = glossa_queue("--session", "nobody", "--collector", stack.collector.address)
    assert done.returncode == 0
    assert "`./glossa report` lists sessions" in done.stdout
    assert "wait for a person" not in done.stdout


def test_the_last_line_is_one_json_object_when_asked(stack: Stack) -> None:
    done = glossa_queue("--json", "--collector", stack.collector.address)
    shown = json.loads(done.stdout.splitlines()[-1])
    newest = shown.pop("newest")
    assert shown == {
        "journal_id": "",
        "cursor_sequence": 0,
        "pairs": {
            "accept": 3,
            "moderate": 1,
            "review": 2,
            "reject": 0,
            "corrected": 2,
            "excluded": 1,
        },
        "queue_lengths": {"accept": 3, "moderate": 1, "review": 2, "reject": 0, "corrected": 2},
        "open_review_count": 2,
        "notes": [],
        "queue_risks": [],
        "exclusions": {"compression_ratio": 1},
    }
    assert [line["segment_id"] for line in newest] == [7, 6, 4, 3, 2]
    one = glossa_queue("--json", "--session", "session-b", "--collector", stack.collector.address)
    assert json.loads(one.stdout)["pairs"]["accept"] == 1


def test_a_collector_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    address = f"127.0.0.1:{port('collector', free_port_base())}"
    out = tmp_path / "pairs.jsonl"
    out.write_text("kept\n")
    for arguments in ([], ["export", "--out", out]):
        done = glossa_queue(*arguments, GLOSSA_COLLECTOR_ADDRESS=address)
        assert done.returncode == 1
        assert len(done.stderr.splitlines()) == 1
        assert "--collector" in done.stderr
        assert address.split(":")[1] in done.stderr
    assert out.read_text() == "kept\n"
    assert list(tmp_path.iterdir()) == [out]


def test_a_redis_that_can_lose_pairs_is_shown_with_what_to_do(tmp_path: Path) -> None:
    base = free_port_base()
    redis = RedisProcess(port("redis", base), tmp_path / "redis", "--appendonly", "no")
    collector = ServiceProcess("collector", base, tmp_path, redis_url=redis.url)
    try:
        redis.start()
        collector.start()
        asyncio.run(collector.wait_ready())
        done = glossa_queue("--collector", collector.address, FORCE_COLOR="1", TERM="xterm")
        as_json = glossa_queue("--json", "--collector", collector.address)
    finally:
        collector.kill()
        redis.kill()
    assert "appendonly" in done.stdout
    assert "\x1b[1;31m" in done.stdout
    (risk,) = json.loads(as_json.stdout)["queue_risks"]
    assert "appendonly yes" in risk


def test_a_redis_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    base = free_port_base()
    collector = ServiceProcess(
        "collector", base, tmp_path, redis_url=f"redis://127.0.0.1:{port('redis', base)}/0"
    )
    try:
        collector.start()
        asyncio.run(collector.wait_ready())
        done = glossa_queue("--collector", collector.address)
    finally:
        collector.kill()
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "QUEUE_UNAVAILABLE" in done.stderr


def test_a_folder_that_is_not_there_is_one_line(stack: Stack, tmp_path: Path) -> None:
    done = glossa_queue(
        *("export", "--out", tmp_path / "missing" / "pairs.jsonl"),
        GLOSSA_COLLECTOR_ADDRESS=stack.collector.address,
    )
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "cannot write" in done.stderr


def test_a_reader_that_closes_early_is_no_traceback(stack: Stack) -> None:
    done = subprocess.run(
        [
            *("bash", "-c"),
            f"{sys.executable} -c 'from cli.queue import queue; queue()' export "
            f"--collector {stack.collector.address} --out - | true",
        ],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", [["--help"], ["export", "--help"]])
def test_help_answers_at_once_and_teaches(arguments: list[str]) -> None:
    durations_s = []
    for _ in range(3):
        started_at = time.monotonic()
        done = glossa_queue(*arguments)
        durations_s.append(time.monotonic() - started_at)
        assert done.returncode == 0
        assert "--collector" in done.stdout
    assert min(durations_s) < 0.5
    if not arguments[1:]:
        assert "export --band accept" in done.stdout
