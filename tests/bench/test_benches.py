"""The benches on a little work with real services: that they count right, not how fast it is."""

from __future__ import annotations

import json
import wave
from pathlib import Path

import pytest

from tests.cli.verb import run_verb
from tests.speech import spoken, with_pauses


def test_mt_gives_a_row_a_runtime_and_scores_references(tmp_path: Path) -> None:
    lines = tmp_path / "lines.tsv"
    lines.write_text("The house is white.\tLa casa es blanca.\n\nGod is love.\tDios es amor.\n")
    done = run_verb("bench", "mt", "apertium", "--lines", str(lines), "--json")
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])["apertium"]
    assert figures["texts"] == 2
    assert figures["model"] == "apertium/eng-spa"
    assert figures["latency_ms"]["p50"] > 0
    assert figures["peak_memory_mb"] > 0
    assert figures["bleu"] > 50
    assert figures["terms"] == {"kept": 2, "wanted": 2}
    assert figures["errors"] == {}


def test_mt_under_stress_shows_drift_and_growth() -> None:
    done = run_verb("bench", "mt", "--stress", "40", "--parallel", "4", "--json")
    figures = json.loads(done.stdout.splitlines()[-1])["embedded"]
    assert figures["texts"] == 40
    assert figures["latency_drift"] > 0
    assert -1 < figures["memory_growth"] < 1


def test_qe_measures_an_engine_alone_and_in_batches() -> None:
    done = run_verb("bench", "qe", "heuristic", "--count", "16", "--json")
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])["heuristic"]
    assert figures["pairs"] == 16
    assert figures["ms_a_pair_alone"]["p50"] > 0
    assert figures["ms_a_pair_by_8"]["p50"] > 0
    assert figures["pairs_per_s"] > 0
    assert "heuristic/1+apertium/spa-eng" in figures["models"]


def test_qe_tells_why_an_engine_measures_nothing() -> None:
    done = run_verb("bench", "qe", "cometkiwi:nowhere")
    assert done.returncode == 1
    assert "cometkiwi:nowhere measures nothing here" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_variable_that_is_none_of_the_services_is_refused() -> None:
    done = run_verb("bench", "mt", "--set", "RUNTIME=apertium")
    assert done.returncode == 2
    assert "docs/settings.md" in done.stderr


def test_a_runtime_that_cannot_be_started_is_a_line_and_no_traceback() -> None:
    done = run_verb("bench", "mt", "babelfish")
    assert done.returncode == 1
    assert "unknown runtime 'babelfish'" in done.stderr
    assert "Traceback" not in done.stderr


def test_stt_counts_errors_against_what_was_said() -> None:
    done = run_verb("bench", "stt", "--json")
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])["pocketsphinx"]
    assert figures["finals"] > 10
    assert 0 < figures["wer"] < 0.4
    assert figures["rtf"] > 0
    assert figures["audio_s"] > 50


@pytest.mark.slow
def test_stream_writes_logs_that_fit_each_other(tmp_path: Path) -> None:
    pcm = with_pauses(spoken("He makes me lie down in green pastures."), pause_s=0.3)
    with wave.open(str(tmp_path / "psalm.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(pcm.tobytes())
    (tmp_path / "psalm.txt").write_text("He makes me lie down in green pastures.")
    output = tmp_path / "logs"
    done = run_verb("bench", "stream", "--audio", str(tmp_path), "--output", str(output), "--json")
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])
    assert figures["lost"] == []
    for language in ("en", "es"):
        (line,) = (output / f"instances.{language}.log").read_text().splitlines()
        instance = json.loads(line)
        words = instance["prediction"].split()
        assert len(words) == len(instance["delays"]) == len(instance["elapsed"]) > 5
        assert instance["delays"] == sorted(instance["delays"])
        assert instance["delays"][-1] <= instance["source_length"]
        assert all(e >= d for e, d in zip(instance["elapsed"], instance["delays"], strict=True))
        assert figures["languages"][language]["words"] == len(words)
    assert figures["languages"]["en"]["wer"] < 0.5
    assert (output / "references.en.txt").read_text().count("\n") == 1
    assert not (output / "references.es.txt").exists()


def test_collector_loses_and_doubles_nothing_whatever_becomes_of_redis() -> None:
    faults = ("killed", "frozen", "read-only")
    options = [part for fault in faults for part in ("--fault", fault)]
    done = run_verb("bench", "collector", "--pairs", "3000", "--outage-s", "1", *options, "--json")
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])
    assert figures["pairs_per_s"] > 0
    assert [run["fault"] for run in figures["faults"]] == list(faults)
    assert all(0 < run["backlog_pairs"] < 3000 for run in figures["faults"])
    for run in (figures, *figures["faults"]):
        assert (run["lost"], run["doubled"]) == (0, 0)
