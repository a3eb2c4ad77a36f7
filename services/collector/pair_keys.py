"""Where the collected pairs are in Redis.

    glossa:pairs:{accept,moderate,review,reject}   streams, one entry a pair (entry.py); no MAXLEN
    glossa:pairs:corrected                         stream, one entry a person's decision (entry.py)
    glossa:pairs:cursor:<journal_id>               last journal sequence that is in here
    glossa:pairs:counts, glossa:pairs:counts:<session_id>
                                                   hashes: band, "corrected" (pairs with a standing
                                                   decision), "excluded", "excluded:<reason>"
    glossa:pairs:entries:<session_id>              list of "<stream> <entry id> <pair_id>", by which
                                                   a session is forgotten
    glossa:pairs:known:<session_id>                set of the pair ids that were ever judged: none
                                                   is collected twice
    glossa:pairs:erase                             set while what was forgotten may still be in the
                                                   append-only file: the sequence that forgot it

What a person sees and decides is beside them: review_keys.py.
"""

from __future__ import annotations

from services.collector.bands import BANDS

_PREFIX = "glossa:pairs:"

EXCLUDED = "excluded"
CORRECTED = "corrected"
STREAMS: tuple[str, ...] = (*BANDS, CORRECTED)

ERASE_KEY = _PREFIX + "erase"


def stream_key(name: str) -> str:
    """The stream of a band, or that of CORRECTED."""
    return _PREFIX + name


def cursor_key(journal_id: str) -> str:
    return f"{_PREFIX}cursor:{journal_id}"


def counts_key(session_id: str = "") -> str:
    """The counts of one session, or of everything."""
    return f"{_PREFIX}counts:{session_id}" if session_id else f"{_PREFIX}counts"


def entries_key(session_id: str) -> str:
    return f"{_PREFIX}entries:{session_id}"


def known_key(session_id: str) -> str:
    return f"{_PREFIX}known:{session_id}"
