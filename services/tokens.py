"""The book of tokens: who may do what, as long as nobody changes it."""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from pathlib import Path

import structlog

from services.errors import InvalidInput, Unauthenticated
from services.peer_address import host
from services.token_file import Role, Roles, TokenEntry, hash_of, hash_of_key, read_tokens
from services.wrong_tokens import WrongTokens

log = structlog.get_logger()

# How old what is known of the file may be.
_RECHECK_S = 1.0
_BY_MIGHT = list(Role)
_ADVICE = (
    "bring yours (GLOSSA_TOKEN_FILE or GLOSSA_TOKEN, the link that you were given, or "
    "`authorization: Bearer TOKEN`), or ask who runs Glossa for one"
)


def utc_today() -> date:
    return datetime.now(UTC).date()


class TokenBook:
    """Every token that a service knows: those of its file, and those of its settings.

    The file is looked at once a second at most, when somebody asks, and read again when it has
    changed. One that is damaged by then is refused aloud, and what was known stays in force.

    Args:
        path: of the file; None: there is none.
        plain: entries of tokens that are set one by one.
        open_roles: what nobody needs a token for.

    Raises:
        InvalidInput: TOKENS_FILE_DAMAGED, at the start alone.
    """

    def __init__(
        self,
        path: Path | None,
        plain: Iterable[TokenEntry] = (),
        open_roles: Roles = frozenset(),
        *,
        today: Callable[[], date] = utc_today,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = path
        self._plain = tuple(plain)
        self._open_roles = open_roles
        self._today = today
        self._now_s = now_s
        self._seen = _fingerprint(path)
        self._filed = read_tokens(path) if path is not None else ()
        self._checked_at_s = now_s()
        self._wrong_tokens = WrongTokens(now_s)
        # By themselves: who is signed in notices nothing of a neighbour with a wrong token.
        self._wrong_keys = WrongTokens(now_s)

    def open_to_all(self, *, is_trusted: bool) -> Roles:
        """What may be done without a token.

        With a file everything wants one. Without, nobody is asked for a role that no token was set
        for, where only those come that one trusts; others may view. But who has to bring a token
        even to view may do nothing else without.
        """
        named = {entry.role for entry in self._plain}
        if self._path is not None or Role.VIEW in named:
            return self._open_roles
        return (Roles(Role) - named if is_trusted else Roles({Role.VIEW})) | self._open_roles

    def grants(self, role: Role) -> bool:
        """Whether there is any token at all for a role."""
        return any(role in entry.roles for entry in self._entries())

    def check(self, token: str, peer: str, where: str = "") -> TokenEntry:
        """Whose token this is.

        Args:
            peer: the address that it came from, by whose host wrong ones are counted.
            where: what it was brought to, for the log.

        Raises:
            Unauthenticated: TOKEN_WANTED, TOKEN_UNKNOWN, TOKEN_EXPIRED.
            Overloaded: TOO_MANY_WRONG_TOKENS.
        """
        if not token:
            raise Unauthenticated("TOKEN_WANTED", f"a token is wanted here; {_ADVICE}")
        entry = self._found(hash_of(token), token, self._wrong_tokens, peer, where)
        if entry is None:
            raise Unauthenticated("TOKEN_UNKNOWN", f"nobody here knows this token; {_ADVICE}")
        if entry.is_expired(self._today()):
            raise _expired(entry)
        return entry

    def lost(self, holder: TokenEntry) -> Unauthenticated | None:
        """Why a token that was good is no longer: TOKEN_UNKNOWN, TOKEN_EXPIRED; None: it is."""
        entry = self._find(holder.hash)
        if entry is None:
            what = "has been revoked"
        elif entry.is_expired(self._today()):
            return _expired(entry)
        elif entry.roles >= holder.roles and entry.sessions in ((), holder.sessions):
            return None
        else:
            what = "is no longer good for all that it was"
        message = f"this token ({holder.name}) {what}; ask who runs Glossa for a new one"
        return Unauthenticated("TOKEN_UNKNOWN", message, name=holder.name)

    def holder_of_key(self, key: str, peer: str, where: str = "") -> TokenEntry | None:
        """Whose key a browser brought as its cookie; None for one that is wrong or has expired.

        Wrong ones are counted as wrong tokens are. Raises Overloaded: TOO_MANY_WRONG_TOKENS.
        """
        entry = self._found(hash_of_key(key), key, self._wrong_keys, peer, where)
        return None if entry is None or entry.is_expired(self._today()) else entry

    def _found(
        self, hashed: str, given: str, wrong: WrongTokens, peer: str, where: str
    ) -> TokenEntry | None:
        """The entry of a hash, expired or not; counts what was given as wrong when there is none.

        Raises Overloaded.
        """
        peer = host(peer)
        wrong.check(peer)
        entry = self._find(hashed)
        if entry is None and wrong.count(peer, given):
            log.warning("token_refused", peer=peer, where=where[:200])
        return entry

    def _find(self, hashed: str) -> TokenEntry | None:
        """Compares with all of them, in a time that tells nothing of any."""
        entries = self._entries()
        is_same = [hmac.compare_digest(hashed, entry.hash) for entry in entries]
        found = [entry for entry, same in zip(entries, is_same, strict=True) if same]
        today = self._today()  # the same token may have been set twice
        return min(
            found,
            key=lambda entry: (entry.is_expired(today), _BY_MIGHT.index(entry.role)),
            default=None,
        )

    def _entries(self) -> tuple[TokenEntry, ...]:
        if self._path is not None and self._now_s() - self._checked_at_s >= _RECHECK_S:
            self._checked_at_s = self._now_s()
            seen = _fingerprint(self._path)
            if seen != self._seen:
                self._seen = seen
                self._read_again(self._path)
        return (*self._plain, *self._filed)

    def _read_again(self, path: Path) -> None:
        try:
            self._filed = read_tokens(path)
        except InvalidInput as error:
            log.error(
                "tokens_file_refused",
                message=f"{error.message}; the {len(self._filed)} tokens known before stay good",
            )
        else:
            log.info("tokens_read", tokens=len(self._filed))


def _expired(entry: TokenEntry) -> Unauthenticated:
    return Unauthenticated(
        "TOKEN_EXPIRED",
        f"this token ({entry.name}) was good until {entry.expires}; "
        "ask who runs Glossa for a new one",
        name=entry.name,
    )


def _fingerprint(path: Path | None) -> tuple[int, ...] | None:
    """What is another one when the file is; None while there is no file.

    Its ctime changes, too, when a file that could not be read is given to who may read it.
    """
    try:
        found = path.stat() if path is not None else None
    except OSError:
        return None
    if found is None:
        return None
    return (found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino)
