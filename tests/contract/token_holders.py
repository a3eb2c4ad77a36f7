"""A book of tokens with one of each kind, for tests that ask as everybody."""

from __future__ import annotations

import datetime
from pathlib import Path

from services.token_file import Role, TokenEntry, hash_of, write_tokens
from services.tokens import utc_today

# Who asks, and with which token; nobody brings none.
TOKENS = {
    "nobody": "",
    "view": "the-token-of-a-display",
    "ingest": "the-token-of-a-pulpit",
    "review": "the-token-of-a-reviewer",
    "operate": "the-token-of-an-operator",
    "service": "the-token-of-the-services",
    "expired": "an-operators-token-of-last-year",
    "unknown": "a-token-that-nobody-has-made",
}
# What who is not known is told.
STRANGERS = {
    "nobody": "TOKEN_WANTED",
    "expired": "TOKEN_EXPIRED",
    "unknown": "TOKEN_UNKNOWN",
}


def write_book(path: Path) -> None:
    """Today's tokens of each role, and one for operators that expired yesterday."""
    today = utc_today()
    entries = [
        TokenEntry(role.value, role, hash_of(TOKENS[role.value]), expires=today) for role in Role
    ]
    yesterday = today - datetime.timedelta(1)
    entries.append(TokenEntry("expired", Role.OPERATE, hash_of(TOKENS["expired"]), yesterday))
    write_tokens(path, entries)
