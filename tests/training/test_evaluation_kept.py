"""What a translation must keep, and how sure a difference is."""

from __future__ import annotations

import numpy as np
import pytest
import sacrebleu

from services.mt import glossary_file
from training.evaluation import kept, measures
from training.evaluation.bootstrap import Judged, judged
from training.evaluation.kept import OTHER, TermCheck
from training.evaluation.measures import CHRF, NUMBERS
from training.evaluation.sets import OWN_SERMON, as_heard
from training.rows import Row, read_rows


def row(source: str, target: str) -> Row:
    return Row(source=source, target=target, kind="sermon", origin="test")


@pytest.fixture(scope="module")
def terms() -> TermCheck:
    return TermCheck()


def test_a_term_is_kept_in_another_form_and_lost_in_another_word(terms: TermCheck) -> None:
    asked = row("The apostle spoke of sin.", "El apóstol habló del pecado.")
    assert terms.kept(asked, "Los apóstoles hablaron de pecados.").kept == 2
    found = terms.kept(asked, "El apóstol habló de la culpa.")
    assert (found.kept, found.wanted) == (1, 2)
    assert found.lost == ("sin → pecado",)
    assert {name: (k, w) for name, k, w in found.by_category} == {
        "church": (1, 1),
        "sin": (0, 1),
    }


def test_a_word_in_another_sense_is_no_term(terms: TermCheck) -> None:
    name = row("My sister Grace sings.", "Mi hermana Grace canta.")
    assert terms.kept(name, "Mi hermana canta.").wanted == 0
    letter = row("James chapter one says so.", "Santiago capítulo uno lo dice.")
    assert terms.kept(letter, "Jacobo capítulo uno lo dice.").lost == ("James → Santiago",)


def test_nothing_is_owed_that_the_reference_says_in_other_words(terms: TermCheck) -> None:
    asked = row("Grace is enough.", "Con su favor basta.")
    assert terms.kept(asked, "Basta.").wanted == 0


def test_every_term_of_the_glossary_has_a_category() -> None:
    known = kept._categories()
    sources = {term.source.casefold() for term in glossary_file.read(kept.GLOSSARY)}
    assert sources == set(known)
    assert OTHER not in known.values()


@pytest.mark.parametrize(
    ("source", "target", "translation", "counts"),
    [
        ("forty days", "cuarenta días", "40 días", (1, 1, 0)),
        ("forty days", "cuarenta días", "catorce días", (0, 1, 1)),
        ("Corrie ten Boom", "Corrie ten Boom", "Corrie ten Boom", (0, 0, 0)),
        ("many days", "muchos días", "7 días", (0, 0, 1)),
        ("a day", "un día", "un día", (0, 0, 0)),
    ],
)
def test_numbers_are_kept_lost_and_invented(
    source: str, target: str, translation: str, counts: tuple[int, int, int]
) -> None:
    found = kept.numbers(row(source, target), translation)
    assert (found.kept, found.wanted, found.invented) == counts


def test_a_reference_is_kept_however_it_is_written_and_lost_with_another_verse() -> None:
    asked = row("Turn to John three sixteen.", "Vayan a Juan 3:16.")
    assert kept.references(asked, "Vayan a Juan capítulo tres, versículo dieciséis.").kept == 1
    found = kept.references(asked, "Vayan a Juan 3:17.")
    assert (found.kept, found.wanted, found.invented) == (0, 1, 1)


def test_names_are_those_of_the_reference() -> None:
    asked = row("Then Nicodemus and Margaret met.", "Entonces Nicodemo y Margaret se conocieron.")
    assert kept.names(asked, "Entonces Nicodemo y Margaret se vieron.").kept == 2
    found = kept.names(asked, "Entonces Nicodemus y Margarita se vieron.")
    assert (found.kept, found.lost) == (0, ("Margaret", "Nicodemo"))


def test_a_lost_not_and_an_invented_one_are_seen() -> None:
    asked = row("He did not come.", "No vino.")
    assert (kept.denials(asked, "Nunca vino.").kept, kept.denials(asked, "Vino.").kept) == (1, 0)
    assert kept.denials(row("He came.", "Vino."), "No vino.").wanted == 1
    assert kept.denials(row("He came.", "Vino."), "Vino ayer.").wanted == 0


def test_the_references_of_our_own_sermon_keep_all_that_they_owe(terms: TermCheck) -> None:
    rows = list(read_rows(OWN_SERMON))
    assert len(rows) == 50
    assert len({each.group for each in rows}) == 10
    glossary = terms._glossary
    assert [each.source for each in rows if glossary.check(each.source, each.target).missing] == []
    owed = sum(kept.references(each, each.target).wanted for each in rows)
    said = sum(kept.references_in(each.source, "en").total() for each in rows)
    assert owed == said >= 7


def test_what_is_heard_has_no_case_and_no_marks_but_those_within_words_and_numbers() -> None:
    heard = as_heard("“Don't,” he said: John 3:16 — $12,450!")
    assert heard == "don't he said john 3:16 12,450"


def test_scores_of_summed_counts_are_those_of_sacrebleu() -> None:
    made = ["Dios es amor.", "El perro come.", "Oremos juntos ahora mismo."]
    truth = ["Dios es amor.", "El gato come pan.", "Oremos juntos ahora."]
    bleu = measures.BLEU.score(measures.bleu_counts(made, truth).sum(axis=0))
    chrf = measures.CHRF.score(measures.chrf_counts(made, truth).sum(axis=0))
    assert bleu == pytest.approx(sacrebleu.corpus_bleu(made, [truth]).score)
    assert chrf == pytest.approx(sacrebleu.corpus_chrf(made, [truth], word_order=2).score)


def counts(rights: list[float]) -> np.ndarray:
    return measures.mean_counts(rights)


def test_the_same_translations_differ_by_nothing_for_sure() -> None:
    same = counts([0.0, 1.0] * 20)
    found = judged(NUMBERS, [Judged(same, same, tuple(range(40)))])
    assert (found["difference"], found["low"], found["high"]) == (0.0, 0.0, 0.0)


def test_an_interval_is_clear_of_zero_where_the_difference_is_and_not_where_it_is_luck() -> None:
    units = tuple(range(40))
    worse = counts([0.0] * 10 + [1.0] * 30)
    clear = judged(NUMBERS, [Judged(counts([1.0] * 40), worse, units)])
    assert clear["difference"] == 0.25
    assert clear["low"] is not None
    assert 0.1 < clear["low"] < 0.25 < (clear["high"] or 0) < 0.45
    luck = judged(NUMBERS, [Judged(counts([1.0] + [0.0] * 39), counts([0.0] * 40), units)])
    assert luck["low"] == 0.0


def test_whole_groups_are_drawn_so_what_one_sermon_alone_gains_is_less_sure() -> None:
    new, old = counts([1.0] * 20 + [0.0] * 80), counts([0.0] * 100)
    by_sentence = judged(NUMBERS, [Judged(new, old, tuple(range(100)))])
    by_sermon = judged(NUMBERS, [Judged(new, old, tuple(at // 20 for at in range(100)))])
    assert by_sentence["difference"] == by_sermon["difference"] == 0.2
    assert by_sentence["low"] is not None
    assert by_sentence["low"] > 0.1
    assert by_sermon["low"] == 0.0


def test_over_sets_scores_are_averaged_and_shares_are_pooled() -> None:
    small, large = counts([1.0]), counts([0.0] * 9)
    sets = [Judged(small, small, (0,)), Judged(large, large, tuple(range(9)))]
    assert judged(NUMBERS, sets)["new"] == 0.1
    good = measures.chrf_counts(["Dios es amor."], ["Dios es amor."])
    bad = measures.chrf_counts(["x"] * 9, ["Dios es amor."] * 9)
    sets = [Judged(good, good, (0,)), Judged(bad, bad, tuple(range(9)))]
    assert judged(CHRF, sets)["new"] == pytest.approx(50, abs=0.1)


def test_what_was_never_wanted_has_no_score() -> None:
    nothing = np.zeros((3, 2))
    found = judged(NUMBERS, [Judged(nothing, nothing, (0, 1, 2))])
    assert set(found.values()) == {None}
