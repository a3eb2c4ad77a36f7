"""Model files are input: what is not as its manifest says, or could run a program, is refused."""

from __future__ import annotations

import ast
import io
import json
import os
import pickle
import re
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from cli.model_folder import write_manifest
from services import model_manifest
from services.errors import InvalidInput, Unavailable
from services.model_files import CHECKPOINT, SHIPPED, check_requested, checked
from services.model_manifest import (
    MANIFEST,
    KeptFile,
    KnownHashes,
    Manifest,
    damages,
    files_of,
    read_manifest,
    sha256_of,
)
from services.model_programs import is_pickle
from services.mt.engine import OWN_MODEL


class RunsAProgram:
    """Pickled, it is what an attacker sends: unpickling it would write a file."""

    def __init__(self, trace: Path) -> None:
        self._trace = trace

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (f"touch {self._trace}",)


def torch_file(content: object) -> bytes:
    """As torch.save lays it out: a zip whose data.pkl is the pickle."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(content))
        archive.writestr("archive/version", "3\n")
    return file.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model of two files with its manifest."""
    folder = tmp_path / "models" / "some-model"
    (folder / "parts").mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "parts" / "model.safetensors").write_bytes(b"weights" * 100)
    listed(folder)
    return folder


def listed(folder: Path) -> None:
    """Writes the manifest of what is in the folder now."""
    kept = {name: KeptFile(path.stat().st_size, sha256_of(path)) for name, path in files_of(folder)}
    write_manifest(folder, Manifest(folder.name, "", "", "MIT", kept))


def reason(path: Path, *weights_only: str) -> tuple[str, str]:
    """Why a model is refused: the reason and the sentence."""
    with pytest.raises(Unavailable) as refused:
        checked(path, weights_only=weights_only)
    return refused.value.reason, refused.value.message


def test_a_model_that_is_as_its_manifest_says_is_loaded(folder: Path) -> None:
    assert checked(folder) == folder
    assert checked(folder / "parts" / "model.safetensors").name == "model.safetensors"
    assert checked(SHIPPED / OWN_MODEL) == SHIPPED / OWN_MODEL


@pytest.mark.parametrize("asked", [".", "parts", "parts/model.safetensors"])
def test_one_changed_byte_is_refused_whichever_part_is_asked_for(folder: Path, asked: str) -> None:
    path = folder / "parts" / "model.safetensors"
    path.write_bytes(b"W" + path.read_bytes()[1:])
    found, said = reason(folder / asked)
    assert found == "MODEL_ALTERED"
    assert "parts/model.safetensors is damaged" in said
    assert "./glossa models verify" in said


def test_another_size_a_missing_and_an_added_file_are_refused(folder: Path) -> None:
    (folder / "config.json").write_text("{ }")
    (folder / "parts" / "model.safetensors").unlink()
    (folder / "chat_template.jinja").write_text("{{ messages }}")
    found, said = reason(folder)
    assert found == "MODEL_ALTERED"
    for part in (
        "config.json has 3 bytes instead of 2",
        "model.safetensors is missing",
        "chat_template.jinja is not in the manifest",
    ):
        assert part in said
    (folder / "chat_template.jinja").rename(folder / "notes.md")
    assert "notes.md" not in reason(folder)[1]


@pytest.mark.parametrize(
    "manifest",
    [
        "",
        "[]",
        "[" * 100_000,
        '{"files": {}}',
        '{"name": "", "repo": "", "revision": "", "licence": "", "files": {"a": {"bytes": "1"}}}',
        json.dumps(
            {
                **dict.fromkeys(("name", "repo", "revision", "licence"), ""),
                "files": {"../../etc/passwd": {"bytes": 1, "sha256": ""}},
            }
        ),
    ],
)
def test_a_manifest_that_cannot_be_read_or_leads_outside_refuses_the_model(
    folder: Path, manifest: str
) -> None:
    (folder / MANIFEST).write_text(manifest)
    assert read_manifest(folder) is None
    assert reason(folder)[0] == "MODEL_ALTERED"
    file = folder / "config.json"
    assert reason(file)[0] == "MODEL_ALTERED"


def test_a_model_without_a_manifest_is_loaded_with_a_warning(folder: Path) -> None:
    (folder / MANIFEST).unlink()
    with capture_logs() as lines:
        checked(folder)
    assert [line["event"] for line in lines] == ["model_without_manifest"]


def test_hashes_of_a_large_model_are_kept_until_a_file_changes(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_manifest, "_KEPT_FROM_BYTES", 100)
    manifest = read_manifest(folder)
    assert manifest is not None
    checked(folder)

    def read_bytes() -> int:
        """How many bytes are read by a second look."""
        known, before = KnownHashes.read(folder), model_manifest.sha256_of
        counts: list[int] = []

        def counting(path: Path, told: Callable[[int], None]) -> str:
            counts.append(path.stat().st_size)
            return before(path, told)

        with monkeypatch.context() as patched:
            patched.setattr(model_manifest, "sha256_of", counting)
            damages(folder, manifest, known=known)
        return sum(counts)

    assert read_bytes() == 0
    # The same size and time as before: only the file system's own time of change tells.
    path = folder / "parts" / "model.safetensors"
    seen = path.stat()
    path.write_bytes(b"W" + path.read_bytes()[1:])
    os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    assert read_bytes() == seen.st_size
    assert reason(folder)[0] == "MODEL_ALTERED"


@pytest.mark.parametrize(
    "kept", ["", "[]", '{"config.json": 1}', '{"config.json": []}', "[" * 9999]
)
def test_kept_hashes_that_cannot_be_read_are_computed_again(folder: Path, kept: str) -> None:
    (folder / ".glossa-hashes.json").write_text(kept)
    assert checked(folder) == folder


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("pytorch_model.bin", pickle.dumps({"weights": 1})),
        ("model.pt", pickle.dumps({"weights": 1}, protocol=0)),
        ("model.ckpt", torch_file({"weights": 1})),
        ("model.safetensors", torch_file({"weights": 1})),
        ("weights.data", pickle.dumps({"weights": 1})),
        ("model.pth", b"PK damaged"),
        ("modeling.py", b"import os"),
        ("kernel.so", b"\x7fELF"),
    ],
)
def test_pickles_and_programs_are_refused_listed_or_not(
    folder: Path, name: str, content: bytes
) -> None:
    (folder / name).write_bytes(content)
    listed(folder)
    found, said = reason(folder)
    assert found == "MODEL_UNSAFE"
    assert name in said
    (folder / MANIFEST).unlink()
    assert reason(folder)[0] == "MODEL_UNSAFE"


def test_weights_of_other_formats_named_bin_are_no_pickles(tmp_path: Path) -> None:
    assert not is_pickle(SHIPPED / OWN_MODEL / "model.bin")
    for content in (
        struct.pack("<IH", 6, 12) + b"WhisperSpec\0" + b"\0" * 100,
        b"Trie Language Model\0" + b"\0" * 100,
    ):
        (tmp_path / "model.bin").write_bytes(content)
        assert not is_pickle(tmp_path / "model.bin")
    (tmp_path / "model.bin").write_bytes(b"(anything that could be one")
    assert is_pickle(tmp_path / "model.bin")


def test_the_pickle_that_an_engine_may_read_is_looked_through_first(
    folder: Path, tmp_path: Path
) -> None:
    trace = tmp_path / "ran"
    path = folder / CHECKPOINT
    path.parent.mkdir()
    path.write_bytes(torch_file({"state_dict": [1.0]}))
    listed(folder)
    assert checked(folder, weights_only=(CHECKPOINT,)) == folder
    assert reason(folder)[0] == "MODEL_UNSAFE"
    for content in (torch_file(RunsAProgram(trace)), pickle.dumps(RunsAProgram(trace))):
        path.write_bytes(content)
        listed(folder)
        found, said = reason(folder, CHECKPOINT)
        assert found == "MODEL_UNSAFE"
        assert "would run" in said
        assert "system" in said
    assert not trace.exists()


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("config.json", {"model_type": "gemma3", "model_file": "../elsewhere.py"}),
        ("modules.json", [{"idx": 0, "path": "", "type": "subprocess.Popen"}]),
        ("modules.json", ["os.system"]),
    ],
)
def test_settings_that_name_code_are_refused(folder: Path, name: str, settings: object) -> None:
    (folder / name).write_text(json.dumps(settings))
    listed(folder)
    assert reason(folder)[0] == "MODEL_UNSAFE"


def test_nothing_in_the_project_trusts_code_that_comes_with_a_model() -> None:
    root = Path(__file__).parents[2]
    sources = [
        path
        for part in ("services", "cli", "bench", "training")
        for path in (root / part).rglob("*.py")
    ]
    assert len(sources) > 100
    for path in sources:
        text = path.read_text(encoding="utf-8")
        for forbidden in ("trust_remote_code=True", "weights_only=False", "use_safetensors=False"):
            assert forbidden not in text, path
        for line in text.splitlines():
            if "torch.load(" in line and "weights_only=True" not in line:
                after = text[text.index(line) :][:300]
                assert "weights_only=True" in after, path
        for call in ast.walk(ast.parse(text)):
            # Left out, transformers asks on a terminal whether to run it.
            if isinstance(call, ast.Call) and re.search(
                r"\bAuto\w+\.from_pretrained$", ast.unparse(call.func)
            ):
                trust = {each.arg: ast.unparse(each.value) for each in call.keywords}
                assert trust.get("trust_remote_code") == "False", (path, call.lineno)


@pytest.mark.parametrize("name", [".", "./", "..", "/", "one/../.."])
def test_what_is_no_name_of_a_model_is_not_loaded_on_request(name: str, tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    assert check_requested("one", tmp_path) == "one"
    with pytest.raises(InvalidInput, match="there is no model"):
        check_requested(name, tmp_path)
