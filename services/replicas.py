"""Channels to a service that runs several times: an address that names all of them.

`host:port` is one process, and gRPC's own ways are good enough for it. An address with a scheme
(`dns:///tasks.mt:7304` in a swarm, the name of a headless Service in Kubernetes) stands for
replicas: calls go round those that serve, and what one of them loses is asked of another.
"""

from __future__ import annotations

import json

# The schemes of gRPC that may stand for several addresses (grpc/doc/naming.md).
_SCHEMES = ("dns:", "ipv4:", "ipv6:")
# Translations and scores change nothing where they are made, so a call that a dying replica lost
# may be made again. Streams are the gateway's to repeat: it knows what it has had of them.
_REPEATABLE = (
    {"service": "glossa.mt.v1.MtService", "method": "Translate"},
    {"service": "glossa.qe.v1.QeService", "method": "Score"},
)
_SERVICE_CONFIG = {
    "loadBalancingConfig": [{"round_robin": {}}],
    # A replica that loads its model, or drains, gets nothing.
    "healthCheckConfig": {"serviceName": ""},
    "methodConfig": [
        {
            "name": list(_REPEATABLE),
            # All attempts share the deadline of the call.
            "retryPolicy": {
                "maxAttempts": 5,  # the most that gRPC allows
                "initialBackoff": "0.05s",
                "maxBackoff": "0.5s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ],
}
_OPTIONS: list[tuple[str, int | str]] = [
    ("grpc.service_config", json.dumps(_SERVICE_CONFIG)),
    # The names are asked again when a connection breaks; gRPC would wait 30 s before it does.
    ("grpc.dns_min_time_between_resolutions_ms", 1_000),
]


def replica_options(address: str) -> list[tuple[str, int | str]]:
    """What a channel to `address` needs beyond that to one process."""
    return _OPTIONS if address.startswith(_SCHEMES) else []
