"""Language models through mlx-lm: Apple's GPUs, and slowly any CPU.

A model is a folder as mlx_lm.convert writes it. What was computed for the beginning of a prompt is
kept for the next one, which begins the same: the instruction, often the context.
"""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from collections.abc import Generator, Sequence
from typing import Any

# Before the first import: tokenizers are read from the folder, never from a hub.
os.environ["HF_HUB_OFFLINE"] = "1"

import mlx.core as mx
import mlx_lm.generate  # noqa: F401
from mlx_lm.models import cache as caches
from mlx_lm.utils import load_model, load_tokenizer

from services.errors import EngineFailed, OutOfMemory
from services.mt.engine import (
    Capabilities,
    EngineOptions,
    LanguagePair,
    Rendering,
    Task,
)
from services.mt.engines.answer import Answer
from services.mt.engines.failures import as_engine_failed, no_such_device
from services.mt.engines.hf_model import PreparedJob, PromptTokenizer, find_folder
from services.mt.languages import promptable_pairs

NAME = "mlx"
# `mlx_lm.generate` names a function in the package; the module of that name is meant.
_generation = sys.modules["mlx_lm.generate"]


def load(options: EngineOptions) -> MlxEngine:
    folder = find_folder(options.model, options.models_dir)
    if options.compute_type != "auto":
        raise EngineFailed(
            "mlx computes in the number format that its model was converted to; set "
            "GLOSSA_MT_COMPUTE_TYPE to auto, or convert the model again",
            engine=NAME,
        )
    device = _device(options.device)
    draft_folder = None
    if options.speculative_model:
        draft_folder = find_folder(options.speculative_model, options.models_dir)
    with as_engine_failed(NAME, f"load the model in {folder}"), mx.stream(device):
        model, config = load_model(folder)
        tokenizer = load_tokenizer(
            folder, {"trust_remote_code": False}, eos_token_ids=config.get("eos_token_id")
        )
        draft_model = load_model(draft_folder)[0] if draft_folder is not None else None
    prompts = PromptTokenizer(
        tokenizer,
        family=options.prompt_family,
        model_name=folder.name,
        context_tokens=options.context_tokens,
        eos_ids=sorted(tokenizer.eos_token_ids),
    )
    capabilities = Capabilities(
        pairs=promptable_pairs(options.pairs),
        uses_context=True,
        streams=True,
        continues_text=True,
    )
    return MlxEngine(folder.name, model, draft_model, prompts, device, capabilities)


def _device(wanted: str) -> Any:
    if wanted == "cpu":
        return mx.Device(mx.cpu)
    if wanted == "cuda" and not mx.cuda.is_available():
        raise no_such_device(NAME, wanted)
    return mx.default_device()


class MlxEngine:
    """A model and, when speculating, a smaller one that drafts tokens for it."""

    name = NAME
    restarts = 0

    def __init__(
        self,
        model_name: str,
        model: Any,
        draft_model: Any,
        prompts: PromptTokenizer,
        device: Any,
        capabilities: Capabilities,
    ) -> None:
        self.capabilities = capabilities
        self._model_name = model_name
        self._model = model
        self._draft_model = draft_model
        self._prompts = prompts
        self._device = device
        self._stream = mx.new_thread_local_stream(device)
        # What is kept of the last prompt: its tokens and the model's state after some of them.
        self._kept_ids: tuple[int, ...] = ()
        self._kept: list[Any] = []

    def model(self, pair: LanguagePair) -> str:
        return f"{self.name}/{self._model_name}"

    def translate(self, tasks: Sequence[Task]) -> list[Rendering]:
        return [self._translate(task) for task in tasks]

    def _translate(self, task: Task) -> Rendering:
        job = self._prompts.prepare(task.job)
        answer = Answer(task, job.prompt, job.token_limit)
        if answer.goes_on:
            try:
                with as_engine_failed(self.name, "translate"), mx.stream(self._device):
                    self._generate(job, answer)
            except OutOfMemory:
                self._forget()
                raise
            except EngineFailed:
                self._forget()  # it may hold half a step
                raise
        return answer.rendering()

    def _generate(self, job: PreparedJob, answer: Answer) -> None:
        ends = self._prompts.end_ids(job.prompt)
        generated: list[int] = []
        with contextlib.closing(self._steps(job)) as tokens:
            for token in tokens:
                is_ended = token in ends
                if not is_ended:
                    generated.append(token)
                text = self._prompts.text(job, generated)
                if not answer.write(text, len(generated), is_ended=is_ended):
                    break

    def _steps(self, job: PreparedJob) -> Generator[int, None, None]:
        with _generation.wired_limit(self._model, [self._stream]):
            if self._draft_model is not None and self._may_speculate(job):
                steps = _generation.speculative_generate_step(
                    mx.array(job.ids),
                    self._model,
                    self._draft_model,
                    self._stream,
                    max_tokens=job.token_limit,
                )
            else:
                reused = self._reused(job.ids)
                steps = _generation.generate_step(
                    mx.array(job.ids[reused:]),
                    self._model,
                    self._stream,
                    max_tokens=job.token_limit,
                    prompt_cache=self._kept,
                )
            with contextlib.closing(steps):
                for token, *_ in steps:
                    yield int(token)

    def _may_speculate(self, job: PreparedJob) -> bool:
        """Tokens that were drafted wrongly are taken back, which a sliding window that has begun
        to slide cannot do; mlx-lm does not notice."""
        windows = [
            layer.max_size
            for model in (self._model, self._draft_model)
            for layer in caches.make_prompt_cache(model)
            if hasattr(layer, "max_size")
        ]
        return len(job.ids) + job.token_limit < min(windows, default=sys.maxsize)

    def _reused(self, ids: tuple[int, ...]) -> int:
        """Rewinds the kept state to what it shares with `ids`; how many tokens that is."""
        shared = 0
        # The last token must be computed in any case: the answer begins from it.
        for old, new in zip(self._kept_ids, ids[:-1], strict=False):
            if old != new:
                break
            shared += 1
        if shared and caches.can_trim_prompt_cache(self._kept):
            computed = max(layer.offset for layer in self._kept)
            caches.trim_prompt_cache(self._kept, computed - shared)
        else:
            shared = 0
            self._kept = caches.make_prompt_cache(self._model)
        self._kept_ids = ids
        return shared

    def _forget(self) -> None:
        self._kept_ids, self._kept = (), []
        gc.collect()
        mx.clear_cache()

    def close(self) -> None:
        self._model = self._draft_model = None
        self._forget()
