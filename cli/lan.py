"""`./glossa up --lan`: pages for a network, the operator's for who has its token."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from cli.web_scheme import web_scheme
from services.errors import InvalidInput
from services.settings import port
from services.token_file import read_token

if TYPE_CHECKING:
    from cli.stack import StackPlan

_HOST = "GLOSSA_CAPTIONS_WEB_HOST"
_PUBLIC_URL = "GLOSSA_CAPTIONS_PUBLIC_URL"
_TRUE = frozenset({"1", "true", "t", "yes", "y", "on"})  # as pydantic reads a setting


def open_to_lan(plan: StackPlan) -> StackPlan:
    """The same stack with the captions' web port reachable from other machines; no other port is.

    Tokens that are not set are made, as by `with_page_tokens`.

    Raises InvalidInput: STATE_DIR_UNUSABLE, TOKEN_UNREADABLE.
    """
    opened = {_HOST: plan.environment.get(_HOST) or "0.0.0.0"}  # noqa: S104 - what --lan is for
    return with_page_tokens(replace(plan, environment={**plan.environment, **opened}))


def with_page_tokens(plan: StackPlan) -> StackPlan:
    """The same stack with a token in each link that it prints; one to view only where it is wanted.

    Those that are not set are made once and kept in <state dir>/captions/*.token.

    Raises InvalidInput: STATE_DIR_UNUSABLE, TOKEN_UNREADABLE.
    """
    environment = dict(plan.environment)
    may_anyone_view = environment.get("GLOSSA_CAPTIONS_ANYONE_MAY_VIEW", "").lower() in _TRUE
    roles = ["operator", "ingest"]
    if environment.get("GLOSSA_TOKENS_FILE") and not may_anyone_view:
        roles.append("view")
    for role in roles:
        if not _page_token(environment, role):
            environment[_token_variable(role)] = kept_token(
                plan.state_dir / "captions" / f"{role}.token"
            )
    return replace(plan, environment=environment)


def kept_token(path: Path) -> str:
    """The token in `path`, which is made, for its owner's eyes alone, when it is not there.

    Raises InvalidInput: STATE_DIR_UNUSABLE, TOKEN_UNREADABLE.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.exists():
            return _kept(path)
        token = secrets.token_urlsafe(24)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w", encoding="ascii") as file:
            file.write(f"{token}\n")
    except OSError as error:
        raise InvalidInput(
            "STATE_DIR_UNUSABLE", f"cannot keep a token in {path}: {error}"
        ) from error
    return token


def _kept(path: Path) -> str:
    try:
        return read_token(path)
    except InvalidInput as error:
        raise InvalidInput(
            error.reason,
            f"{path} holds no token that can be read; delete it, and the next start makes another",
        ) from error


@dataclass(frozen=True)
class PageLinks:
    """Where the pages of a stack are; those that want a token hold it in their fragment."""

    phone: str
    audience: str
    overlay: str
    operator: str
    speaker: str  # the operator's where this machine's browser may hear a microphone

    def without_tokens(self) -> PageLinks:
        """The same for a log, which more people read than may operate."""
        return PageLinks(**{name: url.partition("#")[0] for name, url in asdict(self).items()})


def page_links(plan: StackPlan, *, is_lan: bool) -> PageLinks:
    """The links to give out: with `is_lan` those that other machines can open."""
    base = _lan_url(plan) if is_lan else plan.page_url
    viewing = _fragment(plan.environment, "view")
    operating = _fragment(plan.environment, "operator") or viewing
    return PageLinks(
        phone=f"{base}{viewing}",
        audience=f"{base}audience{viewing}",
        overlay=f"{base}overlay{viewing}",
        operator=f"{base}operator{operating}",
        speaker=f"{_secure_base(plan, base)}operator{operating}",
    )


def report_links(links: PageLinks, report: Callable[[str], None], *, is_lan: bool) -> None:
    """Says which page is for what; in a network, what that means."""
    report(f"phones   {links.phone}")
    report(f"hall     {links.audience}")
    report(f"stream   {links.overlay}  (?help=1 before any # teaches its parameters)")
    report(f"operator {links.operator}")
    if is_lan:
        if links.speaker != links.operator:
            report(f"speaker  {links.speaker}  (this machine's browser, with its microphone)")
        warning = "everybody in this network can read the captions"
        if not links.phone.startswith("https:"):
            warning += ", and nothing is encrypted"
        report(
            f"{warning}: keep the operator's link to yourself, and do this only in a network that "
            "you trust"
        )


def qr_text(url: str) -> str:
    """The link as a QR code of characters, for a terminal."""
    import io

    import segno

    text = io.StringIO()
    segno.make(url, error="m", micro=False).terminal(out=text, border=2, compact=True)
    return text.getvalue()


def _token_variable(role: str) -> str:
    return f"GLOSSA_CAPTIONS_{role.upper()}_TOKEN"


def _lan_url(plan: StackPlan) -> str:
    from services.captions.web.lan_address import reached_host

    environment = plan.environment
    if environment.get(_PUBLIC_URL):
        return environment[_PUBLIC_URL].rstrip("/") + "/"
    number = port("captions_web", plan.port_base)
    host = reached_host(environment.get(_HOST) or "::", number) or f"127.0.0.1:{number}"
    return f"{web_scheme('captions', environment)}://{host}/"


def _secure_base(plan: StackPlan, base: str) -> str:
    """`base`, or this machine's own name for it: browsers give no page a microphone without HTTPS
    but one of this machine."""
    if base.startswith("https:"):
        return base
    return f"http://localhost:{port('captions_web', plan.port_base)}/"


def _page_token(environment: Mapping[str, str], role: str) -> str:
    """What is set for a role of the captions' pages, itself or as a file; empty without."""
    name = _token_variable(role)
    if environment.get(name):
        return environment[name]
    file = environment.get(f"{name}_FILE")
    return read_token(Path(file)) if file else ""


def _fragment(environment: Mapping[str, str], role: str) -> str:
    token = _page_token(environment, role)
    return f"#token={quote(token, safe='')}" if token else ""
