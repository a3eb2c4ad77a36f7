"""What callers may send: lengths, characters and languages, checked before anything is done."""

from __future__ import annotations

import re

from glossa.gateway.v1 import gateway_pb2
from glossa.types.v1 import types_pb2
from services.errors import InvalidInput

MAX_TARGET_LANGUAGES = 8
MAX_NAME_CHARACTERS = 200  # of titles and people
MAX_PHRASES = 500
MAX_PHRASE_CHARACTERS = 200  # of one; stt listens for words and names
MAX_TEXT_CHARACTERS = 2000
MAX_ANNOUNCEMENT_CHARACTERS = 500
_REVIEW_ID = re.compile(r"[\x21-\x7e]{1,64}")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")


def check_new_session(config: gateway_pb2.SessionConfig) -> None:
    """Raises InvalidInput with a reason that StreamAudio names."""
    languages = (config.source_language, *config.target_languages)
    for language in languages:
        if not _LANGUAGE.fullmatch(language):
            raise InvalidInput(
                "UNSUPPORTED_LANGUAGE",
                f"{language!r} is not a BCP 47 language tag such as 'en' or 'es'",
                language=language,
            )
    targets = set(config.target_languages)
    if not 1 <= len(config.target_languages) <= MAX_TARGET_LANGUAGES or (
        len(targets) < len(config.target_languages) or config.source_language in targets
    ):
        raise InvalidInput(
            "INVALID_TARGET_LANGUAGES",
            f"a session needs 1 to {MAX_TARGET_LANGUAGES} different target languages, "
            "none of them the one spoken",
        )
    if len(config.title) > MAX_NAME_CHARACTERS:
        raise InvalidInput(
            "TITLE_TOO_LONG", f"a title has at most {MAX_NAME_CHARACTERS} characters"
        )
    if len(config.phrases) > MAX_PHRASES:
        raise InvalidInput("TOO_MANY_PHRASES", f"a session has at most {MAX_PHRASES} phrases")
    if any(len(phrase) > MAX_PHRASE_CHARACTERS for phrase in config.phrases):
        raise InvalidInput(
            "PHRASE_TOO_LONG", f"a phrase has at most {MAX_PHRASE_CHARACTERS} characters"
        )


def checked_review(
    request: gateway_pb2.ReviewPairRequest,
) -> gateway_pb2.ReviewPairRequest:
    """The request without blanks around its texts, and without texts that its decision ignores.

    Raises:
        InvalidInput: INVALID_DECISION, INVALID_REVIEW_ID, EMPTY_TEXT, TEXT_TOO_LONG.
    """
    if request.decision not in types_pb2.Decision.values()[1:]:
        raise InvalidInput(
            "INVALID_DECISION", "a review needs a decision: accepted, fixed, rejected or withdrawn"
        )
    if not _REVIEW_ID.fullmatch(request.review_id):
        raise InvalidInput(
            "INVALID_REVIEW_ID",
            "review_id is 1 to 64 printable ASCII characters without blanks, made by the caller",
        )
    _check_length("a reviewer's name", request.reviewer, MAX_NAME_CHARACTERS)
    checked = gateway_pb2.ReviewPairRequest()
    checked.CopyFrom(request)
    has_texts = request.decision in (types_pb2.DECISION_ACCEPTED, types_pb2.DECISION_FIXED)
    checked.source_text = checked_text("source_text", request.source_text) if has_texts else ""
    checked.target_text = checked_text("target_text", request.target_text) if has_texts else ""
    checked.shown_source_text = request.shown_source_text.strip()
    checked.shown_target_text = request.shown_target_text.strip()
    return checked


def checked_screens(
    request: gateway_pb2.SetScreensRequest,
) -> gateway_pb2.SetScreensRequest:
    """The request without blanks around the announcement, and with every field that changes named.

    Raises:
        InvalidInput: TEXT_TOO_LONG, UNKNOWN_FIELD.
    """
    checked = gateway_pb2.SetScreensRequest()
    checked.CopyFrom(request)
    screens = checked.screens
    screens.announcement = screens.announcement.strip()
    screens.author = screens.author[:MAX_NAME_CHARACTERS]
    _check_length("an announcement", screens.announcement, MAX_ANNOUNCEMENT_CHARACTERS)
    _check_length("a language", screens.language, MAX_NAME_CHARACTERS)
    fields = [field.name for field in gateway_pb2.Screens.DESCRIPTOR.fields]
    unknown = [path for path in checked.update_mask.paths if path not in fields]
    if unknown:
        raise InvalidInput(
            "UNKNOWN_FIELD", f"screens have no {unknown[0][:100]!r}, only {', '.join(fields)}"
        )
    # Whoever changes any of it is its author.
    changed = {*checked.update_mask.paths, "author"} if checked.update_mask.paths else set(fields)
    checked.update_mask.paths[:] = sorted(changed)
    return checked


def checked_text(name: str, text: str) -> str:
    """The text without blanks around it. Raises InvalidInput EMPTY_TEXT, TEXT_TOO_LONG."""
    checked = text.strip()
    if text and not checked:
        raise InvalidInput("EMPTY_TEXT", f"{name} is blank; leave it out to keep what is shown")
    _check_length(name, checked, MAX_TEXT_CHARACTERS)
    return checked


def _check_length(what: str, text: str, limit: int) -> None:
    if len(text) > limit:
        raise InvalidInput(
            "TEXT_TOO_LONG", f"{what} has at most {limit} characters, not {len(text)}"
        )
