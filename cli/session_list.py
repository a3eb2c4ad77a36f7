"""The sessions that a gateway knows, for verbs that work on one of them."""

from __future__ import annotations

from typing import Any

import click
import grpc
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.client import Peer, as_glossa_error
from cli.stack import address_of
from glossa.gateway.v1 import gateway_pb2, gateway_pb2_grpc
from services.channels import open_channel
from services.errors import NotFound

_LIST_TIMEOUT_S = 10.0
_SESSIONS_LISTED = 20


async def newest_sessions(gateway: str | None, count: int = _SESSIONS_LISTED) -> list[Any]:
    """Sessions of gateway.proto, newest first.

    Args:
        gateway: host:port; None: that of the running stack.

    Raises:
        GlossaError: the gateway does not answer.
    """
    address = gateway or address_of("gateway")
    async with open_channel(address) as channel:
        stub = gateway_pb2_grpc.GatewayServiceStub(channel)
        try:
            answer = await stub.ListSessions(
                gateway_pb2.ListSessionsRequest(page_size=count), timeout=_LIST_TIMEOUT_S
            )
        except grpc.aio.AioRpcError as error:
            raise as_glossa_error(error, Peer("gateway", address, "--gateway")) from error
        return list(answer.sessions)


async def last_session(gateway: str | None) -> str:
    """The id of the newest one. Raises NotFound: NO_SESSION; GlossaError as above."""
    sessions = await newest_sessions(gateway, 1)
    if not sessions:
        raise NotFound(
            "NO_SESSION", "there is no session yet: ./glossa live FILE, or ./glossa demo, makes one"
        )
    return str(sessions[0].session_id)


def print_sessions(sessions: list[Any]) -> None:
    """A table on stdout."""
    if not sessions:
        click.echo("There is no session yet: ./glossa live FILE, or ./glossa demo, makes one.")
        return
    table = Table(title="Sessions, newest first", title_justify="left")
    table.add_column("id", no_wrap=True)  # whole: it is what one goes on with
    for heading in ("title", "began (UTC)", "languages"):
        table.add_column(heading)
    table.add_column("sentences", justify="right")
    for session in sessions:
        table.add_row(
            session.session_id,
            Text(session.title),
            session.start_time.ToDatetime().isoformat(sep=" ", timespec="minutes"),
            f"{session.source_language} > {', '.join(session.target_languages)}",
            str(session.final_count),
        )
    Console().print(table)
