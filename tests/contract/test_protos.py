"""The contract itself: every proto is commented, and the stubs beside it are the ones it gives."""

from __future__ import annotations

import filecmp
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import REPOSITORY

PROTOS = REPOSITORY / "protos"
BUF = Path(sys.executable).with_name("buf")
# protobuf 4.25, 5, 6 and 7: whatever a training container or a display's author has installed.
PROTOBUF_RUNTIMES = ("4.25.*", "5.*", "6.*", "7.*")

_USE_THE_STUBS = """
import importlib, pathlib, sys
import google.protobuf
for path in sorted(pathlib.Path(sys.argv[1]).rglob("*_pb2*.py")):
    importlib.import_module(".".join(path.relative_to(sys.argv[1]).with_suffix("").parts))
from glossa.types.v1 import types_pb2
word = types_pb2.Word(text="gracia", start_offset_ms=5)
assert types_pb2.Word.FromString(word.SerializeToString()) == word
assert not word.HasField("probability")
print(google.protobuf.__version__)
"""


def buf_lint(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([BUF, "lint"], cwd=folder, capture_output=True, text=True, check=False)


def test_the_protos_are_clean() -> None:
    done = buf_lint(REPOSITORY)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "line",
    [
        "message AudioChunk {",
        "  bytes data = 2;",
        "  AUDIO_ENCODING_PCM_S16LE = 1;",
        "enum AudioEncoding {",
    ],
)
def test_whatever_is_not_commented_is_found(tmp_path: Path, line: str) -> None:
    shutil.copy(REPOSITORY / "buf.yaml", tmp_path)
    shutil.copytree(PROTOS, tmp_path / "protos", ignore=shutil.ignore_patterns("*.py*"))
    path = tmp_path / "protos/glossa/types/v1/types.proto"
    bare, count = re.subn(rf"(?:^ *//.*\n)+{re.escape(line)}$", line, path.read_text(), flags=re.M)
    assert count == 1
    path.write_text(bare)
    done = buf_lint(tmp_path)
    assert done.returncode != 0
    assert "comment" in done.stdout


def test_the_stubs_are_the_ones_that_the_protos_give(tmp_path: Path) -> None:
    done = subprocess.run(
        [PROTOS / "generate.sh", tmp_path],
        env={**os.environ, "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    made = {path.relative_to(tmp_path) for path in tmp_path.rglob("*_pb2*")}
    kept = {path.relative_to(PROTOS) for path in PROTOS.rglob("*_pb2*.py*") if is_source(path)}
    assert made == kept
    _, differing, unreadable = filecmp.cmpfiles(tmp_path, PROTOS, made, shallow=False)
    assert not differing + unreadable, "regenerate with protos/generate.sh"


def is_source(path: Path) -> bool:
    return path.suffix in (".py", ".pyi")


@pytest.mark.parametrize("version", PROTOBUF_RUNTIMES)
def test_the_stubs_work_with_every_protobuf_runtime_in_use(tmp_path: Path, version: str) -> None:
    options = ("--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:")
    pip_install = (sys.executable, "-m", "pip", "install", *options)
    subprocess.run(
        (*pip_install, "--target", tmp_path, f"protobuf=={version}"),
        check=True,
        timeout=120,
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", _USE_THE_STUBS, PROTOS],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{PROTOS}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(version.rstrip("*"))
