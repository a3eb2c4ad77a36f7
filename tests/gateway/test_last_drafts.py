"""What successive drafts of a segment agree on."""

from __future__ import annotations

from services.gateway.last_drafts import Draft, LastDrafts


def after(*texts: str) -> Draft:
    """The last of these drafts of one segment."""
    draft = Draft(texts[0], "m")
    for text in texts[1:]:
        draft = draft.followed_by(Draft(text, "m"))
    return draft


def test_one_draft_commits_nothing() -> None:
    assert after("El Señor es").committed_text == ""


def test_words_that_two_successive_drafts_agree_on_are_committed() -> None:
    draft = after("El Señor es", "El Señor está aquí")
    assert draft.committed_text == draft.stable_text == "El Señor"


def test_a_word_that_goes_on_is_not_agreed_on() -> None:
    assert after("La cas", "La casa").committed_text == "La"


def test_the_committed_text_grows_with_each_agreement() -> None:
    texts = ["El", "El Señor", "El Señor es mi", "El Señor es mi pastor"]
    assert [after(*texts[:n]).committed_text for n in range(1, 5)] == [
        "",
        "El",
        "El Señor",
        "El Señor es mi",
    ]


def test_the_committed_text_never_shrinks_or_changes() -> None:
    draft = after("El Señor es", "El Señor es mi", "Dios es mi pastor", "Dios es mi pastor")
    assert draft.committed_text == "El Señor es"


def test_a_draft_that_begins_otherwise_claims_only_what_it_keeps() -> None:
    assert after("El Señor es", "El Señor es mi", "El Dios es").stable_text == "El"


def test_the_stable_text_leads_the_draft_as_it_stands() -> None:
    draft = after("uno  dos tres", "uno dos  tres", "uno dos  tres cuatro")
    assert draft.stable_text == "uno dos  tres"
    assert draft.text.startswith(draft.stable_text)


def test_a_draft_is_of_what_it_translates_alone() -> None:
    first = Draft("El Señor es", "m", source_text="The Lord is", is_comparable=True)
    second = first.followed_by(Draft("El Señor es mi", "n", source_text="The Lord is my"))
    assert (second.model, second.source_text, second.is_comparable) == (
        "n",
        "The Lord is my",
        False,
    )
    assert second.committed_text == "El Señor es"


def test_a_dropped_segment_leaves_nothing_to_the_next_with_its_number() -> None:
    drafts = LastDrafts()
    drafts.put("a", 1, "es", Draft("x", "m"))
    drafts.put("b", 1, "es", Draft("y", "m"))
    drafts.forget("a", 1)
    assert drafts.get("a", 1, "es") is None
    assert drafts.get("b", 1, "es") is not None


def test_old_drafts_make_room_for_new_ones() -> None:
    drafts = LastDrafts()
    for number in range(5_000):
        drafts.put("a", number, "es", Draft("x", "m"))
    assert drafts.get("a", 0, "es") is None
    assert drafts.get("a", 4_999, "es") is not None
