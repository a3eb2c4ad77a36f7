"""`./glossa demo`: a whole stack, one session, a summary that can be trusted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import wave
from pathlib import Path

from cli.ledger import Collected, Ledger, missing
from cli.trial import percentiles_ms, word_error_rate
from tests.processes import REPOSITORY, free_port_base
from tests.speech import spoken, with_pauses

# The profile's translator is a pair, and each sentence names who spoke.
EMBEDDED_MODELS = {"marian/glossa-en-es", "apertium/eng-spa"}
SENTENCES = ("Love gives and love pays the price.", "Let us pray together this morning.")


def demo(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            *(sys.executable, "-P", "-m", "cli", "demo", *arguments),
            *("--state-dir", str(folder / "state"), "--port-base", str(free_port_base())),
        ],
        env={k: v for k, v in os.environ.items() if not k.startswith("GLOSSA_")},
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=150,
    )


def test_a_file_goes_through_everything_and_the_last_line_is_json(tmp_path: Path) -> None:
    path, reference = tmp_path / "sermon.wav", tmp_path / "sermon.txt"
    with wave.open(str(path), "wb") as audio:
        audio.setnchannels(1)
        audio.setsampwidth(2)
        audio.setframerate(16_000)
        audio.writeframes(with_pauses(*(spoken(sentence) for sentence in SENTENCES)).tobytes())
    reference.write_text("\n".join(SENTENCES))

    done = demo(tmp_path, str(path), "--json", "--speed", "2", "--reference", str(reference))
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert list(report) == [
        *("profile", "engines", "session_id", "audio_s", "finals", "translated"),
        *("translated_by", "journal_events", "pairs", "lag_ms", "overhead_ms", "wer"),
    ]
    assert report["profile"] == "embedded"
    assert report["engines"]["stt"] == "pocketsphinx/en-us"
    assert report["finals"] == report["translated"] == len(SENTENCES)
    assert set(report["translated_by"]) <= EMBEDDED_MODELS
    assert sum(report["translated_by"].values()) == len(SENTENCES)
    assert sum(report["pairs"].values()) == len(SENTENCES)
    # Start and end of the session; a final, its translation and its score for each sentence.
    assert report["journal_events"] == 2 + 3 * len(SENTENCES)
    assert 0 < report["overhead_ms"]["p50"] < report["lag_ms"]["p50"]
    assert report["wer"] < 0.5
    assert "[00:01] es" in done.stderr  # the captions were shown
    assert "page: http://127.0.0.1:" in done.stderr


def test_a_bad_file_is_told_before_anything_starts(tmp_path: Path) -> None:
    text = tmp_path / "text.wav"
    text.write_text("This is a text. " * 100)
    done = demo(tmp_path, str(text), "--json")
    assert done.returncode == 2
    assert "NOT_AUDIO" in done.stderr
    assert "starting" not in done.stderr
    assert done.stdout == ""


def complete() -> tuple[Ledger, Collected, set[tuple[int, str]]]:
    keys = {(1, "es"), (2, "es")}
    ledger = Ledger(
        "session",
        sequence=8,
        finals={1: "one", 2: "two"},
        translated=set(keys),
        scored=set(keys),
        ended=True,
    )
    collected = Collected(8, {"accept": 0, "moderate": 1, "excluded": 1})
    return ledger, collected, keys | {(1, "en"), (2, "en")}


def test_nothing_is_missing_when_all_is_there() -> None:
    ledger, collected, shown = complete()
    assert missing(ledger, collected, ("es",), shown, announced_finals=2) == []


def test_every_kind_of_loss_is_named() -> None:
    ledger, collected, shown = complete()

    def lost(announced_finals: int = 2, **changes: object) -> str:
        parts = {"ledger": ledger, "collected": collected, "shown": shown, **changes}
        lines = missing(targets=("es",), announced_finals=announced_finals, **parts)  # type: ignore[arg-type]
        assert lines
        return "; ".join(lines)

    assert lost(announced_finals=3) == "finals in the journal: 2 of 3"
    assert lost(shown=shown - {(2, "en")}) == "finals shown: 1 of 2"
    assert lost(shown=shown - {(2, "es")}) == "translations shown: 1 of 2"
    assert lost(collected=None) == "the collector does not answer"
    assert lost(collected=Collected(8, {"moderate": 1})) == "pairs collected: 1 of 2"
    behind = Collected(7, collected.pairs)
    assert lost(collected=behind) == "the collector has read up to 7 of 8"
    ledger.translated.discard((2, "es"))
    ledger.failed[2, "es"] = "TEXT_TOO_LONG"
    assert "segment 2 was not translated to es: TEXT_TOO_LONG" in lost()
    assert "finals translated: 1 of 2" in lost()
    ledger.ended = False
    assert "the journal has no end of the session" in lost()


def test_word_errors_do_not_count_case_and_punctuation() -> None:
    assert word_error_rate("Let us pray, together!", "let us pray together") == 0.0
    assert word_error_rate("one two three four", "one two tree four") == 0.25


def test_percentiles_of_nothing_are_unknown() -> None:
    assert percentiles_ms([]) == {"p50": None, "p95": None}
    assert percentiles_ms([1.0, 3.0]) == {"p50": 2.0, "p95": 2.9}
