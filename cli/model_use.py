"""`./glossa models use` and `rollback`: change a model while people speak."""

from __future__ import annotations

from typing import Any

import click

_service = click.argument("service", type=click.Choice(["stt", "mt", "qe"]))
_tier = click.option(
    "--tier",
    default="",
    help="For stt final, partial or fallback, for mt final or draft, for qe learned.  "
    "[default: final; of qe learned]",
)
_address = click.option("--address", help="host:port  [default: the stack running here]")


@click.command()
@_service
@click.argument("model", required=False, default="")
@_tier
@click.option("--engine", default="", help="Another engine or runtime, too.")
@_address
def use(service: str, model: str, tier: str, engine: str, address: str | None) -> None:
    """Take MODEL into use in a running stt, mt or qe, without interrupting anybody.

    It is loaded beside the one in use and must pass a trial first; when anything is wrong, the old
    one stays. Without MODEL it is the engine's own. After the next start the profile's model is
    back: to keep another one, set GLOSSA_STT_MODEL, GLOSSA_MT_MODEL or GLOSSA_QE_MODEL.

    \b
    ./glossa models use stt small.en
    ./glossa models use mt translategemma-12b-it-Q4_K_M --engine gguf
    ./glossa models use qe wmt22-cometkiwi-da
    """
    from glossa.types.v1 import models_pb2

    _ask(
        service,
        address,
        "LoadModel",
        models_pb2.LoadModelRequest(tier=tier, engine=engine, model=model),
    )


@click.command()
@_service
@_tier
@_address
def rollback(service: str, tier: str, address: str | None) -> None:
    """Go back to the model that a running stt, mt or qe used before."""
    from glossa.types.v1 import models_pb2

    _ask(service, address, "Rollback", models_pb2.RollbackRequest(tier=tier))


def _ask(service: str, address: str | None, method: str, request: object) -> None:
    import grpc

    from cli.client import Peer, as_glossa_error
    from cli.signals import run_until_signalled
    from cli.stack import address_of
    from glossa.types.v1 import models_pb2_grpc
    from services.channels import open_channel

    # A large model from a slow disk.
    load_timeout_s = 600.0

    async def ask() -> None:
        target = address or address_of(service)
        async with open_channel(target) as channel:
            call = getattr(models_pb2_grpc.ModelServiceStub(channel), method)
            click.echo(f"glossa: asking {service} at {target} to load and try it ...", err=True)
            try:
                answer = await call(request, timeout=load_timeout_s)
            except grpc.aio.AioRpcError as error:
                raise as_glossa_error(error, Peer(service, target, "--address")) from error
            click.echo(
                f"{service} {answer.current.tier}: {_named(answer.current)} "
                f"(before: {_named(answer.previous)}), after {answer.load_ms / 1000:.1f} s"
            )

    run_until_signalled(ask(), signalled_status=130)


def _named(model: Any) -> str:
    if not model.model or model.model.startswith(f"{model.engine}/"):
        return str(model.model or model.engine)
    return f"{model.engine}/{model.model}"
