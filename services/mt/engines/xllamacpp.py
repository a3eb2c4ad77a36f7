"""GGUF models through xllamacpp: llama.cpp's own server inside this process, several texts at once.

The server keeps what texts share, ends answers by token id and speculates with a smaller model; it
takes no earlier answer to guess by. It also listens on a port of its own on this machine, behind a
key that nobody else knows; texts are tokenized there.
"""

from __future__ import annotations

import http.client
import json
import os
import secrets
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event
from typing import Any
from urllib.parse import urlsplit

import xllamacpp

from services.errors import EngineFailed
from services.mt.engine import Capabilities, EngineOptions, LanguagePair, Rendering, Task
from services.mt.engines.answer import Answer, fitted
from services.mt.engines.failures import as_engine_failed, no_such_device
from services.mt.engines.gguf import NAME, GgufModel, find_draft, read_model
from services.mt.languages import promptable_pairs
from services.mt.prompt import Prompt

_ALL_LAYERS = 1000
_DRAFTED_TOKENS = 4
_SILENT = -1
_TOKENIZE_TIMEOUT_S = 10.0
# A long prompt on a slow processor takes a while before the first token.
_SILENCE_S = 120.0


def load(options: EngineOptions) -> XllamacppEngine:
    model = read_model(options)
    pairs = promptable_pairs(options.pairs)
    cpu = xllamacpp.ggml_backend_dev_type.GGML_BACKEND_DEVICE_TYPE_CPU
    has_gpu = any(device["type"] != cpu for device in xllamacpp.get_device_info())
    if options.device == "cuda" and not has_gpu:
        raise no_such_device(f"{NAME} (xllamacpp, perhaps its wheel for CPUs)", "cuda")
    key = secrets.token_urlsafe()
    parameters = _parameters(
        options, model.path, find_draft(options), has_gpu and options.device != "cpu", key
    )
    try:
        server = xllamacpp.Server(parameters)
    except RuntimeError as error:
        # The library says no more than that it failed.
        raise EngineFailed(
            f"the translation runtime {NAME} could not load {model.path}: it is damaged "
            "(./glossa models verify) or too large for the memory",
            engine=NAME,
        ) from error
    return XllamacppEngine(
        model,
        server,
        key,
        context_tokens=options.context_tokens,
        capabilities=Capabilities(
            pairs=pairs,
            uses_context=True,
            streams=True,
            continues_text=True,
            max_batch=options.max_batch,
        ),
    )


def _parameters(
    options: EngineOptions, path: Path, draft: Path | None, on_gpu: bool, key: str
) -> Any:
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(path)
    parameters.n_parallel = options.max_batch
    parameters.n_ctx = options.context_tokens * options.max_batch
    parameters.n_batch = options.context_tokens  # a prompt in one call
    parameters.swa_full = True  # or nothing before the sliding window could be kept
    parameters.n_gpu_layers = _ALL_LAYERS if on_gpu else 0
    # Whoever asks for the card gets it or an error, not a part of the model on the processor.
    parameters.fit_params = False
    # llama.cpp built for a processor with AMX dies of Q8_0 and Q4 weights that it repacked
    # (llama.cpp #20824).
    parameters.no_extra_bufts = not on_gpu
    parameters.flash_attn_type = (
        xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_AUTO
        if on_gpu
        else xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    )
    processors = os.cpu_count() or 1
    parameters.cpuparams.n_threads = options.threads or max(processors // 2, 1)
    parameters.cpuparams_batch.n_threads = options.threads or processors
    parameters.cache_ram_mib = 0  # each slot keeps its last text; older ones are not wanted again
    parameters.chat_template = "chatml"  # never asked for; without it the file's own would run
    parameters.warmup = False
    parameters.verbosity = _SILENT
    parameters.hostnames = ["127.0.0.1"]
    parameters.api_keys = [key]
    parameters.ui = False
    parameters.endpoint_slots = False
    if draft is not None:
        speculation = parameters.speculative
        speculation.types = [xllamacpp.common_speculative_type.COMMON_SPECULATIVE_TYPE_DRAFT_SIMPLE]
        speculation.draft.mparams.path = str(draft)
        speculation.draft.n_max = _DRAFTED_TOKENS
        speculation.draft.n_gpu_layers = parameters.n_gpu_layers
    return parameters


@dataclass
class _Request:
    """One text on its way through the server.

    Args:
        token_limit: tokens that the answer may have.
        is_left: set when nobody wants the rest.
    """

    prompt: Prompt
    token_limit: int
    is_left: Event = field(default_factory=Event)


@dataclass(frozen=True)
class _News:
    """What the server said of a request.

    Args:
        text: all of the answer so far.
        is_ended: the model ended it by itself.
        timings: what it counted, by llama-server's names.
    """

    request: int
    text: str
    is_ended: bool
    timings: dict[str, Any]

    @property
    def token_count(self) -> int:
        # The server counts the token that ended the answer.
        return int(self.timings["predicted_n"]) - self.is_ended


@dataclass(frozen=True)
class _Over:
    """Nothing more comes of a request."""

    request: int
    error: Exception | None


class XllamacppEngine:
    """A server with a slot for each text of a batch.

    Attributes:
        read_tokens: prompt tokens that it has read so far, those that a slot still held not
            counted.
        drafted_tokens: guesses of the smaller model so far.
    """

    name = NAME
    restarts = 0

    def __init__(
        self,
        model: GgufModel,
        server: Any,
        key: str,
        *,
        context_tokens: int,
        capabilities: Capabilities,
    ) -> None:
        self.capabilities = capabilities
        self.read_tokens = 0
        self.drafted_tokens = 0
        self._model = model
        self._server = server
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        self._address = urlsplit(server.listening_address).netloc
        self._context_tokens = context_tokens
        self._threads = ThreadPoolExecutor(capabilities.max_batch, thread_name_prefix="xllamacpp")
        # The server ends answers at what the file calls an end of turn; this checks that it does.
        model.end_ids(capabilities.pairs[0], lambda text: self._tokens(text, begins=False))

    def model(self, pair: LanguagePair) -> str:
        return f"{self.name}/xllamacpp/{self._model.path.stem}"

    def translate(self, tasks: Sequence[Task]) -> list[Rendering]:
        requests = []
        for task in tasks:
            source_tokens = len(self._tokens(task.job.text, begins=False, with_markers=False))
            prompt, _, limit = fitted(
                task.job, source_tokens, self._context_tokens, self._model.prompt, self._tokens
            )
            requests.append(_Request(prompt, limit))
        answers = [
            Answer(task, request.prompt, request.token_limit)
            for task, request in zip(tasks, requests, strict=True)
        ]
        with as_engine_failed(self.name, "translate"):
            self._complete(requests, answers)
        return [answer.rendering() for answer in answers]

    def _complete(self, requests: Sequence[_Request], answers: Sequence[Answer]) -> None:
        """Runs requests in threads of their own; tasks are told in the caller's."""
        heard: SimpleQueue[_News | _Over] = SimpleQueue()
        last: dict[int, _News] = {}
        under_way = 0
        for index, (request, answer) in enumerate(zip(requests, answers, strict=True)):
            if answer.goes_on:
                self._threads.submit(self._run, index, request, heard)
                under_way += 1
        error: Exception | None = None
        try:
            while under_way:
                news = heard.get(timeout=_SILENCE_S)
                if isinstance(news, _Over):
                    under_way -= 1
                    error = error or news.error
                    continue
                last[news.request] = news
                answer = answers[news.request]
                if answer.goes_on:
                    answer.write(news.text, news.token_count, is_ended=news.is_ended)
                if not answer.goes_on:
                    requests[news.request].is_left.set()
        except Empty:
            raise RuntimeError(f"the server said nothing for {_SILENCE_S:.0f} s") from None
        finally:
            for request in requests:
                request.is_left.set()
            self.read_tokens += sum(news.timings["prompt_n"] for news in last.values())
            self.drafted_tokens += sum(news.timings.get("draft_n", 0) for news in last.values())
        if error is not None:
            raise error

    def _run(self, index: int, request: _Request, heard: SimpleQueue[_News | _Over]) -> None:
        text = ""

        def hear(said: dict[str, Any]) -> bool:
            """Takes a piece of the answer; true stops it."""
            nonlocal text
            if "error" in said:
                raise RuntimeError(str(said["error"].get("message", said["error"])))
            choice = said["choices"][0]
            text += choice["text"]
            heard.put(_News(index, text, choice["finish_reason"] == "stop", said["timings"]))
            return request.is_left.is_set()

        error: Exception | None = None
        try:
            refused = self._server.handle_completions(
                {
                    "prompt": request.prompt.text,
                    "n_predict": request.token_limit,
                    "temperature": 0.0,
                    "samplers": ["top_k"],
                    "top_k": 1,
                    "stop": list(request.prompt.stop),
                    "cache_prompt": True,
                    "stream": True,
                    "timings_per_token": True,
                },
                hear,
            )
            if refused:
                hear(refused)
        except Exception as raised:  # noqa: BLE001  it is raised again in the caller's thread
            error = raised
        heard.put(_Over(index, error))

    def _tokens(self, text: str, *, begins: bool = True, with_markers: bool = True) -> list[int]:
        with as_engine_failed(self.name, "tokenize a text"):
            connection = http.client.HTTPConnection(self._address, timeout=_TOKENIZE_TIMEOUT_S)
            try:
                connection.request(
                    "POST",
                    "/tokenize",
                    json.dumps(
                        {"content": text, "add_special": begins, "parse_special": with_markers}
                    ),
                    self._headers,
                )
                answer = json.loads(connection.getresponse().read())
            finally:
                connection.close()
            if "tokens" not in answer:
                raise RuntimeError(str(answer))
            return [int(token) for token in answer["tokens"]]

    def close(self) -> None:
        self._threads.shutdown()
        self._server = None
