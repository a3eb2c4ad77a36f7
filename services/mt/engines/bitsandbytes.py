"""Language models in NF4 through transformers and bitsandbytes, from a plain Hugging Face folder.

The weights are quantized while they are loaded, so any folder as its maker publishes it will do.
Several jobs are generated as one batch, each with its own end; on a CPU it works and is slow.
"""

from __future__ import annotations

import gc
import logging
import os
from collections.abc import Sequence
from typing import Any

# Before the first import: neither transformers nor bitsandbytes may ask a hub for anything.
# bitsandbytes would fetch a kernel for CPUs with AVX512-BF16; without it, it uses its own and warns
# in the log, which helps nobody here.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)

import bitsandbytes  # noqa: E402, F401  transformers quantizes with it
import torch  # noqa: E402
import transformers  # noqa: E402

from services.errors import EngineFailed, OutOfMemory  # noqa: E402
from services.mt.engine import (  # noqa: E402
    Capabilities,
    EngineOptions,
    LanguagePair,
    Rendering,
    Task,
)
from services.mt.engines.answer import Answer  # noqa: E402
from services.mt.engines.failures import as_engine_failed, no_such_device  # noqa: E402
from services.mt.engines.hf_model import PreparedJob, PromptTokenizer, find_folder  # noqa: E402
from services.mt.languages import promptable_pairs  # noqa: E402

NAME = "bitsandbytes"
_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
# Gemma 3 overflows in float16, and before this compute capability bfloat16 is only emulated.
_NATIVE_BFLOAT16 = (8, 0)


def load(options: EngineOptions) -> BitsandbytesEngine:
    folder = find_folder(options.model, options.models_dir)
    device = _device(options.device)
    dtype = _dtype(options.compute_type, device)
    if options.threads and device == "cpu":
        torch.set_num_threads(options.threads)
    transformers.utils.logging.disable_progress_bar()
    with as_engine_failed(NAME, f"load the model in {folder}"):
        tokenizer = transformers.AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False, padding_side="left"
        )
        model = _load_model(folder, device, dtype)
        assistant = None
        if options.speculative_model:
            assistant = _load_model(
                find_folder(options.speculative_model, options.models_dir), device, dtype
            )
    eos = model.generation_config.eos_token_id
    prompts = PromptTokenizer(
        tokenizer,
        family=options.prompt_family,
        model_name=folder.name,
        context_tokens=options.context_tokens,
        eos_ids=eos if isinstance(eos, list) else [eos],
    )
    # transformers speculates for one text at a time.
    max_batch = 1 if assistant is not None else options.max_batch
    return BitsandbytesEngine(
        folder.name,
        model,
        assistant,
        prompts,
        pad_id=tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0,
        capabilities=Capabilities(
            pairs=promptable_pairs(options.pairs),
            uses_context=True,
            streams=True,
            continues_text=True,
            max_batch=max_batch,
        ),
    )


def _device(wanted: str) -> str:
    has_cuda = torch.cuda.is_available()
    if wanted == "auto":
        return "cuda" if has_cuda else "cpu"
    if wanted == "cuda" and not has_cuda:
        raise no_such_device(NAME, wanted)
    return wanted


def _dtype(wanted: str, device: str) -> torch.dtype:
    if wanted == "auto":
        if device == "cuda" and torch.cuda.get_device_capability() >= _NATIVE_BFLOAT16:
            return torch.bfloat16
        return torch.float32
    if wanted not in _DTYPES:
        raise EngineFailed(
            f"bitsandbytes cannot compute in {wanted}; set GLOSSA_MT_COMPUTE_TYPE to auto or one "
            f"of {', '.join(_DTYPES)}",
            engine=NAME,
        )
    return _DTYPES[wanted]


def _load_model(folder: Any, device: str, dtype: torch.dtype) -> Any:
    config = transformers.AutoConfig.from_pretrained(
        folder, local_files_only=True, trust_remote_code=False
    )
    quantization = None
    if getattr(config, "quantization_config", None) is None:
        quantization = transformers.BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=dtype,
        )
    model = transformers.AutoModelForCausalLM.from_pretrained(
        folder,
        config=config,
        quantization_config=quantization,
        dtype=dtype,
        device_map={"": device},
        local_files_only=True,
        trust_remote_code=False,
        use_safetensors=True,
    )
    return model.eval()


class BitsandbytesEngine:
    """A model and, when speculating, a smaller one that drafts tokens for it."""

    name = NAME
    restarts = 0

    def __init__(
        self,
        model_name: str,
        model: Any,
        assistant: Any,
        prompts: PromptTokenizer,
        *,
        pad_id: int,
        capabilities: Capabilities,
    ) -> None:
        self.capabilities = capabilities
        self._model_name = model_name
        self._model = model
        self._assistant = assistant
        self._prompts = prompts
        self._pad_id = pad_id

    def model(self, pair: LanguagePair) -> str:
        return f"{self.name}/{self._model_name}"

    def translate(self, tasks: Sequence[Task]) -> list[Rendering]:
        jobs = [self._prompts.prepare(task.job) for task in tasks]
        answers = [
            Answer(task, job.prompt, job.token_limit) for task, job in zip(tasks, jobs, strict=True)
        ]
        if any(answer.goes_on for answer in answers):
            try:
                with as_engine_failed(self.name, "translate"), torch.inference_mode():
                    self._generate(jobs, answers)
            except OutOfMemory:
                _free()
                raise
        return [answer.rendering() for answer in answers]

    def _generate(self, jobs: Sequence[PreparedJob], answers: Sequence[Answer]) -> None:
        longest = max(len(job.ids) for job in jobs)
        ids = torch.tensor(
            [[self._pad_id] * (longest - len(job.ids)) + list(job.ids) for job in jobs]
        )
        attended = torch.tensor(
            [[0] * (longest - len(job.ids)) + [1] * len(job.ids) for job in jobs]
        )
        ends = [self._prompts.end_ids(job.prompt) for job in jobs]
        writing = _Writing(self._prompts, jobs, answers, ends, longest)
        self._model.generate(
            input_ids=ids.to(self._model.device),
            attention_mask=attended.to(self._model.device),
            max_new_tokens=max(job.token_limit for job in jobs),
            do_sample=False,
            num_beams=1,
            eos_token_id=sorted(frozenset().union(*ends)),
            pad_token_id=self._pad_id,
            stopping_criteria=transformers.StoppingCriteriaList([writing]),
            **({"assistant_model": self._assistant} if self._assistant is not None else {}),
        )

    def close(self) -> None:
        self._model = self._assistant = None
        _free()


class _Writing(transformers.StoppingCriteria):
    """Asked by `generate` after each step: tells the tasks, and says which of them are done."""

    def __init__(
        self,
        prompts: PromptTokenizer,
        jobs: Sequence[PreparedJob],
        answers: Sequence[Answer],
        ends: Sequence[frozenset[int]],
        prompt_length: int,
    ) -> None:
        self._prompts = prompts
        self._rows = list(zip(jobs, answers, ends, strict=True))
        self._prompt_length = prompt_length

    def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:
        generated = input_ids[:, self._prompt_length :].tolist()
        done = [
            not (answer.goes_on and self._write(job, answer, ends, tokens))
            for (job, answer, ends), tokens in zip(self._rows, generated, strict=True)
        ]
        return torch.tensor(done, dtype=torch.bool, device=input_ids.device)

    def _write(
        self, job: PreparedJob, answer: Answer, ends: frozenset[int], tokens: list[int]
    ) -> bool:
        end = next((at for at, token in enumerate(tokens) if token in ends), None)
        # Speculation may add several tokens at once and overshoot.
        tokens = tokens[: job.token_limit if end is None else end]
        return answer.write(self._prompts.text(job, tokens), len(tokens), is_ended=end is not None)


def _free() -> None:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
