"""A Redis elsewhere, reached over TLS with the authority of the stack."""

from __future__ import annotations

from pathlib import Path

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from services.certificates import chain_file, key_file
from services.collector.redis_client import open_redis
from tests.collector.redis_process import RedisProcess
from tests.conftest import MakeCertificates
from tests.processes import free_port_base


async def test_redis_is_reached_over_tls_by_the_url_alone(
    tmp_path: Path, certificates_dir: Path, certificates: MakeCertificates
) -> None:
    base = free_port_base()
    redis = RedisProcess(
        base,
        tmp_path / "redis",
        *("--tls-port", str(base + 1), "--tls-auth-clients", "no"),
        *("--tls-ca-cert-file", str(certificates_dir / "ca.pem")),
        *("--tls-cert-file", str(chain_file(certificates_dir, "collector"))),
        *("--tls-key-file", str(key_file(certificates_dir, "collector"))),
    )
    redis.start()
    try:
        url = redis.url_of("collector", base + 1).replace("redis://", "rediss://")
        async with open_redis(f"{url}?ssl_ca_certs={certificates_dir / 'ca.pem'}", 10.0) as told:
            await told.set("glossa:tls", "yes")
            assert await told.get("glossa:tls") == "yes"
        async with open_redis(f"{url}?ssl_ca_certs={certificates() / 'ca.pem'}", 10.0) as doubting:
            with pytest.raises(RedisConnectionError, match="certificate verify failed"):
                await doubting.get("glossa:tls")
    finally:
        redis.kill()
