"""Apertium as a resident pipeline: started once, asked over pipes, watched at every request.

mt translates with it and qe translates back with it, hence it is shared. Its programs and language
data are GPL: they run as processes of their own and nothing of them is linked.

A pipeline is the chain of programs that a mode file names, each started with `-z`: text ended by a
NUL goes into the first and comes out of the last. A stage that died answers nothing and says
nothing, so every stage is checked before and after a request, and every request carries a number
that must come back at the end of its answer.

The stages live exactly as long as their standard input: when this process goes, however it goes,
the first stage reads end of file and the others follow.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import selectors
import shlex
import shutil
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import structlog

from services.errors import EngineFailed, Unavailable

log = structlog.get_logger()

MODE_FOLDER = Path("/usr/share/apertium/modes")
INSTALL_HINT = "apt install apertium apertium-eng-spa"

# BCP 47 primary subtag -> the code in mode file names (ISO 639-3).
_APERTIUM_CODES = {"en": "eng", "es": "spa"}

REQUEST_TIMEOUT_S = 2.0  # the longest text allowed took 0.2 s on a busy core
START_TIMEOUT_S = 20.0  # reading the dictionaries from a cold disk
_EXIT_TIMEOUT_S = 1.0

_ESCAPED = re.compile(r"([\\^$/<>{}\[\]@])")
# In a superblank these pass through untouched; outside, the first two look like marks in the answer
# and the third is swallowed by the post-generator.
_MARK_LIKE = re.compile(r"([*#~])")
# An empty blank keeps the added full stop from becoming part of an abbreviation ("mr" + ".").
_SENTENCE_END = "[].[]"
_ANSWER = re.compile(
    r"\\(?P<escaped>.)"
    r"|\[(?P<blank>[^\[\]]*)\]"
    r"|(?P<mark>[*#@])(?P<word>[^\W_](?:[\w'’-]*\w)?)?",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class ApertiumTranslation:
    """A translated text without Apertium's marks.

    Attributes:
        text: the translation; spaces and line breaks where the source had them.
        unknown_words: words that the dictionary did not hold, in order, as copied through.
        generation_failures: words whose inflected form could not be made; their lemma stands in
            the text.
    """

    text: str
    unknown_words: tuple[str, ...]
    generation_failures: int


@dataclass(frozen=True, slots=True)
class Mode:
    """An installed translation direction; languages are BCP 47 primary subtags."""

    source_language: str
    target_language: str
    path: Path

    @property
    def name(self) -> str:
        """Apertium's name for it, for example "eng-spa"."""
        return self.path.stem


def installed_modes(folder: Path = MODE_FOLDER) -> tuple[Mode, ...]:
    """The directions that can be translated on this machine, among the languages known here.

    Raises:
        Unavailable: TOOL_MISSING when Apertium or every known direction is missing.
    """
    modes = tuple(
        Mode(source, target, path)
        for source, target in itertools.permutations(_APERTIUM_CODES, 2)
        if (path := folder / f"{_APERTIUM_CODES[source]}-{_APERTIUM_CODES[target]}.mode").is_file()
    )
    if not modes or shutil.which("lt-proc") is None:
        raise Unavailable(
            "TOOL_MISSING",
            f"Apertium is not installed (no usable mode in {folder}): {INSTALL_HINT}",
        )
    return modes


class Apertium:
    """One direction of translation. Synchronous; one request is in flight at a time.

    Starts at the first request, or at `start`. Threads may share it; they wait for each other.
    """

    def __init__(
        self,
        mode: Mode,
        *,
        request_timeout_s: float = REQUEST_TIMEOUT_S,
        start_timeout_s: float = START_TIMEOUT_S,
    ) -> None:
        self.mode = mode
        self.restarts = 0  # how often a broken pipeline was replaced
        self._request_timeout_s = request_timeout_s
        self._start_timeout_s = start_timeout_s
        self._lock = threading.Lock()
        self._stages: list[subprocess.Popen[bytes]] = []
        self._request_numbers = itertools.count(1)

    @property
    def stage_pids(self) -> tuple[int, ...]:
        """Process ids from first stage to last; empty while it is not running."""
        return tuple(stage.pid for stage in self._stages)

    def start(self) -> None:
        """Starts the stages and waits until they answer; does nothing when they already run.

        Raises:
            Unavailable: TOOL_MISSING.
            EngineFailed: it does not come up.
        """
        with self._lock:
            if not self._stages:
                try:
                    self._start()
                except _PipelineBroken as error:
                    self._kill()
                    raise self._failed(error) from error

    def translate(self, text: str) -> ApertiumTranslation:
        """Translates one text of any content; NUL characters count as spaces.

        A broken or silent pipeline is replaced once and asked again.

        Raises:
            Unavailable: TOOL_MISSING.
            EngineFailed: it broke again; the next request starts from fresh processes.
        """
        with self._lock:
            try:
                if not self._stages:
                    self._start()
                answer = self._ask(text, self._request_timeout_s)
            except _PipelineBroken as error:
                log.warning("apertium_restarted", mode=self.mode.name, cause=str(error))
                self._kill()
                self.restarts += 1
                try:
                    self._start()
                    answer = self._ask(text, self._request_timeout_s)
                except _PipelineBroken as again:
                    self._kill()
                    raise self._failed(again) from again
            except BaseException:
                # An answer may still be on its way; the next request must not read it.
                self._kill()
                raise
        return _parsed(answer)

    def close(self) -> None:
        """Lets the stages end by themselves, then kills what is left."""
        with self._lock:
            if self._stages:
                with contextlib.suppress(OSError):
                    self._input.close()
                deadline = time.monotonic() + _EXIT_TIMEOUT_S
                for stage in self._stages:
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        stage.wait(max(0.0, deadline - time.monotonic()))
            self._kill()

    @property
    def _input(self) -> IO[bytes]:
        return cast(IO[bytes], self._stages[0].stdin)

    @property
    def _output(self) -> IO[bytes]:
        return cast(IO[bytes], self._stages[-1].stdout)

    def _start(self) -> None:
        environment = {**os.environ, "LC_ALL": "C.UTF-8"}
        for command in _stage_commands(self.mode.path):
            previous = self._stages[-1].stdout if self._stages else None
            try:
                stage = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE if previous is None else previous,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    env=environment,
                    bufsize=0,
                    # Ctrl-C is for the service: it still needs the pipeline to finish its work.
                    process_group=0,
                )
            except FileNotFoundError as error:
                self._kill()
                raise Unavailable(
                    "TOOL_MISSING", f"{command[0]} is not installed: {INSTALL_HINT}"
                ) from error
            if previous is not None:
                previous.close()  # only the next stage reads it, so the one before ends with it
            self._stages.append(stage)
        os.set_blocking(self._input.fileno(), False)
        self._ask("", self._start_timeout_s)

    def _kill(self) -> None:
        for stage in self._stages:
            stage.kill()
        for stage in self._stages:
            for pipe in (stage.stdin, stage.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()
            stage.wait()
        self._stages = []

    def _ask(self, text: str, timeout_s: float) -> str:
        """Sends one text and returns the raw answer without the end that was added to it."""
        ending = f"[{next(self._request_numbers)}]"
        self._check_stages()
        answer = self._exchange(f"{_escaped(text)}{_SENTENCE_END}{ending}", timeout_s)
        self._check_stages()
        if not answer.endswith(ending):
            raise _PipelineBroken("the answer does not belong to the request")
        answer = answer[: -len(ending)]
        return answer[: -len(_SENTENCE_END)] if answer.endswith(_SENTENCE_END) else answer

    def _check_stages(self) -> None:
        for number, stage in enumerate(self._stages, start=1):
            if (status := stage.poll()) is not None:
                raise _PipelineBroken(f"stage {number} ended with status {status}")

    def _exchange(self, message: str, timeout_s: float) -> str:
        # Reads while it writes: a long text fills the pipes between the stages.
        to_send = memoryview(message.encode("utf-8", "replace") + b"\0")
        received = bytearray()
        deadline = time.monotonic() + timeout_s
        with selectors.DefaultSelector() as selector:
            selector.register(self._output, selectors.EVENT_READ)
            selector.register(self._input, selectors.EVENT_WRITE)
            while not received.endswith(b"\0"):
                ready = selector.select(max(0.0, deadline - time.monotonic()))
                if not ready:
                    raise _PipelineBroken(f"no answer after {timeout_s:g} s")
                for key, _ in ready:
                    try:
                        if key.fileobj is self._input:
                            to_send = to_send[os.write(key.fd, to_send) :]
                            if not to_send:
                                selector.unregister(self._input)
                        elif chunk := os.read(key.fd, 65536):
                            received += chunk
                        else:
                            raise _PipelineBroken("the last stage closed its output")
                    except BlockingIOError:
                        continue
                    except OSError as error:
                        raise _PipelineBroken(str(error)) from error
        if to_send or received.count(0) != 1:
            raise _PipelineBroken("answers and requests are out of step")
        return received[:-1].decode("utf-8", "replace")

    def _failed(self, error: _PipelineBroken) -> EngineFailed:
        return EngineFailed(f"Apertium {self.mode.name} failed: {error}", mode=self.mode.name)


class _PipelineBroken(Exception):
    """A stage died, hung or answered out of step."""


def _stage_commands(mode_file: Path) -> list[list[str]]:
    """The argument list of each stage of a mode file, made to flush at NUL and to mark failures."""
    line = mode_file.read_text(encoding="utf-8").strip()
    commands = []
    for stage in line.split("|"):
        program, *arguments = shlex.split(stage.replace("$1", "-g").replace("$2", ""))
        commands.append([program, "-z", *arguments])
    return commands


def _escaped(text: str) -> str:
    return _MARK_LIKE.sub(r"[\1]", _ESCAPED.sub(r"\\\1", text.replace("\0", " ")))


def _parsed(answer: str) -> ApertiumTranslation:
    unknown_words: list[str] = []
    generation_failures = 0

    def plain(match: re.Match[str]) -> str:
        nonlocal generation_failures
        if match["escaped"] is not None:
            return match["escaped"]
        if match["blank"] is not None:
            return match["blank"]
        word = match["word"] or ""
        if match["mark"] == "*" and word:
            unknown_words.append(word)
        elif word:
            generation_failures += 1
        return word

    text = _ANSWER.sub(plain, answer)
    return ApertiumTranslation(text, tuple(unknown_words), generation_failures)
