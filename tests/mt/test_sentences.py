"""Long texts in pieces that a model can take."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.mt import sentences


def test_a_text_within_the_limit_is_one_piece() -> None:
    assert sentences.pieces("  One. Two.  ") == [sentences.Piece("One. Two.")]


def test_a_long_text_is_cut_at_the_ends_of_sentences() -> None:
    text = " ".join(f"This is sentence number {number} of them all." for number in range(60))
    pieces = sentences.pieces(text)
    assert len(pieces) > 1
    assert all(piece.text.endswith("all.") and not piece.cuts_word for piece in pieces)
    assert "".join(piece.text + piece.gap for piece in pieces) == text


def test_a_long_sentence_is_cut_at_commas_and_else_between_words() -> None:
    with_commas = ", ".join(["and so they went on"] * 40)
    assert all(piece.text.endswith("on,") for piece in sentences.pieces(with_commas, 100)[:-1])
    without = "word " * 200
    assert all(piece.text.endswith("word") for piece in sentences.pieces(without, 100))


def test_only_what_has_no_place_to_be_cut_is_cut_in_a_word() -> None:
    pieces = sentences.pieces("a" * 1000, 100)
    assert all(piece.cuts_word for piece in pieces[:-1])
    assert not any(piece.cuts_word for piece in sentences.pieces("a b " * 400, 100))


@given(
    st.text(st.sampled_from("ab .,\n。é語"), max_size=300),
    st.integers(min_value=2, max_value=50),
)
def test_nothing_is_lost_and_every_piece_is_within_the_limit(text: str, limit: int) -> None:
    pieces = sentences.pieces(text, limit)
    assert "".join(piece.text + piece.gap for piece in pieces) == text.strip()
    for piece in pieces:
        assert sentences.estimated_tokens(piece.text) <= limit + 1
        assert piece.text or not text.strip()


@pytest.mark.parametrize("text", ["", "  \n"])
def test_a_blank_text_is_one_empty_piece(text: str) -> None:
    assert sentences.pieces(text) == [sentences.Piece("")]
