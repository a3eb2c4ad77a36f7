"""`./glossa tokens`: who may do what, by tokens that end by themselves."""

from __future__ import annotations

from pathlib import Path

import click

from cli.refusals import told

# As services.token_file.Role has them, which is imported only when a verb is run.
ROLES = ("view", "ingest", "review", "operate", "service")
DEFAULT_DAYS = 365
_LONGEST_DAYS = 3660


@click.group()
@click.option(
    "--file",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="GLOSSA_TOKENS_FILE",
    default=Path("var/tokens/tokens.toml"),
    show_default=True,
    help="Where they are kept, as hashes.",
)
@click.pass_context
def tokens(context: click.Context, path: Path) -> None:
    """Make, list and revoke tokens: who may do what.

    \b
    view      displays, relays, phones in a church whose captions are not for everybody
    ingest    the pulpit: may view, and speak into a session
    review    who judges pairs for training: may view, and use the review page
    operate   who runs the service: everything, hidden text and held audio included
    service   the six services among each other; `./glossa up` makes it by itself

    Give each person and each machine a token of its own, the smallest role that will do, and
    revoke it when it is lost: services notice within a second.

    \b
    ./glossa tokens make operate --name ana
    ./glossa tokens make ingest --name pulpit --days 90
    GLOSSA_TOKENS_FILE=var/tokens/tokens.toml ./glossa up

    With GLOSSA_TOKENS_FILE every service asks for a token. Programs bring theirs in GLOSSA_TOKEN or
    in the file that GLOSSA_TOKEN_FILE names, people by a link that ends in #token=...
    """
    context.obj = path


@tokens.command()
@click.argument("role", type=click.Choice(ROLES))
@click.option("--name", required=True, help="Whose it is: letters, digits, - and _.")
@click.option(
    "--days",
    type=click.IntRange(1, _LONGEST_DAYS),
    help=f"How long it is good, today not counted.  [default: {DEFAULT_DAYS}; service: for ever]",
)
@click.option(
    "--session",
    "sessions",
    multiple=True,
    help="Only for sessions with such an id (* and ? as in file names); may be given several "
    "times; view and ingest alone. What it does has to name the session.",
)
@click.pass_obj
def make(path: Path, role: str, name: str, days: int | None, sessions: tuple[str, ...]) -> None:
    """Make a token and print it, this once: only its hash is kept.

    \b
    ./glossa tokens make view --name hall-left --days 30
    ./glossa tokens make view --name guest --days 1 --session '20261122-*'
    (umask 077; ./glossa tokens make operate --name ana > ana.token)
    """
    import datetime
    import secrets

    from services.errors import InvalidInput
    from services.token_file import Role, TokenEntry, change_tokens, hash_of, is_name
    from services.tokens import utc_today

    with told():
        if not is_name(name):
            raise InvalidInput("INVALID_NAME", f"--name {name!r}: letters, digits, - and _ alone")
        if sessions and role not in ("view", "ingest"):
            raise InvalidInput("INVALID_SESSION", "--session is for view and ingest alone")
        if any(not each.strip() for each in sessions):
            raise InvalidInput("INVALID_SESSION", "--session is empty")
        token = secrets.token_hex(24)
        lasts_days = days or (None if role == "service" else DEFAULT_DAYS)
        expires = utc_today() + datetime.timedelta(lasts_days) if lasts_days else None
        made = TokenEntry(name, Role(role), hash_of(token), expires, sessions)

        def with_it(kept: tuple[TokenEntry, ...]) -> tuple[TokenEntry, ...]:
            if any(entry.name == name for entry in kept):
                raise InvalidInput(
                    "NAME_TAKEN",
                    f"{path} has a token of {name} already; choose another name, or "
                    f"`./glossa tokens revoke {name}` first",
                )
            return (*kept, made)

        change_tokens(path, with_it)
    click.echo(token)
    until = f"good until {expires} (UTC)" if expires else "good for ever"
    click.echo(f"{name} may {role}, {until}; it is shown this once", err=True)


@tokens.command(name="list")
@click.pass_obj
def list_tokens(path: Path) -> None:
    """List who has a token: name, role, expiry, sessions."""
    from services.token_file import read_tokens
    from services.tokens import utc_today

    with told():
        kept = read_tokens(path)
    today = utc_today()
    width = max((len(entry.name) for entry in kept), default=0)
    for entry in kept:
        left_days = (entry.expires - today).days if entry.expires else None
        if left_days is None:
            left = "for ever"
        elif left_days < 0:
            left = f"expired {entry.expires}"
        else:
            left = f"{left_days} days left" if left_days else "last day"
        row = f"{entry.name:<{width}}  {entry.role:<7}  {left:<18}  {', '.join(entry.sessions)}"
        click.echo(row.rstrip())
    if not kept:
        click.echo(f"{path} has none; ./glossa tokens make --help", err=True)


@tokens.command()
@click.argument("name")
@click.pass_obj
def revoke(path: Path, name: str) -> None:
    """Make the token of NAME good for nothing, from the next second on.

    Streams that are open with it end a second later; a session goes on with another token.
    """
    from services.errors import NotFound
    from services.token_file import TokenEntry, change_tokens, read_tokens

    def without_it(kept: tuple[TokenEntry, ...]) -> tuple[TokenEntry, ...]:
        left = tuple(entry for entry in kept if entry.name != name)
        if left == kept:
            raise NotFound("UNKNOWN_TOKEN", f"{path} has no token of {name}; ./glossa tokens list")
        return left

    with told():
        read_tokens(path)  # a file that is not there is a wrong --file, and none to begin
        change_tokens(path, without_it)
    click.echo(f"{name} may do nothing any more", err=True)
