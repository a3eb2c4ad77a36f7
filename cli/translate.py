"""`./glossa translate`: one text, or a line at a time from stdin, through a running mt."""

from __future__ import annotations

import click


@click.command()
@click.argument("text", nargs=-1)
@click.option("--from", "source_language", default="en", show_default=True)
@click.option("--to", "target_language", default="es", show_default=True)
@click.option("--mt", "address", help="host:port  [default: the stack running here]")
def translate(
    text: tuple[str, ...], source_language: str, target_language: str, address: str | None
) -> None:
    """Translate TEXT, or every line of stdin when there is none, through a running stack."""
    import sys

    import grpc

    from cli.client import as_glossa_error
    from cli.signals import run_until_signalled
    from cli.stack import address_of
    from glossa.mt.v1 import mt_pb2, mt_pb2_grpc
    from services.serving import CHANNEL_OPTIONS

    lines = [" ".join(text)] if text else [line.strip() for line in sys.stdin]
    lines = [line for line in lines if line]

    async def translate_lines() -> None:
        target = address or address_of("mt")
        async with grpc.aio.insecure_channel(target, options=CHANNEL_OPTIONS) as channel:
            stub = mt_pb2_grpc.MtServiceStub(channel)
            for line in lines:
                request = mt_pb2.TranslateRequest(
                    text=line, source_language=source_language, target_language=target_language
                )
                try:
                    answer = await stub.Translate(request, timeout=30)
                except grpc.aio.AioRpcError as error:
                    raise as_glossa_error(error) from error
                click.echo(answer.text)

    run_until_signalled(translate_lines())
