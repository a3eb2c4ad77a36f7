"""What a Whisper owes the service beside what every recogniser does."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from services.audio import SAMPLE_RATE_HERTZ
from services.errors import EngineFailed, InvalidInput, Unavailable
from services.stt.engine import Decoding, Engine
from services.stt.engines.whisper import WINDOW_S
from tests import speech
from tests.contract.recognition import ENGLISH, WHISPERS, open_engine, said, samples_of
from tests.processes import free_port_base
from tests.tiny import whisper as tiny

pytestmark = pytest.mark.engines
# A boundary between two words: the mean error and the worst, of a model as small as this. The words
# of the sentence last 80 to 550 ms.
MEAN_ERROR_MS, WORST_ERROR_MS = 100, 300


@pytest.fixture(scope="module", params=list(WHISPERS))
def whisper(request: pytest.FixtureRequest) -> Iterator[Engine]:
    loaded = open_engine(request.param)
    yield loaded
    loaded.close()


@pytest.mark.parametrize(
    ("language", "sentence"),
    [(language, sentence) for language, all_ in tiny.SENTENCES.items() for sentence in all_],
)
def test_a_sentence_is_heard_with_its_punctuation(
    whisper: Engine, language: str, sentence: str
) -> None:
    hypothesis = whisper.transcribe(said(sentence), Decoding(language))
    assert hypothesis.text == sentence
    assert hypothesis.avg_logprob is not None
    assert hypothesis.avg_logprob > whisper.capabilities.flag_avg_logprob
    assert hypothesis.no_speech_prob is not None
    assert hypothesis.no_speech_prob < 0.3


def test_words_are_timed_where_they_are_spoken(whisper: Engine) -> None:
    pcm, timings = tiny.timed(ENGLISH[0])
    words = whisper.transcribe(samples_of(pcm), Decoding("en")).words
    assert [word.text for word in words] == [text for text, _, _ in timings]
    timed = list(zip(words, timings, strict=True))
    # The silence before the first word and behind the last one counts as theirs.
    starts_ms = [(word.start_ms, start_s * 1000) for word, (_, start_s, _) in timed[1:]]
    ends_ms = [(word.end_ms, end_s * 1000) for word, (_, _, end_s) in timed[:-1]]
    errors_ms = [abs(heard_ms - spoken_ms) for heard_ms, spoken_ms in starts_ms + ends_ms]
    assert sum(errors_ms) / len(errors_ms) <= MEAN_ERROR_MS
    assert max(errors_ms) <= WORST_ERROR_MS


def test_a_sentence_that_is_cut_off_is_heard_so_far(whisper: Engine) -> None:
    pcm, timings = tiny.timed(ENGLISH[1])
    after_s = (timings[5][2] + timings[6][1]) / 2 + 0.05
    heard = whisper.transcribe(samples_of(pcm)[: int(after_s * SAMPLE_RATE_HERTZ)], Decoding("en"))
    assert "We are saved by grace through" in heard.text
    assert "works" not in heard.text


def test_what_was_said_before_is_not_said_again(whisper: Engine) -> None:
    asked = Decoding("en", ("grace", "shepherd"), " ".join(ENGLISH[:2]))
    assert whisper.transcribe(said(ENGLISH[2]), asked).text == ENGLISH[2]


def test_nothing_but_silence_has_a_high_probability_of_no_speech(whisper: Engine) -> None:
    hypothesis = whisper.transcribe(samples_of(speech.silence(3)), Decoding("en"))
    assert hypothesis.no_speech_prob is not None
    assert hypothesis.no_speech_prob > 0.6


def test_more_than_a_window_is_refused(whisper: Engine) -> None:
    with pytest.raises(InvalidInput, match="cut the audio") as caught:
        whisper.transcribe(samples_of(speech.silence(WINDOW_S + 0.1)), Decoding("en"))
    assert caught.value.reason == "AUDIO_TOO_LONG"


def test_a_multilingual_model_has_its_languages_and_not_one_more(whisper: Engine) -> None:
    languages = whisper.capabilities.languages
    assert {"en", "es"} <= set(languages)
    assert len(languages) == 99
    assert "yue" not in languages  # came with large-v3


def test_an_english_only_model_says_so() -> None:
    english = open_engine("faster_whisper", model=str(tiny.whisper_ct2(english_only=True)))
    try:
        assert english.capabilities.languages == ("en",)
        assert english.transcribe(said(ENGLISH[0]), Decoding("en")).text == ENGLISH[0]
    finally:
        english.close()


@pytest.mark.parametrize("name", WHISPERS)
def test_two_engines_work_at_once(name: str) -> None:
    small, large = open_engine(name), open_engine(name)
    try:
        with ThreadPoolExecutor(2) as workers:
            decodes = [
                workers.submit(one.transcribe, said(sentence), Decoding("en"))
                for _ in range(2)
                for one, sentence in ((small, ENGLISH[0]), (large, ENGLISH[1]))
            ]
        small.close()
        heard = [decode.result().text for decode in decodes]
        assert heard == [ENGLISH[0], ENGLISH[1]] * 2
        assert large.transcribe(said(ENGLISH[0]), Decoding("en")).text == ENGLISH[0]
    finally:
        small.close()
        large.close()


# What is wrong with a model


@pytest.fixture(params=list(WHISPERS))
def copied(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path]:
    """(engine, a folder of its model that a test may spoil)."""
    folder = tmp_path / "models" / "owner" / "whisper-copy"
    shutil.copytree(WHISPERS[request.param](), folder)
    return request.param, folder


def test_a_model_is_found_by_its_name_below_the_models_folder(copied: tuple[str, Path]) -> None:
    name, folder = copied
    named = open_engine(name, model="owner/whisper-copy", models_dir=folder.parents[1])
    named.close()
    assert named.model == "whisper-copy"


def test_each_missing_file_is_named(copied: tuple[str, Path]) -> None:
    name, folder = copied
    for file in sorted(folder.iterdir()):
        if file.name == "preprocessor_config.json":  # most models have none
            continue
        kept = file.read_bytes()
        file.unlink()
        with pytest.raises(Unavailable, match=file.name) as caught:
            open_engine(name, model=str(folder))
        assert caught.value.reason == "MODEL_MISSING"
        file.write_bytes(kept)


def test_features_of_another_size_than_the_model_has_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "whisper"
    shutil.copytree(tiny.whisper_ct2(), folder)
    preprocessor = folder / "preprocessor_config.json"
    preprocessor.write_text(json.dumps({"feature_size": 128}))
    with pytest.raises(Unavailable, match=r"80 mel bands .*preprocessor_config.json") as caught:
        open_engine("faster_whisper", model=str(folder))
    assert caught.value.reason == "MODEL_MISSING"
    preprocessor.unlink()  # as most models with 80 bands have it
    open_engine("faster_whisper", model=str(folder)).close()


@pytest.mark.parametrize("name", WHISPERS)
def test_a_folder_of_something_else_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no model")
    with pytest.raises(Unavailable, match=r"has no .*models verify") as caught:
        open_engine(name, model=str(tmp_path))
    assert caught.value.reason == "MODEL_MISSING"


def test_a_model_that_is_not_there_is_named(copied: tuple[str, Path]) -> None:
    name, folder = copied
    with pytest.raises(Unavailable, match=r"whisper-large.*models pull") as caught:
        open_engine(name, model="openai/whisper-large", models_dir=folder.parents[1])
    assert caught.value.reason == "MODEL_MISSING"


@pytest.mark.parametrize("how", ["half", "zeros", "empty"])
def test_a_damaged_file_does_not_load(copied: tuple[str, Path], how: str) -> None:
    name, folder = copied
    for file in sorted(folder.iterdir()):
        if file.name == "preprocessor_config.json":
            continue
        kept = file.read_bytes()
        spoilt = {"half": kept[: len(kept) // 2], "zeros": bytes(len(kept)), "empty": b""}[how]
        file.write_bytes(spoilt)
        with pytest.raises(EngineFailed, match=str(folder)):
            open_engine(name, model=str(folder))
        file.write_bytes(kept)


@pytest.mark.parametrize("name", WHISPERS)
def test_a_card_that_is_not_there_is_never_replaced_in_silence(name: str) -> None:
    if shutil.which("nvidia-smi"):
        pytest.skip("there is a card")
    with pytest.raises(EngineFailed, match=r"CUDA device and finds none; set GLOSSA_STT_DEVICE"):
        open_engine(name, device="cuda")


@pytest.mark.parametrize("name", WHISPERS)
def test_a_number_format_that_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(EngineFailed, match=r"float12 here.*one of: .*float32"):
        open_engine(name, compute_type="float12")


# The hub


class Listener:
    """Counts who connects to a hub that is none."""

    def __init__(self) -> None:
        self.port = free_port_base()
        self.visits = 0
        self._socket = socket.create_server(("127.0.0.1", self.port))
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                visitor, _ = self._socket.accept()
            except OSError:
                return
            self.visits += 1
            visitor.close()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()


@pytest.fixture
def hub() -> Iterator[Listener]:
    listener = Listener()
    yield listener
    listener.close()


def run_with_hub(hub: Listener, home: Path, code: str, *arguments: str) -> str:
    """What `code` prints in a process for which everything but this machine is the listener."""
    address = f"http://127.0.0.1:{hub.port}"
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={
            # Engines that ran before in this process may have switched the hub off in it.
            **{name: value for name, value in os.environ.items() if name != "HF_HUB_OFFLINE"},
            "HF_ENDPOINT": address,
            "HF_HOME": str(home),
            "HTTP_PROXY": address,
            "HTTPS_PROXY": address,
            "ALL_PROXY": address,
        },
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


DECODING = """
import sys
import numpy as np
from services import logs
from services.errors import Unavailable
from services.stt.engine import Decoding, EngineOptions, loader
logs.configure("test", "error")  # the model has no manifest, and Glossa says so
name, model = sys.argv[1:]
engine = loader(name)(EngineOptions(model=model, threads=1))
print(engine.transcribe(np.zeros(16000, np.float32), Decoding("en")).text)
engine.close()
try:
    loader(name)(EngineOptions(model="openai/whisper-tiny"))
except Unavailable as error:
    print(error.reason)
"""
ASKING = """
import sys
from huggingface_hub import snapshot_download
try:
    snapshot_download("openai/whisper-tiny", etag_timeout=2)
except Exception as error:
    print(type(error).__name__)
"""


@pytest.mark.parametrize("name", WHISPERS)
def test_no_hub_is_asked(name: str, hub: Listener, tmp_path: Path) -> None:
    printed = run_with_hub(hub, tmp_path, DECODING, name, str(WHISPERS[name]()))
    assert printed.split("\n")[1:] == ["MODEL_MISSING", ""]
    assert hub.visits == 0


def test_a_hub_that_is_asked_would_be_noticed(hub: Listener, tmp_path: Path) -> None:
    run_with_hub(hub, tmp_path, ASKING)
    assert hub.visits > 0
