"""The judge, with real models of the ordinary environment: Apertium, and pocketsphinx on flite."""

from __future__ import annotations

import html.parser
import json
from pathlib import Path
from typing import Any

import pytest
import sacrebleu
import soundfile
from click.testing import CliRunner, Result

from services.errors import InvalidInput
from services.mt.engine import LanguagePair
from tests import speech
from training.evaluate import evaluate
from training.evaluation import edge_cases
from training.evaluation.sets import read_set
from training.evaluation.translators import load_translator
from training.rows import Row, write_rows

EN_ES = LanguagePair("en", "es")
MODERN = [
    ("I live in a small house.", "Vivo en una casa pequeña."),
    ("We have 12 apples and 3 pears.", "Tenemos 12 manzanas y 3 peras."),
    ("The book is on the table.", "El libro está en la mesa."),
    ("He does not want to eat.", "No quiere comer."),
]
BIBLICAL = [
    (f"{book}{at}", english, spanish)
    for at, (english, spanish) in enumerate(
        [
            ("God is love.", "Dios es amor."),
            ("The apostle spoke of sin.", "El apóstol habló del pecado."),
            ("Jesus wept.", "Jesús lloró."),
            ("Turn to John 3:16.", "Vayan a Juan 3:16."),
            ("The prophet had faith.", "El profeta tenía fe."),
            ("He read the psalm.", "Leyó el salmo."),
        ]
    )
    for book in ["B"]
]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(evaluate, list(arguments))


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    folder = tmp_path_factory.mktemp("sets")
    write_rows(folder / "modern.jsonl", (Row(*texts, "general", "test") for texts in MODERN))
    write_rows(
        folder / "biblical.jsonl",
        (Row(en, es, "bible", "test", group=book) for book, en, es in BIBLICAL),
    )
    return f"modern={folder / 'modern.jsonl'}", f"verses:biblical={folder / 'biblical.jsonl'}"


@pytest.fixture(scope="module")
def evaluated(sets: tuple[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("evaluations") / "apertium"
    arguments = ["--out", str(out), "--new", "apertium", "--old", "apertium", "--no-own-sermon"]
    done = run(*arguments, "--set", sets[0], "--set", sets[1])
    assert done.exit_code == 0, done.output
    return out


@pytest.fixture(scope="module")
def figures(evaluated: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((evaluated / "evaluation.json").read_text())
    return found


def test_figures_are_those_of_sacrebleu_on_what_the_engine_says(figures: dict[str, Any]) -> None:
    translator = load_translator("apertium", EN_ES)
    made = translator.translate([source for source, _ in MODERN])
    translator.close()
    truth = [[target for _, target in MODERN]]
    modern = figures["translation"]["sets"]["modern"]["plain"]
    chrf = sacrebleu.corpus_chrf(made, truth, word_order=2).score
    assert modern["chrf"]["new"] == pytest.approx(chrf, abs=1e-3)
    assert modern["bleu"]["new"] == pytest.approx(
        sacrebleu.corpus_bleu(made, truth).score, abs=1e-3
    )
    assert "nw:2" in figures["signatures"]["chrf"]


def test_registers_are_told_apart_and_groups_are_drawn_where_there_are_enough(
    figures: dict[str, Any],
) -> None:
    translation = figures["translation"]
    assert set(translation["registers"]) == {"modern", "biblical"}
    assert translation["sets"]["modern"]["resampled_by"] == "sentence"
    verses = translation["sets"]["verses"]
    assert (verses["resampled_by"], verses["groups"], verses["register"]) == (
        "group",
        6,
        "biblical",
    )


def test_a_model_against_itself_differs_by_nothing(figures: dict[str, Any]) -> None:
    for variant in ("plain", "as_heard"):
        overall = figures["translation"]["overall"][variant]
        assert overall["chrf"]["difference"] == overall["chrf"]["low"] == 0.0
        assert overall["terms"]["new"] == overall["terms"]["old"]
    assert figures["to_read"] == {"lost": [], "worse": [], "better": []}


def test_what_recognisers_write_is_harder(figures: dict[str, Any]) -> None:
    overall = figures["translation"]["overall"]
    assert overall["as_heard"]["chrf"]["new"] < overall["plain"]["chrf"]["new"]


def test_why_comet_was_not_measured_is_written_down(figures: dict[str, Any]) -> None:
    assert figures["signatures"]["comet"].startswith("not measured: there is no COMET model in ")


def test_the_reference_that_apertium_loses_is_counted(figures: dict[str, Any]) -> None:
    references = figures["translation"]["sets"]["verses"]["plain"]["references"]
    assert references["new"] == 0.0  # "John 3:16": it leaves the name of the book in English


def test_latency_and_edge_cases_are_there_for_both(figures: dict[str, Any]) -> None:
    assert figures["latency"]["new"]["draft"]["p95_ms"] > 0
    assert figures["edge_cases"]["shares"]["old"]["url"] == 1.0
    kinds = {case["kind"] for case in figures["edge_cases"]["cases"]}
    assert {"empty", "number", "url", "long", "emoji", "script", "instruction"} <= kinds


class Addresses(html.parser.HTMLParser):
    """What a page would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        fetched = {"src", "href", "xlink:href", "data", "action"}
        self.found += [f"{tag} {value}" for name, value in attrs if name in fetched and value]
        if tag in ("script", "iframe", "link", "object"):
            self.found.append(tag)


def test_the_page_needs_nothing_else_and_holds_the_figures(
    evaluated: Path, figures: dict[str, Any]
) -> None:
    page = (evaluated / "evaluation.html").read_text()
    reader = Addresses()
    reader.feed(page)
    assert [each for each in reader.found if not each.split(" ", 1)[-1].startswith("#")] == []
    assert "default-src 'none'" in page
    assert page.count("<svg") == 3
    assert f"{figures['translation']['overall']['plain']['chrf']['new']:.1f}" in page


def test_every_sentence_is_kept_with_what_was_made_of_it(evaluated: Path) -> None:
    lines = (evaluated / "translations.jsonl").read_text().splitlines()
    found = [json.loads(line) for line in lines]
    assert len(found) == 2 * (len(MODERN) + len(BIBLICAL))
    assert found[0]["source"] == MODERN[0][0]
    assert all(each["new"] for each in found)


def test_a_single_model_is_judged_without_another(sets: tuple[str, str], tmp_path: Path) -> None:
    out = tmp_path / "alone"
    done = run(
        *("--out", str(out), "--new", "apertium", "--set", sets[0]),
        *("--no-own-sermon", "--no-as-heard", "--limit", "2"),
    )
    assert done.exit_code == 0, done.output
    found = json.loads((out / "evaluation.json").read_text())
    assert set(found["translation"]["overall"]["plain"]["chrf"]) == {"new"}
    assert found["translation"]["sets"]["modern"]["sentences"] == 2
    assert "Nowhere" not in (out / "evaluation.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "name a model"),
        (("--new", "apertium:x", "--set", "hymns=x.jsonl"), "a register of biblical"),
        (("--new", "babel", "--set", "{modern}"), "there is no translator 'babel'"),
        (("--new", "transformers:nowhere", "--set", "{modern}"), "there is no folder 'nowhere'"),
        (("--new", "apertium", "--set", "{modern}", "--set", "{modern}"), "two sets have one name"),
        (("--new", "apertium", "--set", "{modern}", "--comet", "nowhere"), "no COMET model"),
        (("--stt-new", "pocketsphinx"), "name speech"),
        (("--stt-new", "pocketsphinx", "--speech", "church=/nowhere"), "/nowhere holds no speech"),
    ],
)
def test_wrong_input_is_told_in_a_line(
    arguments: tuple[str, ...], said: str, sets: tuple[str, str], tmp_path: Path
) -> None:
    done = run("--out", str(tmp_path / "out"), *(each.format(modern=sets[0]) for each in arguments))
    assert done.exit_code == 2
    assert said in done.output
    assert not (tmp_path / "out/evaluation.json").exists()


def test_a_table_of_sentences_and_translations_is_a_set(tmp_path: Path) -> None:
    table = tmp_path / "everyday.tsv"
    table.write_text("Sing.\tCanta.\tCC BY 2.0\nHe sleeps.\tDuerme.\n", encoding="utf-8")
    found = read_set(f"modern={table}", LanguagePair("en", "es"))
    assert [(row.source, row.target) for row in found.rows] == [
        ("Sing.", "Canta."),
        ("He sleeps.", "Duerme."),
    ]
    table.write_text("Sing.\tCanta.\nHe sleeps.\n", encoding="utf-8")
    with pytest.raises(InvalidInput, match="line 2, is no source, a tab and its translation"):
        read_set(f"modern={table}", LanguagePair("en", "es"))


def test_a_set_that_cannot_be_read_leaves_no_folder_behind(tmp_path: Path) -> None:
    done = run("--out", str(tmp_path / "out"), "--new", "apertium", "--set", "modern=/nowhere")
    assert "cannot read /nowhere" in done.output
    assert not (tmp_path / "out").exists()


def test_a_recogniser_is_judged_on_speech(tmp_path: Path) -> None:
    texts = ["In the beginning God created the heavens and the earth.", "Let us pray."]
    folder = tmp_path / "audio/en/train"
    folder.mkdir(parents=True)
    lines = []
    for at, text in enumerate(texts):
        soundfile.write(folder / f"{at}.flac", speech.spoken(text), 16_000)
        line = {"file_name": f"{at}.flac", "transcription": text, "language": "en"}
        lines.append(line | {"session_id": f"sunday-{at}"})
    (folder / "metadata.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    out = tmp_path / "out"
    done = run(
        *("--out", str(out), "--stt-new", "pocketsphinx", "--stt-old", "pocketsphinx"),
        *("--speech", f"church={tmp_path / 'audio'}"),
    )
    assert done.exit_code == 0, done.output
    found = json.loads((out / "evaluation.json").read_text())["recognition"]
    assert found["sets"]["church"]["clips"] == 2
    assert 0.0 <= found["overall"]["wer"]["new"] < 0.7  # it hears flite, if not every word
    assert found["overall"]["wer"]["difference"] == 0.0
    assert [each["said"] for each in found["heard"]] == texts
    assert [each["group"] for each in found["heard"]] == ["sunday-0", "sunday-1"]
    assert "Recognition" in (out / "evaluation.html").read_text()


def case(source: str, **must: Any) -> edge_cases.EdgeCase:
    return edge_cases.EdgeCase("test", "test", source, EN_ES, must)


@pytest.mark.parametrize(
    ("asked", "good", "bad"),
    [
        (case("", is_blank=True), "", "Lo siento."),
        (case("Go to www.example.org.", holds=["www.example.org"]), "Va a www.example.org.", "Va."),
        (case("John 3:16", keeps=["references"]), "Juan 3:16", "Juan 3:15"),
        (case("In 1987 it rained.", keeps=["numbers"]), "En 1987 llovió.", "En 1978 llovió."),
        (case("He came home today.", least_share=0.5), "Vino a casa hoy.", "Vino."),
        (case("He came.", most_share=1.5), "Vino.", "Vino a casa hoy mismo."),
        (case("Yes.", most_characters=10), "Sí.", "Sí, desde luego."),
        (case("Sing.", holds_none=["sing"]), "Canten.", "Sing."),
        (case("We pray."), "Oramos.", "Oramos oramos oramos oramos oramos oramos oramos."),
        (case("no no no no no no no", may=["loop"]), "no " * 14, ""),
    ],
)
def test_each_rule_of_an_edge_case_tells_good_from_bad(
    asked: edge_cases.EdgeCase, good: str, bad: str
) -> None:
    assert asked.broken_rules(good) == ()
    assert asked.broken_rules(bad) != ()


def test_an_edge_case_with_a_rule_that_is_none_is_refused(tmp_path: Path) -> None:
    fields = {"kind": "x", "case": "x", "source": "x", "must": {"hold": ["x"]}}
    fields |= {"source_language": "en", "target_language": "es"}
    (tmp_path / "cases.jsonl").write_text(json.dumps(fields))
    with pytest.raises(Exception, match=r"line 1, is no edge case.*no rule hold"):
        edge_cases.read_cases(tmp_path / "cases.jsonl", EN_ES)
