"""What looks at a model's files before an engine does, as functions of bytes."""

from __future__ import annotations

import tempfile
from pathlib import Path

from services.errors import GlossaError
from services.model_files import check_requested, checked
from services.model_manifest import MANIFEST, read_manifest
from services.mt.engines.gguf_header import read_header
from services.mt.engines.hf_model import find_folder
from tests.fuzz import seeds
from tests.fuzz.parser import Parser, of_file, of_text


def _model(data: bytes) -> object:
    """A folder with this manifest, or these weights."""
    for name in (MANIFEST, "model.bin", "config.json", "modules.json"):
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / name).write_bytes(data)
            read_manifest(Path(folder))
            try:
                checked(Path(folder), weights_only=("model.bin",))
            except GlossaError:
                continue
    return None


def _weights_list(path: Path) -> None:
    """What lists the files of a model's weights, two of which are there."""
    for name in ("config.json", "tokenizer.json"):
        (path.parent / name).write_text("{}")
    for name in ("a.safetensors", "b.safetensors"):
        (path.parent / name).write_bytes(b"\2\0\0\0\0\0\0\0{}")
    find_folder(str(path.parent), path.parent)


MODEL_PARSERS = (
    Parser(
        "gguf header",
        of_file(read_header),
        seeds=(seeds.gguf(), seeds.gguf(*seeds.GGUF_ENTRIES)),
    ),
    Parser(
        "model folder",
        _model,
        seeds=(
            b'{"name": "a", "repo": "", "revision": "", "licence": "", "files": {}}',
            b"\x80\x02}q\x00.",
            b"PK\3\4",
            b'[{"type": "sentence_transformers.models.Pooling"}]',
        ),
    ),
    Parser(
        "weights list",
        of_file(_weights_list, "model.safetensors.index.json"),
        seeds=(b'{"weight_map": {"a.b": "a.safetensors", "c.d": "b.safetensors"}}',),
    ),
    Parser(
        "model name",
        of_text(lambda name: check_requested(name, Path("/nowhere"))),
        seeds=(b"folder/glossa-en-es",),
    ),
)
