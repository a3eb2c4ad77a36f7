"""What the containers may do, what is in them, and that they come back with all that was kept."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from services.settings import SERVICES
from tests.contract.composed_session import (
    PASSWORDS,
    SENTENCES,
    queued_pairs,
    speak,
    wait_for,
    whole_report,
)
from tests.contract.docker_compose import ComposedStack, on_engine
from tests.processes import REPOSITORY

pytestmark = on_engine()

PACKAGES = "/app/sbom.cdx.json"
CONTAINERS = sorted({"redis", *SERVICES})
JOURNAL = """
import hashlib, sqlite3, sys
journal = sqlite3.connect("file:/var/lib/glossa/gateway/journal.db?mode=ro", uri=True)
select = "SELECT sequence, kind, event FROM events WHERE session_id = ? ORDER BY sequence"
for sequence, kind, event in journal.execute(select, sys.argv[1:]):
    print(sequence, kind, hashlib.sha256(event).hexdigest())
"""
# A command that ends the Docker engine and starts it again: "systemctl restart docker".
RESTART_ENGINE = os.environ.get("GLOSSA_TEST_ENGINE_RESTART")


def test_each_process_has_a_user_of_its_own_and_no_rights_beside(stack: ComposedStack) -> None:
    for name in CONTAINERS:
        container = stack.container(name)
        pid, limits = container.attrs["State"]["Pid"], container.attrs["HostConfig"]
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        status = dict(line.split(":\t", 1) for line in lines)
        assert "0" not in status["Uid"].split(), name
        for rights in ("CapPrm", "CapEff", "CapBnd", "CapAmb"):
            assert int(status[rights], 16) == 0, (name, rights)
        assert status["NoNewPrivs"] == "1", name
        assert limits["ReadonlyRootfs"], name
        assert limits["Memory"] >= 1 << 30, name
        assert 0 < limits["PidsLimit"] <= 512, name


def test_an_image_lists_its_packages_in_cyclonedx(stack: ComposedStack) -> None:
    listed = stack.said("mt", "cat", PACKAGES)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(listed) is None
    packages = {part["name"] for part in json.loads(listed)["components"]}
    assert "grpcio" in packages
    assert not {"cyclonedx-bom", "pip"} & packages


def test_each_list_has_what_its_image_holds_in_the_versions_that_are_pinned(
    stack: ComposedStack,
) -> None:
    pinned = dict(
        line.split(";")[0].strip().split("==")
        for line in (REPOSITORY / "constraints.txt").read_text().lower().splitlines()
        if "==" in line and not line.startswith("#")
    )
    for name in sorted(SERVICES):
        components = json.loads(stack.said(name, "cat", PACKAGES))["components"]
        for part in components:
            package = part["name"].lower().replace("_", "-")
            assert part["version"] == pinned[package], (name, package)
        installed = stack.said(name, "ls", "/opt/venv/lib/python3.11/site-packages").split()
        assert len(components) == len([it for it in installed if it.endswith(".dist-info")])


def all_are_healthy(stack: ComposedStack) -> bool:
    states = [stack.container(name).attrs["State"] for name in CONTAINERS]
    return all(state["Running"] and state["Health"]["Status"] == "healthy" for state in states)


def test_whatever_is_killed_is_started_again_and_captions_go_on(
    stack: ComposedStack, session: str, tmp_path: Path
) -> None:
    killed = {name: stack.container(name).attrs["State"]["Pid"] for name in CONTAINERS}
    for pid in killed.values():
        os.kill(pid, signal.SIGKILL)

    def are_back() -> bool:
        pids = {name: stack.container(name).attrs["State"]["Pid"] for name in CONTAINERS}
        return all(pids[name] not in (0, pid) for name, pid in killed.items())

    wait_for(are_back, "not all of them are back")
    wait_for(lambda: all_are_healthy(stack), "not all of them are healthy")
    spoken = speak(stack, tmp_path, SENTENCES[:1])
    assert whole_report(stack, spoken)["segments"]["finals"] == 1
    assert queued_pairs(stack, session)


def kept(stack: ComposedStack, session: str) -> tuple[object, ...]:
    """What is to outlive containers: passwords, journal, pairs, the report and the audio."""
    journalled = stack.said("gateway", "python", "-c", JOURNAL, session).splitlines()
    assert {line.split()[1] for line in journalled} >= {"transcript", "translation", "pair_scored"}
    return (
        journalled,
        [stack.said("redis", "cat", path) for path in PASSWORDS],
        queued_pairs(stack, session),
        whole_report(stack, session),
        stack.said("gateway", "sh", "-c", "cd /var/lib/glossa/gateway/audio && ls -l *"),
    )


def test_it_stops_in_good_order_and_what_is_kept_outlives_its_containers(
    stack: ComposedStack, session: str
) -> None:
    before = kept(stack, session)
    assert stack.compose("stop").returncode == 0
    for name in CONTAINERS:
        assert stack.container(name).attrs["State"]["ExitCode"] == 0, name
    stack.down()
    stack.up()
    assert kept(stack, session) == before


@pytest.mark.skipif(
    not RESTART_ENGINE, reason="GLOSSA_TEST_ENGINE_RESTART does not say how to restart the engine"
)
def test_it_comes_back_by_itself_with_the_engine(stack: ComposedStack, session: str) -> None:
    before = kept(stack, session)
    started = {name: stack.container(name).attrs["State"]["StartedAt"] for name in CONTAINERS}
    done = subprocess.run(["bash", "-c", RESTART_ENGINE or ""], cwd=REPOSITORY, check=False)
    assert done.returncode == 0
    wait_for(lambda: all_are_healthy(stack), "not all of them are healthy")
    for name in CONTAINERS:
        assert stack.container(name).attrs["State"]["StartedAt"] > started[name], name
    assert kept(stack, session) == before
