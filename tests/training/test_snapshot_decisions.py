"""What people decide before and after a snapshot, and where it stands."""

from __future__ import annotations

from services.collector import snapshot as dataset
from services.collector.bands import Band
from services.collector.pair import Decision
from tests.collector.pairs import reviewed
from tests.training.collected_church import Church, as_it_was, ids
from training.collected.datasets import read_datasets
from training.job import NOTHING_NEW


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
