"""EXL3 and EXL2 models on an NVIDIA card: exllamav3, and exllamav2 for the older format.

exllamav3 is the maintained one; exllamav2 is archived and serves folders that are there already.
Neither can be imported without CUDA, so this path is written by their documented interfaces and
has not been run by its authors: try it with ./glossa translate before a Sunday.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

# Before the first import: tokenizers are read from the folder, never from a hub.
os.environ["HF_HUB_OFFLINE"] = "1"

import torch
import transformers

from services.errors import EngineFailed, OutOfMemory, Unavailable
from services.mt.engine import (
    RUNTIMES,
    Capabilities,
    EngineOptions,
    LanguagePair,
    Rendering,
    Task,
)
from services.mt.engines.answer import Answer
from services.mt.engines.failures import as_engine_failed
from services.mt.engines.hf_model import PreparedJob, PromptTokenizer, find_folder
from services.mt.languages import promptable_pairs

NAME = "exl2"
# Both keep their cache in pages of so many tokens.
PAGE_TOKENS = 256
# exllamav2 pages its cache with flash-attn, which needs this compute capability; below it, it takes
# one text at a time.
_PAGED_EXL2 = (8, 0)

# Makes a job of a generator: its tokens, its limit, what ends it, its number in the batch.
_MakeJob = Callable[[Any, int, list[int], int], Any]


def load(options: EngineOptions) -> Exl2Engine:
    if options.device == "cpu" or not torch.cuda.is_available():
        raise Unavailable(
            "ENGINE_NOT_INSTALLED",
            "the translation runtime exl2 needs an NVIDIA card with CUDA, and there is none here "
            "or GLOSSA_MT_DEVICE is cpu; choose the runtime gguf instead",
            engine=NAME,
        )
    folder = find_folder(options.model, options.models_dir)
    draft_folder = None
    if options.speculative_model:
        draft_folder = find_folder(options.speculative_model, options.models_dir)
    method = _quant_method(folder)
    load_generator = {"exl3": _load_exl3, "exl2": _load_exl2}.get(method)
    if load_generator is None:
        raise EngineFailed(
            f"the model in {folder} is no EXL3 or EXL2 model: its config.json names "
            f"{method or 'no quantization'}; choose the runtime that fits it",
            engine=NAME,
        )
    max_batch = options.max_batch
    if method == "exl2" and torch.cuda.get_device_capability() < _PAGED_EXL2:
        max_batch = 1
    # Room for every text of a batch, in whole pages.
    pages = -(-options.context_tokens // PAGE_TOKENS)
    with as_engine_failed(NAME, f"load the model in {folder}"):
        generator, make_job = load_generator(
            folder, draft_folder, pages * PAGE_TOKENS * max_batch, max_batch
        )
        tokenizer = transformers.AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
        eos = _eos_ids(folder)
    prompts = PromptTokenizer(
        tokenizer,
        family=options.prompt_family,
        model_name=folder.name,
        context_tokens=options.context_tokens,
        eos_ids=eos,
    )
    capabilities = Capabilities(
        pairs=promptable_pairs(options.pairs),
        uses_context=True,
        streams=True,
        continues_text=True,
        max_batch=max_batch,
    )
    return Exl2Engine(f"{method}/{folder.name}", generator, make_job, prompts, capabilities)


def _quant_method(folder: Path) -> str:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    # Older conversions of models that also see carry it in the text model's part.
    for part in (config, config.get("text_config", {})):
        if "quantization_config" in part:
            return str(part["quantization_config"].get("quant_method", ""))
    return ""


def _eos_ids(folder: Path) -> list[int]:
    path = folder / "generation_config.json"
    if not path.exists():
        return []
    eos = json.loads(path.read_text(encoding="utf-8")).get("eos_token_id", [])
    return eos if isinstance(eos, list) else [eos]


def _imported(library: str) -> Any:
    try:
        return importlib.import_module(library)
    except ModuleNotFoundError as error:
        raise Unavailable(
            "ENGINE_NOT_INSTALLED",
            f"the translation runtime exl2 needs {error.name} for this model: "
            + (RUNTIMES[NAME].install if library == "exllamav3" else f"pip install {library}"),
            engine=NAME,
            missing=error.name,
        ) from error


def _load_exl3(
    folder: Path, draft_folder: Path | None, cache_tokens: int, max_batch: int
) -> tuple[Any, _MakeJob]:
    exl3 = _imported("exllamav3")

    def loaded(model_folder: Path) -> tuple[Any, Any, Any]:
        config = exl3.Config.from_directory(str(model_folder))
        model = exl3.Model.from_config(config)
        cache = exl3.Cache(model, max_num_tokens=cache_tokens)
        model.load()
        return config, model, cache

    drafts: dict[str, Any] = {}
    if draft_folder is not None:
        _, drafts["draft_model"], drafts["draft_cache"] = loaded(draft_folder)
    config, model, cache = loaded(folder)
    generator = exl3.Generator(
        model=model,
        cache=cache,
        tokenizer=exl3.Tokenizer.from_config(config),
        max_batch_size=max_batch,
        **drafts,
    )

    def make_job(ids: Any, token_limit: int, end_ids: list[int], index: int) -> Any:
        return exl3.Job(
            input_ids=ids,
            # It ends a job so many tokens early as it may draft.
            max_new_tokens=token_limit + generator.num_draft_tokens,
            stop_conditions=end_ids,
            sampler=exl3.GreedySampler(),
            identifier=index,
        )

    return generator, make_job


def _load_exl2(
    folder: Path, draft_folder: Path | None, cache_tokens: int, max_batch: int
) -> tuple[Any, _MakeJob]:
    exl2 = _imported("exllamav2")
    generation = _imported("exllamav2.generator")

    def loaded(model_folder: Path) -> tuple[Any, Any, Any]:
        config = exl2.ExLlamaV2Config(str(model_folder))
        model = exl2.ExLlamaV2(config)
        cache = exl2.ExLlamaV2Cache(model, max_seq_len=cache_tokens, lazy=True)
        model.load_autosplit(cache)
        return config, model, cache

    drafts: dict[str, Any] = {}
    if draft_folder is not None:
        _, drafts["draft_model"], drafts["draft_cache"] = loaded(draft_folder)
    config, model, cache = loaded(folder)
    generator = generation.ExLlamaV2DynamicGenerator(
        model=model,
        cache=cache,
        tokenizer=exl2.ExLlamaV2Tokenizer(config),
        max_batch_size=max_batch,
        paged=torch.cuda.get_device_capability() >= _PAGED_EXL2,
        **drafts,
    )

    def make_job(ids: Any, token_limit: int, end_ids: list[int], index: int) -> Any:
        return generation.ExLlamaV2DynamicJob(
            input_ids=ids,
            max_new_tokens=token_limit + generator.num_draft_tokens,
            stop_conditions=end_ids,
            gen_settings=generation.ExLlamaV2Sampler.Settings.greedy(),
            identifier=index,
        )

    return generator, make_job


class Exl2Engine:
    """A generator, which batches jobs and keeps what their prompts share by itself."""

    name = NAME
    restarts = 0

    def __init__(
        self,
        model_name: str,
        generator: Any,
        make_job: _MakeJob,
        prompts: PromptTokenizer,
        capabilities: Capabilities,
    ) -> None:
        self.capabilities = capabilities
        self._model_name = model_name
        self._generator = generator
        self._make_job = make_job
        self._prompts = prompts

    def model(self, pair: LanguagePair) -> str:
        return f"{self.name}/{self._model_name}"

    def translate(self, tasks: Sequence[Task]) -> list[Rendering]:
        jobs = [self._prompts.prepare(task.job) for task in tasks]
        answers = [
            Answer(task, job.prompt, job.token_limit) for task, job in zip(tasks, jobs, strict=True)
        ]
        try:
            with as_engine_failed(self.name, "translate"):
                self._generate(jobs, answers)
        except OutOfMemory:
            _free()
            raise
        return [answer.rendering() for answer in answers]

    def _generate(self, jobs: Sequence[PreparedJob], answers: Sequence[Answer]) -> None:
        queued = {
            index: self._make_job(
                torch.tensor([job.ids], dtype=torch.long),
                job.token_limit,
                sorted(self._prompts.end_ids(job.prompt)),
                index,
            )
            for index, (job, answer) in enumerate(zip(jobs, answers, strict=True))
            if answer.goes_on
        }
        generated: dict[int, list[int]] = {index: [] for index in queued}
        try:
            for job in queued.values():
                self._generator.enqueue(job)
            while self._generator.num_remaining_jobs():
                for result in self._generator.iterate():
                    index = result["identifier"]
                    if result["stage"] != "streaming" or index not in queued:
                        continue
                    if "token_ids" in result:
                        generated[index] += result["token_ids"].flatten().tolist()
                    is_ended = result["eos"] and result.get("eos_reason") != "max_new_tokens"
                    tokens = generated[index][: jobs[index].token_limit]
                    text = self._prompts.text(jobs[index], tokens)
                    goes_on = answers[index].write(text, len(tokens), is_ended=is_ended)
                    if result["eos"]:
                        del queued[index]
                    elif not goes_on:
                        self._generator.cancel(queued.pop(index))
        except BaseException:
            # A job left behind would be generated with the next text.
            self._generator.clear_queue()
            raise

    def close(self) -> None:
        model = self._generator.model
        self._generator = self._make_job = None  # type: ignore[assignment]
        model.unload()
        _free()


def _free() -> None:
    gc.collect()
    torch.cuda.empty_cache()
