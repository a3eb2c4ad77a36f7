"""From a sermon to a better model that speaks: the whole loop, with real speech and services."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from glossa.gateway.v1 import gateway_pb2
from services.model_manifest import read_manifest
from tests.e2e.pulpit import Pulpit
from tests.e2e.stack import Display, speak, texts
from tests.speech import spoken, with_pauses
from tests.tiny.marian import marian_hf
from tests.training.cycle_church import HELD_OUT, MODEL, SERMON, TrainingChurch, kill_all
from training.rows import read_rows

pytestmark = [
    pytest.mark.training,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(600),
]

SENTENCE = "Tonight we give thanks for the two houses."
BEFORE = f"marian/{MODEL}"
RULES = "apertium/eng-spa"
FOR_RULES = "Go to www.example.org and sign up."
# Said while the model is changed, and mended later.
MEANWHILE = {
    "She told them that the stone was gone.": "Les dijo que la piedra no estaba.",
    "The people came in the morning.": "El pueblo vino por la mañana.",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def church(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[TrainingChurch]:
    """Two services were spoken, and mended by a person."""
    church = TrainingChurch(tmp_path_factory.mktemp("church"))
    await church.stack.start()
    try:
        for service in (SERMON, HELD_OUT):
            sermon = with_pauses(*(spoken(sentence) for sentence in service))
            closed = await speak(church.stack.speaker(speed=0), sermon)
            await church.mend(closed.session_id, dict(enumerate(service.items(), start=1)))
        yield church
    finally:
        church.end_cycles()
        assert church.stack.stop() == 0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def better(church: TrainingChurch) -> TrainingChurch:
    """A cycle trained on one of them, killed twice and resumed, up to the registry."""
    church.write_plan()
    first = church.begin("better", "--until", "registry")
    await church.until_step(first, "better", "train")
    checkpoint = church.folder / "cycles/better/train/checkpoint.pt"
    async with asyncio.timeout(120):
        while not checkpoint.exists():
            assert first.poll() is None, first.communicate()[0]
            await asyncio.sleep(0.02)
    kill_all(first)  # the machine, as it were

    second = church.begin("better", "--until", "registry", "--resume")
    await church.until_step(second, "better", "evaluate")
    second.kill()  # the cycle alone: its step goes on, and is waited for
    status, output = await church.run("better", "--until", "registry", "--resume", "--wait", "10")
    assert status == 0, output
    return church


@dataclass(frozen=True)
class Meanwhile:
    """A session that went on while a version was put into use."""

    church: TrainingChurch
    session_id: str
    events: list[gateway_pb2.JournalEvent]
    display: Display


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def deployed(better: TrainingChurch) -> AsyncIterator[Meanwhile]:
    stack = better.stack
    display = Display(stack.address("captions"))
    watching = asyncio.create_task(display.watch())
    pulpit = Pulpit(stack.speaker(speed=1))
    await pulpit.say(*MEANWHILE)
    going_on = asyncio.create_task(better.run("better", "--resume"))
    while not going_on.done():
        await pulpit.say(SENTENCE)
    await pulpit.say(SENTENCE)
    await pulpit.leave()
    status, output = await going_on
    assert status == 0, output
    yield Meanwhile(better, pulpit.session_id, await stack.events(pulpit.session_id), display)
    watching.cancel()


async def test_a_cycle_that_was_killed_twice_ends_as_if_it_was_not(
    better: TrainingChurch, tmp_path: Path
) -> None:
    record = better.record("better")
    assert record["new_pair_count"] == len(better.mended & (SERMON | HELD_OUT).keys())
    assert {step["status"] for step in record["steps"].values()} == {"done"}
    assert better.versions() == [record["version"]]
    (snapshot,) = (better.folder / "datasets/marian").glob("*/manifest.json")
    assert json.loads(snapshot.read_text())["counts"]["language_pairs"]["en-es"]

    manifest = read_manifest(better.registry / record["version"] / "model")
    assert manifest is not None
    assert manifest.lineage["base"] == marian_hf().name, "as the trainer was told"

    command = record["steps"]["train"]["command"]
    command[command.index("--out") + 1] = str(tmp_path / "undisturbed")
    done = await asyncio.to_thread(
        subprocess.run, command, cwd=better.folder, env=better.environment, check=False
    )
    assert done.returncode == 0
    undisturbed, killed = (
        (run / "model/model.safetensors").read_bytes()
        for run in (tmp_path / "undisturbed", better.folder / "cycles/better/train")
    )
    assert killed == undisturbed


async def test_a_model_is_judged_by_a_service_that_it_was_not_trained_on(
    better: TrainingChurch,
) -> None:
    folder = better.folder / "cycles/better"
    collected = {
        row.source
        for file in (better.folder / "datasets/marian").glob("*/en-es/pairs.jsonl")
        for row in read_rows(file)
    }
    held_out = better.mended & HELD_OUT.keys()
    assert held_out
    assert collected >= held_out, "it was spoken and mended as the other"
    learned = {row.source for row in read_rows(folder / "mix/train.jsonl")}
    assert learned.isdisjoint(HELD_OUT)
    assert learned >= better.mended & SERMON.keys()

    evaluation = json.loads((folder / "evaluation/evaluation.json").read_text())
    systems = evaluation["systems"]
    assert systems["new"]["spec"].startswith("embedded:"), "as it will speak"
    assert systems["old"]["spec"] == "embedded", "as it is spoken now"
    judged = (folder / "evaluation/translations.jsonl").read_text().splitlines()
    assert {json.loads(line)["source"] for line in judged} == HELD_OUT.keys()
    assert evaluation["translation"]["overall"]["plain"]["chrf"]["low"] > 0, "surely better"


async def test_a_better_model_is_put_into_use_and_no_caption_is_lost(deployed: Meanwhile) -> None:
    church, events = deployed.church, deployed.events
    version = church.record("better")["version"]
    speaks = f"marian/{MODEL}_{version}"
    assert await church.translated(SENTENCE) == (SERMON[SENTENCE], speaks)
    assert (await church.translated(FOR_RULES))[1] == RULES, "Apertium stays beside it"
    (entry,) = church.deployments()
    assert (entry["outcome"], entry["version"]) == ("deployed", version)
    gate = json.loads((church.registry / version / "gate.json").read_text())
    assert gate["is_green"]

    heard, translated = texts(events, "transcript"), texts(events, "translation")
    assert sorted(translated) == sorted(heard) == list(range(1, len(heard) + 1))
    assert not [event for event in events if event.HasField("translation_failed")]
    models = {event.translation.model for event in events if event.HasField("translation")}
    assert models >= {BEFORE, speaks}, "it was changed while somebody spoke"
    assert models <= {BEFORE, speaks, RULES}
    async with asyncio.timeout(20):
        while deployed.display.texts(deployed.session_id, "es") != translated:
            await asyncio.sleep(0.05)


async def test_a_worse_model_never_speaks_and_then_there_is_nothing_new(
    deployed: Meanwhile,
) -> None:
    church = deployed.church
    await church.mend(deployed.session_id, dict(enumerate(MEANWHILE.items(), start=1)))
    before = await church.translated(SENTENCE)
    versions, deployments = church.versions(), church.deployments()
    church.write_plan(learning_rate=0.5, steps=20, evaluate_every=20)
    status, output = await church.run("worse")
    assert status == 1, output
    assert "the gate is red" in output
    assert "no worse over all" in output
    record = church.record("worse")
    assert (record["number"], record["status"]) == (2, "red")
    evaluated = json.loads((church.folder / "cycles/worse/evaluation/evaluation.json").read_text())
    assert versions[0] in evaluated["systems"]["old"]["spec"], "what speaks now is to be beaten"
    assert record["steps"].keys().isdisjoint({"registry", "deploy"})
    assert (church.versions(), church.deployments()) == (versions, deployments)
    assert await church.translated(SENTENCE) == before

    status, output = await church.run("later")
    assert status == 0, output
    assert "Nothing was trained: 0 pairs are new" in output
    assert church.record("later")["steps"].keys() == {"snapshot"}


async def test_the_way_back_that_a_cycle_names_brings_the_model_before(
    deployed: Meanwhile,
) -> None:
    church = deployed.church
    church.write_plan()
    status, output = await church.run("better", "--resume")
    assert status == 0, output
    (line,) = [line for line in output.splitlines() if "--rollback" in line]
    back = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, *line.split()[1:]],
        cwd=church.folder,
        check=False,
        capture_output=True,
        text=True,
    )
    assert back.returncode == 0, back.stderr
    assert (await church.translated(SENTENCE))[1] == BEFORE
