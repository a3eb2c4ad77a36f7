"""`./glossa queue snapshot` against a real collector, Redis and gateway."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import soundfile

from services.collector import snapshot
from services.collector.bands import Band
from services.collector.pair import Decision, Pair, ReviewedPair, ScoredPair
from services.collector.queues import Queues
from services.collector.write_script import Write
from services.settings import port
from tests.cli.verb import run_verb
from tests.collector.pairs import pair
from tests.collector.redis_process import RedisProcess
from tests.gateway import conftest as gateway_tests
from tests.gateway.peers import sermon
from tests.processes import ServiceProcess, free_port_base

VERSES = [
    "In the beginning was the word that nobody had heard",
    "A shepherd counts ninety nine sheep before the evening",
    "Bread was broken on the shore beside a charcoal fire",
    "Seven lamps burned through the night without any oil",
    "The widow gave two coins and kept nothing for herself",
]
REPEATED = "Let us turn together to the letter of James"


@dataclass(frozen=True)
class Running:
    collector: ServiceProcess
    gateway: str
    with_audio: str
    without_audio: str

    def snapshot(self, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        return run_verb(
            *("queue", "snapshot", "--collector", self.collector.address),
            *("--gateway", self.gateway),
            *map(str, arguments),
            **environment,
        )


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Two sessions in a gateway, one with audio, and what a collector has of them."""
    folder = tmp_path_factory.mktemp("snapshot")
    base = free_port_base()
    gateway = gateway_tests.Stack(folder)
    redis = RedisProcess(port("redis", base), folder / "redis")
    collector = new_collector(base, folder, redis)
    try:
        redis.start()
        with_audio, without_audio = asyncio.run(speak(gateway))
        asyncio.run(fill(redis.url, entries(with_audio, without_audio)))
        collector.start()
        asyncio.run(collector.wait_ready())
        yield Running(collector, gateway.gateway.address, with_audio, without_audio)
    finally:
        collector.kill()
        redis.kill()
        gateway.gateway.kill()
        for peer in gateway.peers.values():
            peer.kill()


def new_collector(base: int, folder: Path, redis: RedisProcess) -> ServiceProcess:
    """One that finds no gateway: what it has is in Redis already."""
    return ServiceProcess(
        *("collector", base, folder),
        redis_url=redis.url,
        gateway_address=f"127.0.0.1:{port('gateway', base)}",
    )


async def speak(gateway: gateway_tests.Stack) -> tuple[str, str]:
    await gateway.start()
    try:
        kept = await gateway.speak(sermon(range(1, 9)), store_audio=True)
        return kept, await gateway.speak(sermon([1, 2]))
    finally:
        await gateway.channel.close()


def entries(with_audio: str, without_audio: str) -> list[ScoredPair | ReviewedPair]:
    def of(session_id: str, segment_id: int, text: str, **changes: Any) -> Pair:
        return pair(
            session_id=session_id,
            segment_id=segment_id,
            source_text=text,
            target_text=f"es: {text}",
            start_offset_ms=segment_id * 500,
            end_offset_ms=segment_id * 500 + 300,
            **changes,
        )

    def scored(pair: Pair, band: Band = Band.ACCEPT) -> ScoredPair:
        return ScoredPair(pair, band, 0.9, 0.9, 0.9, 0.9)

    accepted = [scored(of(with_audio, n, verse)) for n, verse in enumerate(VERSES, start=1)]
    repeats = [scored(of(without_audio, n, REPEATED)) for n in (1, 2, 3, 4)]
    doubtful = scored(of(with_audio, 6, "What was misherd here"), Band.REVIEW)
    moderate = [
        scored(of(with_audio, 7, f"{VERSES[0]}!"), Band.MODERATE),
        scored(of(with_audio, 8, "Melchizedek blessed him at Salem"), Band.MODERATE),
        scored(of(with_audio, 9, "He went away from there then"), Band.MODERATE),
    ]
    return [
        *accepted,
        *repeats,
        doubtful,
        *moderate,
        reviewed(doubtful, Decision.FIXED, source_text="What was misheard here"),
        reviewed(accepted[1], Decision.REJECTED),
        reviewed(accepted[2], Decision.REJECTED),
        reviewed(accepted[2], Decision.WITHDRAWN, revision=2),
    ]


def reviewed(
    machine: ScoredPair, decision: Decision, revision: int = 1, source_text: str = ""
) -> ReviewedPair:
    return ReviewedPair(
        machine=machine,
        sequence=0,
        time=machine.pair.time,
        decision=decision,
        source_text=source_text or machine.pair.source_text,
        target_text=machine.pair.target_text,
        reviewer="Ana",
        review_id=f"{machine.pair.pair_id}-{revision}",
        revision=revision,
    )


async def fill(url: str, changes: list[ScoredPair | ReviewedPair]) -> None:
    def numbered(sequence: int, change: ScoredPair | ReviewedPair) -> ScoredPair | ReviewedPair:
        if isinstance(change, ReviewedPair):
            return replace(change, sequence=sequence)
        return replace(change, pair=replace(change.pair, sequence=sequence))

    queues = Queues.open(url)
    written = await queues.write(
        *("journal-1", 0),
        [Write(number, numbered(number, change)) for number, change in enumerate(changes, 1)],
    )
    assert set(written.outcomes) <= {"written"}
    await queues.close()


@pytest.fixture
def general(tmp_path: Path) -> Path:
    path = tmp_path / "general.tsv"
    path.write_text(
        "".join(f"Everyday sentence number {n} is here\tFrase {n}\n" for n in range(50))
        + f"{VERSES[4]}\tfrase\n"
    )
    return path


def rows(folder: Path) -> list[dict[str, Any]]:
    return list(snapshot.read_rows(folder / "en-es" / "pairs.jsonl"))


def test_three_tiers_with_a_manifest_that_holds(
    running: Running, tmp_path: Path, general: Path
) -> None:
    out = tmp_path / "sets" / "november"
    done = running.snapshot(
        *("--out", out, "--general", general, "--general-share", 0.1),
        *("--general-note", "CC BY 2.0 FR, tatoeba.org", "--seed", 3, "--json"),
        GLOSSA_DATASETS_DIR=str(tmp_path / "sets"),
    )
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout.splitlines()[-1])
    manifest = snapshot.check(out)
    assert shown == {"folder": str(out)} | {k: v for k, v in manifest.items() if k != "files"}
    assert manifest["counts"]["tiers"] == {"accepted": 9, "diversity": 2, "general": 1}
    assert manifest["counts"]["sessions"] == {running.with_audio: 7, running.without_audio: 4}
    assert manifest["decisions"] == {"fixed": 1, "rejected": 1}
    assert manifest["seed"] == 3
    assert manifest["general"]["licence_and_source"] == "CC BY 2.0 FR, tatoeba.org"
    assert manifest["general"]["name"] == "general.tsv"
    assert str(tmp_path) not in (out / "manifest.json").read_text()
    by_text = {row["en"]: row for row in rows(out)}
    assert by_text["What was misheard here"]["decision"] == "fixed"
    assert VERSES[1] not in by_text
    assert by_text[VERSES[2]]["decision"] is None
    assert f"{VERSES[0]}!" not in by_text
    assert by_text[REPEATED]["weight"] < by_text[VERSES[0]]["weight"]
    assert sum(row["en"] == REPEATED for row in rows(out)) == 4
    assert "outside" not in done.stderr


def test_the_same_seed_makes_the_same_rows(running: Running, tmp_path: Path, general: Path) -> None:
    for name, seed in (("one", 1), ("two", 1), ("three", 2)):
        done = running.snapshot(
            "--out", tmp_path / name, "--general", general, "--general-share", 0.1, "--seed", seed
        )
        assert done.returncode == 0, done.stderr
    one, two, three = (rows(tmp_path / name) for name in ("one", "two", "three"))
    assert one == two
    assert one != three


def test_accepted_segments_bring_their_audio_where_the_session_agreed(
    running: Running, tmp_path: Path
) -> None:
    done = running.snapshot("--out", tmp_path / "set", "--audio")
    assert done.returncode == 0, done.stderr
    manifest = snapshot.check(tmp_path / "set")
    split = tmp_path / "set" / "audio" / "en" / "train"
    clips = list(snapshot.read_rows(split / "metadata.jsonl"))
    assert {clip["transcription"] for clip in clips} == {
        *(verse for verse in VERSES if verse != VERSES[1]),
        "What was misheard here",
    }
    for clip in clips:
        info = soundfile.info(split / clip["file_name"])
        assert (info.samplerate, info.channels, info.frames) == (16_000, 1, 8_000)
    assert manifest["audio"]["skipped"] == {"no_consent": {running.without_audio: 4}}
    assert f"no_consent: 4 clips of {running.without_audio}" in done.stderr
    assert "is outside of" in done.stderr

    deleted = snapshot.forget_session(tmp_path, running.with_audio)
    assert deleted == 7 + 5
    assert snapshot.check(tmp_path / "set")["counts"]["clips"] == 0
    assert not any(
        running.with_audio.encode() in path.read_bytes()
        for path in tmp_path.rglob("*")
        if path.is_file()
    )


def test_a_gateway_that_is_away_leaves_no_folder(running: Running, tmp_path: Path) -> None:
    address = f"127.0.0.1:{port('gateway', free_port_base())}"
    done = running.snapshot("--out", tmp_path / "set", "--audio", "--gateway", address)
    assert done.returncode == 1
    assert "no gateway answers at" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--general-share", "0.2"], "0, or between 0.05 and 0.10"),
        (["--diversity-share", "2"], "2.0 is not in the range"),
        (["--min-band", "review"], "'review' is not one of"),
        (["--general", "/nonexistent.tsv"], "does not exist"),
        (["--general", __file__], "neither .tsv"),
    ],
)
def test_wrong_words_are_refused_before_anything_is_made(
    running: Running, tmp_path: Path, arguments: list[str], message: str
) -> None:
    done = running.snapshot("--out", tmp_path / "set", *arguments)
    assert done.returncode in (1, 2)
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_general_file_of_which_nothing_is_drawn_is_read_all_the_same(
    running: Running, tmp_path: Path
) -> None:
    general = tmp_path / "general.tsv"
    general.write_text(f"{VERSES[0]}\tya recogido\n")
    done = running.snapshot("--out", tmp_path / "set", "--general", general)
    assert done.returncode == 0, done.stderr
    assert f"nothing was drawn of {general}" in done.stderr
    general.write_bytes(b"\xb7\tno text\n")
    refused = running.snapshot(
        "--out", tmp_path / "other", "--general", general, "--general-share", 0
    )
    assert refused.returncode == 1
    assert f"{general}, line 1" in refused.stderr
    assert not (tmp_path / "other").exists()


def test_a_folder_that_exists_is_left_alone(running: Running, tmp_path: Path) -> None:
    done = running.snapshot("--out", tmp_path)
    assert done.returncode == 1
    assert "name another folder" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_without_a_name_it_lies_in_the_folder_of_datasets(running: Running, tmp_path: Path) -> None:
    done = running.snapshot(GLOSSA_DATASETS_DIR=str(tmp_path / "sets"))
    assert done.returncode == 0, done.stderr
    (made,) = (tmp_path / "sets").iterdir()
    assert snapshot.check(made)["counts"]["rows"] == 11


def test_nothing_accepted_says_what_to_do(tmp_path: Path) -> None:
    base = free_port_base()
    redis = RedisProcess(port("redis", base), tmp_path / "redis")
    collector = new_collector(base, tmp_path, redis)
    address = ("queue", "snapshot", "--collector", collector.address)
    out = ("--out", str(tmp_path / "sets" / "one"))
    moderate = ScoredPair(pair(), Band.MODERATE, 0.8, 0.8, None, None)
    try:
        redis.start()
        collector.start()
        asyncio.run(collector.wait_ready())
        empty = run_verb(*address, *out)
        asyncio.run(fill(redis.url, [moderate]))
        doubtful = run_verb(*address, *out)
        unseen = run_verb(*address, *out, "--min-band", "moderate")
    finally:
        collector.kill()
        redis.kill()
    assert (empty.returncode, doubtful.returncode, unseen.returncode) == (1, 1, 0)
    assert "nothing has been collected" in empty.stderr
    assert "embedded profile accepts no pair by itself" in doubtful.stderr
    assert "./glossa review" in doubtful.stderr
    assert "--min-band moderate" in doubtful.stderr
    assert [path.name for path in (tmp_path / "sets").iterdir()] == ["one"]


def test_help_teaches() -> None:
    done = run_verb("queue", "snapshot", "--help")
    assert done.returncode == 0
    assert "./glossa queue snapshot --general" in done.stdout
    assert "snapshot" in run_verb("queue", "--help").stdout
