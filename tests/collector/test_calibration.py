"""A calibration: monotone maps, a file that is whole or refused, and one setting to adopt it."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from services.collector.bands import Thresholds
from services.collector.calibration import (
    IDENTITY,
    Calibration,
    ConfidenceMap,
    FittedOn,
    read_calibration,
)
from services.collector.settings import CollectorSettings

UNIT = st.floats(0, 1)


@st.composite
def maps(draw: st.DrawFn) -> ConfidenceMap:
    number = draw(st.integers(2, 8))
    confidences = draw(st.lists(UNIT, min_size=number, max_size=number, unique=True))
    probabilities = draw(st.lists(UNIT, min_size=number, max_size=number))
    return ConfidenceMap(tuple(zip(sorted(confidences), sorted(probabilities), strict=True)))


CALIBRATION = Calibration(
    schema_version=1,
    fitted_on=FittedOn(312, 6, datetime(2026, 11, 22, tzinfo=UTC), "0" * 64),
    stt={
        "faster-whisper": ConfidenceMap(((0.2, 0.1), (0.8, 0.9)), 200),
        "faster-whisper/small.en": ConfidenceMap(((0.2, 0.3), (0.8, 0.5)), 112),
    },
    thresholds=Thresholds(0.9, 0.8, 0.6),
)


@given(maps(), UNIT, UNIT)
def test_a_map_is_bounded_and_never_falls(a_map: ConfidenceMap, first: float, other: float) -> None:
    low, high = sorted((first, other))
    assert a_map.knots[0][1] <= a_map(low) <= a_map(high) <= a_map.knots[-1][1]


@given(maps())
def test_a_map_goes_through_its_knots(a_map: ConfidenceMap) -> None:
    for confidence, probability in a_map.knots:
        assert a_map(confidence) == probability


def test_a_map_is_straight_between_knots_and_level_beyond() -> None:
    a_map = ConfidenceMap(((0.2, 0.1), (0.8, 0.9)))
    assert [a_map(at) for at in (0.0, 0.35, 0.5, 1.0)] == pytest.approx([0.1, 0.3, 0.5, 0.9])


@pytest.mark.parametrize(
    "knots",
    [
        (),
        ((0.5, 0.5),),
        ((0.5, 0.5), (0.5, 0.6)),
        ((0.6, 0.5), (0.5, 0.6)),
        ((0.5, 0.6), (0.6, 0.5)),
        ((0.5, 0.6), (0.6, 1.1)),
        ((math.nan, 0.5), (0.6, 0.6)),
        ((0.5, math.nan), (0.6, 0.6)),
    ],
)
def test_refuses_knots_that_are_no_map(knots: tuple[tuple[float, float], ...]) -> None:
    with pytest.raises(ValueError, match="knot"):
        ConfidenceMap(knots)


@pytest.mark.parametrize("value", [math.nan, math.inf, -0.1, 1.1])
@pytest.mark.parametrize("stt_model", ["faster-whisper/small.en", "unknown"])
def test_refuses_what_is_no_confidence(stt_model: str, value: float) -> None:
    with pytest.raises(ValueError, match="signal"):
        CALIBRATION.confidence(stt_model, value)


def test_a_model_comes_before_its_engine_and_others_stay_as_they_are() -> None:
    assert CALIBRATION.confidence("faster-whisper/small.en", 0.8) == 0.5
    assert CALIBRATION.confidence("faster-whisper/medium", 0.8) == 0.9
    assert CALIBRATION.confidence("pocketsphinx/en-us", 0.8) == 0.8
    assert IDENTITY.confidence("faster-whisper/small.en", 0.123) == 0.123


def test_a_file_gives_back_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    path.write_bytes(CALIBRATION.to_json())
    assert read_calibration(path) == CALIBRATION
    assert read_calibration(path).id == CALIBRATION.id


def test_the_id_tells_calibrations_apart_and_not_when_they_were_fitted() -> None:
    assert CALIBRATION.fitted_on is not None
    later = replace(CALIBRATION.fitted_on, time=datetime(2027, 1, 1, tzinfo=UTC))
    assert replace(CALIBRATION, fitted_on=later).id == CALIBRATION.id
    assert replace(CALIBRATION, thresholds=None).id != CALIBRATION.id
    assert replace(CALIBRATION, stt={}).id != CALIBRATION.id
    assert IDENTITY.id == ""


def _changed(**changes: Any) -> bytes:
    content: dict[str, Any] = json.loads(CALIBRATION.to_json())
    return json.dumps(content | changes).encode()


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (b"", "the file"),
        (b"no json", "the file"),
        (b"{}", "schema_version"),
        (_changed(schema_version=2), "schema_version"),
        (_changed(more=1), "more"),
        (_changed(thresholds={"acept": 0.9}), "acept"),
        (_changed(thresholds={"accept": 0.1}), "thresholds"),
        (_changed(stt={"a": {"knots": [[0.1, 0.5], [0.2, 0.4]]}}), "stt.a"),
        (_changed(stt={"a": {"knots": [[0.1, 0.5], [0.2, math.nan]]}}), "stt.a"),
    ],
)
def test_a_file_that_is_no_calibration_is_refused(
    tmp_path: Path, content: bytes, place: str
) -> None:
    path = tmp_path / "calibration.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="is no calibration") as refusal:
        read_calibration(path)
    assert place in str(refusal.value)
    assert str(path) in str(refusal.value)


def test_one_setting_brings_maps_and_thresholds(tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    path.write_bytes(CALIBRATION.to_json())
    settings = CollectorSettings(calibration=path)  # type: ignore[arg-type]
    assert settings.calibration == CALIBRATION
    assert settings.thresholds() == CALIBRATION.thresholds


def test_a_threshold_that_is_set_wins_over_the_file(tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    path.write_bytes(CALIBRATION.to_json())
    settings = CollectorSettings(
        calibration=path,  # type: ignore[arg-type]
        accept_threshold=0.85,  # the default, but said
    )
    assert settings.thresholds() == Thresholds(0.85, 0.8, 0.6)


def test_without_the_setting_nothing_is_calibrated() -> None:
    settings = CollectorSettings()
    assert settings.calibration is IDENTITY
    assert settings.thresholds() == Thresholds()


def test_a_set_threshold_that_crosses_one_of_the_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    path.write_bytes(CALIBRATION.to_json())
    with pytest.raises(ValidationError, match="thresholds must hold"):
        CollectorSettings(calibration=path, accept_threshold=0.7)  # type: ignore[arg-type]


def test_a_file_that_cannot_be_read_stops_the_start_with_a_clear_line(tmp_path: Path) -> None:
    missing = tmp_path / "none.json"
    started = subprocess.run(
        [sys.executable, "-m", "services.collector"],
        env=os.environ | {"GLOSSA_COLLECTOR_CALIBRATION": str(missing)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert started.returncode == 2
    assert started.stderr == (
        f"GLOSSA_COLLECTOR_CALIBRATION: {missing} cannot be read: No such file or directory\n"
    )
