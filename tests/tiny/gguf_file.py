"""Writes a tiny Gemma 3 as a GGUF file, as llama.cpp's own converter would."""

from __future__ import annotations

import json
from pathlib import Path

# Gemma's token ids. Before the word pieces stand unused ones, the turns and runs of line breaks.
PAD, EOS, BOS, UNKNOWN, START_OF_TURN, END_OF_TURN = 0, 1, 2, 3, 105, 106
CONTROL = (PAD, EOS, BOS, START_OF_TURN, END_OF_TURN)
FIRST_WORD_PIECE = 110


def write(hf: Path, path: Path) -> None:
    """The folder `hf` (with tokenizer.model and a chat template) as one file, in f16."""
    import gguf
    import sentencepiece
    import torch
    from safetensors.torch import load_file

    config = json.loads((hf / "config.json").read_text())
    writer = gguf.GGUFWriter(path, "gemma3")
    writer.add_name("TranslateGemma tiny")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_key_length(config["head_dim"])
    writer.add_value_length(config["head_dim"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(config["rope_parameters"]["full_attention"]["rope_theta"])
    writer.add_sliding_window(config["sliding_window"])

    processor = sentencepiece.SentencePieceProcessor(model_file=str(hf / "tokenizer.model"))
    types = gguf.TokenType
    tokens, scores, kinds = [], [], []
    for index in range(processor.get_piece_size()):
        tokens.append(processor.id_to_piece(index).encode())
        scores.append(processor.get_score(index))
        if index in CONTROL:
            kinds.append(types.CONTROL)
        elif index == UNKNOWN:
            kinds.append(types.UNKNOWN)
        elif index < FIRST_WORD_PIECE:
            kinds.append(types.USER_DEFINED)
        else:
            kinds.append(types.BYTE if processor.is_byte(index) else types.NORMAL)
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_scores(scores)
    writer.add_token_types(kinds)
    writer.add_bos_token_id(BOS)
    writer.add_eos_token_id(EOS)
    writer.add_pad_token_id(PAD)
    writer.add_unk_token_id(UNKNOWN)
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(False)
    writer.add_add_space_prefix(False)
    writer.add_chat_template((hf / "chat_template.jinja").read_text())

    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.GEMMA3, config["num_hidden_layers"])
    for name, tensor in load_file(hf / "model.safetensors").items():
        values = tensor.to(torch.float32)
        if name.endswith("norm.weight"):
            values = values + 1.0  # Gemma scales by 1 + weight, llama.cpp by the weight
        as_written = values.numpy() if values.ndim == 1 else values.to(torch.float16).numpy()
        writer.add_tensor(names.get_name(name, try_suffixes=(".weight",)), as_written)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def quantize(full: Path, quantized: Path) -> None:
    """Q4_K_M, by llama.cpp."""
    import llama_cpp

    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.ftype = llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_K_M
    parameters.nthread = 1
    failed = llama_cpp.llama_model_quantize(str(full).encode(), str(quantized).encode(), parameters)
    assert not failed, "llama.cpp did not quantize the tiny model"
