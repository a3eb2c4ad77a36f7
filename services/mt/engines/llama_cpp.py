"""GGUF models through llama-cpp-python, by llama.cpp's own functions.

The library's high-level class keeps the scores of every position when it speculates, which for
Gemma's vocabulary of 262,144 is 1 MiB a token; here scores are asked for where they are needed.
Calls into llama.cpp release Python's global lock.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import os
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import llama_cpp
import numpy as np

from services.errors import EngineFailed, InvalidInput
from services.mt.engine import Capabilities, EngineOptions, Job, LanguagePair, Rendering, Task
from services.mt.engines.answer import Answer, fitted
from services.mt.engines.failures import as_engine_failed, no_such_device
from services.mt.engines.gguf import NAME, GgufModel, find_draft, read_model
from services.mt.languages import promptable_pairs
from services.mt.prompt import Prompt

# Tokens guessed at once: of an earlier answer, which is mostly right, and by a smaller model.
_EARLIER_TOKENS = 12
_DRAFTED_TOKENS = 4
_ALL_LAYERS = 1000
_WARNING, _ERROR = 2, 3  # GGML_LOG_LEVEL_*

# The newest of what llama.cpp said; it goes into the message when something fails.
_said: deque[str] = deque(maxlen=8)


@llama_cpp.llama_log_callback  # type: ignore[untyped-decorator, unused-ignore]
def _keep_log(level: int, text: bytes, _: ctypes.c_void_p) -> None:
    if level in (_WARNING, _ERROR):
        _said.append(text.decode("utf-8", errors="replace").strip())


llama_cpp.llama_log_set(_keep_log, ctypes.c_void_p(0))


def load(options: EngineOptions) -> LlamaCppEngine:
    model = read_model(options)
    draft = find_draft(options)
    pairs = promptable_pairs(options.pairs)
    has_gpu = bool(llama_cpp.llama_supports_gpu_offload())
    if options.device == "cuda" and not has_gpu:
        raise no_such_device(f"{NAME} (llama-cpp-python, perhaps built without it)", "cuda")

    with contextlib.ExitStack() as opened:

        def open_decoder(path: Path) -> Decoder:
            with as_engine_failed(NAME, f"load {path}"):
                return opened.enter_context(
                    contextlib.closing(
                        Decoder(
                            path,
                            context_tokens=options.context_tokens,
                            threads=options.threads,
                            on_gpu=has_gpu and options.device != "cpu",
                        )
                    )
                )

        decoder = open_decoder(model.path)
        drafter = open_decoder(draft) if draft is not None else None
        if drafter is not None and drafter.vocabulary() != decoder.vocabulary():
            raise EngineFailed(
                f"{draft} cannot draft for {model.path}: their vocabularies differ; unset "
                "GLOSSA_MT_SPECULATIVE_MODEL or name a model of the same family",
                engine=NAME,
            )
        engine = LlamaCppEngine(
            model,
            decoder,
            drafter,
            context_tokens=options.context_tokens,
            capabilities=Capabilities(
                pairs=pairs, uses_context=True, streams=True, continues_text=True
            ),
        )
        opened.pop_all()
    return engine


class LlamaCppEngine:
    """A model and, when speculating, a smaller one that drafts tokens for it."""

    name = NAME
    restarts = 0

    def __init__(
        self,
        model: GgufModel,
        decoder: Decoder,
        drafter: Decoder | None,
        *,
        context_tokens: int,
        capabilities: Capabilities,
    ) -> None:
        self.capabilities = capabilities
        self.decoder = decoder
        self.drafter = drafter
        self._model = model
        self._context_tokens = context_tokens
        self._ends = model.end_ids(
            capabilities.pairs[0],
            lambda text: decoder.tokens(text, with_markers=True, begins=False),
        )

    def model(self, pair: LanguagePair) -> str:
        return f"{self.name}/llama-cpp-python/{self._model.path.stem}"

    def translate(self, tasks: Sequence[Task]) -> list[Rendering]:
        return [self._translate(task) for task in tasks]

    def _translate(self, task: Task) -> Rendering:
        decoder = self.decoder
        prompt, ids, limit = self._prepared(task.job)
        earlier = _EarlierAnswer(self._earlier_tokens(task.job))
        answer = Answer(task, prompt, limit)
        answer_ids: list[int] = []
        written = bytearray()
        with as_engine_failed(self.name, "translate"):
            while answer.goes_on:
                guessed = self._guess(ids, answer_ids, earlier)[: limit - len(answer_ids) - 1]
                # Each guess that the model would have written itself counts; so does what it
                # writes after the last of those. The rest is forgotten with the next call.
                chosen = decoder.following([*ids, *answer_ids, *guessed], len(guessed) + 1)
                right = 0
                while right < len(guessed) and guessed[right] == chosen[right]:
                    right += 1
                for token in chosen[: right + 1]:
                    is_ended = token in self._ends or decoder.ends(token)
                    if not is_ended:
                        answer_ids.append(token)
                        written += decoder.piece(token)
                    text = written.decode("utf-8", errors="replace")
                    if not answer.write(text, len(answer_ids), is_ended=is_ended):
                        break
        return answer.rendering()

    def _prepared(self, job: Job) -> tuple[Prompt, list[int], int]:
        tokens = self.decoder.tokens
        return fitted(
            job,
            len(tokens(job.text, with_markers=False)),
            self._context_tokens,
            self._model.prompt,
            lambda text: tokens(text, with_markers=True),
        )

    def _guess(self, ids: list[int], answer_ids: list[int], earlier: _EarlierAnswer) -> list[int]:
        if not self.decoder.can_go_back:
            return []
        if guessed := earlier.after(answer_ids):
            return guessed
        if self.drafter is None:
            return []
        drafted: list[int] = []
        while len(drafted) < _DRAFTED_TOKENS:
            (token,) = self.drafter.following([*ids, *answer_ids, *drafted], 1)
            drafted.append(token)
            if self.drafter.ends(token):
                break
        return drafted

    def _earlier_tokens(self, job: Job) -> list[int]:
        """An earlier answer's tokens behind the committed ones."""
        committed = job.committed_text.strip()
        text = job.previous_text.strip()
        if not text.startswith(committed):
            return []
        return self.decoder.tokens(text[len(committed) :], with_markers=False)

    def close(self) -> None:
        self.decoder.close()
        if self.drafter is not None:
            self.drafter.close()


class _EarlierAnswer:
    """Guesses that the answer goes on as an earlier one did.

    Where they part it looks for the last two tokens in the earlier one, so that one changed word
    does not cost the rest.
    """

    def __init__(self, tokens: list[int]) -> None:
        self._tokens = tokens
        self._at = {
            (first, second): index + 2
            for index, (first, second) in enumerate(itertools.pairwise(tokens))
        }

    def after(self, answer_ids: list[int]) -> list[int]:
        tokens, count = self._tokens, len(answer_ids)
        if tokens[:count] == answer_ids:
            at: int | None = count
        else:
            at = self._at.get(tuple(answer_ids[-2:]))  # type: ignore[arg-type]
        return [] if at is None else tokens[at : at + _EARLIER_TOKENS]


class Decoder:
    """A model in GGUF together with the keys and values of the tokens that it read last.

    Args:
        context_tokens: the most that it can hold.
        threads: 0 for half the processors in reading single tokens, all of them in reading many.

    Attributes:
        read_tokens: how many it has read so far, those that it still held not counted.
        calls: into llama.cpp's decoder.
    """

    def __init__(self, path: Path, *, context_tokens: int, threads: int, on_gpu: bool) -> None:
        self.read_tokens = 0
        self.calls = 0
        self._held: list[int] = []
        self._model: Any = None
        self._context: Any = None
        self._memory: Any = None
        self._batch: Any = None
        _said.clear()
        llama_cpp.llama_backend_init()
        parameters = llama_cpp.llama_model_default_params()
        parameters.n_gpu_layers = _ALL_LAYERS if on_gpu else 0
        # llama.cpp built for a processor with AMX dies of Q8_0 and Q4 weights that it repacked
        # (llama.cpp #20824).
        parameters.use_extra_bufts = on_gpu
        self._model = llama_cpp.llama_model_load_from_file(os.fsencode(path), parameters)
        if not self._model:
            raise RuntimeError(_last_said())
        try:
            self._open_context(context_tokens, threads, on_gpu)
        except BaseException:
            self.close()
            raise
        self._vocabulary = llama_cpp.llama_model_get_vocab(self._model)
        self._vocabulary_size = int(llama_cpp.llama_vocab_n_tokens(self._vocabulary))
        # Models whose state is no list of keys and values cannot forget their last tokens alone.
        self.can_go_back = not (
            llama_cpp.llama_model_is_recurrent(self._model)
            or llama_cpp.llama_model_is_hybrid(self._model)
        )

    def _open_context(self, context_tokens: int, threads: int, on_gpu: bool) -> None:
        processors = os.cpu_count() or 1
        parameters = llama_cpp.llama_context_default_params()
        parameters.n_ctx = context_tokens
        parameters.n_batch = context_tokens  # a prompt in one call
        parameters.n_ubatch = min(512, context_tokens)
        # Scores are wanted of the last token and of guesses alone; room for those of a whole batch
        # would be 512 MiB on the card with Gemma's vocabulary.
        parameters.n_outputs_max = 1 + max(_EARLIER_TOKENS, _DRAFTED_TOKENS)
        parameters.n_threads = threads or max(processors // 2, 1)
        parameters.n_threads_batch = threads or processors
        parameters.swa_full = True  # or nothing before the sliding window could be kept
        parameters.no_perf = True
        parameters.flash_attn_type = (
            llama_cpp.LLAMA_FLASH_ATTN_TYPE_AUTO
            if on_gpu
            else llama_cpp.LLAMA_FLASH_ATTN_TYPE_DISABLED
        )
        self._context = llama_cpp.llama_init_from_model(self._model, parameters)
        if not self._context:
            raise RuntimeError(_last_said())
        self._memory = llama_cpp.llama_get_memory(self._context)
        self._batch = llama_cpp.llama_batch_init(context_tokens, 0, 1)
        self._batch_tokens = context_tokens

    def vocabulary(self) -> tuple[int, tuple[int, ...]]:
        """What two models must share for one to draft for the other."""
        sample = "Él murió en la cruz; 1 Juan 4:8.\n<start_of_turn><|turn><|im_start|>"
        return self._vocabulary_size, tuple(self.tokens(sample, with_markers=True))

    def tokens(self, text: str, *, with_markers: bool, begins: bool | None = None) -> list[int]:
        """The tokens of a text.

        Args:
            with_markers: control tokens written in it are read as such.
            begins: the beginning-of-sequence token comes first if the model wants one; as
                `with_markers` unless told.
        """
        encoded = text.encode()
        begins = with_markers if begins is None else begins
        room = len(encoded) + 8
        ids = (llama_cpp.llama_token * room)()
        count = llama_cpp.llama_tokenize(
            self._vocabulary, encoded, len(encoded), ids, room, begins, with_markers
        )
        if count < 0:
            raise EngineFailed(f"llama.cpp cannot tokenize {len(text)} characters", engine=NAME)
        return list(ids[:count])

    def piece(self, token: int) -> bytes:
        """What a token adds to a text: perhaps part of a character; nothing for a control token."""
        room = 256
        piece = ctypes.create_string_buffer(room)
        size = llama_cpp.llama_token_to_piece(self._vocabulary, token, piece, room, 0, False)
        return piece.raw[: max(size, 0)]

    def ends(self, token: int) -> bool:
        """Whether a token ends a turn, or is another control token, which no translation holds."""
        return bool(
            llama_cpp.llama_vocab_is_eog(self._vocabulary, token)
            or llama_cpp.llama_vocab_is_control(self._vocabulary, token)
        )

    def following(self, ids: Sequence[int], count: int) -> list[int]:
        """The likeliest token after each of the last `count` of `ids`.

        What it holds already of `ids` is not read again. Tokens read together may round
        differently from tokens read one by one; between two of equal score that could decide.

        Raises:
            InvalidInput: TEXT_TOO_LONG, more than the context holds.
        """
        if len(ids) > self._batch_tokens:
            raise InvalidInput("TEXT_TOO_LONG", "the text does not fit into the model's context")
        keep = min(_common(self._held, ids), len(ids) - count)
        if keep < len(self._held) and not llama_cpp.llama_memory_seq_rm(self._memory, -1, keep, -1):
            llama_cpp.llama_memory_clear(self._memory, True)
            keep = 0
        fresh = ids[keep:]
        batch = self._batch
        batch.n_tokens = len(fresh)
        first_wanted = len(fresh) - count
        for index, token in enumerate(fresh):
            batch.token[index] = token
            batch.pos[index] = keep + index
            batch.n_seq_id[index] = 1
            batch.seq_id[index][0] = 0
            batch.logits[index] = index >= first_wanted
        del self._held[keep:]
        self.calls += 1
        self.read_tokens += len(fresh)
        status = llama_cpp.llama_decode(self._context, batch)
        if status != 0:
            llama_cpp.llama_memory_clear(self._memory, True)
            self._held.clear()
            raise RuntimeError(f"llama_decode gave {status}: {_last_said()}")
        self._held.extend(fresh)
        return [self._likeliest(index) for index in range(first_wanted, len(fresh))]

    def _likeliest(self, index: int) -> int:
        scores = llama_cpp.llama_get_logits_ith(self._context, index)
        return int(np.ctypeslib.as_array(scores, shape=(self._vocabulary_size,)).argmax())

    def close(self) -> None:
        if self._batch is not None:
            llama_cpp.llama_batch_free(self._batch)
        if self._context:
            llama_cpp.llama_free(self._context)
        if self._model:
            llama_cpp.llama_model_free(self._model)
        self._batch = self._context = self._model = None


def _common(first: Sequence[int], second: Sequence[int]) -> int:
    """Tokens that two sequences share at their beginning."""
    for index, (one, other) in enumerate(zip(first, second, strict=False)):
        if one != other:
            return index
    return min(len(first), len(second))


def _last_said() -> str:
    """The first complaint; those after it follow from it."""
    return next(iter(_said), "llama.cpp does not say why")
