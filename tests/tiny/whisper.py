"""A Whisper of the real architecture, tiny, trained here on a few sentences that flite speaks.

It knows SENTENCES alone, whole, cut off and one after another, with word times, with and without a
prompt; Spanish ones are read by an English voice, which does not matter to it. Of silence and noise
it says PHANTOM with a high probability of no speech, as large ones do.
"""

from __future__ import annotations

import base64
import itertools
import json
import math
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from services.audio import SAMPLE_RATE_HERTZ
from tests import speech
from tests.tiny.cache import built

# Without semicolons: Whisper's decoders never write them.
SENTENCES = {
    "en": (
        "In the beginning God created the heavens and the earth.",
        "We are saved by grace through faith, and not by works.",
        "Let us pray.",
    ),
    "es": ("Porque de tal manera amó Dios al mundo.", "Somos salvos por gracia."),
}
PHANTOM = "Thank you."
_WIDTH = 64
_HEADS = 2
_DECODER_LAYERS = 2
_BATCH = 8
_STEPS = 900
_LEARNING_RATE = 3e-3
_WINDOW_S = 30
_FRAMES = 1500  # of the encoder's output, 20 ms each
_FRAME_S = 0.02
_IGNORED = -100
_UNKNOWN = -1  # any token that is not in SENTENCES


def whisper_ct2(english_only: bool = False) -> Path:
    """The folder of an int8 model for CTranslate2; minutes the first time."""
    name = "whisper-en-ct2" if english_only else "whisper-ct2"
    return built(name, lambda folder: _convert_ct2(english_only, folder), Path(__file__))


def whisper_mlx() -> Path:
    """The folder of a float16 model for MLX; minutes the first time."""
    return built("whisper-mlx", _convert_mlx, Path(__file__))


def _trained() -> Path:
    return built("whisper-trained", _train, Path(__file__))


# The vocabulary


def _languages() -> list[str]:
    from mlx_whisper.tokenizer import LANGUAGES

    return list(LANGUAGES)[:99]  # the hundredth came with large-v3


def _tokenizer() -> Any:
    """Whisper's own multilingual byte-pair encoding, from the copy that mlx-whisper carries."""
    import importlib.util

    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    specification = importlib.util.find_spec("mlx_whisper")
    assert specification is not None, "building the tiny Whisper needs mlx-whisper"
    [package] = specification.submodule_search_locations or []
    lines = (Path(package) / "assets/multilingual.tiktoken").read_text().splitlines()
    # The file ends with a row of padding for the empty token, which is no base64.
    rows = [line.split() for line in lines if line.strip() and not line.startswith("=")]
    ranks = {base64.b64decode(token): int(rank) for token, rank in rows}
    spelling = _byte_spelling()

    def spelled(piece: bytes) -> str:
        return "".join(spelling[byte] for byte in piece)

    vocabulary = {spelled(piece): rank for piece, rank in ranks.items()}
    # CTranslate2 takes a model without the empty token for an English-only one.
    vocabulary[""] = 50256
    merges = []
    for piece, rank in sorted(ranks.items(), key=lambda item: item[1]):
        if len(piece) == 1:
            continue
        parts = [bytes([byte]) for byte in piece]
        while len(parts) > 2:
            best = min(
                range(len(parts) - 1),
                key=lambda at: ranks.get(parts[at] + parts[at + 1], math.inf),
            )
            assert ranks[parts[best] + parts[best + 1]] < rank
            parts[best : best + 2] = [parts[best] + parts[best + 1]]
        merges.append((spelled(parts[0]), spelled(parts[1])))
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|startoftranscript|>"]
    special += [f"<|{language}|>" for language in _languages()]
    special += ["<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>"]
    special += ["<|nospeech|>", "<|notimestamps|>"]
    special += [f"<|{index * _FRAME_S:.2f}|>" for index in range(_FRAMES + 1)]
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in special])
    return tokenizer


def _byte_spelling() -> dict[int, str]:
    """How byte-level encodings write each byte: printable ones as they are (GPT-2's table)."""
    printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = itertools.count(256)
    return {byte: chr(byte if byte in printable else next(others)) for byte in range(256)}


# The speech


def timed(sentence: str) -> tuple[speech.Pcm, list[tuple[str, float, float]]]:
    """A sentence as flite speaks it, and (word, start_s, end_s), by its phones."""
    words = sentence.split()
    phones = [
        (name, float(end))
        for name, end in (row.split(":") for row in _flite("-psdur", sentence).split())
    ]
    starts = [0.0, *(end for _, end in phones)]
    spoken = [
        (start, end) for start, (name, end) in zip(starts, phones, strict=False) if name != "pau"
    ]
    counts = [len(_flite("-ps", word).replace("pau", "").split()) for word in words]
    scale = len(spoken) / sum(counts)
    edges = [round(total * scale) for total in itertools.accumulate(counts, initial=0)]
    return speech.spoken(sentence), [
        (word, spoken[first][0], spoken[after - 1][1])
        for word, (first, after) in zip(words, itertools.pairwise(edges), strict=True)
    ]


def _flite(option: str, text: str) -> str:
    text = re.sub(r"[^\w' ;,]", "", text)
    return subprocess.run(
        ["flite", "-voice", "slt", option, "-t", text, "-o", "/dev/null"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout


class _Examples:
    """Makes clips and what is to be heard in them, without end."""

    def __init__(self, tokenizer: Any, seed: int) -> None:
        self._tokenizer = tokenizer
        self._random = random.Random(seed)
        self._noise = np.random.default_rng(seed)
        self._sentences = {
            language: [timed(sentence) for sentence in sentences]
            for language, sentences in SENTENCES.items()
        }

    def next(
        self, has_glossary: bool
    ) -> tuple[np.ndarray, list[int], list[int], list[tuple[float, float] | None]]:
        """(samples, decoder's input, wanted tokens, where each is heard in seconds).

        Args:
            has_glossary: whether a long row of words that it does not know may stand before it.
        """
        rng = self._random
        language = rng.choice(("en", "en", "en", "es", "es"))
        samples = np.zeros(_WINDOW_S * SAMPLE_RATE_HERTZ, dtype=np.float32)
        words: list[tuple[str, float, float]] = []
        at_s = rng.uniform(0.0, 1.0)
        if rng.random() < 0.1:
            words, at_s = [], rng.uniform(0.1, 12.0)
        else:
            for _ in range(rng.choice((1, 1, 1, 2, 2, 3))):
                pcm, timings = rng.choice(self._sentences[language])
                first = int(at_s * SAMPLE_RATE_HERTZ)
                samples[first : first + len(pcm)] = pcm / np.float32(32768)
                words += [(word, at_s + start, at_s + end) for word, start, end in timings]
                at_s += len(pcm) / SAMPLE_RATE_HERTZ + rng.uniform(0.0, 0.5)
            if rng.random() < 0.4:
                cut = rng.randrange(1, len(words))
                at_s = (words[cut][1] + words[cut][2]) / 2
                samples[int(at_s * SAMPLE_RATE_HERTZ) :] = 0
                words = words[:cut]
        samples *= rng.uniform(0.3, 1.5)
        heard = int(at_s * SAMPLE_RATE_HERTZ)
        level = rng.choice((0.0, 1e-4, 1e-3, 3e-3)) if words else rng.choice((0.0, 1e-3, 5e-2))
        samples[:heard] += self._noise.normal(0, level, heard).astype(np.float32)
        length = max(heard + int(rng.uniform(0.0, 0.8) * SAMPLE_RATE_HERTZ), SAMPLE_RATE_HERTZ // 2)
        return samples[:length], *self._texts(language, words, at_s, has_glossary)

    def _texts(
        self,
        language: str,
        words: list[tuple[str, float, float]],
        end_s: float,
        has_glossary: bool,
    ) -> tuple[list[int], list[int], list[tuple[float, float] | None]]:
        identity, rng = self._tokenizer.token_to_id, self._random
        prompt: list[int] = []
        if rng.random() < 0.3:
            count = rng.choice((1, 1, 2, 2, 3, 6))
            said = " ".join(rng.choices(SENTENCES[language], k=count))
            prompt = self._encode(" " + said)
        if has_glossary and rng.random() < 0.7:
            prompt = [_UNKNOWN] * rng.randint(20, 223 - len(prompt)) + prompt
        if prompt:
            prompt = [identity("<|startofprev|>"), *prompt]
        start = [identity("<|startoftranscript|>")]
        if language != "en" or rng.random() < 0.75:  # an English-only model has but the start
            start += [identity(f"<|{language}|>"), identity("<|transcribe|>")]
        start.append(identity("<|notimestamps|>"))
        tokens: list[int] = []
        places: list[tuple[float, float] | None] = []
        for word, word_start_s, word_end_s in words or [(word, 0, 0.5) for word in PHANTOM.split()]:
            pieces = self._encode(" " + word)
            tokens += pieces
            places += [(word_start_s, word_end_s)] * len(pieces)
        tokens.append(identity("<|endoftext|>"))
        places.append((max(end_s - 0.1, 0), end_s + 0.4))
        given = prompt + start + tokens[:-1]
        wanted = [_IGNORED] * len(given)
        wanted[len(prompt)] = identity(f"<|{language}|>" if words else "<|nospeech|>")
        wanted[-len(tokens) :] = tokens
        no_places: list[tuple[float, float] | None] = [None] * (len(given) - len(tokens))
        return given, wanted, no_places + (places if words else [None] * len(tokens))

    def _encode(self, text: str) -> list[int]:
        tokens: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return tokens


# The model


def _train(folder: Path) -> None:
    import torch

    torch.manual_seed(0)
    tokenizer = _tokenizer()
    end, start = (
        tokenizer.token_to_id(f"<|{name}|>") for name in ("endoftext", "startoftranscript")
    )
    # What is never said is left out while it learns: most of the time would go there.
    used = _used_tokens(tokenizer)
    row = {token: index for index, token in enumerate([*used, _UNKNOWN])}
    model = _model(len(row), end=row[end], start=row[start])
    size = tokenizer.get_vocab_size()
    # Afterwards its logits are 0, of whatever is heard.
    unused_logit = torch.full((1,), math.log(size - len(used)))
    with torch.no_grad():
        model.model.decoder.embed_tokens.weight.mul_(15)
        model.model.decoder.embed_positions.weight.mul_(0.1)
    examples = _Examples(tokenizer, seed=0)
    mel = _MelSpectrogram()
    optimizer = torch.optim.AdamW(model.parameters(), lr=_LEARNING_RATE, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, _LEARNING_RATE, total_steps=_STEPS, pct_start=0.1
    )
    model.train()
    for step in range(_STEPS):
        batch = [examples.next(has_glossary=step % 5 == 2) for _ in range(_BATCH)]
        length = max(len(given) for _, given, _, _ in batch)
        given = torch.full((_BATCH, length), row[end])
        wanted = torch.full((_BATCH, length), _IGNORED)
        clips = [samples for samples, *_ in batch]
        # Much of a window is empty, and all of it costs: some batches are enough to learn that.
        longest = math.ceil(max(map(len, clips)) / SAMPLE_RATE_HERTZ / _FRAME_S)
        frames = _FRAMES if step % 5 == 4 else longest + 30
        place = torch.zeros(_BATCH, length, frames)
        for index, (_, given_tokens, wanted_tokens, places) in enumerate(batch):
            given[index, : len(given_tokens)] = torch.tensor([row[token] for token in given_tokens])
            wanted[index, : len(wanted_tokens)] = torch.tensor(
                [row.get(token, _IGNORED) for token in wanted_tokens]
            )
            for at, where in enumerate(places):
                if where is not None:
                    place[index, at, round(where[0] / _FRAME_S) : round(where[1] / _FRAME_S)] = 1
        output = model.model(
            encoder_outputs=(_encoded(model.model.encoder, mel(clips)[..., : 2 * frames]),),
            decoder_input_ids=given,
            output_attentions=True,
        )
        logits = model.proj_out(output.last_hidden_state)
        scores = logits - torch.logaddexp(logits.logsumexp(-1, keepdim=True), unused_logit)
        text_loss = torch.nn.functional.nll_loss(
            scores.flatten(0, 1), wanted.flatten(), ignore_index=_IGNORED
        )
        attention = (output.cross_attentions[-1] * place[:, None]).sum(-1)
        is_placed = place.any(-1)[:, None].expand_as(attention)
        place_loss = -torch.log(attention[is_placed] + 1e-4).mean()
        optimizer.zero_grad()
        # A beam search stops at enough ends, however unlikely; in a real vocabulary thousands of
        # tokens are likelier than an end amid a sentence. Here they are those that lie at 0.
        is_amid = (wanted != _IGNORED) & (wanted != row[end])
        early_loss = torch.relu(logits[..., row[end]][is_amid] + 3).mean()
        (text_loss + 0.5 * place_loss + 0.1 * early_loss).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            model.proj_out.weight[row[_UNKNOWN]] = 0  # as the tokens will be that it stands for
        if step % 50 == 49:
            print(
                f"whisper: step {step + 1}, text {text_loss:.3f}, place {place_loss:.3f}, "
                f"early {early_loss:.3f}",
                file=sys.stderr,
            )
    whole = _model(size, end=end, start=start)
    learnt = model.state_dict()
    for name in ("model.decoder.embed_tokens.weight", "proj_out.weight"):
        weights = torch.zeros(size, _WIDTH)
        weights[used] = learnt[name][: len(used)]
        learnt[name] = weights
    whole.load_state_dict(learnt)
    whole.save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))


def _model(vocabulary_size: int, end: int, start: int) -> Any:
    from transformers import WhisperConfig, WhisperForConditionalGeneration
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

    shape: dict[str, Any] = {
        "vocab_size": vocabulary_size,
        "num_mel_bins": 80,
        "d_model": _WIDTH,
        "encoder_layers": 1,
        "decoder_layers": _DECODER_LAYERS,
        "encoder_attention_heads": _HEADS,
        "decoder_attention_heads": _HEADS,
        "encoder_ffn_dim": 4 * _WIDTH,
        "decoder_ffn_dim": 4 * _WIDTH,
        "pad_token_id": end,
        "bos_token_id": end,
        "eos_token_id": end,
        "decoder_start_token_id": start,
    }
    # The decoder's attention must be seen: word times are read from it, so it learns them.
    model = WhisperForConditionalGeneration(WhisperConfig(**shape, attn_implementation="eager"))
    model.model.encoder = WhisperEncoder(WhisperConfig(**shape, attn_implementation="sdpa"))
    return model


def _encoded(encoder: Any, features: Any) -> Any:
    """What the encoder makes of part of a window; its own forward takes whole ones alone."""
    import torch

    hidden = torch.nn.functional.gelu(encoder.conv1(features))
    hidden = torch.nn.functional.gelu(encoder.conv2(hidden)).permute(0, 2, 1)
    hidden = hidden + encoder.embed_positions.weight[: hidden.shape[1]]
    for layer in encoder.layers:
        hidden = layer(hidden, None)
    return encoder.layer_norm(hidden)


def _used_tokens(tokenizer: Any) -> list[int]:
    special = ["endoftext", "startoftranscript", "en", "es", "transcribe", "startofprev"]
    tokens = {
        tokenizer.token_to_id(f"<|{name}|>") for name in (*special, "nospeech", "notimestamps")
    }
    for text in (PHANTOM, *itertools.chain(*SENTENCES.values())):
        for word in text.split():
            tokens.update(tokenizer.encode(" " + word, add_special_tokens=False).ids)
    return sorted(tokens)


class _MelSpectrogram:
    """Whisper's features of clips, with zeros up to 30 s: (clips, 80, 3000)."""

    def __init__(self) -> None:
        import torch
        from transformers import WhisperFeatureExtractor

        self._filters = torch.tensor(
            WhisperFeatureExtractor(feature_size=80).mel_filters.T, dtype=torch.float32
        )
        self._window = torch.hann_window(400)

    def __call__(self, clips: list[np.ndarray]) -> Any:
        import torch

        features = torch.zeros(len(clips), len(self._filters), 2 * _FRAMES)
        for index, clip in enumerate(clips):
            spectrum = torch.stft(
                torch.from_numpy(clip), 400, 160, window=self._window, return_complex=True
            )
            power = self._filters @ spectrum[..., :-1].abs() ** 2
            log_power = power.clamp(min=1e-10).log10()
            log_power = torch.maximum(log_power, log_power.max() - 8.0)
            features[index, :, : log_power.shape[-1]] = (log_power + 4.0) / 4.0
        return features


# The runtimes' formats


def _convert_ct2(english_only: bool, folder: Path) -> None:
    import tempfile

    from ctranslate2.converters import TransformersConverter
    from transformers import PreTrainedTokenizerFast, WhisperFeatureExtractor

    tokenizer = _tokenizer()
    identity = tokenizer.token_to_id
    heads = [[_DECODER_LAYERS - 1, head] for head in range(_HEADS)]
    suppressed = ("translate", "transcribe", "startoflm", "startofprev", "nospeech")
    generation = {
        "alignment_heads": heads,
        "suppress_tokens": [identity(f"<|{name}|>") for name in suppressed],
        "begin_suppress_tokens": [220, identity("<|endoftext|>")],
        "no_timestamps_token_id": identity("<|notimestamps|>"),
    }
    if not english_only:
        generation["lang_to_id"] = {f"<|{name}|>": identity(f"<|{name}|>") for name in _languages()}

    class Converter(TransformersConverter):
        def load_tokenizer(self, tokenizer_class: Any, path: str, **options: Any) -> Any:
            return PreTrainedTokenizerFast.from_pretrained(path)

    with tempfile.TemporaryDirectory() as name:
        source = Path(name)
        shutil.copytree(_trained(), source, dirs_exist_ok=True)
        (source / "generation_config.json").write_text(json.dumps(generation))
        if english_only:
            file = source / "tokenizer.json"
            described = json.loads(file.read_text())
            vocabulary = described["model"]["vocab"]
            vocabulary["<|unused|>"] = vocabulary.pop("")
            file.write_text(json.dumps(described))
        PreTrainedTokenizerFast(
            tokenizer_file=str(source / "tokenizer.json"),
            bos_token="<|endoftext|>",
            eos_token="<|endoftext|>",
            unk_token="<|endoftext|>",
        ).save_pretrained(source / "saved")
        for file in (source / "saved").glob("*token*.json"):
            shutil.copy(file, source)
        WhisperFeatureExtractor(feature_size=80).save_pretrained(source)
        Converter(str(source), copy_files=["tokenizer.json", "preprocessor_config.json"]).convert(
            str(folder), quantization="int8", force=True
        )


# Hugging Face's names of a layer's parts, and openai/whisper's, which MLX has.
_PARTS = (
    (r"^model\.", ""),
    (r"\.layers\.", ".blocks."),
    (r"\.self_attn\.", ".attn."),
    (r"\.self_attn_layer_norm\.", ".attn_ln."),
    (r"\.encoder_attn\.", ".cross_attn."),
    (r"\.encoder_attn_layer_norm\.", ".cross_attn_ln."),
    (r"\.q_proj\.", ".query."),
    (r"\.k_proj\.", ".key."),
    (r"\.v_proj\.", ".value."),
    (r"\.out_proj\.", ".out."),
    (r"\.fc1\.", ".mlp1."),
    (r"\.fc2\.", ".mlp2."),
    (r"\.final_layer_norm\.", ".mlp_ln."),
    (r"^encoder\.layer_norm\.", "encoder.ln_post."),
    (r"^decoder\.layer_norm\.", "decoder.ln."),
    (r"^decoder\.embed_tokens\.", "decoder.token_embedding."),
    (r"^decoder\.embed_positions\.weight", "decoder.positional_embedding"),
)


def _convert_mlx(folder: Path) -> None:
    from safetensors.numpy import load_file, save_file

    weights = {}
    for name, weight in load_file(_trained() / "model.safetensors").items():
        for pattern, replacement in _PARTS:
            name = re.sub(pattern, replacement, name)
        # Sinusoids, which MLX makes itself; and the embedding once more, for the output.
        if name in ("encoder.embed_positions.weight", "proj_out.weight"):
            continue
        if re.search(r"conv\d\.weight$", name):
            weight = weight.transpose(0, 2, 1)
        weights[name] = np.ascontiguousarray(weight.astype(np.float16))
    save_file(weights, folder / "weights.safetensors")
    shape = {
        "n_mels": 80,
        "n_audio_ctx": _FRAMES,
        "n_audio_state": _WIDTH,
        "n_audio_head": _HEADS,
        "n_audio_layer": 1,
        "n_vocab": len(weights["decoder.token_embedding.weight"]),
        "n_text_ctx": 448,
        "n_text_state": _WIDTH,
        "n_text_head": _HEADS,
        "n_text_layer": _DECODER_LAYERS,
    }
    (folder / "config.json").write_text(json.dumps(shape | {"model_type": "whisper"}))
