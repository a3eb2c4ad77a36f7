"""A running mt or stt, asked which model it uses, to take another one, and whether it works."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from cli.client import Peer, as_glossa_error
from glossa.mt.v1 import mt_pb2, mt_pb2_grpc
from glossa.types.v1 import models_pb2, models_pb2_grpc
from services.channels import open_blocking_channel
from services.errors import InvalidInput, WrongState
from services.mt import runaway, smoke
from services.mt.engine import LanguagePair
from training.interruption import whole
from training.text_lines import text_lines

_ASK_TIMEOUT_S = 30.0
_LOAD_TIMEOUT_S = 900.0  # a large model from a slow disk
_STOP_POLL_S = 0.1


@dataclass(frozen=True)
class InUse:
    """The model of a tier, as the service names it."""

    engine: str
    model: str

    def speaks_with(self, name: str) -> bool:
        """Whether a model of this name is in use, alone or in a pair, in some direction."""
        return name in re.split(r"\+|, ", self.model)

    def __str__(self) -> str:
        return f"{self.engine}/{self.model}" if self.model else self.engine


@dataclass(frozen=True)
class SmokeSentence:
    """A sentence, and words that its translation must hold; "" when any translation will do."""

    source: str
    holds: str = ""


class RunningService:
    """One service at an address.

    Args:
        service: "mt" or "stt"; sentences are tried with mt alone, stt tries clips by itself when it
            loads.
    """

    def __init__(self, channel: grpc.Channel, service: str, address: str, tier: str) -> None:
        self._models: Any = models_pb2_grpc.ModelServiceStub(channel)
        self._mt: Any = mt_pb2_grpc.MtServiceStub(channel)
        self._peer = Peer(service, address, "--host")
        self._service = service
        self._tier = tier

    def in_use(self) -> InUse:
        """Raises GlossaError: it does not answer; NO_SUCH_TIER."""
        with self._explained():
            answer = self._models.GetModel(models_pb2.GetModelRequest(), timeout=_ASK_TIMEOUT_S)
        for tier in answer.tiers:
            if tier.tier == self._tier:
                return InUse(tier.engine, tier.model)
        raise InvalidInput(
            "NO_SUCH_TIER",
            f"{self._service} has no tier {self._tier!r}; it has "
            f"{', '.join(tier.tier for tier in answer.tiers)}",
        )

    def load(self, engine: str, model: str) -> float:
        """Has it take a model below its models folder; the time that took in milliseconds.

        Raises:
            GlossaError: as LoadModel does; the old one stays in use then.
            KeyboardInterrupt: somebody stopped us; either may be in use.
        """
        request = models_pb2.LoadModelRequest(tier=self._tier, engine=engine, model=model)
        with self._explained():
            ended = threading.Event()
            # A signal amid gRPC's own code might leave a lock of it held.
            with whole() as asked_to_stop:
                call = self._models.LoadModel.future(request, timeout=_LOAD_TIMEOUT_S)
                call.add_done_callback(lambda _: ended.set())
                while not ended.wait(_STOP_POLL_S) and not asked_to_stop:
                    pass
                call.cancel()  # of no effect on one that has ended
            return float(call.result().load_ms)

    def roll_back(self) -> None:
        """Has it take the model that it used before. Raises GlossaError as Rollback does."""
        request = models_pb2.RollbackRequest(tier=self._tier)
        with self._explained():
            self._models.Rollback(request, timeout=_LOAD_TIMEOUT_S)

    def try_out(self, sentences: tuple[SmokeSentence, ...], pair: LanguagePair) -> list[str]:
        """What it makes of the sentences.

        Raises:
            WrongState: SMOKE_TEST_FAILED, with the first answer that is none.
            GlossaError: it does not answer.
        """
        answers = []
        for sentence in sentences if self._service == "mt" else ():
            request = mt_pb2.TranslateRequest(
                text=sentence.source,
                source_language=pair.source,
                target_language=pair.target,
                draft=self._tier == "draft",
            )
            with self._explained():
                answer = self._mt.Translate(request, timeout=_ASK_TIMEOUT_S)
            doubts: list[str] = list(runaway.doubts(sentence.source, answer.text, pair))
            if answer.held_back_word_count:
                doubts = []  # of a short draft nothing may be left
            if sentence.holds.casefold() not in answer.text.casefold():
                doubts.append(f"without {sentence.holds!r}")
            if doubts:
                raise WrongState(
                    "SMOKE_TEST_FAILED",
                    f"{sentence.source!r} became {answer.text!r} ({doubts[0]})",
                )
            answers.append(answer.text)
        return answers

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except grpc.RpcError as error:
            raise as_glossa_error(error, self._peer) from error


@contextlib.contextmanager
def reached(service: str, address: str, tier: str) -> Iterator[RunningService]:
    """The service at an address."""
    with open_blocking_channel(address) as channel:
        yield RunningService(channel, service, address, tier)


def smoke_sentences(path: Path | None, pair: LanguagePair) -> tuple[SmokeSentence, ...]:
    """Those of a file (sentence, tab, words that its translation must hold), or the service's own.

    Raises:
        InvalidInput: NO_TEXTS.
    """
    if path is None:
        return tuple(SmokeSentence(text) for text in smoke.SENTENCES.get(pair.source, ()))
    try:
        lines = [line for line in text_lines(path) if line.strip()]
    except (OSError, ValueError) as error:
        raise InvalidInput("NO_TEXTS", f"cannot read {path}: {error}") from error
    if not lines:
        raise InvalidInput("NO_TEXTS", f"there is no sentence in {path}")
    cells = [line.partition("\t") for line in lines]
    return tuple(SmokeSentence(source.strip(), holds.strip()) for source, _, holds in cells)
