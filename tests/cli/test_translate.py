"""`./glossa translate`: real verb, real mt, real Apertium."""

from __future__ import annotations

from pathlib import Path

from tests.cli.verb import run_verb


def test_lines_of_stdin_come_out_in_order_and_blank_ones_stay_blank() -> None:
    lines = [f"Chapter {number}." for number in range(1, 30)]
    lines[3] = ""
    done = run_verb("translate", "--runtime", "apertium", stdin="\n".join(lines) + "\n")
    assert done.returncode == 0, done.stderr
    answers = done.stdout.splitlines()
    assert len(answers) == len(lines)
    assert answers[3] == ""
    assert [answer for answer in answers if answer] == [
        f"Capítulo {number}." for number in range(1, 30) if number != 4
    ]


def test_a_text_is_translated_without_a_stack_and_in_the_other_direction() -> None:
    done = run_verb("translate", "--source", "es", "--target", "en", "La casa es blanca.")
    assert (done.returncode, done.stdout) == (0, "The house is white.\n")
    assert "starting mt alone" in done.stderr


def test_a_line_that_cannot_be_translated_comes_out_empty_and_is_told() -> None:
    long_line = "word " * 1000
    done = run_verb("translate", "--runtime", "apertium", stdin=f"One.\n{long_line}\nTwo.\n")
    assert done.returncode == 1
    assert done.stdout.splitlines() == ["Uno.", "", "Dos."]
    assert "line 2" in done.stderr
    assert "TEXT_TOO_LONG" in done.stderr


def test_a_pair_that_nobody_translates_is_refused_once() -> None:
    done = run_verb("translate", "--runtime", "apertium", "--target", "zz", stdin="One.\nTwo.\n")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("UNSUPPORTED_LANGUAGE_PAIR") == 1


def test_an_unknown_runtime_is_told_with_those_that_there_are() -> None:
    done = run_verb("translate", "--runtime", "babelfish", "Hello.")
    assert done.returncode == 1
    assert "babelfish" in done.stderr
    assert "apertium" in done.stderr


def test_an_address_and_a_runtime_do_not_go_together() -> None:
    done = run_verb("translate", "--mt", "127.0.0.1:1", "--runtime", "apertium", "Hello.")
    assert done.returncode == 2
    assert "already has its runtime" in done.stderr


def test_a_service_that_is_away_is_told_with_what_to_do() -> None:
    done = run_verb("translate", "--mt", "127.0.0.1:1", "Hello.")
    assert done.returncode == 1
    assert "start the services with `./glossa up`" in done.stderr


def test_a_model_for_a_runtime_without_models_is_not_passed_over() -> None:
    model = ("--model", "translategemma-4b-it-Q4_K_M")
    done = run_verb("translate", "--runtime", "apertium", *model, "Hello.")
    assert done.returncode == 2
    assert "apertium takes no model" in done.stderr


def test_a_model_that_the_own_ones_runtime_cannot_take_does_not_leave_apertium_alone(
    tmp_path: Path,
) -> None:
    (tmp_path / "translategemma.gguf").touch()
    for model in (tmp_path, tmp_path / "translategemma.gguf", "no-such-model"):
        done = run_verb("translate", "--model", str(model), "Hello.")
        assert done.returncode == 2
        assert f"the runtime embedded cannot take '{model}'" in done.stderr
        assert done.stdout == ""
