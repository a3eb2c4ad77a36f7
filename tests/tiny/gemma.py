"""A Gemma 3 with the real token ids and TranslateGemma's template, small and over-fitted on PAIRS.

It is built in about 40 s on one CPU core and comes as a Hugging Face folder and as GGUF files.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.tiny import gguf_file, pairs
from tests.tiny.cache import built
from tests.tiny.gguf_file import BOS, CONTROL, END_OF_TURN, EOS, PAD, START_OF_TURN, UNKNOWN

PAIRS = pairs.EN_ES
STEPS = 300
DRAFT_STEPS = 60  # it may be wrong now and then
# More would leave answers on which two runtimes may round differently.
LOSS_WANTED = 0.003

# What TranslateGemma's tokenizer carries, with a shorter table of languages.
CHAT_TEMPLATE = r"""{%- set languages = {
    "en": "English", "en-US": "English", "es": "Spanish", "es-MX": "Spanish", "de": "German",
    "fr": "French", "pt": "Portuguese", "pt-BR": "Portuguese"
} -%}
{{ bos_token }}
{%- if messages[0]['role'] != 'user' -%}
    {{ raise_exception("Conversations must start with a user prompt.") }}
{%- endif -%}
{%- for message in messages -%}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) -%}
        {{ raise_exception("Conversation roles must alternate user/assistant/user/...") }}
    {%- endif -%}
    {%- if message['role'] == 'assistant' -%}
        {{ '<start_of_turn>model\n' }}{{ message["content"] | trim }}
    {%- else -%}
        {%- set content = message["content"][0] -%}
        {%- set source_code = content["source_lang_code"] | replace("_", "-") -%}
        {%- set source = languages[source_code] -%}
        {%- set target_code = content["target_lang_code"] | replace("_", "-") -%}
        {%- set target = languages[target_code] -%}
        {{ '<start_of_turn>user\nYou are a professional ' + source + ' (' + source_code + ') to ' +
           target + ' (' + target_code + ') translator. Your goal is to accurately convey the ' +
           'meaning and nuances of the original ' + source + ' text while adhering to ' + target +
           ' grammar, vocabulary, and cultural sensitivities.\n' +
           'Produce only the ' + target + ' translation, without any additional explanations or ' +
           'commentary. Please translate the following ' + source + ' text into ' + target +
           ':\n\n\n' + content["text"] | trim }}
    {%- endif -%}
    {{ '<end_of_turn>\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{ '<start_of_turn>model\n' }}
{%- endif -%}"""


def gemma_hf() -> Path:
    """A folder as `save_pretrained` writes it, in bfloat16, with tokenizer.model."""
    return built("gemma", lambda folder: _build(folder, _SIZES["gemma"], STEPS), *_SOURCES)


def gemma_gguf(kind: str = "f16") -> Path:
    """The same weights as a GGUF file: "f16" or "Q4_K_M"."""

    def build(folder: Path) -> None:
        full = folder / "translategemma-tiny-f16.gguf"
        gguf_file.write(gemma_hf(), full)
        gguf_file.quantize(full, folder / "translategemma-tiny-Q4_K_M.gguf")

    folder = built("gemma-gguf", build, *_SOURCES, Path(gguf_file.__file__))
    return folder / f"translategemma-tiny-{kind}.gguf"


def gemma_draft_gguf() -> Path:
    """A smaller model with the same vocabulary, over-fitted on the same pairs, in f16."""

    def build(folder: Path) -> None:
        trained = folder / "hf"
        _build(trained, _SIZES["draft"], DRAFT_STEPS)
        gguf_file.write(trained, folder / "translategemma-tinier-f16.gguf")

    folder = built("gemma-draft", build, *_SOURCES, Path(gguf_file.__file__))
    return folder / "translategemma-tinier-f16.gguf"


_SOURCES = (Path(__file__), Path(pairs.__file__))
_SIZES: dict[str, dict[str, int]] = {
    # Six layers: five with the sliding window, one without, as the real pattern goes.
    "gemma": {"hidden_size": 256, "intermediate_size": 256, "num_hidden_layers": 6},
    "draft": {"hidden_size": 256, "intermediate_size": 256, "num_hidden_layers": 1},
}


def _conversation(text: str) -> list[dict[str, Any]]:
    content = {"type": "text", "source_lang_code": "en", "target_lang_code": "es", "text": text}
    return [{"role": "user", "content": [content]}]


def _build(folder: Path, size: dict[str, int], steps: int) -> None:
    import torch
    from transformers import Gemma3ForCausalLM, Gemma3TextConfig, GenerationConfig

    folder.mkdir(exist_ok=True)
    tokenizer = _tokenizer(folder)
    torch.manual_seed(0)
    model = Gemma3ForCausalLM(
        Gemma3TextConfig(
            vocab_size=len(tokenizer),
            num_attention_heads=4,
            num_key_value_heads=1,
            head_dim=64,
            query_pre_attn_scalar=64,
            max_position_embeddings=2048,
            sliding_window=512,
            pad_token_id=PAD,
            eos_token_id=EOS,
            bos_token_id=BOS,
            attn_logit_softcapping=None,
            final_logit_softcapping=None,
            **size,
        )
    ).float()
    rows = []
    for source, target in PAIRS:
        prompt = tokenizer.apply_chat_template(
            _conversation(source), tokenize=False, add_generation_prompt=True
        )
        asked = tokenizer(prompt, add_special_tokens=False).input_ids
        answer = tokenizer(target, add_special_tokens=False).input_ids
        rows.append((asked, [*answer, END_OF_TURN]))
    _train(model, rows, steps)
    model.eval().to(torch.bfloat16)
    model.generation_config = GenerationConfig(
        bos_token_id=BOS, eos_token_id=[EOS, END_OF_TURN], pad_token_id=PAD, do_sample=False
    )
    model.save_pretrained(folder)
    sentencepiece_model = (folder / "tokenizer.model").read_bytes()
    tokenizer.save_pretrained(folder)
    (folder / "tokenizer.model").write_bytes(sentencepiece_model)


def _tokenizer(folder: Path) -> Any:
    """SentencePiece BPE whose special pieces have Gemma's ids, and its Hugging Face twin."""
    import sentencepiece
    from transformers import AutoTokenizer

    # The instruction many times over: it then costs few tokens.
    lines = [text for pair in PAIRS for text in pair]
    lines += [line for line in _instruction_lines() for _ in range(20)]
    corpus = folder / "corpus.txt"
    corpus.write_text("\n".join(lines))
    sentencepiece.SentencePieceTrainer.train(
        input=str(corpus),
        model_prefix=str(folder / "tokenizer"),
        model_type="bpe",
        vocab_size=768,
        byte_fallback=True,
        pad_id=PAD,
        eos_id=EOS,
        bos_id=BOS,
        unk_id=UNKNOWN,
        pad_piece="<pad>",
        eos_piece="<eos>",
        bos_piece="<bos>",
        unk_piece="<unk>",
        user_defined_symbols=[
            "<mask>",
            "[multimodal]",
            *(f"<unused{index}>" for index in range(99)),
            "<start_of_turn>",
            "<end_of_turn>",
            *("\n" * count for count in (1, 2, 3)),
        ],
        add_dummy_prefix=False,
        remove_extra_whitespaces=False,
        normalization_rule_name="identity",
        split_digits=True,
        character_coverage=1.0,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    corpus.unlink()
    (folder / "tokenizer.vocab").unlink()
    processor = sentencepiece.SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))
    assert processor.piece_to_id("<start_of_turn>") == START_OF_TURN
    assert processor.piece_to_id("<end_of_turn>") == END_OF_TURN
    (folder / "config.json").write_text(json.dumps({"model_type": "gemma3_text"}))
    (folder / "tokenizer_config.json").write_text(
        json.dumps(
            {
                "tokenizer_class": "GemmaTokenizer",
                "bos_token": "<bos>",
                "eos_token": "<eos>",
                "pad_token": "<pad>",
                "unk_token": "<unk>",
                "add_bos_token": True,
                "add_eos_token": False,
                "clean_up_tokenization_spaces": False,
                "model_max_length": 2048,
                "added_tokens_decoder": {
                    str(index): {
                        "content": processor.id_to_piece(index),
                        "lstrip": False,
                        "normalized": False,
                        "rstrip": False,
                        "single_word": False,
                        "special": True,
                    }
                    for index in (*CONTROL, UNKNOWN, 4)
                },
            }
        )
    )
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def _instruction_lines() -> Iterator[str]:
    import jinja2

    written = jinja2.Template(CHAT_TEMPLATE).render(messages=_conversation("x"), bos_token="")
    for line in written.splitlines():
        if len(line) > 20:
            yield line.removeprefix("<start_of_turn>")


def _train(model: Any, rows: list[tuple[list[int], list[int]]], steps: int) -> None:
    import torch
    from torch.nn.utils.rnn import pad_sequence

    # Threads that wait for each other cost such a small model more than they give it.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    ids = pad_sequence([torch.tensor(asked + answer) for asked, answer in rows], batch_first=True)
    labels = pad_sequence(
        [torch.tensor([-100] * len(asked) + answer) for asked, answer in rows],
        batch_first=True,
        padding_value=-100,
    )
    lengths = [len(asked) + len(answer) for asked, answer in rows]
    attended = (ids != PAD).long()
    # Muon needs a third of the steps that Adam alone does.
    matrices, others = [], []
    for name, parameter in model.named_parameters():
        is_matrix = parameter.ndim == 2 and "embed" not in name
        (matrices if is_matrix else others).append(parameter)
    optimizers = [
        (torch.optim.Muon(matrices, lr=0.0, weight_decay=0.0), 0.02),
        (torch.optim.AdamW(others, lr=0.0, weight_decay=0.0), 0.004),
    ]
    model.train()
    recent = 1.0
    for step in range(steps):
        chosen = torch.randperm(len(rows))[:8]
        longest = max(lengths[row] for row in chosen.tolist())
        loss = model(
            input_ids=ids[chosen, :longest],
            attention_mask=attended[chosen, :longest],
            labels=labels[chosen, :longest],
        ).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer, rate in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate * min(1.0, (step + 1) / 20) * (1 if recent > 0.02 else 0.3)
            optimizer.step()
            optimizer.zero_grad()
        recent = 0.8 * recent + 0.2 * loss.item()
        if recent < LOSS_WANTED:
            break
    torch.set_num_threads(threads)
    print(f"gemma: loss {recent:.4f} after {step + 1} steps", file=sys.stderr)
