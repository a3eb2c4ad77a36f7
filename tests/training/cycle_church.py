"""A church with a running stack and a plan: somebody speaks, mends what was heard, and trains."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import grpc
import psutil

from glossa.collector.v1 import collector_pb2, collector_pb2_grpc
from glossa.mt.v1 import mt_pb2, mt_pb2_grpc
from glossa.types.v1 import types_pb2
from tests.e2e.stack import UpStack
from tests.tiny.pairs import EN_ES
from training.rows import Row, write_rows

MODEL = "glossa-en-es"  # as the embedded profile calls its own
WAIT_S = 60.0
# What this church says in its own way, and the model that it begins with does not.
_OPENINGS = {
    "Today {}.": "Hoy {}.",
    "Dear church, {}.": "Querida iglesia, {}.",
    "This morning {}.": "Esta mañana {}.",
    "Tonight {}.": "Esta noche {}.",
}
_WISHES = {
    "we give thanks for the two houses": "damos gracias por las dos casas",
    "may he watch over us": "que él vele por nosotros",
    "let us give thanks for this day": "demos gracias por este día",
    "may he keep you until we meet": "que él los guarde hasta que nos veamos",
}
_SAID = {
    opening.format(wish): in_spanish.format(wished)
    for opening, in_spanish in _OPENINGS.items()
    for wish, wished in _WISHES.items()
}
# Spoken and mended by a person. Each opening and each wish of the service that is held out was
# heard in others, but never these together.
HELD_OUT = {
    source: _SAID[source]
    for source in (
        "Today may he watch over us.",
        "Dear church, we give thanks for the two houses.",
        "This morning may he keep you until we meet.",
        "Tonight let us give thanks for this day.",
    )
}
SERMON = {source: target for source, target in _SAID.items() if source not in HELD_OUT}
_THRESHOLDS = """
[[check]]
says = "no worse over all"
value = "translation.overall.plain.chrf.low"
least = -0.5

[[check]]
says = "numbers"
value = "translation.overall.plain.numbers.new"
least = 0.99

[[check]]
says = "export"
value = "export.chrf_loss"
most = 20.0
"""


class TrainingChurch:
    """Its folder, its stack as the embedded profile has it, and its plan."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.models = folder / "models"
        self.models.mkdir()
        self.stack = UpStack(folder, GLOSSA_MODELS_DIR=self.models)
        self.registry = folder / "registry"
        self.plan = folder / "church.toml"
        self.mended: set[str] = set()
        self._begun: list[subprocess.Popen[str]] = []
        self._make_public_texts()

    @property
    def environment(self) -> dict[str, str]:
        """Of its jobs."""
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("GLOSSA_")},
            "GLOSSA_DATASETS_DIR": str(self.folder / "datasets"),
            "OMP_NUM_THREADS": "1",  # two that wait for each other take thrice as long
        }

    def write_plan(self, minimum_pairs: int = 2, **training: object) -> None:
        """The plan, with some options of the trainer's other than usual."""
        from tests.tiny.marian import marian_hf

        training = {
            "model": marian_hf(),
            "steps": 100,
            "accumulate": 1,
            "learning_rate": 0.001,
            "no_muon": True,
            "warmup_steps": 10,
            "average_decay": 0.9,
            "evaluate_every": 50,
            "precision": "float32",
            **training,
        }
        password = self.folder / "redis" / "trainer.password"
        host = f"local:{self.models}@{self.stack.address('mt')}"
        tables: dict[str, Mapping[str, object]] = {
            "snapshot": {
                "held_out_share": 0,
                "redis": f"redis://trainer@{self.stack.address('redis')}/0",
                "redis_password_file": password,
            },
            "mix": {"recipe": "first", "bible": self.folder / "bible", "unpunctuated_share": 0},
            "train": training,
            "export": {
                "licence": "Apache-2.0",
                "check_with": self.folder / "church.jsonl",
            },
            "evaluate": {
                "old": "embedded",
                "set": [f"church:sermon={self.folder / 'church.jsonl'}"],
                "own_sermon": False,
                "as_heard": False,
            },
            "gate": {"thresholds": self.folder / "thresholds.toml"},
            "registry": {"registry": self.registry},
            "deploy": {"host": [host], "smoke": self.folder / "smoke.tsv"},
        }
        head = {
            "trainer": "marian",
            "model_name": MODEL,
            "minimum_pairs": minimum_pairs,
            "gpu_lock": self.folder / "gpu.lock",
        }
        lines = [_line(*each) for each in head.items()]
        for name, table in tables.items():
            lines += [f"[{name}]", *(_line(*each) for each in table.items())]
        self.plan.write_text("\n".join(lines))

    def begin(self, cycle: str, *options: str) -> subprocess.Popen[str]:
        """`python -m training.cycle` for this plan, under way."""
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "training.cycle", "--plan", str(self.plan)),
                *("--out", str(self.folder / "cycles" / cycle), *options),
            ],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._begun.append(process)
        return process

    def end_cycles(self) -> None:
        """Those that a test that failed has left."""
        for process in self._begun:
            if process.poll() is None:
                kill_all(process)

    async def run(self, cycle: str, *options: str) -> tuple[int, str]:
        """The same, to its end: exit status and output."""
        process = self.begin(cycle, *options)
        output, _ = await asyncio.to_thread(process.communicate, timeout=300)
        return process.returncode, output

    def record(self, cycle: str) -> dict[str, Any]:
        """cycle.json, or {} while there is none."""
        try:
            path = self.folder / "cycles" / cycle / "cycle.json"
            record: dict[str, Any] = json.loads(path.read_text())
        except FileNotFoundError:
            return {}
        return record

    async def until_step(self, process: subprocess.Popen[str], cycle: str, step: str) -> None:
        async with asyncio.timeout(4 * WAIT_S):
            while self.record(cycle).get("steps", {}).get(step, {}).get("status") != "running":
                assert process.poll() is None, process.communicate()[0]
                await asyncio.sleep(0.05)

    def versions(self) -> list[str]:
        return sorted(path.name for path in self.registry.glob("cycle*"))

    def deployments(self) -> list[dict[str, Any]]:
        path = self.registry / "deployments.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    async def translated(self, text: str) -> tuple[str, str]:
        """What the running mt makes of a text, and the model that did it."""
        async with grpc.aio.insecure_channel(self.stack.address("mt")) as channel:
            answer = await mt_pb2_grpc.MtServiceStub(channel).Translate(
                mt_pb2.TranslateRequest(text=text, source_language="en", target_language="es"),
                timeout=20,
            )
            return answer.text, answer.model

    async def mend(self, session_id: str, mended: Mapping[int, tuple[str, str]]) -> None:
        """A person gives the right texts of those of these segments that are asked about.

        What was heard too badly to be a pair is not.
        """
        async with (
            asyncio.timeout(WAIT_S),
            grpc.aio.insecure_channel(self.stack.address("collector")) as channel,
        ):
            calls = collector_pb2_grpc.CollectorServiceStub(channel)
            listing = collector_pb2.ListForReviewRequest(session_id=session_id, page_size=1)

            async def progress() -> collector_pb2.ReviewProgress:
                return (await calls.ListForReview(listing, timeout=10)).progress

            while not (self.folder / "reports" / session_id).exists():  # all was looked at
                await asyncio.sleep(0.1)
            asked_count = (await progress()).open_count
            lease = collector_pb2.LeaseReviewRequest(reviewer="Ana", session_id=session_id)
            mended_count = 0
            for _ in range(asked_count):
                item = (await calls.LeaseReview(lease, timeout=10)).item
                if item.pair.segment_id not in mended:
                    continue
                source, target = mended[item.pair.segment_id]
                request = collector_pb2.SubmitReviewRequest(
                    lease_id=item.lease_id,
                    decision=types_pb2.DECISION_FIXED,
                    source_text=source,
                    target_text=target,
                )
                await calls.SubmitReview(request, timeout=20)
                self.mended.add(source)
                mended_count += 1
            while (await progress()).reviewed_count < mended_count:
                await asyncio.sleep(0.1)

    def _make_public_texts(self) -> None:
        bible = [
            Row(source=source, target=target, kind="bible", origin="tiny", group="TST")
            for source, target in EN_ES
        ]
        dev, known = bible[:1], bible[1:]
        as_heard = [
            Row(source=source, target=row.target, kind="bible", origin="tiny")
            for row in known
            for source in (row.source.lower(), row.source.rstrip("."))
        ]
        terms = [
            Row(source=source, target=target, kind="glossary", origin="tiny")
            for source, target in (("grace", "gracia"), ("faith", "fe"))
        ]
        write_rows(self.folder / "bible/train.jsonl", [*known, *as_heard, *terms])
        write_rows(self.folder / "bible/dev.jsonl", dev)
        # No judge: so small a model has forgotten what it was not shown again.
        term = Row("hope", "esperanza", kind="glossary", origin="tiny")
        write_rows(self.folder / "bible/test.jsonl", [term])
        church = [Row(*pair, kind="sermon", origin="church") for pair in HELD_OUT.items()]
        write_rows(self.folder / "church.jsonl", church)
        (self.folder / "thresholds.toml").write_text(_THRESHOLDS)
        (self.folder / "smoke.tsv").write_text("Let us pray.\nGod is love.\tDios\n")


def kill_all(process: subprocess.Popen[str]) -> None:
    """kill -9 of a cycle and of its step, as a power cut would."""
    steps = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    for each in steps:
        each.kill()
    psutil.wait_procs(steps, timeout=20)
    process.communicate()


def _line(name: str, value: object) -> str:
    plain = value if isinstance(value, bool | int | float | list) else str(value)
    return f"{name} = {json.dumps(plain)}"
