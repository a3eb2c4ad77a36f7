"""Who may do what in Redis, with the users that the stack's own Redis starts with."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from services.collector.settings import CollectorSettings
from services.settings import port
from tests.collector.redis_process import START, RedisProcess
from tests.processes import free_port_base

ACCEPT, CORRECTED = "glossa:pairs:accept", "glossa:pairs:corrected"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisProcess]:
    server = RedisProcess(port("redis", free_port_base()), tmp_path / "redis")
    server.start()
    try:
        yield server
    finally:
        server.kill()


def client(server: RedisProcess, user: str) -> redis.Redis:
    return redis.Redis.from_url(server.url_of(user, server.port), decode_responses=True)


def is_refused(connection: redis.Redis, *command: object) -> bool:
    try:
        connection.execute_command(*command)
    except redis.exceptions.NoPermissionError:
        return True
    return False


def test_nobody_may_do_more_than_ask_whether_it_is_alive(server: RedisProcess) -> None:
    nobody = redis.Redis(port=server.port)
    with pytest.raises(redis.exceptions.AuthenticationError):
        nobody.ping()
    health = redis.Redis(port=server.port, username="health", password="any")
    assert health.ping()
    for command in (("GET", "glossa:pairs:counts"), ("XLEN", ACCEPT), ("KEYS", "*"), ("INFO",)):
        assert is_refused(health, *command), command
    url = f"redis://collector:wrong@127.0.0.1:{server.port}/0"  # pragma: allowlist secret
    with pytest.raises(redis.exceptions.AuthenticationError):
        redis.Redis.from_url(url).ping()


def test_the_collector_adds_pairs_and_touches_nothing_else(server: RedisProcess) -> None:
    collector = client(server, "collector")
    assert collector.xadd(ACCEPT, {"pair_id": "a/1/es"})
    assert collector.eval("return redis.call('XLEN', KEYS[1])", 1, ACCEPT) == 1
    for command in (
        ("SET", "other", "1"),
        ("FLUSHALL",),
        ("CONFIG", "SET", "appendonly", "no"),
        ("KEYS", "*"),
        ("ACL", "LIST"),
        ("SHUTDOWN",),
    ):
        assert is_refused(collector, *command), command


def test_a_trainer_reads_and_acknowledges_and_changes_nothing(server: RedisProcess) -> None:
    collector, trainer = client(server, "collector"), client(server, "trainer")
    for stream in (ACCEPT, CORRECTED):
        collector.xadd(stream, {"pair_id": "a/1/es"})
        trainer.xgroup_create(stream, "marian", id="0")
        ((_, ((entry_id, fields),)),) = trainer.xreadgroup("marian", "job-1", {stream: ">"})
        assert fields == {"pair_id": "a/1/es"}
        assert trainer.xautoclaim(stream, "marian", "job-2", min_idle_time=0)[1]
        assert trainer.xack(stream, "marian", entry_id) == 1
        assert trainer.xpending(stream, "marian")["pending"] == 0
        for command in (
            ("XADD", stream, "*", "pair_id", "forged"),
            ("XDEL", stream, entry_id),
            ("XTRIM", stream, "MAXLEN", "0"),
            ("DEL", stream),
            ("XGROUP", "DESTROY", stream, "marian"),
        ):
            assert is_refused(trainer, *command), command
    for command in (("XLEN", "glossa:pairs:review"), ("GET", "glossa:pairs:counts"), ("INFO",)):
        assert is_refused(trainer, *command), command


def test_redis_keeps_no_log_of_what_was_written_to_it(server: RedisProcess) -> None:
    """Its log of slow commands would hold texts of a forgotten session."""
    assert client(server, "operator").config_get("slowlog-log-slower-than") == {
        "slowlog-log-slower-than": "-1"
    }


def test_passwords_are_made_once_and_only_their_owner_reads_them(tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "redis-server").write_text("#!/bin/sh\n")  # what is looked at is what start prepares
    (tools / "redis-server").chmod(0o755)
    shared = tmp_path / "shared.password"
    environment = {
        "PATH": f"{tools}:{os.environ['PATH']}",
        "GLOSSA_REDIS_TRAINER_PASSWORD_FILE": str(shared),
    }
    found = []
    for _ in range(2):
        subprocess.run([START, tmp_path / "redis"], env=environment, check=True)
        collector = tmp_path / "redis" / "collector.password"
        found.append((collector.read_text(), shared.read_text()))
        assert collector.stat().st_mode & 0o777 == 0o600
        acl = tmp_path / "redis" / "users.acl"
        assert acl.stat().st_mode & 0o777 == 0o600
        for password in found[-1]:
            assert password not in acl.read_text()
            assert f"#{hashlib.sha256(password.encode()).hexdigest()} " in acl.read_text()
        assert "HASH" not in acl.read_text()
    assert found[0] == found[1]
    assert all(re.fullmatch("[0-9a-f]{64}", password) for password in found[0])
    assert found[0][0] != found[0][1]


def test_the_password_comes_from_its_file_and_a_missing_one_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    password_file = tmp_path / "password"
    password_file.write_text("s/ecret?\n")
    monkeypatch.setenv("GLOSSA_COLLECTOR_REDIS_PASSWORD_FILE", str(password_file))
    monkeypatch.setenv("GLOSSA_COLLECTOR_REDIS_URL", "redis://collector@127.0.0.1:7313/0")
    url = CollectorSettings().redis_url_with_password()
    kept = redis.Redis.from_url(url).connection_pool.connection_kwargs
    assert (kept["username"], kept["password"], kept["port"]) == ("collector", "s/ecret?", 7313)
    password_file.unlink()
    with pytest.raises(ValueError, match="cannot be read"):
        CollectorSettings()


def test_what_the_users_wrote_is_there_after_a_restart(server: RedisProcess) -> None:
    """Redis replays its append-only file as the default user."""
    script = "redis.call('XADD', KEYS[1], '*', 'a', '1') redis.call('SET', KEYS[2], '1')"
    client(server, "collector").eval(script, 2, ACCEPT, "glossa:pairs:cursor:journal")
    client(server, "trainer").xgroup_create(ACCEPT, "marian", id="0")
    server.kill()
    server.start()
    assert server.client.xlen(ACCEPT) == 1
    assert server.client.get("glossa:pairs:cursor:journal") == "1"
    assert server.client.xinfo_groups(ACCEPT)[0]["name"] == "marian"
