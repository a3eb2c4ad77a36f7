"""The book of tokens: its file, what it says of a token, and who guesses."""

from __future__ import annotations

import datetime
import os
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from services.captions.settings import CaptionsSettings
from services.errors import GlossaError, InvalidInput, Overloaded
from services.settings import ServiceSettings
from services.token_file import (
    Role,
    Roles,
    TokenEntry,
    hash_of,
    key_of,
    read_tokens,
    write_tokens,
)
from services.tokens import TokenBook
from services.wrong_tokens import WrongTokens

TODAY = datetime.date(2026, 11, 22)
TOKEN = "the-token-of-a-display"


def entry(
    name: str = "hall", role: Role = Role.VIEW, token: str = TOKEN, **more: object
) -> TokenEntry:
    return TokenEntry(name, role, hash_of(token), **more)  # type: ignore[arg-type]


class Clock:
    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def book(path: Path, clock: Clock | None = None, today: datetime.date = TODAY) -> TokenBook:
    return TokenBook(path, today=lambda: today, now_s=clock or Clock())


def refusal(tokens: TokenBook, token: str, peer: str = "10.0.0.7") -> str:
    with pytest.raises(GlossaError) as refused:
        tokens.check(token, peer)
    return refused.value.reason


def test_what_is_written_is_read_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    entries = (
        entry("hall", expires=TODAY, sessions=("20261122-*", 'a "quoted" ¿id?')),
        entry("ana", Role.OPERATE, "another-token-of-hers"),
    )
    path = tmp_path / "tokens" / "tokens.toml"
    write_tokens(path, entries)
    assert read_tokens(path) == entries
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["tokens.toml"]
    assert TOKEN not in path.read_text()
    assert hash_of(TOKEN) not in repr(entries)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[hall", "Expected"),
        (f"hall = {'1' * 5000}", "digits"),
        ('role = "view"', "no table"),
        ('["two words"]\nrole = "view"', "no table"),
        (f'[hall]\nrole = "king"\nhash = "{"0" * 64}"', "no role"),
        ('[hall]\nrole = "view"\nhash = "0"', "no hash"),
        (f'[hall]\nrole = "view"\nhash = "{"0" * 64}"\nexpires = "soon"', "must be a day"),
        (f'[hall]\nrole = "view"\nhash = "{"0" * 64}"\nexpire = 2026-11-22', "'expire'"),
        (f'[hall]\nrole = "view"\nhash = "{"0" * 64}"\nsessions = "a"', "must be patterns"),
        (f'[hall]\nrole = "view"\nhash = "{"0" * 64}"\nsessions = []', "is empty"),
        (f'[ana]\nrole = "operate"\nhash = "{"0" * 64}"\nsessions = ["a"]', "only view and"),
        ("#" * 300_000, "more than"),
    ],
)
def test_a_file_that_is_no_book_is_refused_with_what_is_wrong(
    tmp_path: Path, text: str, problem: str
) -> None:
    path = tmp_path / "tokens.toml"
    path.write_text(text)
    with pytest.raises(InvalidInput, match=problem) as refused:
        book(path)
    assert refused.value.reason == "TOKENS_FILE_DAMAGED"
    with pytest.raises(ValueError, match=problem):
        ServiceSettings(grpc_port=1, http_port=2, tokens_file=path)


def test_a_token_is_good_through_its_last_day_and_never_forgotten_to_be_expired(
    tmp_path: Path,
) -> None:
    path = tmp_path / "tokens.toml"
    write_tokens(path, [entry(expires=TODAY)])
    assert book(path).check(TOKEN, "a").name == "hall"
    assert book(path).holder_of_key(key_of(TOKEN), "a") is not None
    late = book(path, today=TODAY + datetime.timedelta(1))
    assert [refusal(late, TOKEN) for _ in range(30)] == ["TOKEN_EXPIRED"] * 30
    assert late.holder_of_key(key_of(TOKEN), "a") is None
    assert refusal(late, "") == "TOKEN_WANTED"
    assert refusal(late, f"{TOKEN}x") == "TOKEN_UNKNOWN"


def test_neither_the_hash_nor_the_key_is_a_token_and_the_hash_no_key(tmp_path: Path) -> None:
    path = tmp_path / "tokens.toml"
    write_tokens(path, [entry()])
    tokens = book(path)
    for given in (hash_of(TOKEN), key_of(TOKEN)):
        assert refusal(tokens, given) == "TOKEN_UNKNOWN"
    assert tokens.holder_of_key(hash_of(TOKEN), "a") is None
    assert tokens.holder_of_key(TOKEN, "a") is None


def test_of_a_token_that_stands_twice_the_mightier_role_that_is_still_good_counts(
    tmp_path: Path,
) -> None:
    path = tmp_path / "tokens.toml"
    yesterday = TODAY - datetime.timedelta(1)
    write_tokens(
        path,
        [
            entry("old", Role.OPERATE, expires=yesterday),
            entry("hall"),
            entry("pulpit", Role.INGEST),
        ],
    )
    assert book(path).check(TOKEN, "a").name == "pulpit"


def test_who_is_revoked_is_refused_within_a_second_and_who_is_added_let_in(tmp_path: Path) -> None:
    path, clock = tmp_path / "tokens.toml", Clock()
    write_tokens(path, [entry()])
    tokens = book(path, clock)
    write_tokens(path, [entry("new", token="a-token-that-is-newer")])
    assert tokens.check(TOKEN, "a").name == "hall"  # not looked at yet
    clock.now_s += 1.0
    assert refusal(tokens, TOKEN) == "TOKEN_UNKNOWN"
    assert tokens.check("a-token-that-is-newer", "a").name == "new"


@pytest.mark.parametrize("text", ["[hall", None], ids=["damaged", "gone"])
def test_a_file_that_is_damaged_later_is_refused_aloud_and_the_old_tokens_stay(
    tmp_path: Path, text: str | None
) -> None:
    path, clock = tmp_path / "tokens.toml", Clock()
    write_tokens(path, [entry()])
    tokens = book(path, clock)
    if text is None:
        path.unlink()
    else:
        path.write_text(text)
    with capture_logs() as logs:
        for _ in range(3):
            clock.now_s += 1.0
            assert tokens.check(TOKEN, "a").name == "hall"
    (line,) = logs  # once, not each second
    assert (line["event"], line["log_level"]) == ("tokens_file_refused", "error")
    assert "the 1 tokens known before stay good" in line["message"]
    write_tokens(path, [entry("new")])
    clock.now_s += 1.0
    assert tokens.check(TOKEN, "a").name == "new"


def test_with_a_file_everything_wants_a_token_even_when_it_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "tokens.toml"
    write_tokens(path, [])
    assert book(path).open_to_all(is_trusted=True) == Roles()
    assert refusal(book(path), TOKEN) == "TOKEN_UNKNOWN"
    open_to_viewers = TokenBook(path, open_roles=Roles({Role.VIEW}))
    assert open_to_viewers.open_to_all(is_trusted=True) == {Role.VIEW}


def test_without_a_file_only_roles_that_have_a_token_want_one() -> None:
    assert TokenBook(None).open_to_all(is_trusted=True) == Roles(Role)
    assert TokenBook(None).open_to_all(is_trusted=False) == {Role.VIEW}
    operator = TokenBook(None, [entry("ana", Role.OPERATE)])
    assert operator.open_to_all(is_trusted=True) == Roles(Role) - {Role.OPERATE}
    assert operator.open_to_all(is_trusted=False) == {Role.VIEW}
    for is_trusted in (True, False):
        assert TokenBook(None, [entry()]).open_to_all(is_trusted=is_trusted) == Roles()


def test_a_token_of_some_sessions_reaches_no_other_and_none_that_is_not_named() -> None:
    scoped = entry(sessions=("20261122-*", "rehearsal"))
    ids = ("20261122-1000", "20261123-1", "rehearsal", "")
    assert [each for each in ids if scoped.reaches(each)] == ["20261122-1000", "rehearsal"]
    assert entry().reaches("")


def test_guessing_is_slowed_forgiven_with_time_and_remembered_of_so_many_alone() -> None:
    clock = Clock()
    tokens = WrongTokens(clock)
    for number in range(20):
        tokens.check("a")
        tokens.count("a", f"guess {number}")
    with pytest.raises(Overloaded):
        tokens.check("a")
    clock.now_s += 3.0
    tokens.check("a")
    tokens.count("a", "another guess")
    with pytest.raises(Overloaded):
        tokens.check("a")
    for number in range(5000):
        tokens.count(f"peer {number}", "a guess")
    tokens.check("a")  # made room
    assert len(tokens._guesses) == 4096


def test_a_program_that_tries_its_revoked_token_for_ever_shuts_nobody_out(tmp_path: Path) -> None:
    path = tmp_path / "tokens.toml"
    write_tokens(path, [entry()])
    tokens = book(path)
    with capture_logs() as logs:
        assert {refusal(tokens, "a-token-of-yesterday") for _ in range(50)} == {"TOKEN_UNKNOWN"}
    assert [line["event"] for line in logs] == ["token_refused"]
    assert "a-token-of-yesterday" not in str(logs)
    assert tokens.check(TOKEN, "10.0.0.7").name == "hall"
    guesses = [refusal(tokens, f"guess {number}") for number in range(25)]
    assert guesses[-1] == "TOO_MANY_WRONG_TOKENS"
    with pytest.raises(Overloaded):  # a right one that came through would tell
        tokens.check(TOKEN, "10.0.0.7")
    assert tokens.check(TOKEN, "10.0.0.8").name == "hall"


def test_programs_with_several_revoked_tokens_on_one_machine_shut_nobody_out(
    tmp_path: Path,
) -> None:
    path = tmp_path / "tokens.toml"
    write_tokens(path, [entry()])
    tokens = book(path)
    revoked = [f"a-token-of-display-{number}" for number in range(3)] * 20
    assert {refusal(tokens, each) for each in revoked} == {"TOKEN_UNKNOWN"}
    assert tokens.check(TOKEN, "10.0.0.7").name == "hall"


def test_a_guesser_gets_no_further_with_another_address_of_its_ipv6_network(
    tmp_path: Path,
) -> None:
    path = tmp_path / "tokens.toml"
    write_tokens(path, [entry()])
    tokens = book(path)
    guesses = [refusal(tokens, f"guess {each}", f"2001:db8::{each:x}") for each in range(25)]
    assert (guesses[19], guesses[20]) == ("TOKEN_UNKNOWN", "TOO_MANY_WRONG_TOKENS")
    assert tokens.check(TOKEN, "2001:db8:0:1::1").name == "hall"


def test_a_file_that_came_back_with_its_old_time_is_read_again(tmp_path: Path) -> None:
    """A copy keeps times; the file is another one all the same."""
    path, clock = tmp_path / "tokens.toml", Clock()
    write_tokens(path, [entry()])
    stamp = path.stat()
    tokens = book(path, clock)
    write_tokens(path, [entry("many", Role.REVIEW)])
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    clock.now_s += 1.0
    assert tokens.check(TOKEN, "a").name == "many"


def test_a_file_that_becomes_readable_is_read_again(tmp_path: Path) -> None:
    path, clock = tmp_path / "tokens.toml", Clock()
    write_tokens(path, [entry()])
    tokens = book(path, clock)
    stamp = path.stat()
    while path.stat().st_ctime_ns == stamp.st_ctime_ns:  # its clock ticks every few milliseconds
        path.chmod(0o640)
    assert path.stat().st_mtime_ns == stamp.st_mtime_ns
    clock.now_s += 1.0
    with capture_logs() as logs:
        assert tokens.check(TOKEN, "a").name == "hall"
    assert [line["event"] for line in logs] == ["tokens_read"]


def test_a_plain_token_may_come_from_a_file_and_is_shown_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "operator_token"
    secret.write_text(f"{TOKEN}\n")
    monkeypatch.setenv("GLOSSA_CAPTIONS_OPERATOR_TOKEN_FILE", str(secret))
    settings = CaptionsSettings()
    assert settings.operator_token.get_secret_value() == TOKEN
    assert [each.role for each in settings.plain_tokens] == [Role.OPERATE]
    assert TOKEN not in repr(settings) + str(settings) + repr(settings.plain_tokens)
    monkeypatch.setenv("GLOSSA_CAPTIONS_OPERATOR_TOKEN", "another-token-that-is-set")
    assert CaptionsSettings().operator_token.get_secret_value() == "another-token-that-is-set"
    monkeypatch.delenv("GLOSSA_CAPTIONS_OPERATOR_TOKEN")
    secret.write_text("short")
    with pytest.raises(ValueError, match="16 characters") as refused:
        CaptionsSettings()
    assert "'short'" not in str(refused.value)
    secret.unlink()
    with pytest.raises(ValueError, match="cannot read a token"):
        CaptionsSettings()
