"""Datasets on the disk: whole or not there, never changed unseen, and forgetting when told to."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from services.collector import snapshot
from services.collector.audio_folder import METADATA
from services.collector.pair import Decision
from services.collector.row import Row, Tier
from services.errors import InvalidInput, WrongState
from tests.collector.candidates import candidate, row
from tests.processes import REPOSITORY

ROWS = [
    row(candidate(1, "Let us turn to the letter")),
    row(candidate(2, "It was written “there”", decision=Decision.FIXED, band="corrected")),
    row(candidate(3, "Of another session", session_id="session-b")),
    row(candidate(4, "Quite new words", band="moderate"), Tier.DIVERSITY),
    row(None, Tier.GENERAL, "How are you?"),
]


def write(out: Path, rows: list[Row] = ROWS, *, with_audio: bool = False) -> dict[str, Any]:
    with snapshot.being_written(out) as folder:
        snapshot.write_pairs(folder, ("en", "es"), rows)
        if with_audio:
            write_clips(folder / "audio" / "en" / "train")
        return snapshot.write_manifest(folder, {"seed": 7})


def write_clips(split: Path) -> None:
    """What audio_folder.py leaves, with bytes in the place of FLAC."""
    for session_id in ("session-a", "session-b"):
        (split / session_id).mkdir(parents=True)
        (split / session_id / "1.flac").write_bytes(session_id.encode())
    (split / METADATA).write_text(
        "".join(
            json.dumps({"file_name": f"{session_id}/1.flac", "session_id": session_id}) + "\n"
            for session_id in ("session-a", "session-b")
        )
    )


def rows_of(folder: Path) -> list[dict[str, Any]]:
    return list(snapshot.read_rows(folder / "en-es" / "pairs.jsonl"))


def everything_below(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def test_a_row_holds_texts_by_language_and_what_is_known_of_the_pair(tmp_path: Path) -> None:
    write(tmp_path / "set")
    first, fixed, *_, general = rows_of(tmp_path / "set")
    assert first == {
        "en": "Let us turn to the letter",
        "es": "es: Let us turn to the letter",
        "source_language": "en",
        "target_language": "es",
        "tier": "accepted",
        "weight": 1.0,
        "cluster_id": 0,
        "pair_id": "session-a/1/es",
        "session_id": "session-a",
        "segment_id": 1,
        "band": "accept",
        "quality_score": 0.9,
        "stt_confidence": 0.9,
        "translation_qe": 0.9,
        "marian_agreement": None,
        "stt_model": "rule/stt",
        "mt_model": "rule/mt",
        "start_offset_ms": 1000,
        "end_offset_ms": 1900,
        "sequence": 1,
        "decision": None,
    }
    assert fixed["decision"] == "fixed"
    assert general["tier"] == "general"
    assert general["pair_id"] is None


def test_the_manifest_counts_and_hashes_what_is_there(tmp_path: Path) -> None:
    manifest = write(tmp_path / "set", with_audio=True)
    assert snapshot.check(tmp_path / "set") == manifest
    assert manifest["seed"] == 7
    assert manifest["schema_version"] == 1
    assert manifest["counts"] == {
        "rows": 5,
        "tiers": {"accepted": 3, "diversity": 1, "general": 1},
        "bands": {"accept": 2, "corrected": 1, "moderate": 1},
        "language_pairs": {"en-es": {"accepted": 3, "diversity": 1, "general": 1}},
        "sessions": {"session-a": 3, "session-b": 1},
        "clips": 2,
    }
    assert len(manifest["files"]) == 4


@pytest.mark.parametrize("change", ["changed", "missing", "added"])
def test_a_dataset_that_was_touched_is_damaged(tmp_path: Path, change: str) -> None:
    write(tmp_path / "set")
    pairs = tmp_path / "set" / "en-es" / "pairs.jsonl"
    if change == "changed":
        pairs.write_bytes(pairs.read_bytes().replace(b"letter", b"Letter"))
    elif change == "missing":
        pairs.unlink()
    else:
        pairs.with_name("more.jsonl").write_text("{}\n")
    with pytest.raises(WrongState, match=r"en-es/\w+\.jsonl") as caught:
        snapshot.check(tmp_path / "set")
    assert caught.value.reason == "DATASET_DAMAGED"


def test_what_is_no_dataset_is_refused(tmp_path: Path) -> None:
    for content in ("", "{}", "[]", '{"schema": "other"}'):
        (tmp_path / "manifest.json").write_text(content)
        with pytest.raises(InvalidInput, match="no manifest"):
            snapshot.check(tmp_path)
    with pytest.raises(InvalidInput, match="no manifest"):
        snapshot.check(tmp_path / "missing")


def test_a_folder_that_exists_is_never_written_to(tmp_path: Path) -> None:
    write(tmp_path / "set")
    before = everything_below(tmp_path)
    with pytest.raises(WrongState, match="never changes"):
        write(tmp_path / "set", [])
    assert everything_below(tmp_path) == before


def test_a_failure_half_way_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="gateway"):
        write_half(tmp_path / "set")
    assert list(tmp_path.iterdir()) == []


def write_half(out: Path) -> None:
    with snapshot.being_written(out) as folder:
        snapshot.write_pairs(folder, ("en", "es"), ROWS)
        raise RuntimeError("the gateway went away")


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidInput, match="cannot write"):
        write(tmp_path / "file" / "set")


def test_a_forgotten_session_leaves_no_byte_and_the_rest_as_it_was(tmp_path: Path) -> None:
    for name in ("one", "nested/two"):
        write(tmp_path / name, with_audio=True)
    write(tmp_path / "other", [row(candidate(8, "Kept", session_id="session-b"))])
    kept = [row for row in rows_of(tmp_path / "one") if row["session_id"] != "session-a"]
    untouched = everything_below(tmp_path / "other")
    clip = tmp_path / "one/audio/en/train/session-b/1.flac"

    assert snapshot.forget_session(tmp_path, "session-a") == 2 * (3 + 1)

    assert b"session-a" not in everything_below(tmp_path)
    assert not list(tmp_path.rglob("session-a"))
    assert everything_below(tmp_path / "other") == untouched
    for name in ("one", "nested/two"):
        manifest = snapshot.check(tmp_path / name)
        assert rows_of(tmp_path / name) == kept
        assert manifest["forgotten_session_count"] == 1
        assert manifest["counts"]["sessions"] == {"session-b": 1}
        assert Counter(row["tier"] for row in kept) == manifest["counts"]["tiers"]
        assert manifest["counts"]["clips"] == 1
    assert clip.read_bytes() == b"session-b"
    assert snapshot.forget_session(tmp_path, "session-a") == 0


def test_the_last_clip_takes_its_audio_folder_s_metadata_along(tmp_path: Path) -> None:
    write(tmp_path / "set", with_audio=True)
    assert snapshot.forget_session(tmp_path, "session-a") == 4
    assert snapshot.forget_session(tmp_path, "session-b") == 2
    manifest = snapshot.check(tmp_path / "set")
    assert not list(tmp_path.rglob(METADATA))
    assert manifest["forgotten_session_count"] == 2
    assert manifest["counts"]["rows"] == 1


@pytest.mark.parametrize("session_id", ["session-z", "", "*", "..", "train"])
def test_a_session_that_is_in_no_dataset_changes_nothing(tmp_path: Path, session_id: str) -> None:
    write(tmp_path / "set", with_audio=True)
    before = everything_below(tmp_path)
    assert snapshot.forget_session(tmp_path, session_id) == 0
    assert everything_below(tmp_path) == before


def test_forgetting_that_was_cut_short_is_finished_by_asking_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk fails when the manifest, the last file, is about to be replaced."""
    write(tmp_path / "set", with_audio=True)
    replace = Path.replace

    def full(path: Path, target: Path) -> Path:
        if target.name == "manifest.json":
            raise OSError("no space left")
        return replace(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", full)
        with pytest.raises(OSError, match="no space"):
            snapshot.forget_session(tmp_path, "session-a")
    with pytest.raises(WrongState):
        snapshot.check(tmp_path / "set")
    snapshot.forget_session(tmp_path, "session-a")
    assert snapshot.check(tmp_path / "set")["counts"]["sessions"] == {"session-b": 1}
    assert b"session-a" not in everything_below(tmp_path)


def test_a_damaged_dataset_stays_damaged_when_it_forgets(tmp_path: Path) -> None:
    write(tmp_path / "set", with_audio=True)
    (tmp_path / "set/audio/en/train/session-b/1.flac").write_bytes(b"broken")
    snapshot.forget_session(tmp_path, "session-a")
    with pytest.raises(WrongState, match=r"session-b/1\.flac has changed"):
        snapshot.check(tmp_path / "set")


def test_a_manifest_that_cannot_be_read_is_named_once_the_others_have_forgotten(
    tmp_path: Path,
) -> None:
    for name in ("broken", "whole"):
        write(tmp_path / name)
    (tmp_path / "broken" / "manifest.json").write_text('{"schema": "glossa-')
    with pytest.raises(WrongState, match=r"broken/manifest\.json.*delete that dataset"):
        snapshot.forget_session(tmp_path, "session-a")
    assert b"session-a" not in everything_below(tmp_path / "whole")


def test_two_sessions_forgotten_at_once_stay_forgotten(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    for number in range(20):
        write(tmp_path / f"set-{number}", with_audio=True)
    forgetting = [
        context.Process(target=snapshot.forget_session, args=(tmp_path, session_id))
        for session_id in ("session-a", "session-b")
    ]
    try:
        for process in forgetting:
            process.start()
        for process in forgetting:
            process.join(60)
            assert process.exitcode == 0
    finally:
        for process in forgetting:
            process.kill()
    assert b"session-" not in everything_below(tmp_path)
    for number in range(20):
        assert snapshot.check(tmp_path / f"set-{number}")["forgotten_session_count"] == 2


def test_forgetting_waits_for_a_dataset_that_is_being_written(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    begun, go_on = context.Event(), context.Event()
    writer = context.Process(target=write_slowly, args=(tmp_path / "set", begun, go_on))
    forgetting = context.Process(target=snapshot.forget_session, args=(tmp_path, "session-a"))
    try:
        writer.start()
        assert begun.wait(30)
        forgetting.start()
        wait_until_it_found_the_part(forgetting.pid)
        go_on.set()
        for process in (writer, forgetting):
            process.join(30)
            assert process.exitcode == 0
    finally:
        writer.kill()
        forgetting.kill()
    assert snapshot.check(tmp_path / "set")["counts"]["sessions"] == {"session-b": 1}


def test_forgetting_does_not_wait_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "_HELD_TIMEOUT_S", 0.1)
    write(tmp_path / "finished")
    with snapshot.being_written(tmp_path / "set") as folder:
        snapshot.write_pairs(folder, ("en", "es"), ROWS)
        with pytest.raises(WrongState, match="forget it again") as caught:
            snapshot.forget_session(tmp_path, "session-a")
    assert caught.value.reason == "FOLDER_BUSY"
    assert b"session-a" not in everything_below(tmp_path / "finished")
    assert (tmp_path / "set").is_dir()


def wait_until_it_found_the_part(pid: int | None) -> None:
    """Waits until the process has opened the folder that is being written, to lock it."""
    deadline = time.monotonic() + 30
    while not any(name.endswith(".part") for name in open_files(Path(f"/proc/{pid}/fd"))):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def open_files(descriptors: Path) -> Iterator[str]:
    for each in descriptors.iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            yield str(each.readlink())


def write_slowly(out: Path, begun: Any, go_on: Any) -> None:
    with snapshot.being_written(out) as folder:
        snapshot.write_pairs(folder, ("en", "es"), ROWS)
        begun.set()
        assert go_on.wait(30)
        snapshot.write_manifest(folder, {})


def test_what_a_killed_run_left_is_forgotten_too(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    begun, go_on = context.Event(), context.Event()
    writer = context.Process(target=write_slowly, args=(tmp_path / "set", begun, go_on))
    writer.start()
    assert begun.wait(30)
    writer.kill()
    writer.join(30)
    assert b"session-a" in everything_below(tmp_path)
    snapshot.forget_session(tmp_path, "session-a")
    assert list(tmp_path.iterdir()) == []


def test_forgetting_needs_none_of_the_libraries_that_make_datasets() -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-c"),
            "import sys; from services.collector import snapshot; "
            "print({'datasketch', 'soundfile', 'numpy'} & set(sys.modules))",
        ],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "set()"
