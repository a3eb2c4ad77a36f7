"""`./glossa tokens`: made once, kept as hashes, revoked by name."""

from __future__ import annotations

import datetime
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cli.tokens import ROLES, tokens
from services import token_file
from services.token_file import Role, TokenEntry, hash_of, read_tokens, write_tokens
from services.tokens import TokenBook, utc_today
from tests.processes import REPOSITORY


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tokens" / "tokens.toml"


def run(path: Path, *arguments: str) -> Result:
    return CliRunner().invoke(tokens, ["--file", str(path), *arguments])


def test_a_token_is_printed_once_and_good_for_its_role_and_days(path: Path) -> None:
    made = run(path, "make", "ingest", "--name", "pulpit", "--days", "90", "--session", "2026*")
    assert made.exit_code == 0
    token = made.stdout.strip()
    assert len(token) >= 32
    holder = TokenBook(path).check(token, "a")
    assert (holder.name, holder.role, holder.sessions) == ("pulpit", Role.INGEST, ("2026*",))
    assert holder.expires == utc_today() + datetime.timedelta(90)
    assert token not in path.read_text() + made.stderr
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_year_is_usual_and_services_keep_theirs(path: Path) -> None:
    for role in ROLES:
        assert run(path, "make", role, "--name", role).exit_code == 0
    year = utc_today() + datetime.timedelta(365)
    assert {entry.role.value: entry.expires for entry in read_tokens(path)} == {
        **dict.fromkeys(ROLES, year),
        "service": None,
    }
    assert set(ROLES) == set(Role)


def test_the_list_says_who_may_what_and_for_how_long(path: Path) -> None:
    today = utc_today()
    days = {"gone": -1, "today": 0, "soon": 7}
    entries = [
        TokenEntry(name, Role.VIEW, hash_of(name), today + datetime.timedelta(left))
        for name, left in days.items()
    ]
    write_tokens(path, [*entries, TokenEntry("ever", Role.OPERATE, hash_of("ever"))])
    listed = run(path, "list")
    assert [line.split("  ")[0].strip() for line in listed.stdout.splitlines()] == [*days, "ever"]
    for word in (f"expired {entries[0].expires}", "last day", "7 days left", "for ever"):
        assert word in listed.stdout
    assert hash_of("ever") not in listed.output


def test_revoking_takes_one_token_and_no_other(path: Path) -> None:
    by_name = {
        name: run(path, "make", "view", "--name", name).stdout.strip() for name in ("a", "b")
    }
    assert run(path, "revoke", "a").exit_code == 0
    assert [entry.name for entry in read_tokens(path)] == ["b"]
    assert TokenBook(path).check(by_name["b"], "peer").name == "b"
    again = run(path, "revoke", "a")
    assert again.exit_code == 1
    assert "no token of a" in again.output


def test_revoking_in_a_file_that_is_not_there_begins_none(path: Path) -> None:
    refused = run(path, "revoke", "a")
    assert refused.exit_code == 1
    assert "it is not there" in refused.output
    assert not path.parent.exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("make", "view", "--name", "hall"), "hall already"),
        (("make", "view", "--name", "two words"), "letters, digits"),
        (("make", "operate", "--name", "ana", "--session", "x"), "view and ingest alone"),
        (("make", "king", "--name", "ana"), "'king' is not one of"),
        (("make", "view", "--name", "ana", "--days", "0"), "--days"),
    ],
)
def test_what_cannot_be_made_is_refused_and_nothing_changes(
    path: Path, arguments: tuple[str, ...], words: str
) -> None:
    run(path, "make", "view", "--name", "hall")
    before = path.read_text()
    refused = run(path, *arguments)
    assert refused.exit_code != 0
    assert words in refused.output
    assert path.read_text() == before


def test_a_damaged_file_is_never_written_over(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("[hall")
    for arguments in (("make", "view", "--name", "b"), ("list",), ("revoke", "b")):
        refused = run(path, *arguments)
        assert refused.exit_code == 1
        assert "is no book of tokens" in refused.output
    assert path.read_text() == "[hall"


_MAKE_TWENTY = """
import sys
from pathlib import Path
from click.testing import CliRunner
from cli.tokens import tokens
from services.token_file import Role

print("ready", flush=True)
sys.stdin.readline()
path, who = sys.argv[1:]
for number in range(20):
    make = ["--file", path, "make", "view", "--name", f"{who}-{number}"]
    assert CliRunner().invoke(tokens, make).exit_code == 0
    if number % 2:
        revoke = ["--file", path, "revoke", f"{who}-{number}"]
        assert CliRunner().invoke(tokens, revoke).exit_code == 0
"""


def test_of_two_who_change_the_file_at_once_neither_loses_anything(path: Path) -> None:
    writers = {
        who: subprocess.Popen(
            [sys.executable, "-c", _MAKE_TWENTY, str(path), who],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for who in ("a", "b")
    }
    try:
        for writer in writers.values():
            assert writer.stdout is not None
            assert writer.stdout.readline() == b"ready\n"
        for writer in writers.values():
            assert writer.stdin is not None
            writer.stdin.write(b"\n")
            writer.stdin.flush()
        assert [writer.wait(60) for writer in writers.values()] == [0, 0]
    finally:
        for writer in writers.values():
            writer.kill()
            writer.communicate()
    kept = {entry.name for entry in read_tokens(path)}
    assert kept == {f"{who}-{number}" for who in writers for number in range(0, 20, 2)}
    assert [each.name for each in path.parent.iterdir()] == ["tokens.toml"]


def test_who_holds_the_file_for_too_long_is_told_of(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_file, "_LOCK_TIMEOUT_S", 0.1)
    run(path, "make", "view", "--name", "hall")

    def never_done(kept: tuple[TokenEntry, ...]) -> tuple[TokenEntry, ...]:
        refused = run(path, "revoke", "hall")
        assert refused.exit_code == 1
        assert "and try again" in refused.output
        return kept

    token_file.change_tokens(path, never_done)
    assert run(path, "revoke", "hall").exit_code == 0


def test_its_help_teaches_who_gets_which_role() -> None:
    text = CliRunner().invoke(tokens, ["--help"]).output
    assert all(f"\n  {role} " in text for role in ROLES)
    assert "GLOSSA_TOKENS_FILE=var/tokens/tokens.toml ./glossa up" in text
