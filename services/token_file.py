"""Tokens and what they are for, kept as hashes in one small file.

    [pulpit]
    role = "ingest"
    hash = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
    expires = 2027-02-19        # its last day, in UTC; without it: never
    sessions = ["20261122-*"]   # the only ones, by their ids; without it: all

A token's hash is SHA-256 of its key, and its key SHA-256 of the token, both in hex. A browser that
signed in keeps the key as its cookie: it cannot be made of what lies in the file, nor the token of
the cookie.
"""

from __future__ import annotations

import contextlib
import fnmatch
import hashlib
import json
import os
import re
import tempfile
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Any

from services.errors import InvalidInput, WrongState
from services.file_lock import locked_within
from services.file_owner import keep_owner

_FILE_LIMIT_BYTES = 256 * 1024
_LOCK_TIMEOUT_S = 10.0  # a change takes milliseconds
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_HASH = re.compile(r"[0-9a-f]{64}")
_FIELDS = frozenset({"role", "hash", "expires", "sessions"})


class Role(StrEnum):
    """What a token is for, the mightier before the smaller."""

    OPERATE = "operate"
    SERVICE = "service"
    REVIEW = "review"
    INGEST = "ingest"
    VIEW = "view"


Roles = frozenset[Role]

GOOD_FOR: Mapping[Role, Roles] = {
    Role.OPERATE: Roles({Role.OPERATE, Role.REVIEW, Role.INGEST, Role.VIEW}),
    Role.SERVICE: Roles({Role.SERVICE}),
    Role.REVIEW: Roles({Role.REVIEW, Role.VIEW}),
    Role.INGEST: Roles({Role.INGEST, Role.VIEW}),
    Role.VIEW: Roles({Role.VIEW}),
}


@dataclass(frozen=True, slots=True)
class TokenEntry:
    """A token as the book knows it: not the token itself.

    Args:
        hash: SHA-256 of its key, in hex.
        expires: its last day, in UTC; None: it has none.
        sessions: patterns (`*`, `?`) of the ids of the only sessions it is good for; empty: all.
    """

    name: str
    role: Role
    hash: str = field(repr=False)
    expires: date | None = None
    sessions: tuple[str, ...] = ()

    @property
    def roles(self) -> Roles:
        """Everything that it is good for."""
        return GOOD_FOR[self.role]

    def is_expired(self, today: date) -> bool:
        return self.expires is not None and today > self.expires

    def reaches(self, session_id: str) -> bool:
        """Whether it is good for a session; a token of some sessions is not for an unnamed one."""
        return not self.sessions or any(
            bool(session_id) and fnmatch.fnmatchcase(session_id, each) for each in self.sessions
        )


def key_of(token: str) -> str:
    """What stands for a token in a browser's cookie."""
    return hashlib.sha256(token.encode(errors="surrogateescape")).hexdigest()


def hash_of(token: str) -> str:
    """What stands for a token in the book."""
    return hash_of_key(key_of(token))


def hash_of_key(key: str) -> str:
    return hashlib.sha256(key.encode(errors="surrogateescape")).hexdigest()


def read_token(path: Path) -> str:
    """The token in a file, without the line's end. Raises InvalidInput TOKEN_UNREADABLE."""
    try:
        token = path.read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it holds more than letters, digits and signs"
        raise InvalidInput("TOKEN_UNREADABLE", f"cannot read a token in {path}: {why}") from error
    if not token:
        raise InvalidInput(
            "TOKEN_UNREADABLE",
            f"there is no token in {path}, which is empty; put one into it, as "
            "`./glossa tokens make` prints it",
        )
    return token


def read_tokens(path: Path) -> tuple[TokenEntry, ...]:
    """The entries of a file, in its order. Raises InvalidInput: TOKENS_FILE_DAMAGED."""
    try:
        if path.stat().st_size > _FILE_LIMIT_BYTES:
            raise _damaged(path, f"it has more than {_FILE_LIMIT_BYTES} bytes")
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise _damaged(path, "it is not there, ./glossa tokens make begins it") from None
    except OSError as error:
        raise _damaged(path, error.strerror or "it cannot be read") from error
    except UnicodeDecodeError:
        raise _damaged(path, "it is not UTF-8") from None
    except (ValueError, RecursionError) as error:  # a number of thousands of digits is no TOML's
        raise _damaged(path, str(error)) from None
    return tuple(_entry(path, name, table) for name, table in tables.items())


def change_tokens(
    path: Path, change: Callable[[tuple[TokenEntry, ...]], tuple[TokenEntry, ...]]
) -> None:
    """Writes what `change` makes of the entries, of which a new file has none; whoever else changes
    them has to wait.

    Raises:
        InvalidInput: TOKENS_FILE_DAMAGED, TOKENS_FILE_NOT_WRITTEN.
        WrongState: TOKENS_FILE_BUSY.
        What `change` raises; the file stays as it is then.
    """
    with _alone(path):
        kept = read_tokens(path) if path.exists() else ()
        changed = change(kept)
        if changed != kept:
            write_tokens(path, changed)


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Holds the folder of a file, which another file takes the place of; the dead hold nothing."""
    descriptor = -1
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path.parent, os.O_RDONLY)
        if not locked_within(descriptor, _LOCK_TIMEOUT_S):
            raise WrongState(
                "TOKENS_FILE_BUSY",
                f"something has been changing {path} for {_LOCK_TIMEOUT_S:g} s; "
                "end the other `./glossa`, and try again",
            )
    except OSError as error:
        raise _not_written(path, error) from error
    else:
        yield
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def write_tokens(path: Path, entries: Iterable[TokenEntry]) -> None:
    """Puts a file with these entries in the place of `path`, whole or not at all.

    For its owner's eyes alone; who owned it before owns it still.

    Raises InvalidInput: TOKENS_FILE_NOT_WRITTEN.
    """
    text = "# Tokens of Glossa, as hashes: ./glossa tokens --help\n" + "".join(map(_table, entries))
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with open(descriptor, "w", encoding="utf-8") as file:  # mkstemp made it 0600
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
                keep_owner(file.fileno(), path)
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise _not_written(path, error) from error


def _not_written(path: Path, error: OSError) -> InvalidInput:
    return InvalidInput(
        "TOKENS_FILE_NOT_WRITTEN", f"cannot write {path}: {error.strerror or error}"
    )


def _entry(path: Path, name: str, table: Any) -> TokenEntry:
    """Raises InvalidInput: TOKENS_FILE_DAMAGED."""
    if not _NAME.fullmatch(name) or not isinstance(table, dict):
        raise _damaged(path, f"{name[:64]!r} is no table named by letters, digits, - and _")
    if unknown := sorted(set(table) - _FIELDS):
        raise _damaged(path, f"[{name}] has {unknown[0][:64]!r}, which nobody knows")
    try:
        role = Role(str(table.get("role")))
    except ValueError:
        raise _damaged(path, f"[{name}] has no role; one of {', '.join(Role)}") from None
    hashed, expires = table.get("hash"), table.get("expires")
    if not isinstance(hashed, str) or not _HASH.fullmatch(hashed):
        raise _damaged(path, f"[{name}] has no hash of 64 hex digits")
    if expires is not None and type(expires) is not date:  # a datetime is a date, too
        raise _damaged(path, f"[{name}] expires must be a day: 2027-02-19")
    sessions = table.get("sessions", [])
    if not isinstance(sessions, list) or not all(isinstance(each, str) for each in sessions):
        raise _damaged(path, f'[{name}] sessions must be patterns of ids: ["20261122-*"]')
    if sessions and role not in (Role.VIEW, Role.INGEST):
        raise _damaged(path, f"[{name}] has sessions, which only view and ingest may have")
    if "sessions" in table and not sessions:
        raise _damaged(path, f"[{name}] sessions is empty: leave it out for all of them")
    return TokenEntry(name, role, hashed, expires, tuple(sessions))


def _table(entry: TokenEntry) -> str:
    lines = [f"\n[{entry.name}]", f'role = "{entry.role}"', f'hash = "{entry.hash}"']
    if entry.expires is not None:
        lines.append(f"expires = {entry.expires.isoformat()}")
    if entry.sessions:
        # What JSON writes of texts and lists, TOML reads.
        lines.append(f"sessions = {json.dumps(entry.sessions)}")
    return "\n".join(lines) + "\n"


def is_name(text: str) -> bool:
    """Whether an entry may be called so: letters, digits, - and _, at most 64."""
    return _NAME.fullmatch(text) is not None


def _damaged(path: Path, problem: str) -> InvalidInput:
    return InvalidInput(
        "TOKENS_FILE_DAMAGED", f"{path} is no book of tokens: {problem}; see ./glossa tokens --help"
    )
