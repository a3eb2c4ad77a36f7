"""`./glossa queue calibrate`: from verified pairs to a calibration that can be adopted."""

from __future__ import annotations

import json
import math
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest

from services.collector.bands import Thresholds
from services.collector.calibration import Calibration, read_calibration
from services.collector.verified import VerifiedPair
from tests.cli.verb import run_verb
from tests.collector.synthetic import rated, rising


def avg_logprob(confidence: float) -> float:
    """What the logistic curve makes this confidence of."""
    kept = min(max(confidence, 1e-6), 1 - 1e-6)
    return math.log(kept / (1 - kept)) / 10 - 0.3


def line(pair: VerifiedPair) -> dict[str, Any]:
    """As `queue export --band corrected` writes it."""
    measured = pair.pair.measured
    assert measured.stt_confidence is not None
    source, target = "Seven lamps burned all night", "Siete lámparas ardieron toda la noche"
    return {
        "pair_id": pair.pair.pair_id,
        "session_id": pair.pair.session_id,
        "source_language": "en",
        "target_language": "es",
        "en": source,
        "es": target,
        "original_source_text": source if pair.is_good else "Seven lambs burned all night",
        "original_target_text": target,
        "band": "corrected",
        "decision": "accepted" if pair.is_good else "fixed",
        "review_revision": 1,
        "stt_model": pair.pair.stt_model,
        "avg_logprob": avg_logprob(measured.stt_confidence),
        "translation_qe": measured.translation_qe,
        "marian_agreement": measured.marian_agreement,
        "signals": {"number_parity": 1.0, "heuristic_quality": None},
        "flags": [],
        "missing_terms": [],
    }


def write(path: Path, pairs: list[VerifiedPair], **changes: Any) -> Path:
    lines = (json.dumps(line(pair) | changes, ensure_ascii=False) for pair in pairs)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


NO_SIGNALS = {"translation_qe": None, "marian_agreement": None, "signals": {}}
PAIRS = rated(600, 8, 1, rising(0.6, 15))


def calibrate(pairs: Path, *arguments: object, **environment: str) -> dict[str, Any]:
    done = run_verb(
        *("queue", "calibrate", "--pairs", str(pairs), "--json"),
        *map(str, arguments),
        **environment,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_writes_what_the_collector_adopts(tmp_path: Path) -> None:
    pairs, out, plot = write(tmp_path / "v.jsonl", PAIRS), tmp_path / "c.json", tmp_path / "c.svg"
    found = calibrate(pairs, "--out", out, "--plot", plot, "--precision", 0.9)
    calibration = read_calibration(out)
    assert calibration.id == found["calibration"]
    assert calibration.fitted_on is not None
    assert calibration.fitted_on.pair_count == found["pair_count"] == 600
    assert calibration.fitted_on.session_count == 8
    assert set(calibration.stt) == {"rule/stt"}
    assert calibration.thresholds is not None
    assert found["proposed"]["thresholds"]["accept"] == calibration.thresholds.accept
    accepted = found["proposed"]["bands"]["accept"]
    assert accepted["precision"]["low"] >= 0.9
    assert found["held_out"]["pair_count"] > 0
    drawn = "".join(ElementTree.parse(plot).getroot().itertext())  # noqa: S314  our own file
    assert drawn.strip()


def test_the_same_seed_writes_the_same_calibration(tmp_path: Path) -> None:
    pairs = write(tmp_path / "v.jsonl", PAIRS)
    first = calibrate(pairs, "--seed", 3, "--precision", 0.9)
    assert first["calibration"]
    assert calibrate(pairs, "--seed", 3, "--precision", 0.9) == first


def test_prints_a_table_and_what_cannot_be_held(tmp_path: Path) -> None:
    pairs = write(tmp_path / "v.jsonl", PAIRS)
    done = run_verb("queue", "calibrate", "--pairs", str(pairs), COLUMNS="200")
    assert done.returncode == 0, done.stderr
    for expected in ("rule/stt", "composite", "ECE", "Brier", "accept", "95 % interval", "0.85"):
        assert expected in done.stdout
    assert "give all other bands with --collected" in done.stdout


def test_warns_of_few_pairs_and_says_how_wide_the_interval_is(tmp_path: Path) -> None:
    found = calibrate(write(tmp_path / "v.jsonl", PAIRS[:80]))
    assert any("80 verified pairs are few" in warning for warning in found["warnings"])
    assert any("from 88% to 98%" in warning for warning in found["warnings"])
    assert not any(
        "are few" in warning
        for warning in calibrate(write(tmp_path / "w.jsonl", PAIRS[:200]))["warnings"]
    )


@pytest.mark.parametrize("good", [(True, True, False), (True, False), (True, True), (False,)])
def test_a_handful_of_pairs_of_as_many_sessions_is_told_to_be_too_few(
    tmp_path: Path, good: tuple[bool, ...]
) -> None:
    pairs = [
        next(pair for pair in PAIRS if pair.is_good == is_good and pair.pair.session_id == session)
        for is_good, session in zip(good, sorted({p.pair.session_id for p in PAIRS}), strict=False)
    ]
    verified = write(tmp_path / "verified.jsonl", pairs)
    done = run_verb("queue", "calibrate", "--pairs", str(verified))
    assert done.returncode == 0, done.stderr
    assert f"{len(good)} verified pair" in " ".join((done.stdout + done.stderr).split())
    assert "200" in done.stdout + done.stderr
    assert "UserWarning" not in done.stderr


def test_where_nothing_is_shown_nothing_is_written(tmp_path: Path) -> None:
    pairs, out = write(tmp_path / "v.jsonl", PAIRS[:3]), tmp_path / "c.json"
    done = run_verb("queue", "calibrate", "--pairs", str(pairs), "--out", str(out))
    assert done.returncode == 1
    assert "nothing to adopt" in done.stderr
    assert "no threshold is shown to hold 95% precision" in " ".join(done.stdout.split())
    assert not out.exists()


def test_maps_alone_are_shown_with_the_thresholds_of_now_and_keep_what_was_adopted(
    tmp_path: Path,
) -> None:
    pairs, out = write(tmp_path / "v.jsonl", PAIRS), tmp_path / "c.json"
    adopted = tmp_path / "adopted.json"
    thresholds = Thresholds(0.8, 0.6, 0.4)
    adopted.write_bytes(Calibration(schema_version=1, thresholds=thresholds).to_json())
    found = calibrate(
        pairs, "--out", out, "--precision", 0.999, GLOSSA_COLLECTOR_CALIBRATION=str(adopted)
    )
    calibration = read_calibration(out)
    assert calibration.stt
    assert calibration.thresholds == thresholds
    now, proposed = (found[name]["bands"]["accept"]["share"] for name in ("now", "proposed"))
    assert now != proposed
    (note,) = (note for note in found["notes"] if "move pairs" in note)
    assert f"{proposed:.0%} would be accepted instead of {now:.0%}" in note


def test_collected_pairs_give_the_shares(tmp_path: Path) -> None:
    reviewed = [pair for pair in PAIRS if not pair.is_good] + PAIRS[:100]
    pairs = write(tmp_path / "v.jsonl", list({p.pair.pair_id: p for p in reviewed}.values()))
    collected = write(tmp_path / "all.jsonl", PAIRS, decision=None, band="accept")
    everything = calibrate(write(tmp_path / "w.jsonl", PAIRS))
    found = calibrate(pairs, "--collected", collected)
    assert found["collected_count"] == 600
    for band in ("accept", "moderate", "review", "reject"):
        share = found["now"]["bands"][band]["share"]
        assert share == pytest.approx(everything["now"]["bands"][band]["share"])
    assert not any("--collected" in warning for warning in found["warnings"])


def test_the_rules_of_now_are_those_of_the_collector(tmp_path: Path) -> None:
    pairs = write(tmp_path / "v.jsonl", PAIRS)
    found = calibrate(pairs, GLOSSA_COLLECTOR_ACCEPT_THRESHOLD="0.8")
    assert found["now"]["thresholds"]["accept"] == 0.8


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "no pair that a person decided about"),
        (json.dumps(line(PAIRS[0]) | {"decision": None}), "no pair that a person decided about"),
        ("{}", "line 1: session_id"),
        (json.dumps(line(PAIRS[0])) + "\n" + '{"session_id": "s", "avg_logprob": NaN}', "line 2"),
        ("no json", "line 1: not JSON"),
        (
            json.dumps(line(PAIRS[0]) | {"avg_logprob": None} | NO_SIGNALS),
            "has a score, so there is nothing to fit",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_one_clear_line(
    tmp_path: Path, content: str, message: str
) -> None:
    path = tmp_path / "v.jsonl"
    path.write_text(content, encoding="utf-8")
    done = run_verb("queue", "calibrate", "--pairs", str(path))
    assert done.returncode == 1
    assert done.stderr.startswith("Error: ")
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--plot", "c.txt"), ".png, .svg or .pdf"),
        (("--precision", "1"), "0.5<=x<=0.999"),
        (("--precision", "nan"), "between 0 and 1, not be nan"),
    ],
)
def test_wrong_options_are_usage_errors(
    tmp_path: Path, arguments: tuple[str, str], message: str
) -> None:
    pairs = write(tmp_path / "v.jsonl", PAIRS[:3])
    done = run_verb("queue", "calibrate", "--pairs", str(pairs), *arguments)
    assert done.returncode == 2
    assert message in done.stderr


def test_a_figure_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    pairs = write(tmp_path / "v.jsonl", PAIRS[:100])
    missing = tmp_path / "none" / "c.png"
    done = run_verb("queue", "calibrate", "--pairs", str(pairs), "--plot", str(missing))
    assert done.returncode == 1
    assert f"cannot write {missing}" in done.stderr


def test_a_hostile_text_is_only_text(tmp_path: Path) -> None:
    name = "[bold]</x><script>alert(1)</script>$x_$"
    pairs = write(tmp_path / "v.jsonl", PAIRS[:100], stt_model=name)
    done = run_verb(
        *("queue", "calibrate", "--pairs", str(pairs), "--plot", str(tmp_path / "c.svg")),
        COLUMNS="200",
    )
    assert done.returncode == 0, done.stderr
    assert name in done.stdout
    assert "<script" not in (tmp_path / "c.svg").read_text(encoding="utf-8")
