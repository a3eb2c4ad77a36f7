"""The resident pipeline, with the real Apertium and its stages ended by their process ids."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.apertium import INSTALL_HINT, Apertium, Mode, installed_modes
from services.errors import EngineFailed, Unavailable
from tests.processes import REPOSITORY

WAIT_S = 10.0
STAGES = len(
    (Path("/usr/share/apertium/modes") / "eng-spa.mode").read_text(encoding="utf-8").split("|")
)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.02)


def mode(source: str, target: str) -> Mode:
    return next(
        mode
        for mode in installed_modes()
        if (mode.source_language, mode.target_language) == (source, target)
    )


@pytest.fixture(scope="module")
def english_spanish() -> Iterator[Apertium]:
    apertium = Apertium(mode("en", "es"))
    apertium.start()
    yield apertium
    apertium.close()


def test_both_directions_are_found_and_translate(english_spanish: Apertium) -> None:
    assert english_spanish.translate("The house is red.").text == "La casa es roja."
    back = Apertium(mode("es", "en"))
    try:
        assert back.translate("La casa es roja.").text == "The house is red."
    finally:
        back.close()


def test_it_says_the_same_as_the_command_line_tool(english_spanish: Apertium) -> None:
    texts = (
        "In the beginning God created the heavens and the earth.",
        "He said: go, and do not come back!",
        "we read from chapter 3",
    )
    for text in texts:
        expected = subprocess.run(
            ["apertium", "-u", "eng-spa"], input=text, capture_output=True, text=True, check=True
        ).stdout
        assert english_spanish.translate(text).text == expected


def test_unknown_words_are_named_and_their_marks_removed(english_spanish: Apertium) -> None:
    translation = english_spanish.translate("the quuxes and a blorf * came # here")
    assert translation.unknown_words == ("quuxes", "blorf")
    assert translation.text.count("*") == 1
    assert translation.text.count("#") == 1
    assert "quuxes" in translation.text


@pytest.mark.parametrize(
    "text", ["", "\0", "a\0b", "one\ntwo\r\n\nthree", "[x] {y} <z> ^a$ /b\\ @c #d *e ~f", "\ud800"]
)
def test_reserved_characters_neither_break_nor_shift_the_answers(
    english_spanish: Apertium, text: str
) -> None:
    restarts = english_spanish.restarts
    answer = english_spanish.translate(text).text
    assert english_spanish.translate("The house is red.").text == "La casa es roja."
    assert english_spanish.restarts == restarts
    for reserved in "[]{}<>^$/\\@#*~\n":
        assert answer.count(reserved) == text.count(reserved)


@settings(deadline=None, max_examples=150, suppress_health_check=list(HealthCheck))
@given(st.text(max_size=80) | st.text(alphabet="\\^$/<>{}[]@*#~+_-.,'\n\0aZé ", max_size=80))
def test_no_text_breaks_the_pipeline(english_spanish: Apertium, text: str) -> None:
    restarts = english_spanish.restarts
    assert "\0" not in english_spanish.translate(text).text
    assert english_spanish.restarts == restarts


def test_a_text_longer_than_the_pipes_comes_through() -> None:
    apertium = Apertium(mode("en", "es"), request_timeout_s=30.0)
    try:
        answer = apertium.translate("The great house. " * 5_000).text
        assert answer.lower().count("casa") == 5_000
        assert apertium.restarts == 0
    finally:
        apertium.close()


@pytest.mark.parametrize("stage", [0, STAGES // 2, STAGES - 1])
def test_a_killed_stage_is_noticed_and_replaced(stage: int) -> None:
    apertium = Apertium(mode("en", "es"))
    try:
        apertium.start()
        before = apertium.stage_pids
        os.kill(before[stage], signal.SIGKILL)
        assert apertium.translate("The house is red.").text == "La casa es roja."
        assert apertium.restarts == 1
        assert not set(before) & set(apertium.stage_pids)
        assert not any(psutil.pid_exists(pid) for pid in before)
    finally:
        apertium.close()


def test_a_stage_that_hangs_is_replaced_after_the_timeout() -> None:
    apertium = Apertium(mode("en", "es"), request_timeout_s=0.5)
    try:
        apertium.start()
        os.kill(apertium.stage_pids[3], signal.SIGSTOP)
        assert apertium.translate("The house is red.").text == "La casa es roja."
        assert apertium.restarts == 1
    finally:
        apertium.close()


def test_a_pipeline_that_stays_broken_is_an_engine_failure(tmp_path: Path) -> None:
    broken = tmp_path / "eng-spa.mode"
    broken.write_text("lt-proc /nowhere/missing.bin | apertium-pretransfer")
    apertium = Apertium(Mode("en", "es", broken))
    with pytest.raises(EngineFailed) as failure:
        apertium.translate("The house is red.")
    assert failure.value.reason == "ENGINE_FAILED"
    assert apertium.stage_pids == ()
    # It comes back by itself once the cause is gone.
    broken.write_text(mode("en", "es").path.read_text())
    try:
        assert apertium.translate("The house is red.").text == "La casa es roja."
    finally:
        apertium.close()


def test_a_missing_tool_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=INSTALL_HINT) as no_modes:
        installed_modes(tmp_path)
    assert no_modes.value.reason == "TOOL_MISSING"
    missing = tmp_path / "eng-spa.mode"
    missing.write_text("lt-proc-of-another-world x.bin")
    with pytest.raises(Unavailable, match=INSTALL_HINT):
        Apertium(Mode("en", "es", missing)).translate("hello")


def test_closing_leaves_no_process() -> None:
    apertium = Apertium(mode("en", "es"))
    apertium.start()
    pids = apertium.stage_pids
    apertium.close()
    assert not any(psutil.pid_exists(pid) for pid in pids)


OWNER = """
import signal
from services.apertium import Apertium, installed_modes
pipelines = [Apertium(mode) for mode in installed_modes()]
for pipeline in pipelines:
    pipeline.start()
print(*(pid for pipeline in pipelines for pid in pipeline.stage_pids), flush=True)
signal.pause()
"""


def test_no_stage_outlives_a_killed_owner() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", OWNER], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        pids = [int(pid) for pid in owner.stdout.readline().split()]
        assert len(pids) > STAGES
        assert all(psutil.pid_exists(pid) for pid in pids)
        owner.kill()
    wait_until(lambda: not any(is_running(pid) for pid in pids))


def is_running(pid: int) -> bool:
    """Whether it still executes; an orphan that nobody has reaped yet does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
