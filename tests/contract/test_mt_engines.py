"""What every translation runtime owes the service, on tiny models with known answers."""

from __future__ import annotations

import gc
import json
import os
import shutil
import subprocess
import sys
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from services.errors import EngineFailed, InvalidInput, Unavailable
from services.mt.engine import Engine
from tests.contract.translation import ENGLISH_SPANISH, RUNTIMES, Runtime, task
from tests.tiny.pairs import EN_ES

# The first test to need a model may have to train it.
pytestmark = pytest.mark.engines
# Quantized and over-fitted in a minute, a model may get a word wrong.
LEAST_RIGHT = 14
PROMPTED = ("bitsandbytes", "mlx")
# Its first half is no prefix of another answer.
SOURCE, ANSWER = EN_ES[1]
BEGINNING = "Porque de tal manera amó"


@pytest.fixture(scope="module", params=RUNTIMES)
def runtime(request: pytest.FixtureRequest) -> Runtime:
    return RUNTIMES[request.param]


@pytest.fixture(scope="module")
def engine(runtime: Runtime) -> Iterator[Engine]:
    loaded = runtime.load()
    yield loaded
    loaded.close()


def _answers(engine: Engine, texts: list[str]) -> list[str]:
    """In batches as large as it takes."""
    size = engine.capabilities.max_batch
    return [
        rendering.text
        for start in range(0, len(texts), size)
        for rendering in engine.translate([task(text) for text in texts[start : start + size]])
    ]


def test_a_model_answers_what_it_was_trained_on(engine: Engine) -> None:
    answers = _answers(engine, [source for source, _ in EN_ES])
    right = sum(answer == target for answer, (_, target) in zip(answers, EN_ES, strict=True))
    assert right >= LEAST_RIGHT, answers


def test_a_batch_gives_what_each_text_gives_alone(engine: Engine) -> None:
    texts = [source for source, _ in EN_ES]
    alone = [engine.translate([task(text)])[0].text for text in texts]
    assert _answers(engine, texts) == alone


def test_the_same_text_gives_the_same_answer_after_others(engine: Engine) -> None:
    first = engine.translate([task(SOURCE)])[0]
    engine.translate([task(EN_ES[3][0])])
    assert engine.translate([task(SOURCE)])[0] == first


def test_what_is_told_grows_into_the_answer(engine: Engine) -> None:
    assert engine.capabilities.streams
    for is_draft in (False, True):
        told = task(SOURCE, draft=is_draft)
        rendering = engine.translate([told])[0]
        assert told.told
        assert told.told[-1] == rendering.text
        for earlier, later in zip(told.told, told.told[1:], strict=False):
            assert later.startswith(earlier)
        assert rendering.token_count > 0
        assert not rendering.hit_token_limit


def test_a_text_that_is_no_longer_wanted_stops_early(engine: Engine) -> None:
    whole = engine.translate([task(SOURCE, draft=True)])[0]
    left = task(SOURCE, draft=True, wanted_tokens=3)
    rendering = engine.translate([left])[0]
    assert 3 <= rendering.token_count < whole.token_count / 2
    assert whole.text.startswith(rendering.text)
    assert rendering.text
    assert not rendering.hit_token_limit


def test_a_text_that_nobody_wants_any_more_is_not_begun(engine: Engine) -> None:
    left = task(SOURCE, wanted_tokens=0)
    assert engine.translate([left])[0].text == ""
    assert not left.told


def test_one_caller_leaving_does_not_shorten_another(engine: Engine) -> None:
    if engine.capabilities.max_batch < 2:
        pytest.skip(f"{engine.name} takes one text at a time")
    whole = engine.translate([task(SOURCE, draft=True)])[0]
    staying = task(SOURCE, draft=True)
    left = task(EN_ES[5][0], draft=True, wanted_tokens=2)
    renderings = engine.translate([left, staying])
    assert renderings[1].text == whole.text
    assert renderings[0].token_count < 10


@pytest.mark.parametrize("is_draft", [False, True])
def test_a_translation_goes_on_from_what_is_shown(engine: Engine, is_draft: bool) -> None:
    assert engine.capabilities.continues_text
    told = task(SOURCE, committed_text=BEGINNING, draft=is_draft)
    rendering = engine.translate([told])[0]
    assert rendering.text == ANSWER
    assert all(text.startswith(BEGINNING) for text in told.told)
    assert rendering.token_count < engine.translate([task(SOURCE)])[0].token_count


def test_words_that_are_shown_stay_whatever_they_are(engine: Engine) -> None:
    rendering = engine.translate([task(SOURCE, committed_text="Ñandú ﬁel, pues,")])[0]
    assert rendering.text.startswith("Ñandú ﬁel, pues,")


def test_an_earlier_translation_never_changes_the_answer(engine: Engine) -> None:
    for previous in (ANSWER, EN_ES[0][1]):
        assert engine.translate([task(SOURCE, previous_text=previous)])[0].text == ANSWER


@pytest.mark.parametrize(
    "text",
    [
        f"<start_of_turn>{SOURCE}<end_of_turn>",
        f"{SOURCE}</s>",
        f"<bos>{SOURCE}<eos>",
    ],
)
def test_control_tokens_in_a_text_do_nothing(engine: Engine, text: str) -> None:
    rendering = engine.translate([task(text)])[0]
    if engine.name in PROMPTED:
        assert rendering.text == ANSWER
    assert not any(marker in rendering.text for marker in ("<", ">", "of_turn"))


def test_the_model_is_named_with_its_runtime(engine: Engine, runtime: Runtime) -> None:
    folder = runtime.build_model().name
    assert engine.model(ENGLISH_SPANISH) == f"{runtime.name}/{folder}"
    assert ENGLISH_SPANISH in engine.capabilities.pairs


def test_a_text_over_the_cap_is_refused_or_translated_in_parts(engine: Engine) -> None:
    long = task(" ".join([SOURCE.rstrip(".")] * 60))
    if engine.name in PROMPTED:
        with pytest.raises(InvalidInput) as refused:
            engine.translate([long])
        assert refused.value.reason == "TEXT_TOO_LONG"
        assert engine.translate([task(SOURCE)])[0].text == ANSWER
    else:
        assert engine.translate([long])[0].text


def _copy(runtime: Runtime, folder: Path) -> Path:
    return Path(shutil.copytree(runtime.build_model(), folder / runtime.build_model().name))


def test_a_missing_file_is_named(runtime: Runtime, tmp_path: Path) -> None:
    model = _copy(runtime, tmp_path)
    for name in runtime.files:
        file = model / name
        content = file.read_bytes()
        file.unlink()
        # Some tokenizers come in either of two files.
        other = model / "tokenizer.model"
        if name == "tokenizer.json" and other.exists():
            other.unlink()
        with pytest.raises(Unavailable) as missing:
            runtime.load(model)
        assert missing.value.reason == "MODEL_MISSING"
        assert name in missing.value.message
        file.write_bytes(content)


def test_a_model_that_is_not_there_is_named(runtime: Runtime, tmp_path: Path) -> None:
    with pytest.raises(Unavailable) as missing:
        runtime.load(tmp_path / "no-such-model")
    assert missing.value.reason == "MODEL_MISSING"
    assert "no-such-model" in missing.value.message


def test_damaged_weights_are_one_clear_line(runtime: Runtime, tmp_path: Path) -> None:
    weights = _copy(runtime, tmp_path) / runtime.weights
    weights.write_bytes(weights.read_bytes()[:5000])
    with pytest.raises(EngineFailed) as damaged:
        runtime.load(weights.parent)
    assert str(weights.parent) in damaged.value.message
    assert "\n" not in damaged.value.message


def test_a_device_that_is_not_there_is_never_replaced_in_silence(runtime: Runtime) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    with pytest.raises(EngineFailed, match="GLOSSA_MT_DEVICE"):
        runtime.load(device="cuda")


def test_a_number_format_that_it_does_not_know_is_refused(runtime: Runtime) -> None:
    with pytest.raises(EngineFailed, match="GLOSSA_MT_COMPUTE_TYPE"):
        runtime.load(compute_type="int3")


def test_a_prompt_family_that_does_not_fit_is_refused(runtime: Runtime) -> None:
    if runtime.name not in PROMPTED:
        pytest.skip(f"{runtime.name} takes no prompt")
    with pytest.raises(InvalidInput) as refused:
        runtime.load(prompt_family="gemma4")
    assert refused.value.reason == "UNKNOWN_PROMPT_FAMILY"


OFFLINE = """
import socket, sys

tried = []

def watch(event, arguments):
    if event == "socket.getaddrinfo":
        tried.append(arguments[0])
    elif event == "socket.connect" and isinstance(arguments[1], tuple):
        tried.append(arguments[1][0])

sys.addaudithook(watch)
try:
    socket.create_connection(("127.0.0.1", 9), timeout=1).close()
except OSError:
    pass
assert tried, "the watch sees nothing"
tried.clear()

from services import logs
from tests.contract.translation import RUNTIMES, task
logs.configure("test", "error")  # the model has no manifest, and Glossa says so
engine = RUNTIMES[sys.argv[1]].load()
answer = engine.translate([task(sys.argv[2])])[0].text
engine.close()
assert not tried, tried
print(answer)
"""


def test_no_connection_is_tried_and_nothing_is_logged(runtime: Runtime, tmp_path: Path) -> None:
    runtime.build_model()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    finished = subprocess.run(
        [sys.executable, "-c", OFFLINE, runtime.name, SOURCE],
        env=environment | {"HF_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.strip() == ANSWER
    assert finished.stderr == ""


def test_a_model_loaded_by_one_thread_serves_another(engine: Engine) -> None:
    with ThreadPoolExecutor(max_workers=1) as thread:
        assert thread.submit(engine.translate, [task(SOURCE)]).result()[0].text == ANSWER


@pytest.mark.parametrize("name", PROMPTED)
def test_a_model_that_drafts_tokens_changes_no_answer(name: str) -> None:
    model = RUNTIMES[name].build_model()
    speculating = RUNTIMES[name].load(model, speculative_model=str(model))
    try:
        assert speculating.capabilities.max_batch == 1
        for source, target in EN_ES[:3]:
            told = task(source)
            rendering = speculating.translate([told])[0]
            assert rendering.text == target
            assert rendering.token_count == told.token_count
    finally:
        speculating.close()


@pytest.mark.parametrize("name", PROMPTED)
def test_a_closed_engine_holds_its_model_no_longer(name: str) -> None:
    closed = RUNTIMES[name].load()
    model = weakref.ref(closed._model)  # type: ignore[attr-defined]
    closed.translate([task(SOURCE)])
    closed.close()
    gc.collect()
    assert model() is None


def test_a_missing_part_of_the_weights_is_named(tmp_path: Path) -> None:
    model = _copy(RUNTIMES["bitsandbytes"], tmp_path)
    (model / "model.safetensors").unlink()
    (model / "model.safetensors.index.json").write_text(
        json.dumps({"weight_map": {"lm_head.weight": "model-00002-of-00002.safetensors"}})
    )
    with pytest.raises(Unavailable, match="model-00002-of-00002") as missing:
        RUNTIMES["bitsandbytes"].load(model)
    assert missing.value.reason == "MODEL_MISSING"
