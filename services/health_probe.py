"""Asks the service of this container over gRPC whether it serves: the health check of its image.

Exits with 0 when it does, with 1 and a line that says why when it does not. An event loop that is
stuck does not answer. The container's engine starts this every few seconds, so it imports nothing
that it can do without: no settings (the image says the port) and no protobuf.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import grpc

from services.channels import Identity, identify, open_blocking_channel
from services.errors import GlossaError

_TIMEOUT_S = 5.0
_METHOD = "/grpc.health.v1.Health/Check"
_ANY_SERVICE = b""  # HealthCheckRequest{}
_SERVING = b"\x08\x01"  # HealthCheckResponse{status: SERVING}


def main() -> None:
    service = os.environ["SERVICE"]
    prefix = f"GLOSSA_{service.upper()}_"
    directory = os.environ.get(f"{prefix}CERTIFICATES_DIR") or os.environ.get(
        "GLOSSA_CERTIFICATES_DIR"
    )
    identify(Identity(Path(directory) if directory else None, service))
    try:
        with open_blocking_channel(f"127.0.0.1:{os.environ[f'{prefix}GRPC_PORT']}") as channel:
            answer = channel.unary_unary(_METHOD)(_ANY_SERVICE, timeout=_TIMEOUT_S)
    except grpc.RpcError as error:
        sys.exit(f"not serving: {error.code().name}: {error.details()}")
    except GlossaError as error:
        sys.exit(f"not serving: {error}")
    if answer != _SERVING:
        sys.exit("not serving: it loads or drains")


if __name__ == "__main__":
    main()
