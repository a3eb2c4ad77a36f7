"""The checks of `doctor`."""

from __future__ import annotations

import asyncio
import ctypes.util
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from cli.child import Health, probe_of
from cli.finding import Finding
from cli.readiness import examine_profile, installed_runtimes
from cli.stack import DEFAULT_STATE_DIR, port_is_free, read_profile, running_stack
from services.settings import PORT_BASE, PORT_OFFSETS

_MODES = ("/usr/share/apertium/modes", "/usr/local/share/apertium/modes")
_STATS_TIMEOUT_S = 5.0
_FREE_BYTES = 2 * 1024**3  # an hour of kept audio is 115 MB; the rest is journals, Redis and logs


async def examine(profile: str | None) -> tuple[list[Finding], str]:
    """Every check, cheapest first, and a line that says what to do next.

    Args:
        profile: None for the one of the running stack, or embedded.

    Raises:
        InvalidInput: UNKNOWN_PROFILE.
    """
    description = running_stack()
    profile = profile or (description or {}).get("profile") or "embedded"
    variables = {**read_profile(profile), **os.environ}
    findings = [_python(), *_tools(), _portaudio(), _disk(_state_dir(description))]
    findings.append(installed_runtimes())
    if directory := os.environ.get("GLOSSA_CERTIFICATES_DIR"):
        findings.append(_certificates(Path(directory)))
    findings.append(Finding(f"profile {profile}", good=True))
    findings += await asyncio.to_thread(examine_profile, profile, variables)
    if description is None:
        findings.append(_ports())
    else:
        findings.append(Finding(f"a stack runs in {description['state_dir']}", good=True))
        findings += await _running(description)
    return findings, _next_step(findings, profile, description)


async def _running(description: dict[str, Any]) -> list[Finding]:
    """How the services of a stack are; one line where none could be asked."""
    ours = os.environ.get("GLOSSA_CERTIFICATES_DIR")
    theirs = description.get("certificates_dir", ours)
    if theirs and not ours:
        advice = f"GLOSSA_CERTIFICATES_DIR={theirs} ./glossa doctor"
        return [Finding("it runs with certificates, and here none are named", False, advice)]
    if ours and not theirs:
        advice = "unset GLOSSA_CERTIFICATES_DIR, or start it again with them"
        return [Finding("it runs without certificates, and here some are named", False, advice)]
    findings = [
        await _service(name, description) for name in description["services"] if name != "redis"
    ]
    return [*findings, *await _estimators(description), await _queues(description)]


def _next_step(findings: list[Finding], profile: str, description: dict[str, Any] | None) -> str:
    wrong = [finding for finding in findings if not finding.good]
    if wrong:
        return str(wrong[0]) + (f" (the first of {len(wrong)})" if len(wrong) > 1 else "")
    if description is not None:
        return f"open {description['page_url']}"
    chosen = "" if profile == "embedded" else f" --profile {profile}"
    return f"./glossa up{chosen}, or ./glossa demo{chosen} to see it work"


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    good = (3, 11) <= sys.version_info[:2] <= (3, 12)
    return Finding(f"Python {version}", good, "" if good else "install Python 3.11 or 3.12")


def _tools() -> list[Finding]:
    findings = []
    for tool in ("apertium", "redis-server", "flite"):
        path = shutil.which(tool)
        findings.append(
            Finding(f"{tool} {path or 'is missing'}", bool(path), _install(tool, bool(path)))
        )
    has_pair = any(Path(folder, "eng-spa.mode").exists() for folder in _MODES)
    subject = "apertium English-Spanish" + ("" if has_pair else " is missing")
    return [*findings, Finding(subject, has_pair, _install("apertium-eng-spa", has_pair))]


def _install(package: str, is_there: bool) -> str:
    return "" if is_there else f"apt-get install {package}"


def _portaudio() -> Finding:
    found = ctypes.util.find_library("portaudio") is not None
    return Finding(
        "PortAudio" if found else "PortAudio is missing",
        good=True,
        advice="" if found else "needed for `live --mic` alone: apt-get install libportaudio2",
    )


def _state_dir(description: dict[str, Any] | None) -> Path:
    """The folder of the stack that runs, else of the one that `up` would start."""
    if description is not None:
        return Path(description["state_dir"])
    return Path(os.environ.get("GLOSSA_STATE_DIR") or DEFAULT_STATE_DIR).resolve()


def _disk(state_dir: Path) -> Finding:
    folder = next(path for path in (state_dir, *state_dir.parents) if path.exists())
    free_bytes = shutil.disk_usage(folder).free
    return Finding(
        f"{free_bytes / 1024**3:.1f} GiB free in {folder}",
        good=free_bytes >= _FREE_BYTES,
        advice="" if free_bytes >= _FREE_BYTES else "make room, or use another --state-dir",
    )


def _certificates(directory: Path) -> Finding:
    from cli.certificate_list import finding

    return finding(directory)


def _ports() -> Finding:
    taken = [
        PORT_BASE + offset
        for offset in PORT_OFFSETS.values()
        if not port_is_free(PORT_BASE + offset)
    ]
    last = PORT_BASE + max(PORT_OFFSETS.values())
    if not taken:
        return Finding(f"ports {PORT_BASE} to {last} are free; no stack is running", good=True)
    listed = ", ".join(map(str, taken))
    return Finding(
        f"port(s) {listed} taken", good=False, advice="stop what uses them, or use --port-base"
    )


async def _service(name: str, description: dict[str, Any]) -> Finding:
    probe = probe_of(name, description["addresses"][name])
    try:
        health = await probe.health()
    finally:
        await probe.close()
    restarts = description["services"][name]["restarts"]
    return Finding(
        f"{name} is {health.value}" + (f", started again {restarts} times" if restarts else ""),
        good=health is Health.SERVING,
        advice=""
        if health is Health.SERVING
        else f"see {description['state_dir']}/logs/{name}.log",
    )


async def _estimators(description: dict[str, Any]) -> list[Finding]:
    """The engines that qe was to measure with and has not; a qe that does not answer says none."""
    import grpc

    from glossa.types.v1 import models_pb2, models_pb2_grpc
    from services.channels import open_channel

    address = description["addresses"]["qe"]
    async with open_channel(address) as channel:
        stub = models_pb2_grpc.ModelServiceStub(channel)
        try:
            answer = await stub.GetModel(models_pb2.GetModelRequest(), timeout=_STATS_TIMEOUT_S)
        except grpc.aio.AioRpcError:
            return []
    return [
        Finding(
            f"qe runs without {tier.engine}: pairs get no such signal, and are never accepted",
            good=True,
            advice=f"see {description['state_dir']}/logs/qe.log",
        )
        for tier in answer.tiers
        if not tier.model
    ]


async def _queues(description: dict[str, Any]) -> Finding:
    """Whether Redis keeps what it is given, as the collector found it set up."""
    import grpc

    from glossa.collector.v1 import collector_pb2, collector_pb2_grpc
    from services.channels import open_channel

    address = description["addresses"]["collector"]
    async with open_channel(address) as channel:
        stub = collector_pb2_grpc.CollectorServiceStub(channel)
        try:
            stats = await stub.Stats(collector_pb2.StatsRequest(), timeout=_STATS_TIMEOUT_S)
        except grpc.aio.AioRpcError as error:
            return Finding(
                "the collector does not say whether pairs are kept",
                good=False,
                advice=str(error.details()),
            )
    risks = list(stats.queue_risks)
    return Finding(
        "redis can lose pairs" if risks else "redis keeps what it is given",
        good=not risks,
        advice="; ".join(risks),
    )
