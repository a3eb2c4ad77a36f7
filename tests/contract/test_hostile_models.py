"""Models that want to run something, or are not what they say: refused, or harmless."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from services.errors import GlossaError
from tests.contract.translation import RUNTIMES, Runtime, task
from tests.tiny.pairs import EN_ES

# The first test to need a model may have to train it.
pytestmark = pytest.mark.engines
WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
SOURCE, ANSWER = EN_ES[1]


@pytest.fixture(params=["bitsandbytes", "mlx"])
def runtime(request: pytest.FixtureRequest) -> Runtime:
    return RUNTIMES[request.param]


@pytest.fixture
def folder(runtime: Runtime, tmp_path: Path) -> Path:
    """A copy of the tiny model in Hugging Face's layout."""
    return Path(shutil.copytree(runtime.build_model(), tmp_path / "model"))


def change(path: Path, **settings: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **settings}))


def refusal(runtime: Runtime, folder: Path) -> GlossaError:
    with pytest.raises(GlossaError) as caught:
        runtime.load(folder)
    return caught.value


class RunsAProgram:
    def __init__(self, trace: Path) -> None:
        self._trace = trace

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (f"touch {self._trace}",)


def test_code_that_settings_point_to_and_a_template_that_would_run_do_nothing(
    runtime: Runtime, folder: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    trace = tmp_path / "ran"
    (elsewhere / "evil.py").write_text(f"open({str(trace)!r}, 'w')\nclass Evil: pass\n")
    evil = f"{elsewhere}--evil.Evil"
    change(
        folder / "config.json",
        auto_map={"AutoConfig": evil, "AutoModelForCausalLM": evil},
        trust_remote_code=True,
    )
    change(
        folder / "tokenizer_config.json",
        auto_map={"AutoTokenizer": [evil, evil]},
        trust_remote_code=True,
    )
    # The markers that the family is known by, and then a program that neither ends nor fits.
    (folder / "chat_template.jinja").write_text(
        "{{ '<start_of_turn>' }}{{ content['source_lang_code'] }}"
        "{% for a in range(999999999) %}{{ ''.__class__.__mro__ }}{% endfor %}{{ 1 / 0 }}"
    )
    engine = runtime.load(folder)
    try:
        assert engine.translate([task(SOURCE)])[0].text == ANSWER
    finally:
        engine.close()
    assert not trace.exists()


@pytest.mark.parametrize("name", ["evil.py", "tokenizer.pkl"])
def test_code_that_lies_in_the_folder_is_refused(
    runtime: Runtime, folder: Path, tmp_path: Path, name: str
) -> None:
    change(folder / "config.json", auto_map={"AutoModelForCausalLM": "evil.Evil"})
    (folder / name).write_bytes(pickle.dumps(RunsAProgram(tmp_path / "ran")))
    assert refusal(runtime, folder).reason == "MODEL_UNSAFE"
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_that_calls_itself_safetensors_is_never_unpickled(
    runtime: Runtime, folder: Path, tmp_path: Path, protocol: int
) -> None:
    pickled = pickle.dumps(RunsAProgram(tmp_path / "ran"), protocol)
    (folder / WEIGHTS).write_bytes(pickled)
    assert refusal(runtime, folder).reason == ("MODEL_UNSAFE" if protocol > 1 else "ENGINE_FAILED")
    assert not (tmp_path / "ran").exists()


def header_of(weights: bytes) -> tuple[dict[str, Any], bytes]:
    """The list of tensors of a safetensors file, and their bytes."""
    length = struct.unpack_from("<Q", weights)[0]
    return json.loads(weights[8 : 8 + length]), weights[8 + length :]


def overlapping(weights: bytes) -> bytes:
    header, data = header_of(weights)
    first, second = sorted(name for name in header if name != "__metadata__")[:2]
    header[first]["data_offsets"] = header[second]["data_offsets"]
    return packed(header, data)


def larger_than_the_file(weights: bytes) -> bytes:
    header, data = header_of(weights)
    name = max(header)
    header[name]["shape"] = [2**40]
    header[name]["data_offsets"] = [0, 2**41]
    return packed(header, data)


def packed(header: dict[str, Any], data: bytes) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


@pytest.mark.parametrize(
    "damaged",
    [
        lambda weights: b"",
        lambda weights: weights[:1000],
        lambda weights: weights[:-1],
        lambda weights: struct.pack("<Q", 2**62) + weights[8:],
        lambda weights: struct.pack("<Q", 2**64 - 1) + weights[8:],
        lambda weights: struct.pack("<Q", 5) + b"[[[[[",
        overlapping,
        larger_than_the_file,
    ],
    ids=["empty", "header", "end", "2^62", "2^64-1", "nested", "overlapping", "larger"],
)
def test_weights_that_are_not_as_their_header_says_are_refused(
    runtime: Runtime, folder: Path, damaged: Callable[[bytes], bytes]
) -> None:
    weights = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).unlink()  # what it may share with the tiny model's own folder stays
    (folder / WEIGHTS).write_bytes(damaged(weights))
    assert refusal(runtime, folder).reason == "ENGINE_FAILED"


@pytest.mark.parametrize("name", ["../outside.safetensors", "/etc/passwd"])
def test_a_list_of_weights_that_leads_out_of_the_folder_is_refused(
    runtime: Runtime, folder: Path, name: str
) -> None:
    shutil.move(folder / WEIGHTS, folder.parent / "outside.safetensors")
    (folder / INDEX).write_text(json.dumps({"weight_map": {"a": name}}))
    assert refusal(runtime, folder).reason == "MODEL_UNSAFE"


@pytest.mark.parametrize(
    "index", ["", "[]", "[" * 9999, '{"weight_map": []}', '{"weight_map": {"a": [1]}}']
)
def test_a_list_of_weights_that_is_none_is_refused(
    runtime: Runtime, folder: Path, index: str
) -> None:
    (folder / INDEX).write_text(index)
    assert refusal(runtime, folder).reason == "ENGINE_FAILED"


def test_templates_by_name_without_a_default_are_no_template(
    runtime: Runtime, folder: Path
) -> None:
    (folder / "chat_template.jinja").unlink(missing_ok=True)
    change(
        folder / "tokenizer_config.json",
        chat_template=[{"name": "tool_use", "template": "<|im_start|>"}],
    )
    assert refusal(runtime, folder).reason == "UNKNOWN_PROMPT_FAMILY"
