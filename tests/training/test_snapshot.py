"""Snapshots of a trainer, from a real Redis: killed anywhere, each pair is stored exactly once."""

from __future__ import annotations

import asyncio
import fcntl
import itertools
import json
import multiprocessing
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from click.testing import CliRunner, Result

from services.collector import snapshot as dataset
from services.collector.bands import Band
from services.collector.pair import Decision, ForgottenSession, ReviewedPair
from services.collector.pair_keys import stream_key
from services.collector.queues import Queues
from services.collector.write_script import Write
from services.settings import port
from tests.collector.pairs import reviewed, scored
from tests.collector.redis_process import RedisProcess
from tests.processes import REPOSITORY, free_port_base
from training.collected.datasets import read_datasets
from training.collected.held_out import Place, places
from training.job import NOTHING_NEW
from training.rows import read_rows
from training.snapshot import snapshot

SUNDAY = datetime(2026, 11, 22, 10, tzinfo=UTC)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisProcess]:
    server = RedisProcess(port("redis", free_port_base()), tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.kill()


class Church:
    """What is collected, and the trainer's folder."""

    def __init__(self, server: RedisProcess, folder: Path) -> None:
        self.server = server
        self.folder = folder
        self.empty_queues()

    def empty_queues(self) -> None:
        self.server.client.flushall()
        self._sequence = 0

    def collect(self, *changes: Any) -> None:
        first = self._sequence + 1
        writes = [Write(number, change) for number, change in enumerate(changes, first)]

        async def write() -> None:
            queues = Queues.open(self.server.url)
            await queues.write("journal", self._sequence, writes)
            await queues.close()

        asyncio.run(write())
        self._sequence += len(changes)

    def preach(self, week: int, segments: range, band: Band = Band.ACCEPT) -> None:
        self.collect(*(self.said(week, number, band) for number in segments))

    def said(self, week: int, segment_id: int, band: Band = Band.ACCEPT) -> Any:
        return scored(
            band,
            sequence=self._sequence,
            session_id=f"week-{week}",
            segment_id=segment_id,
            time=SUNDAY + timedelta(weeks=week),
            source_text=f"Sentence {segment_id} of week {week} was said",
            target_text=f"La frase {segment_id} de la semana {week}",
        )

    def arguments(self, *more: str, trainer: str = "marian") -> list[str]:
        url = self.server.url_of("trainer", self.server.port)
        return ["--trainer", trainer, "--redis", url, "--held-out-share", "0", *more]

    def snapshot(self, name: str, *more: str, trainer: str = "marian") -> Result:
        out = ["--out", str(self.folder / name)]
        return CliRunner().invoke(snapshot, [*self.arguments(*more, trainer=trainer), *out])

    def stored(self, name: str = "**") -> Counter[str]:
        """How often each pair is in the whole snapshots, each of which is checked."""
        found: Counter[str] = Counter()
        for manifest in self.folder.glob(f"{name}/manifest.json"):
            if not any(part.endswith(".part") for part in manifest.parts):
                dataset.check(manifest.parent)
                for path in manifest.parent.glob("*/pairs.jsonl"):
                    found.update(row["pair_id"] for row in dataset.read_rows(path))
        return found

    def learned(self, *names: str) -> set[str]:
        """The translations that there are to train on in these snapshots."""
        collected = read_datasets([self.folder / name for name in names])
        return {row.target for row in collected.rows["train"]}

    def manifest(self, name: str) -> dict[str, Any]:
        manifest: dict[str, Any] = json.loads((self.folder / name / "manifest.json").read_text())
        return manifest

    def pending(self) -> int:
        return sum(
            group["pending"]
            for name in ("accept", "corrected")
            for group in self.server.client.xinfo_groups(stream_key(name))
        )


@pytest.fixture
def church(server: RedisProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Church:
    monkeypatch.setenv("GLOSSA_DATASETS_DIR", str(tmp_path / "datasets"))
    return Church(server, tmp_path / "datasets")


def as_it_was(machine: Any, sequence: int, decision: Decision, revision: int = 1) -> ReviewedPair:
    """A decision that leaves the texts, or shows those of the machine again."""
    return replace(
        reviewed(machine, sequence, decision, revision),
        source_text=machine.pair.source_text,
        target_text=machine.pair.target_text,
    )


def ids(week: int, *segments: int) -> set[str]:
    return {f"week-{week}/{segment}/es" for segment in segments}


def killed_at(point: int, arguments: list[str]) -> bool:
    """Makes a snapshot and kills it -9 at the n-th step; whether it came so far.

    Steps are before and after each command to Redis, each fsync and each rename.
    """

    def run() -> None:
        steps = itertools.count()

        def step() -> None:
            if next(steps) == point:
                os.kill(os.getpid(), signal.SIGKILL)

        def with_steps(owner: Any, name: str) -> None:
            real = getattr(owner, name)

            def stepping(*positional: Any, **named: Any) -> Any:
                step()
                result = real(*positional, **named)
                step()
                return result

            setattr(owner, name, stepping)

        with_steps(redis.Redis, "execute_command")
        with_steps(os, "fsync")
        with_steps(Path, "rename")
        snapshot.main(arguments, standalone_mode=False)

    process = multiprocessing.get_context("fork").Process(target=run)
    process.start()
    process.join(60)
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode != 0


@pytest.mark.parametrize(
    ("again", "stride"),
    [(["--consumer", "desk"], 1), (["--consumer", "laptop", "--reclaim-after", "0"], 3)],
    ids=["the same machine goes on", "another machine takes over"],
)
def test_killed_at_any_step_it_neither_loses_nor_doubles_a_pair(
    church: Church, again: list[str], stride: int
) -> None:
    for point in itertools.count(0, stride):
        run = Church(church.server, church.folder / str(point))
        os.environ["GLOSSA_DATASETS_DIR"] = str(run.folder)
        run.preach(1, range(1, 5))
        run.collect(reviewed(run.said(1, 4), 5))
        run.preach(2, range(1, 4))
        out = ["--consumer", "desk", "--out", str(run.folder / "first")]
        is_killed = killed_at(point, [*run.arguments(), *out])
        run.preach(2, range(4, 6))
        assert run.snapshot("second", *again).exit_code == 0
        assert run.stored() == dict.fromkeys(ids(1, 1, 2, 3, 4) | ids(2, 1, 2, 3, 4, 5), 1), point
        assert run.pending() == 0, point
        if not is_killed:
            break
    assert point > 20


def test_a_snapshot_that_is_killed_as_a_process_is_made_up_for(church: Church) -> None:
    church.preach(1, range(1, 40))
    command = [sys.executable, "-m", "training.snapshot", *church.arguments()]
    process = subprocess.Popen(command, cwd=REPOSITORY)
    while not list(church.folder.rglob(".*.part")) and process.poll() is None:
        pass
    process.kill()
    process.wait()
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert church.stored() == dict.fromkeys(ids(1, *range(1, 40)), 1), done.stderr
    assert church.pending() == 0


def test_the_manifest_names_what_it_was_made_of(church: Church) -> None:
    church.preach(1, range(1, 4))
    done = church.snapshot("one")
    assert done.exit_code == 0
    assert done.output.splitlines()[-1] == str(church.folder / "one")
    manifest = church.manifest("one")
    entries = [entry_id for entry_id, _ in church.server.client.xrange(stream_key("accept"))]
    assert manifest["entries"] == {"accept": entries}
    assert manifest["trainer"]["name"] == "marian"
    assert manifest["counts"]["rows"] == 3
    assert manifest["splits"] == {"week-1": {"split": "train", "date": "2026-11-29"}}
    assert len(manifest["git_revision"].rstrip("+")) in (0, 40)
    assert set(manifest["files"]) == {"en-es/pairs.jsonl"}
    rows = list(read_rows(church.folder / "one/en-es/pairs.jsonl"))
    assert {(row.kind, row.group) for row in rows} == {("sermon", "week-1")}


def test_where_all_that_is_new_is_left_out_it_is_kept_for_the_next_snapshot(
    church: Church, tmp_path: Path
) -> None:
    church.preach(1, range(1, 3))
    table = tmp_path / "judged.tsv"
    table.write_text("".join(f"Sentence {number} of week 1 was said\t.\n" for number in (1, 2)))
    none = church.snapshot("one", "--evaluation", str(table))
    assert none.exit_code == NOTHING_NEW
    assert "leaked: judged.tsv: 2" in none.output
    assert church.pending() == 2
    church.preach(2, range(1, 2))
    assert church.snapshot("two", "--evaluation", str(table)).exit_code == 0
    assert church.manifest("two")["dropped"] == {
        "leaked: judged.tsv": {"week-1": sorted(ids(1, 1, 2))}
    }
    assert church.pending() == 0


def test_where_nothing_is_new_there_is_no_snapshot(church: Church) -> None:
    church.preach(1, range(1, 4))
    assert church.snapshot("one").exit_code == 0
    again = church.snapshot("two")
    assert again.exit_code == NOTHING_NEW
    assert "no pair is collected that marian has not stored" in again.output
    assert not (church.folder / "two").exists()
    resumed = church.snapshot("one", "--resume")
    assert resumed.exit_code == 0
    assert resumed.output.splitlines()[-1] == str(church.folder / "one")


def test_every_trainer_has_every_pair(church: Church) -> None:
    church.preach(1, range(1, 4))
    assert church.snapshot("one").exit_code == 0
    assert church.snapshot("other", trainer="whisper").exit_code == 0
    assert church.stored("one") == church.stored("other") == dict.fromkeys(ids(1, 1, 2, 3), 1)


def test_people_s_word_counts_and_a_rejected_pair_is_never_stored(church: Church) -> None:
    machine = {number: church.said(1, number) for number in range(1, 6)}
    church.collect(
        *(machine[number] for number in (1, 2, 3, 4)),
        reviewed(machine[1], 10, Decision.FIXED),
        reviewed(machine[2], 11, Decision.REJECTED),
        reviewed(machine[3], 12, Decision.REJECTED),
        reviewed(machine[3], 13, Decision.WITHDRAWN, revision=2),
        reviewed(machine[5], 14, Decision.REJECTED),
    )
    assert church.snapshot("one").exit_code == 0
    rows = {
        row["segment_id"]: row for row in dataset.read_rows(church.folder / "one/en-es/pairs.jsonl")
    }
    assert sorted(rows) == [1, 3, 4]
    assert rows[1]["es"] == "El río está al borde del campo abierto"
    assert rows[3]["band"] == "accept"
    assert church.manifest("one")["dropped"] == {"rejected": {"week-1": sorted(ids(1, 2, 5))}}

    church.collect(machine[5], reviewed(machine[4], 20, Decision.REJECTED), church.said(1, 6))
    assert church.snapshot("two").exit_code == 0
    assert church.stored("two") == dict.fromkeys(ids(1, 6), 1)
    assert church.manifest("two")["dropped"] == {"rejected": {"week-1": list(ids(1, 4))}}


def test_what_people_decide_after_a_snapshot_stands_in_the_next(church: Church) -> None:
    machine = {number: church.said(1, number) for number in (1, 2, 3)}
    church.collect(*machine.values())
    assert church.snapshot("one").exit_code == 0
    church.collect(
        reviewed(machine[1], 10, Decision.FIXED),
        reviewed(machine[2], 11, Decision.REJECTED),
        as_it_was(machine[3], 12, Decision.ACCEPTED),
    )
    assert church.snapshot("two").exit_code == 0
    assert church.stored("two") == dict.fromkeys(ids(1, 1), 1)
    assert church.manifest("two")["dropped"] == {"rejected": {"week-1": list(ids(1, 2))}}
    fixed = "El río está al borde del campo abierto"
    assert church.learned("one", "two") == {fixed, machine[3].pair.target_text}
    assert church.snapshot("again").exit_code == NOTHING_NEW
    assert church.pending() == 0

    church.collect(
        as_it_was(machine[1], 20, Decision.WITHDRAWN, revision=2),
        reviewed(machine[2], 21, Decision.FIXED, revision=2),
    )
    assert church.snapshot("three").exit_code == 0
    said = {machine[1].pair.target_text, fixed, machine[3].pair.target_text}
    assert church.learned("one", "two", "three") == said


def test_a_word_that_only_takes_pairs_back_makes_a_snapshot_too(church: Church) -> None:
    church.preach(1, range(1, 3))
    doubtful = church.said(1, 7, Band.MODERATE)
    church.collect(doubtful, as_it_was(doubtful, 8, Decision.ACCEPTED))
    assert church.snapshot("one").exit_code == 0
    assert church.stored("one") == dict.fromkeys(ids(1, 1, 2, 7), 1)
    church.collect(
        reviewed(church.said(1, 1), 10, Decision.REJECTED),
        as_it_was(doubtful, 11, Decision.WITHDRAWN, revision=2),
    )
    assert church.snapshot("two").exit_code == 0
    assert church.stored("two") == {}
    assert church.learned("one", "two") == {"La frase 2 de la semana 1"}
    assert church.pending() == 0
    assert church.snapshot("three").exit_code == NOTHING_NEW


def test_a_word_that_says_nothing_is_acknowledged_though_there_is_no_snapshot(
    church: Church,
) -> None:
    doubtful = church.said(1, 7, Band.MODERATE)
    church.collect(
        doubtful,
        reviewed(doubtful, 8, Decision.REJECTED),
        as_it_was(doubtful, 9, Decision.WITHDRAWN, revision=2),
    )
    assert church.snapshot("one").exit_code == NOTHING_NEW
    assert church.pending() == 0
    church.collect(reviewed(doubtful, 10, Decision.FIXED, revision=3))
    assert church.snapshot("two").exit_code == 0
    assert church.stored() == dict.fromkeys(ids(1, 7), 1)


def test_a_held_out_pair_that_is_put_right_stays_held_out(church: Church) -> None:
    church.preach(1, range(1, 3))
    church.preach(2, range(1, 3))
    assert church.snapshot("one", "--held-out-newest", "1").exit_code == 0
    church.collect(reviewed(church.said(2, 1), 10, Decision.FIXED))
    assert church.snapshot("two").exit_code == 0
    collected = read_datasets([church.folder / name for name in ("one", "two")])
    assert {row.target for row in collected.rows["test"]} == {
        "El río está al borde del campo abierto",
        "La frase 2 de la semana 2",
    }
    assert [row.target for row in collected.outdated["test"]] == ["La frase 1 de la semana 2"]


def test_days_are_held_out_whole_and_stay_where_they_are(church: Church) -> None:
    for week in (1, 2, 3):
        church.preach(week, range(1, 4))
    assert church.snapshot("one", "--held-out-newest", "2").exit_code == 0
    for week in (1, 2, 3, 4, 5):
        church.preach(week, range(4, 6))
    assert church.snapshot("two", "--held-out-newest", "1").exit_code == 0
    wanted = {"en-es": {1, 4}, "en-es.dev": {2}, "en-es.test": {3, 5}}
    for split, weeks in wanted.items():
        found = {
            int(row["session_id"].removeprefix("week-"))
            for path in church.folder.glob(f"*/{split}/pairs.jsonl")
            for row in dataset.read_rows(path)
        }
        assert found == weeks, split


def test_what_is_judged_with_is_not_trained_on_and_is_named(church: Church, tmp_path: Path) -> None:
    church.preach(1, range(1, 4))
    table = tmp_path / "judged.tsv"
    table.write_text("sentence 2 of week 1 was said!\tNada de eso\n")
    lines = tmp_path / "judged.jsonl"
    row = {"en": "No such thing", "es": "La frase 3 de la semana 1"}
    lines.write_text(json.dumps({**row, "source_language": "en", "target_language": "es"}))
    evaluations = ["--evaluation", str(table), "--evaluation", str(lines)]
    assert church.snapshot("one", *evaluations).exit_code == 0
    assert church.stored() == dict.fromkeys(ids(1, 1), 1)
    assert church.manifest("one")["dropped"] == {
        "leaked: judged.tsv": {"week-1": list(ids(1, 2))},
        "leaked: judged.jsonl": {"week-1": list(ids(1, 3))},
    }
    assert [each["name"] for each in church.manifest("one")["evaluations"]] == [
        "judged.tsv",
        "judged.jsonl",
    ]


def test_a_session_that_is_judged_with_is_not_trained_on(church: Church, tmp_path: Path) -> None:
    church.preach(1, range(1, 3))
    church.preach(2, range(1, 3))
    row = {"en": "No such thing", "es": "Nada de eso", "session_id": "week-1"}
    lines = tmp_path / "judged.jsonl"
    lines.write_text(json.dumps({**row, "source_language": "en", "target_language": "es"}))
    assert church.snapshot("one", "--evaluation", str(lines)).exit_code == 0
    assert church.stored() == dict.fromkeys(ids(2, 1, 2), 1)
    assert church.manifest("one")["dropped"] == {
        "leaked: judged.jsonl": {"week-1": sorted(ids(1, 1, 2))}
    }


def test_a_line_to_judge_with_that_lacks_a_text_is_named(church: Church, tmp_path: Path) -> None:
    church.preach(1, range(1, 3))
    table = tmp_path / "judged.tsv"
    table.write_text("Grace to you.\tGracia a ustedes.\nPeace to you.\t\n")
    done = church.snapshot("one", "--evaluation", str(table))
    assert done.exit_code == 2
    assert "line 2, is no source, a tab and its translation" in done.output  # as mix says it
    assert not list(church.folder.rglob("manifest.json"))


def test_a_sentence_of_a_held_out_day_is_not_trained_on(church: Church) -> None:
    church.preach(1, range(1, 3))
    again = church.said(2, 1)
    church.collect(again, church.said(2, 2))
    assert church.snapshot("one", "--held-out-newest", "1").exit_code == 0
    repeated = scored(
        Band.ACCEPT,
        sequence=90,
        session_id="week-3",
        segment_id=1,
        time=SUNDAY + timedelta(weeks=3),
        source_text=again.pair.source_text,
        target_text="Otra cosa",
    )
    church.collect(repeated, church.said(3, 2))
    assert church.snapshot("two").exit_code == 0
    assert church.stored("two") == dict.fromkeys(ids(3, 2), 1)
    assert church.manifest("two")["dropped"] == {
        "leaked: held-out sessions": {"week-3": list(ids(3, 1))}
    }


def test_a_forgotten_session_leaves_every_split_and_the_manifest(church: Church) -> None:
    for week in (1, 2, 3):
        church.preach(week, range(1, 3))
    church.collect(reviewed(church.said(2, 9), 30, Decision.REJECTED))
    assert church.snapshot("one", "--held-out-newest", "1").exit_code == 0
    for week, rows in ((2, 2), (3, 2)):
        assert dataset.forget_session(church.folder, f"week-{week}") == rows
        assert f"week-{week}" not in (church.folder / "one/manifest.json").read_text()
    dataset.check(church.folder / "one")
    assert church.stored() == dict.fromkeys(ids(1, 1, 2), 1)


def test_what_was_delivered_and_forgotten_is_acknowledged_and_dropped(church: Church) -> None:
    church.preach(1, range(1, 4))
    church.preach(2, range(1, 3))
    key = stream_key("accept")
    trainer = redis.Redis.from_url(church.server.url_of("trainer", church.server.port))
    trainer.xgroup_create(key, "marian", id="0")
    assert trainer.xreadgroup("marian", "desk", {key: ">"})
    church.collect(ForgottenSession(99, "week-1"))
    assert church.snapshot("one", "--consumer", "desk").exit_code == 0
    assert church.stored() == dict.fromkeys(ids(2, 1, 2), 1)
    assert church.pending() == 0


def test_a_redis_that_was_filled_anew_brings_no_pair_twice(church: Church) -> None:
    church.preach(1, range(1, 4))
    assert church.snapshot("one").exit_code == 0
    church.empty_queues()
    church.preach(1, range(1, 5))
    assert church.snapshot("two").exit_code == 0
    assert church.stored() == dict.fromkeys(ids(1, 1, 2, 3, 4), 1)


def test_only_one_snapshot_of_a_trainer_is_made_at_a_time(church: Church) -> None:
    church.preach(1, range(1, 4))
    church.folder.mkdir()
    with (church.folder / ".marian.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        busy = church.snapshot("one")
    assert busy.exit_code == 1
    assert "a snapshot for marian is being made" in busy.output
    assert church.snapshot("one").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--trainer", "../x"], "a name that a folder can have"),
        (["--out", "/tmp/elsewhere"], "/tmp/elsewhere is outside of"),
        (
            ["--redis", "redis://trainer:wrong@127.0.0.1:1/0"],  # pragma: allowlist secret
            "Redis does not do its work",
        ),
    ],
)
def test_what_cannot_be_done_is_said(church: Church, arguments: list[str], told: str) -> None:
    church.preach(1, range(1, 2))
    done = CliRunner().invoke(snapshot, [*church.arguments(), *arguments])
    assert done.exit_code in (1, 2)
    assert told in done.output
    assert not list(church.folder.rglob("manifest.json"))


def test_a_day_s_place_follows_from_its_date_alone() -> None:
    dates = {f"session-{day}": f"2026-{day // 28 + 1:02}-{day % 28 + 1:02}" for day in range(300)}
    placed = places(dates, {}, 0.2, None)
    counts = Counter(place.split for place in placed.values())
    assert 25 <= counts["dev"] + counts["test"] <= 95
    assert min(counts.values()) >= 8
    some = dict(list(dates.items())[:7])
    assert places(some, {}, 0.2, None).items() <= placed.items()


def test_the_evening_goes_where_the_morning_is() -> None:
    known = {"morning": Place("test", "2026-11-22")}
    placed = places({"evening": "2026-11-22", "morning": "2026-11-22"}, known, 0.0, None)
    assert {place.split for place in placed.values()} == {"test"}
