"""Pairs to Label Studio and back, and what reviewers put right to stt."""

from __future__ import annotations

import asyncio
import json
import subprocess
import wave
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from glossa.types.v1 import types_pb2
from services.stt.corrections import Corrections
from tests.cli.verb import run_verb
from tests.collector.review_stack import ReviewStack

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ReviewStack]:
    stack = ReviewStack(tmp_path_factory.mktemp("review"))
    try:
        await stack.start()
        yield stack
    finally:
        await stack.stop()


async def glossa_review(
    stack: ReviewStack, *arguments: str | Path
) -> subprocess.CompletedProcess[str]:
    return await asyncio.to_thread(
        run_verb,
        *("review", *map(str, arguments)),
        GLOSSA_COLLECTOR_ADDRESS=stack.collector.address,
        COLUMNS="200",
    )


def annotate(task: dict[str, Any], number: int, choice: str, target: str = "") -> dict[str, Any]:
    """What Label Studio makes of a task when somebody has worked on it."""
    result = [dict(region) for region in task["predictions"][0]["result"]]
    if target:
        result[1] = {**result[1], "value": {"text": [target]}}
    result.append(
        {
            "from_name": "decision",
            "to_name": "shown_source",
            "type": "choices",
            "value": {"choices": [choice]},
        }
    )
    return {**task, "id": number, "annotations": [{"id": number, "result": result}]}


async def test_tasks_go_out_and_annotations_come_back_as_decisions_once(
    stack: ReviewStack, tmp_path: Path
) -> None:
    session_id = await stack.preach(5)
    tasks_path, path = tmp_path / "tasks.json", tmp_path / "annotations.json"
    done = await glossa_review(stack, "export", "--session", session_id, "--out", tasks_path)
    assert done.returncode == 0, done.stderr
    tasks = json.loads(tasks_path.read_text())
    assert len(tasks) == 5
    annotated = [
        annotate(tasks[0], 1, "Right as shown"),
        annotate(tasks[1], 2, "Put right", "Se dijo de otro modo"),
        annotate(tasks[2], 3, "Reject"),
        annotate(tasks[3], 4, "Reject"),
        {"id": 5, "data": {}},
    ]
    path.write_text(json.dumps(annotated))
    held = tasks[3]["data"]["pair_id"]
    lease = (await stack.lease("Ben", pair_id=held)).item.lease_id

    checked = await glossa_review(stack, "import", path, "--check", "--json")
    outcomes = {"accepted": 1, "fixed": 1, "rejected": 1, "leased": 1, "malformed": 1}
    assert json.loads(checked.stdout)["outcomes"] == outcomes
    assert await stack.journalled(session_id, "pair_reviewed") == []
    assert (await stack.progress(session_id)).leased_count == 1  # Ben's

    done = await glossa_review(stack, "import", path, "--reviewer", "Ana", "--json")
    answer = json.loads(done.stdout)
    assert done.returncode == 1
    assert answer["outcomes"] == outcomes
    assert {problem["task"] for problem in answer["problems"]} == {"task 4", "task 5"}
    await stack.until_reviewed(session_id, 3)
    corrected = {entry["pair_id"]: entry for entry in stack.corrected(session_id)}
    assert corrected[tasks[1]["data"]["pair_id"]]["target_text"] == "Se dijo de otro modo"
    assert {entry["reviewer"] for entry in corrected.values()} == {"Ana (Label Studio)"}

    again = await glossa_review(stack, "import", path)
    assert "3 already reviewed" in again.stderr
    assert "task 5: " in again.stderr
    assert len(await stack.journalled(session_id, "pair_reviewed")) == 3
    await stack.submit(lease, types_pb2.DECISION_ACCEPTED)
    path.write_text(json.dumps(annotated[:4]))
    last = await glossa_review(stack, "import", path)
    assert last.returncode == 0, last.stderr
    assert "4 already reviewed" in last.stderr


@pytest.mark.parametrize("choice", ["Right as shown", "Put right"])
async def test_a_pair_that_changed_since_the_export_is_left_to_a_person(
    stack: ReviewStack, tmp_path: Path, choice: str
) -> None:
    from glossa.gateway.v1 import gateway_pb2

    session_id = await stack.preach(1)
    tasks_path, path = tmp_path / "tasks.json", tmp_path / "annotations.json"
    await glossa_review(stack, "export", "--session", session_id, "--out", tasks_path)
    task = json.loads(tasks_path.read_text())[0]
    await stack.gateway.calls.CorrectSegment(
        gateway_pb2.CorrectSegmentRequest(
            session_id=session_id, segment_id=1, language="es", text="Corregido", author="Mo"
        ),
        timeout=10,
    )
    path.write_text(json.dumps([annotate(task, 1, choice)]))
    done = await glossa_review(stack, "import", path)
    assert done.returncode == 1
    assert "changed since the export" in done.stderr
    progress = await stack.progress(session_id)
    assert (progress.open_count, progress.leased_count) == (1, 0)


async def test_audio_goes_along_where_it_was_kept(stack: ReviewStack, tmp_path: Path) -> None:
    session_id = await stack.preach(1, store_audio=True)
    done = await glossa_review(
        *(stack, "export", "--session", session_id, "--out", "-"),
        *("--audio-dir", tmp_path / "audio", "--audio-url", "https://files.example/"),
    )
    assert done.returncode == 0, done.stderr
    name = f"{session_id}_1_es.wav"
    assert json.loads(done.stdout)[0]["data"]["audio"] == f"https://files.example/{name}"
    with wave.open(str(tmp_path / "audio" / name)) as reader:
        assert reader.getnframes() > 0


async def test_audio_whose_time_is_over_meanwhile_is_left_out(
    stack: ReviewStack, tmp_path: Path
) -> None:
    session_id = await stack.preach(2, store_audio=True)
    item = (await stack.lease("Ana", session_id)).item
    assert item.has_audio
    (stack.gateway.folder / "audio" / f"{session_id}.s16le").unlink()
    done = await glossa_review(
        *(stack, "export", "--session", session_id, "--out", "-"),
        *("--audio-dir", tmp_path / "audio"),
    )
    assert done.returncode == 0, done.stderr
    assert [task["data"]["audio"] for task in json.loads(done.stdout)] == ["", ""]
    assert not (await stack.lease("Ana", pair_id=item.pair.pair_id)).item.has_audio


async def test_what_is_no_export_is_refused_in_one_line(stack: ReviewStack, tmp_path: Path) -> None:
    path = tmp_path / "annotations.json"
    for text, message in (("{", "cannot read"), ('{"a": 1}', "list of tasks")):
        path.write_text(text)
        done = await glossa_review(stack, "import", path)
        assert done.returncode == 1
        assert message in done.stderr
        assert "Traceback" not in done.stderr


async def test_what_reviewers_put_right_is_suggested_for_stt(
    stack: ReviewStack, tmp_path: Path
) -> None:
    session_id = await stack.preach(4)
    for decision in (
        types_pb2.DECISION_FIXED,
        types_pb2.DECISION_FIXED,
        types_pb2.DECISION_FIXED,
        types_pb2.DECISION_REJECTED,
    ):
        item = (await stack.lease("Ana", session_id)).item
        text = item.pair.source_text.replace("said", "Saul")
        await stack.submit(item.lease_id, decision, text)
    await stack.undo("Ana")  # a decision that was taken back speaks for nothing
    await stack.until_reviewed(session_id, 3)
    out = tmp_path / "corrections_en.tsv"
    done = await glossa_review(
        stack, "suggestions", "--session", session_id, "--out", out, "--json"
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["suggestions"]
    assert [(row["heard"], row["intended"], row["count"]) for row in found] == [("said", "Saul", 3)]
    assert found[0]["pair_ids"][0].startswith(session_id)
    assert len(Corrections.read(out)) == 1
    done = await glossa_review(stack, "suggestions", "--session", session_id, "--min-count", "4")
    assert "No words were put right" in done.stdout
