"""When words had come to stay and what was taken back, on scripted captions."""

from __future__ import annotations

from bench.caption_log import CaptionLog
from glossa.captions.v1 import captions_pb2


def caption(
    text: str, *, segment: int = 1, heard_ms: int = 0, final: bool = False, stable: str = ""
) -> captions_pb2.Caption:
    return captions_pb2.Caption(
        segment_id=segment,
        is_final=final,
        stable_text=text if final else stable,
        unstable_text="" if final else text,
        end_offset_ms=heard_ms,
        endpoint_offset_ms=heard_ms + 600 if final else 0,
    )


def log_of(*captions: tuple[captions_pb2.Caption, float]) -> CaptionLog:
    log = CaptionLog()
    for shown, arrived_ms in captions:
        log.add(shown, arrived_ms)
    return log


def test_a_word_counts_from_when_it_was_never_changed_again() -> None:
    log = log_of(
        (caption("the large", heard_ms=500), 600),
        (caption("the lord is", heard_ms=1000), 1100),
        (caption("the lord is my", heard_ms=1500), 1600),
        (caption("the lord is my shepherd", heard_ms=2000, final=True), 2900),
    )
    emission = log.emission()
    assert emission.words == ("the", "lord", "is", "my", "shepherd")
    assert emission.delays_ms == (500, 1000, 1000, 1500, 2600)
    assert emission.elapsed_ms == (600, 1100, 1100, 1600, 2900)


def test_a_word_that_was_away_for_a_while_counts_from_its_return() -> None:
    log = log_of(
        (caption("grace and peace", heard_ms=500), 600),
        (caption("grass", heard_ms=1000), 1100),
        (caption("grace and peace", heard_ms=1500, final=True), 2200),
    )
    assert log.emission().delays_ms == (2100, 2100, 2100)


def test_no_word_comes_before_the_one_in_front_of_it() -> None:
    log = log_of(
        (caption("first", segment=1, heard_ms=900), 1000),
        (caption("second", segment=2, heard_ms=1800), 1900),
        (caption("fist", segment=1, heard_ms=900, final=True), 2400),
        (caption("second", segment=2, heard_ms=1800, final=True), 2600),
    )
    emission = log.emission()
    assert emission.words == ("fist", "second")
    assert emission.elapsed_ms == (2400, 2400)


def test_erased_words_are_counted_each_time() -> None:
    log = log_of(
        (caption("the large is"), 1),
        (caption("the lord is"), 2),  # "large is" taken back
        (caption("a lord"), 3),  # all three
        (caption("a lord", final=True), 4),
    )
    assert log.erased_words() == 5


def test_only_what_was_shown_as_settled_counts_as_broken_promise() -> None:
    log = log_of(
        (caption("large", stable="the"), 1),
        (caption("lord", stable="the"), 2),
        (caption("that lord", final=True), 3),
    )
    assert log.erased_words(stable_only=True) == 1  # "the"; "lord" was never promised
    assert log.erased_words() == 3


def test_dropped_partials_are_erased_and_not_in_the_text() -> None:
    log = log_of((caption("thank you"), 1))
    log.drop(1, 2)
    assert log.erased_words() == 2
    assert log.text == ""
    assert log.emission().words == ()


def test_a_correction_is_the_text_that_stays() -> None:
    log = log_of(
        (caption("gracia", heard_ms=100, final=True), 1000),
        (caption("la gracia", heard_ms=100, final=True), 9000),
    )
    assert log.text == "la gracia"
    assert log.emission().elapsed_ms == (9000, 9000)
