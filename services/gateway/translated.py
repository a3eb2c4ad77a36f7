"""What is journalled of a final's translations and their scores; each pays what was owed."""

from __future__ import annotations

from glossa.gateway.v1 import gateway_pb2
from glossa.types.v1 import types_pb2
from services.gateway.transaction import Owed, Transaction


def append_translation(
    transaction: Transaction, owed: Owed, translation: types_pb2.Translation
) -> None:
    """Appends a final translation; it is now owed a score."""
    sequence = transaction.append_once(
        owed.session_id,
        segment_id=owed.segment_id,
        language=owed.language,
        translation=translation,
    )
    transaction.pay(owed)
    if sequence is not None:
        transaction.owe(Owed("score", sequence, owed.session_id, owed.segment_id, owed.language))


def append_translation_failed(transaction: Transaction, owed: Owed, reason: str) -> None:
    """Appends that a final will never be translated."""
    transaction.append_once(
        owed.session_id,
        segment_id=owed.segment_id,
        language=owed.language,
        translation_failed=gateway_pb2.TranslationFailed(
            segment_id=owed.segment_id, language=owed.language, reason=reason
        ),
    )
    transaction.pay(owed)


def append_pair_scored(transaction: Transaction, owed: Owed, pair: gateway_pb2.PairScored) -> None:
    """Appends a scored pair; nothing more is owed for it."""
    transaction.append_once(
        owed.session_id, segment_id=owed.segment_id, language=owed.language, pair_scored=pair
    )
    transaction.pay(owed)


def append_alternative(
    transaction: Transaction, owed: Owed, translation: types_pb2.Translation
) -> None:
    """Appends what the second mt made of a final."""
    transaction.append_once(
        owed.session_id,
        segment_id=owed.segment_id,
        language=owed.language,
        alternative_translation=translation,
    )
    transaction.pay(owed)


def drop_alternative(transaction: Transaction, owed: Owed) -> None:
    """A comparison will not be made; there is no event of it."""
    transaction.pay(owed)


def drop_alternatives(transaction: Transaction) -> None:
    """Nothing is compared any more."""
    transaction.connection.execute("DELETE FROM owed WHERE stage = 'alternative'")
