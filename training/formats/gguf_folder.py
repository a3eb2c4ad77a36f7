"""A language model as one GGUF file: llama.cpp's own script converts it, its library quantises."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from services.errors import EngineFailed, Unavailable

LLAMA_CPP = "GLOSSA_LLAMA_CPP"  # another folder of llama.cpp's source
_SCRIPT = "convert_hf_to_gguf.py"
_INSTALL = "GLOSSA_EXTRAS=gguf,training ./glossa doctor"


def convert(source: Path, out: Path, quantization: str) -> None:
    """Raises Unavailable, saying how to get what is missing; EngineFailed with what it said."""
    script = _script()
    try:
        import llama_cpp
    except ModuleNotFoundError as error:
        raise Unavailable(
            "ENGINE_NOT_INSTALLED",
            f"GGUF needs {error.name}, which quantises: {_INSTALL}",
        ) from error
    out.mkdir(parents=True)
    whole = out / "model-F16.gguf"
    with tempfile.TemporaryDirectory(prefix="glossa-gguf-") as folder:
        told = _with_added_tokens(source, Path(folder))
        done = subprocess.run(
            [sys.executable, str(script), str(told), "--outfile", str(whole), "--outtype", "f16"],
            capture_output=True,
            text=True,
            check=False,
            # Its own gguf package fits it better than one that is installed.
            env={**os.environ, "PYTHONPATH": str(script.parent / "gguf-py")},
        )
    if done.returncode:
        said = " ".join(done.stderr.strip().splitlines()[-3:])
        raise EngineFailed(f"{_SCRIPT} could not convert {source}: {said[-600:]}")
    if quantization == "F16":
        return
    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.ftype = getattr(llama_cpp, f"LLAMA_FTYPE_MOSTLY_{quantization}")
    small = out / f"model-{quantization}.gguf"
    failed = llama_cpp.llama_model_quantize(str(whole).encode(), str(small).encode(), parameters)
    if failed:
        raise EngineFailed(f"llama.cpp could not quantise {source} to {quantization}")
    whole.unlink()


def _with_added_tokens(source: Path, folder: Path) -> Path:
    """The source's files with the table of added tokens that transformers 5 saves no more.

    Without it the script takes the markers of turns for text: they are split, and no answer ends.
    """
    for path in source.iterdir():
        (folder / path.name).symlink_to(path.resolve())
    settings, tokens = folder / "tokenizer_config.json", source / "tokenizer.json"
    if settings.exists() and tokens.exists():
        told = json.loads(settings.read_text(encoding="utf-8"))
        added = json.loads(tokens.read_text(encoding="utf-8")).get("added_tokens", ())
        told.setdefault(
            "added_tokens_decoder",
            {
                str(token["id"]): {name: token[name] for name in token if name != "id"}
                for token in added
            },
        )
        settings.unlink()
        settings.write_text(json.dumps(told, ensure_ascii=False), encoding="utf-8")
    return folder


def _script() -> Path:
    """Beside the libraries, where ./glossa puts it, or where the variable says."""
    script = Path(os.environ.get(LLAMA_CPP) or Path(sys.prefix) / "share/llama.cpp") / _SCRIPT
    if not script.is_file():
        raise Unavailable(
            "ENGINE_NOT_INSTALLED",
            f"GGUF wants llama.cpp's script; there is no {script}: {_INSTALL} puts it there; or "
            f"set {LLAMA_CPP} to a folder of llama.cpp's source",
        )
    return script
