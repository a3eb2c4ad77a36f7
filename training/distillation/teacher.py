"""A translation runtime as a teacher: any that the service has, given many texts one by one batch.

What it has translated lies in a file, a line a text, appended and made durable batch by batch: a
killed run goes on behind the last whole line.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from services.errors import GlossaError, OutOfMemory
from services.mt.engine import EngineOptions, Job, loader
from services.mt.glossary import Glossary
from services.mt.task import TextTask


class Teacher:
    """A loaded runtime; a context manager.

    Raises:
        GlossaError: what its loader says.
    """

    def __init__(self, runtime: str, options: EngineOptions) -> None:
        self._engine = loader(runtime)(options)
        self.model = self._engine.model(options.pairs[0])
        self.max_batch = self._engine.capabilities.max_batch

    def __enter__(self) -> Teacher:
        return self

    def __exit__(self, *_: object) -> None:
        self._engine.close()

    def translate(self, jobs: Sequence[Job]) -> list[str]:
        """In order; "" for a text that the engine cannot translate. Raises OutOfMemory."""
        try:
            renderings = self._engine.translate(
                [TextTask(job, Glossary(), deadline=None) for job in jobs]
            )
        except OutOfMemory:
            raise
        except GlossaError:
            if len(jobs) == 1:
                return [""]
        else:
            # Cut off at the token limit, it is half a translation.
            return ["" if each.hit_token_limit else each.text.strip() for each in renderings]
        half = len(jobs) // 2
        return [*self.translate(jobs[:half]), *self.translate(jobs[half:])]


class Translations:
    """The file of what a teacher has translated, a line a text, with its row's group."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.by_source: dict[str, str] = {}
        whole = 0
        if path.exists():
            for line in path.read_bytes().splitlines(keepends=True):
                if not line.endswith(b"\n"):
                    break
                fields = json.loads(line)
                self.by_source[fields["source"]] = fields["target"]
                whole += len(line)
            # Half a line is what a killed run left behind.
            os.truncate(path, whole)

    def make(
        self, teacher: Teacher, jobs: Sequence[Job], groups: Mapping[str, str], batch_size: int
    ) -> Iterator[int]:
        """Translates what is not there yet; tells after each batch how many texts it had.

        Args:
            groups: the group of each text's row, so that it goes when its session is forgotten.
        """
        missing = [job for job in jobs if job.text not in self.by_source]
        # Texts of about a length are generated together at little cost for padding.
        missing.sort(key=lambda job: len(job.text))
        with self._path.open("a", encoding="utf-8") as file:
            for start in range(0, len(missing), batch_size):
                batch = missing[start : start + batch_size]
                for job, target in zip(batch, self._translated(teacher, batch), strict=True):
                    self.by_source[job.text] = target
                    line = {"source": job.text, "target": target, "group": groups[job.text]}
                    file.write(json.dumps(line, ensure_ascii=False) + "\n")
                file.flush()
                os.fsync(file.fileno())
                yield len(batch)

    def _translated(self, teacher: Teacher, batch: Sequence[Job]) -> list[str]:
        size = teacher.max_batch
        return [
            target
            for start in range(0, len(batch), size)
            for target in teacher.translate(batch[start : start + size])
        ]
