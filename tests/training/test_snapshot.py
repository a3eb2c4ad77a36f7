"""Snapshots of a trainer, from a real Redis: what is in them, and what is left out."""

from __future__ import annotations

import fcntl
import json
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
import redis
from click.testing import CliRunner

from services.collector import snapshot as dataset
from services.collector.bands import Band
from services.collector.pair import Decision, ForgottenSession
from services.collector.pair_keys import stream_key
from tests.collector.pairs import reviewed, scored
from tests.training.collected_church import SUNDAY, Church, ids
from training.collected.held_out import Place, places
from training.job import NOTHING_NEW
from training.rows import read_rows
from training.snapshot import snapshot


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
