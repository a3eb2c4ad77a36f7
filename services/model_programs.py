"""What in a model's folder could run a program: pickles, Python files, settings that name code.

A model is data. Weights come as safetensors, GGUF, ONNX or CTranslate2's own format, none of which
can do anything. A pickle is a program for Python's unpickler, and some libraries import Python
files, or classes, that a model's settings name.
"""

from __future__ import annotations

import json
import pickletools
import zipfile
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

_CODE = frozenset((".py", ".pyc", ".pyd", ".so", ".dll", ".dylib"))
_PICKLES = frozenset((".bin", ".ckpt", ".dill", ".joblib", ".pickle", ".pkl", ".pt", ".pth"))
_SPHINX_LANGUAGE_MODEL = b"Trie Language Model"
_HEAD_BYTES = 80
_OPCODES = frozenset(opcode.code for opcode in pickletools.opcodes)


def programs(files: Iterable[tuple[str, Path]], weights_only: Collection[str] = ()) -> list[str]:
    """What a library could run in these files, by name; empty when there is nothing.

    Args:
        weights_only: names of pickles that their engine reads with weights_only=True. They are
            looked through as well, for what no weights need.
    """
    found = []
    for name, path in files:
        if path.suffix.lower() in _CODE:
            found.append(f"{name} is a program, and no engine needs one")
        elif path.name in _SETTINGS:
            found += [f"{name} {said}" for said in _code_in_settings(path)]
        elif not is_pickle(path):
            continue
        elif name not in weights_only:
            found.append(
                f"{name} is a pickle, which can run a program when it is loaded; get the model as "
                "safetensors"
            )
        elif said := _dangers(path):
            found.append(f"{name} {said}")
    return found


def is_pickle(path: Path) -> bool:
    """Whether Python's unpickler would read this file, by its content and by its name."""
    with path.open("rb") as opened:
        head = opened.read(_HEAD_BYTES)
    if head.startswith(b"PK"):
        return _holds_pickle(path)
    if path.suffix.lower() in _PICKLES:
        # The unpickler stops at a byte that is no opcode: CTranslate2's model.bin has one first.
        opens = chr(head[0]) in _OPCODES if head else False
        return opens and not head.startswith(_SPHINX_LANGUAGE_MODEL)
    return head[:1] == b"\x80" and head[1:2] in (b"\2", b"\3", b"\4", b"\5")


def _holds_pickle(archive: Path) -> bool:
    """torch.save's format; a zip that cannot be read counts as one that does."""
    try:
        with zipfile.ZipFile(archive) as opened:
            return any(Path(name).suffix in _PICKLES for name in opened.namelist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return True


def _dangers(path: Path) -> str:
    """What picklescan says against a pickle; empty for nothing."""
    try:
        from picklescan.scanner import scan_file_path
    except ModuleNotFoundError:
        return "is a pickle that nobody has looked through: pip install picklescan"
    try:
        result = scan_file_path(str(path))
    except Exception as error:  # noqa: BLE001  whatever it stumbles over, nobody looked through it
        return f"is a pickle that cannot be looked through ({type(error).__name__})"
    if result.issues_count:
        named = sorted({f"{each.module}.{each.name}" for each in result.globals if _is_bad(each)})
        return f"is a pickle that would run {', '.join(named[:3])}"
    return "is a pickle that cannot be looked through" if result.scan_err else ""


def _is_bad(found: Any) -> bool:
    return str(found.safety.value) == "dangerous"


# mlx-lm imports the file that config.json calls model_file; sentence-transformers imports the
# classes that modules.json names. transformers' auto_map is not looked at without
# trust_remote_code, which nothing here sets.
_SETTINGS = ("config.json", "modules.json")


def _code_in_settings(path: Path) -> list[str]:
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return []  # whoever loads it says what is wrong with it
    if path.name == "config.json":
        names_code = isinstance(said, dict) and "model_file" in said
        return ["names a program (model_file)"] if names_code else []
    kinds = [
        str(module.get("type", "")) if isinstance(module, dict) else str(module)
        for module in (said if isinstance(said, list) else [])
    ]
    return [
        f"names code that is not of sentence-transformers ({kind})"
        for kind in kinds
        if not kind.startswith("sentence_transformers.")
    ]
