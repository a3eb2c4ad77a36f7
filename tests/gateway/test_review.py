"""What a person's decision on a pair leaves in the journal."""

from __future__ import annotations

import asyncio
import itertools

import grpc
import pytest

from glossa.gateway.v1 import gateway_pb2
from glossa.types.v1 import types_pb2
from services.errors import reason_of
from tests.gateway.conftest import Stack
from tests.gateway.peers import sentence, sermon
from tests.gateway.test_sessions import StartStack, of_kind

pytestmark = pytest.mark.asyncio(loop_scope="module")

ACCEPTED = types_pb2.DECISION_ACCEPTED
FIXED = types_pb2.DECISION_FIXED
REJECTED = types_pb2.DECISION_REJECTED
WITHDRAWN = types_pb2.DECISION_WITHDRAWN
SOURCE, TARGET = sentence(1), f"[es] {sentence(1)}"

_review_ids = (f"review-{number}" for number in itertools.count())


async def scored_session(stack: Stack, **config: object) -> str:
    """A session with one scored pair a language."""
    session_id = await stack.speak(sermon([1]), **config)
    languages = config.get("target_languages", ["es"])
    await stack.scored_events(session_id, len(languages))
    return session_id


async def review(
    stack: Stack, session_id: str, decision: types_pb2.Decision, **fields: object
) -> gateway_pb2.ReviewPairResponse:
    request = gateway_pb2.ReviewPairRequest(
        **{
            "session_id": session_id,
            "segment_id": 1,
            "language": "es",
            "decision": decision,
            "reviewer": "Ruth",
            "review_id": next(_review_ids),
            **fields,
        }
    )
    return await stack.calls.ReviewPair(request, timeout=10)


async def reviews_and_corrections(stack: Stack, session_id: str) -> tuple[list, list]:
    events = await stack.events(session_id)
    return of_kind(events, "pair_reviewed"), of_kind(events, "correction")


async def test_an_accepted_pair_is_journalled_whole_and_changes_nothing(stack: Stack) -> None:
    session_id = await scored_session(stack)
    answer = await review(
        stack, session_id, ACCEPTED, source_text=SOURCE, target_text=f" {TARGET} ", review_id="a-1"
    )
    events = await stack.events(session_id)
    (reviewed,) = of_kind(events, "pair_reviewed")
    assert (answer.sequence, answer.revision) == (events[-1].sequence, 1)
    assert (reviewed.segment_id, reviewed.language, reviewed.revision) == (1, "es", 1)
    assert (reviewed.decision, reviewed.reviewer, reviewed.review_id) == (ACCEPTED, "Ruth", "a-1")
    assert (reviewed.source_text, reviewed.target_text) == (SOURCE, TARGET)
    assert reviewed.pair == of_kind(events, "pair_scored")[0]
    assert of_kind(events, "correction") == []


async def test_a_fixed_pair_corrects_the_texts_that_differ_just_before_it(stack: Stack) -> None:
    session_id = await scored_session(stack)
    answer = await review(stack, session_id, FIXED, source_text=SOURCE, target_text="Se dijo 1")
    events = await stack.events(session_id)
    correction, reviewed = events[-2:]
    assert (correction.sequence, reviewed.sequence) == (answer.sequence - 1, answer.sequence)
    assert correction.correction == gateway_pb2.Correction(
        segment_id=1,
        language="es",
        revision=of_kind(events, "translation")[0].revision + 1,
        text="Se dijo 1",
        author="Ruth",
    )
    assert reviewed.pair_reviewed.target_text == "Se dijo 1"
    assert reviewed.pair_reviewed.source_text == SOURCE
    assert reviewed.pair_reviewed.pair.translation.text == TARGET  # as it was scored


async def test_both_texts_are_fixed_and_count_on_from_a_moderator(stack: Stack) -> None:
    session_id = await scored_session(stack)
    await stack.calls.CorrectSegment(
        gateway_pb2.CorrectSegmentRequest(
            session_id=session_id, segment_id=1, language="es", text="Uno", author="Boaz"
        )
    )
    await review(stack, session_id, FIXED, source_text="One", target_text="Primero")
    (reviewed,), corrections = await reviews_and_corrections(stack, session_id)
    assert [(each.language, each.text) for each in corrections] == [
        ("es", "Uno"),
        ("en", "One"),
        ("es", "Primero"),
    ]
    assert corrections[2].revision == corrections[0].revision + 1
    assert (reviewed.source_text, reviewed.target_text) == ("One", "Primero")


async def test_fixed_without_a_change_is_accepted(stack: Stack) -> None:
    session_id = await scored_session(stack)
    await review(stack, session_id, FIXED, source_text=SOURCE)
    (reviewed,), corrections = await reviews_and_corrections(stack, session_id)
    assert (reviewed.decision, corrections) == (ACCEPTED, [])
    assert (reviewed.source_text, reviewed.target_text) == (SOURCE, TARGET)


async def test_a_rejected_pair_keeps_its_texts_whatever_is_sent(stack: Stack) -> None:
    session_id = await scored_session(stack)
    await review(stack, session_id, REJECTED, source_text="ignored", target_text="x" * 3000)
    (reviewed,), corrections = await reviews_and_corrections(stack, session_id)
    assert (reviewed.decision, corrections) == (REJECTED, [])
    assert (reviewed.source_text, reviewed.target_text) == (SOURCE, TARGET)


async def test_a_withdrawn_fix_gives_back_what_was_shown_before_it(stack: Stack) -> None:
    """Another's correction of the other text, made just before the fix, stays."""
    session_id = await scored_session(stack)
    await review(stack, session_id, FIXED, target_text="Primera")
    await stack.calls.CorrectSegment(
        gateway_pb2.CorrectSegmentRequest(
            session_id=session_id, segment_id=1, language="en", text="One", author="Boaz"
        )
    )
    await review(stack, session_id, FIXED, target_text="Segunda")
    answer = await review(stack, session_id, WITHDRAWN)
    reviewed, corrections = await reviews_and_corrections(stack, session_id)
    assert (answer.revision, reviewed[-1].decision) == (3, WITHDRAWN)
    assert (reviewed[-1].source_text, reviewed[-1].target_text) == ("One", "Primera")
    assert [(each.language, each.text) for each in corrections] == [
        ("es", "Primera"),
        ("en", "One"),
        ("es", "Segunda"),
        ("es", "Primera"),
    ]
    spanish = [each.revision for each in corrections if each.language == "es"]
    assert spanish == sorted(set(spanish))


async def test_a_text_that_somebody_changed_since_is_not_taken_back(stack: Stack) -> None:
    session_id = await scored_session(stack)
    await review(stack, session_id, FIXED, source_text="One", target_text="Uno")
    await stack.calls.CorrectSegment(
        gateway_pb2.CorrectSegmentRequest(
            session_id=session_id, segment_id=1, language="es", text="Primero", author="Boaz"
        )
    )
    await review(stack, session_id, WITHDRAWN)
    reviewed, corrections = await reviews_and_corrections(stack, session_id)
    assert (reviewed[-1].source_text, reviewed[-1].target_text) == (SOURCE, "Primero")
    assert (corrections[-1].language, corrections[-1].text) == ("en", SOURCE)


async def test_a_withdrawn_decision_leaves_nothing_to_withdraw(stack: Stack) -> None:
    session_id = await scored_session(stack)
    assert await refusal(stack, session_id, WITHDRAWN) == "INVALID_DECISION"
    await review(stack, session_id, REJECTED)
    await review(stack, session_id, WITHDRAWN)
    assert await refusal(stack, session_id, WITHDRAWN) == "INVALID_DECISION"
    assert (await review(stack, session_id, ACCEPTED)).revision == 3


async def test_pairs_of_one_segment_are_reviewed_each_by_itself(stack: Stack) -> None:
    session_id = await scored_session(stack, target_languages=["es", "fr"])
    await review(stack, session_id, REJECTED, language="es")
    answer = await review(stack, session_id, FIXED, language="fr", target_text="Un")
    assert answer.revision == 1
    assert await refusal(stack, session_id, WITHDRAWN, language="en") == "UNKNOWN_PAIR"


async def test_a_decision_sent_again_changes_nothing_even_after_a_crash(
    own_stack: StartStack,
) -> None:
    stack = await own_stack()
    session_id = await scored_session(stack, target_languages=["es", "fr"])
    first = await review(stack, session_id, FIXED, target_text="Uno", review_id="same")
    again = [
        review(stack, session_id, FIXED, target_text="Uno", review_id="same") for _ in range(8)
    ]
    assert await asyncio.gather(*again) == [first] * 8
    stack.gateway.kill()
    stack.gateway.start()
    await stack.gateway.wait_ready()
    assert await review(stack, session_id, FIXED, target_text="Uno", review_id="same") == first
    reviewed, corrections = await reviews_and_corrections(stack, session_id)
    assert (len(reviewed), len(corrections)) == (1, 1)
    for decision, other in (
        (ACCEPTED, {"language": "fr"}),
        (FIXED, {"target_text": "Otro"}),
        (FIXED, {"source_text": "Other", "target_text": "Uno"}),
        (REJECTED, {}),
    ):
        reason = await refusal(stack, session_id, decision, review_id="same", **other)
        assert reason == "INVALID_REVIEW_ID", (decision, other)


async def correct(stack: Stack, session_id: str, text: str) -> None:
    await stack.calls.CorrectSegment(
        gateway_pb2.CorrectSegmentRequest(
            session_id=session_id, segment_id=1, language="es", text=text, author="Boaz"
        )
    )


@pytest.mark.parametrize("decided", [ACCEPTED, FIXED])
async def test_who_saw_old_texts_neither_accepts_nor_overwrites_what_is_newer(
    stack: Stack, decided: types_pb2.Decision
) -> None:
    session_id = await scored_session(stack)
    seen = {"shown_source_text": f" {SOURCE}\n", "shown_target_text": TARGET}
    await correct(stack, session_id, "Uno")
    before = await stack.events(session_id)
    # One text alone was fixed; the other one is sent as it was seen.
    fields = {"source_text": "One", "target_text": TARGET} if decided == FIXED else {}
    assert await refusal(stack, session_id, decided, **fields, **seen) == "INVALID_DECISION"
    assert await stack.events(session_id) == before
    await review(stack, session_id, decided, **seen | {"shown_target_text": "Uno"})
    (reviewed,), _ = await reviews_and_corrections(stack, session_id)
    assert reviewed.target_text == "Uno"


async def test_old_texts_do_not_matter_to_a_rejection(stack: Stack) -> None:
    session_id = await scored_session(stack)
    await correct(stack, session_id, "Uno")
    await review(stack, session_id, REJECTED, shown_target_text=TARGET)
    (reviewed,), _ = await reviews_and_corrections(stack, session_id)
    assert (reviewed.decision, reviewed.target_text) == (REJECTED, "Uno")


async def test_a_decision_sent_again_is_known_although_its_texts_changed_since(
    stack: Stack,
) -> None:
    session_id = await scored_session(stack)
    sent = {"target_text": "Uno", "shown_target_text": TARGET, "review_id": "changed-since"}
    first = await review(stack, session_id, FIXED, **sent)
    await correct(stack, session_id, "Primero")
    assert await review(stack, session_id, FIXED, **sent) == first


async def test_a_fix_without_a_change_is_known_when_it_is_sent_again(stack: Stack) -> None:
    session_id = await scored_session(stack)
    first = await review(stack, session_id, FIXED, target_text=TARGET, review_id="unchanged")
    again = await review(stack, session_id, FIXED, target_text=TARGET, review_id="unchanged")
    assert again == first


async def test_reviewers_at_once_are_told_apart_by_their_revisions(stack: Stack) -> None:
    session_id = await scored_session(stack)
    answers = await asyncio.gather(
        *(review(stack, session_id, FIXED, target_text=f"Uno {n}") for n in range(10))
    )
    assert sorted(answer.revision for answer in answers) == list(range(1, 11))
    reviewed, corrections = await reviews_and_corrections(stack, session_id)
    assert [each.revision for each in reviewed] == list(range(1, 11))
    assert [each.target_text for each in reviewed] == [each.text for each in corrections]
    revisions = [each.revision for each in corrections]
    assert revisions == sorted(set(revisions))


async def test_a_name_of_200_and_texts_of_2000_characters_are_taken(stack: Stack) -> None:
    session_id = await scored_session(stack)
    texts = {"source_text": "x" * 2000, "target_text": "y" * 2000}
    await review(stack, session_id, FIXED, reviewer="z" * 200, **texts)
    (reviewed,), corrections = await reviews_and_corrections(stack, session_id)
    assert (len(reviewed.source_text), len(reviewed.target_text)) == (2000, 2000)
    assert [len(each.text) for each in corrections] == [2000, 2000]


async def refusal(
    stack: Stack, session_id: str, decision: types_pb2.Decision, **fields: object
) -> str:
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await review(stack, session_id, decision, **fields)
    return reason_of(failure.value)


@pytest.mark.parametrize(
    ("decision", "fields", "reason"),
    [
        (types_pb2.DECISION_UNSPECIFIED, {}, "INVALID_DECISION"),
        (9, {}, "INVALID_DECISION"),
        (ACCEPTED, {"target_text": "other"}, "INVALID_DECISION"),
        (ACCEPTED, {"review_id": ""}, "INVALID_REVIEW_ID"),
        (ACCEPTED, {"review_id": "x" * 65}, "INVALID_REVIEW_ID"),
        (ACCEPTED, {"review_id": "two words"}, "INVALID_REVIEW_ID"),
        (ACCEPTED, {"review_id": "ñ"}, "INVALID_REVIEW_ID"),
        (ACCEPTED, {"reviewer": "x" * 201}, "TEXT_TOO_LONG"),
        (FIXED, {"source_text": " \n"}, "EMPTY_TEXT"),
        (FIXED, {"source_text": "x" * 2001}, "TEXT_TOO_LONG"),
        (FIXED, {"target_text": "x" * 2001}, "TEXT_TOO_LONG"),
        (FIXED, {"segment_id": 2}, "UNKNOWN_PAIR"),
        (FIXED, {"language": "fr"}, "UNKNOWN_PAIR"),
        (FIXED, {"session_id": "nobody"}, "UNKNOWN_SESSION"),
    ],
)
async def test_wrong_reviews_are_refused_and_leave_nothing(
    stack: Stack, decision: types_pb2.Decision, fields: dict, reason: str
) -> None:
    session_id = await scored_session(stack)
    request = {"session_id": session_id, "decision": decision, **fields}
    assert await refusal(stack, **request) == reason
    assert await reviews_and_corrections(stack, session_id) == ([], [])
