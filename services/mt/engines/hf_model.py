"""Models in Hugging Face's folder layout: whether they are whole, and jobs as their tokens."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.errors import EngineFailed, Unavailable
from services.model_files import checked, find_model
from services.model_manifest import is_inside
from services.mt import prompt as prompts
from services.mt.engine import Job
from services.mt.engines.answer import fitted
from services.mt.prompt import Prompt
from services.mt.prompt_family import checked_family

_INDEX = "model.safetensors.index.json"
_FILES = ("config.json", "tokenizer.json|tokenizer.model", f"model.safetensors|{_INDEX}")


def find_folder(model: str, models_dir: Path) -> Path:
    """The model's folder, with all of its weights' files.

    Raises:
        Unavailable: MODEL_MISSING, naming the first file that is not there; MODEL_ALTERED,
            MODEL_UNSAFE, also where a file is named that lies elsewhere.
        EngineFailed: its list of files cannot be read.
    """
    folder = find_model(model, models_dir, needs=_FILES)
    index = folder / _INDEX
    if index.exists():
        try:
            shards = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
            leading_out = [name for name in shards if not is_inside(name)]
            if not leading_out:
                find_model(str(folder), models_dir, needs=sorted(shards))
        except (
            *(OSError, ValueError),  # also of names that no file can have
            *(KeyError, AttributeError, TypeError, RecursionError),
        ) as error:
            raise EngineFailed(
                f"{index} is damaged ({error}): ./glossa models verify", model=model
            ) from error
        if leading_out:
            raise Unavailable(
                "MODEL_UNSAFE",
                f"the model {folder} is not loaded: {_INDEX} names {leading_out[0]!r}, which lies "
                "outside of its folder; get the model anew with ./glossa models pull",
                model=model,
            )
    return checked(folder)


@dataclass(frozen=True)
class PreparedJob:
    """A job as the model is given it.

    Args:
        ids: the prompt's tokens, beginning of sequence included.
        token_limit: tokens that the answer may have.
    """

    prompt: Prompt
    ids: tuple[int, ...]
    token_limit: int


class PromptTokenizer:
    """A transformers tokenizer that knows the model's prompt family.

    Args:
        tokenizer: of transformers, or one that behaves like it.
        eos_ids: what the model's own configuration says that ends an answer.
    """

    def __init__(
        self,
        tokenizer: Any,
        *,
        family: str,
        model_name: str,
        context_tokens: int,
        eos_ids: Sequence[int],
    ) -> None:
        self._tokenizer = tokenizer
        template = tokenizer.chat_template
        if template is not None and not isinstance(template, str):
            template = template.get("default")
        self.family = checked_family(family, template, model_name, tokenizer.get_vocab())
        self._context_tokens = context_tokens
        self._eos_ids = frozenset(eos_ids) | {tokenizer.eos_token_id}

    def prepare(self, job: Job) -> PreparedJob:
        """Raises InvalidInput as `prompt.build` and `answer.fitted` do."""
        prompt, ids, limit = fitted(
            job,
            len(self._tokenizer.encode(job.text, add_special_tokens=False)),
            self._context_tokens,
            lambda lean: prompts.build(self.family, lean),
            self._tokenizer.encode,  # which mlx-lm's tokenizers have too
        )
        return PreparedJob(prompt, tuple(ids), limit)

    def end_ids(self, prompt: Prompt) -> frozenset[int]:
        """Tokens that end an answer."""
        stops = self._tokenizer.convert_tokens_to_ids(list(prompt.stop))
        return (self._eos_ids | set(stops)) - {None, self._tokenizer.unk_token_id}

    def text(self, job: PreparedJob, generated: Sequence[int]) -> str:
        """What `generated` adds to the prompt; some tokenizers drop a leading space, so it is
        decoded behind the prompt's last tokens."""
        last = list(job.ids[-2:])
        decode = self._tokenizer.decode
        before = decode(last, skip_special_tokens=True)
        return str(decode([*last, *generated], skip_special_tokens=True)[len(before) :])
