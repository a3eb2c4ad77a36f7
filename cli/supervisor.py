"""Keeps a stack running: a child process for each service, gated on health, started again."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path

from cli.child import Child, Health, log_tail, rotate_log
from cli.readiness import examine_profile
from cli.service_token import with_service_token
from cli.signals import on_signal
from cli.stack import (
    ALTERNATIVE,
    StackPlan,
    remove_description,
    sole_use,
    write_description,
)
from services.errors import Unavailable

# Started together, one wave after the other; stopped the other way round.
WAVES = (("redis", "mt", "stt", "qe", ALTERNATIVE), ("gateway",), ("captions", "collector"))

START_TIMEOUT_S = 600.0  # a large model from a slow disk
_START_SILENCE_LIMIT_S = 90.0  # while a runtime is being imported or compiles its kernels
_PROBE_INTERVAL_S = 1.0
_START_PROBE_INTERVAL_S = 0.05
SILENCE_LIMIT_S = 10.0  # a process that has not answered for this long is killed
_SILENCE_SHOWN_S = 2.5  # and shown as silent before that: after one probe without an answer
_STOP_TIMEOUT_S = 12.0  # a little more than the services' own drain_timeout_s
# A process that lived for less than this died quickly.
_QUICK_DEATH_S = 20.0
_QUICK_DEATHS_REPORTED = 5
_FIRST_BACKOFF_S = 0.25
_LAST_BACKOFF_S = 10.0
_STATUS_BAD_SETTINGS = 2  # services.settings.load exits so; another start would not help


@dataclass
class ServiceState:
    """What the supervisor knows of one service."""

    name: str
    state: str = "waiting"
    child: Child | None = None
    restarts: int = 0


class Supervisor:
    """The processes of one stack. `report` gets one line of text for people on each event."""

    def __init__(self, plan: StackPlan, report: Callable[[str], None]) -> None:
        self.plan = plan
        self.states = {name: ServiceState(name) for name in plan.services}
        self._report = report
        self._ready = {name: asyncio.Event() for name in plan.services}
        self._hurry = asyncio.Event()
        self._phase = "starting"

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The stack, ready from entry to exit.

        Raises:
            Unavailable: TOOL_MISSING, NOT_READY (a line for each reason was reported), PORT_TAKEN
                or START_FAILED.
            WrongState: ALREADY_RUNNING.
            InvalidInput: CERTIFICATE_MISSING, BAD_CERTIFICATE, and as with_service_token.
        """
        self.plan.check_tools()
        self.plan.check_certificates()
        await self._check_engines()
        with sole_use(self.plan.state_dir):
            self.plan.check_ports()
            for folder in ("logs", "redis", "gateway", "reports"):  # what was said is in there
                (self.plan.state_dir / folder).mkdir(mode=0o700, exist_ok=True)
            self.plan = with_service_token(self.plan)
            keepers: dict[str, asyncio.Task[None]] = {}
            try:
                async with asyncio.TaskGroup() as tasks:
                    try:
                        await self._start(tasks, keepers)
                        yield
                    finally:
                        await self._stop(keepers)
            except BaseExceptionGroup as group:
                raise _only_cause(group) from None
            finally:
                remove_description(self.plan.state_dir)

    async def _check_engines(self) -> None:
        plan = self.plan
        findings = await asyncio.to_thread(examine_profile, plan.profile, plan.environment)
        problems = [finding for finding in findings if not finding.good]
        for finding in problems:
            self._report(str(finding))
        if problems:
            raise Unavailable(
                "NOT_READY",
                f"the profile {plan.profile} cannot start as it was meant; "
                f"./glossa doctor --profile {plan.profile} shows all of it",
            )

    async def _start(
        self, tasks: asyncio.TaskGroup, keepers: dict[str, asyncio.Task[None]]
    ) -> None:
        started_at = time.monotonic()
        for wave in WAVES:
            names = [name for name in wave if name in self.states]
            self._report(f"starting {', '.join(names)} ...")
            for name in names:
                rotate_log(self._log_path(name))
                keepers[name] = tasks.create_task(self._keep(name), name=f"keep-{name}")
            try:
                async with asyncio.timeout(START_TIMEOUT_S):
                    for name in names:
                        await self._ready[name].wait()
            except TimeoutError:
                late = [name for name in names if not self._ready[name].is_set()]
                raise self._start_failed(
                    late[0], f"was not ready after {START_TIMEOUT_S:g} s"
                ) from None
        self._phase = "ready"
        self._describe()
        self._report(f"all services are ready after {time.monotonic() - started_at:.1f} s")

    async def _keep(self, name: str) -> None:
        """Starts the service again whenever it ends, for ever."""
        state = self.states[name]
        quick_deaths = 0
        while True:
            started_at = time.monotonic()
            state.child = await Child.start(
                name,
                self.plan.command(name),
                self.plan.address(name),
                self.plan.child_environment(name),
                self._log_path(name),
            )
            state.state = "starting"
            self._describe()
            reason = await self._watch(state, state.child)
            state.child = None
            lived_s = time.monotonic() - started_at
            quick_deaths = quick_deaths + 1 if lived_s < _QUICK_DEATH_S else 0
            if not self._ready[name].is_set() and (
                reason == f"ended with {_STATUS_BAD_SETTINGS}" or quick_deaths >= 3
            ):
                raise self._start_failed(name, reason)
            backoff_s = min(_FIRST_BACKOFF_S * 2 ** max(0, quick_deaths - 1), _LAST_BACKOFF_S)
            state.state = "restarting"
            state.restarts += 1
            self._report(f"{name} {reason}; starting it again in {backoff_s:g} s")
            if quick_deaths and quick_deaths % _QUICK_DEATHS_REPORTED == 0:
                self._report(
                    f"{name} died {quick_deaths} times in a row; its log ends with\n"
                    f"{log_tail(self._log_path(name))}"
                )
            self._describe()
            await asyncio.sleep(backoff_s)

    async def _watch(self, state: ServiceState, child: Child) -> str:
        """Waits until the process is over, ending it when it hangs. Returns what happened to it."""
        name = state.name
        ended = asyncio.create_task(child.ended())
        answered_at = time.monotonic()
        deadline_s = _START_SILENCE_LIMIT_S
        killed_for = ""
        try:
            while not ended.done():
                health = await _unless(ended, child.health())
                if health is not Health.SILENT:
                    answered_at = time.monotonic()
                if health is Health.SERVING and state.state != "ready" and not ended.done():
                    self._became_ready(state)
                    deadline_s = SILENCE_LIMIT_S
                silent_s = time.monotonic() - answered_at
                if silent_s > _SILENCE_SHOWN_S and state.state == "ready":
                    state.state = "silent"
                    self._describe()
                    self._report(f"{name} does not answer")
                if silent_s > deadline_s:
                    killed_for = f"gave no sign of life for {silent_s:.0f} s and was killed"
                    child.kill()
                interval_s = (
                    _PROBE_INTERVAL_S if state.state == "ready" else _START_PROBE_INTERVAL_S
                )
                await asyncio.wait({ended}, timeout=interval_s)
            status = ended.result()
        finally:
            ended.cancel()
            await child.close()
        how = f"was killed by signal {-status}" if status < 0 else f"ended with {status}"
        return f"{killed_for or how}" + (f" (log: {self._log_path(name)})" if killed_for else "")

    def _became_ready(self, state: ServiceState) -> None:
        first_time = not self._ready[state.name].is_set()
        state.state = "ready"
        self._ready[state.name].set()
        self._describe()
        self._report(f"{state.name} is ready" + ("" if first_time else " again"))

    async def _stop(self, keepers: dict[str, asyncio.Task[None]]) -> None:
        self._phase = "stopping"
        self._report("stopping ...")
        with on_signal(self._hurry.set):  # a second Ctrl-C does not wait for open calls
            for keeper in keepers.values():
                keeper.cancel()
            await asyncio.gather(*keepers.values(), return_exceptions=True)
            for wave in reversed(WAVES):
                states = [self.states[name] for name in wave if name in self.states]
                await asyncio.gather(*(self._stop_one(state) for state in states))
        self._report("stopped")

    async def _stop_one(self, state: ServiceState) -> None:
        child, state.child = state.child, None
        if child is None:
            return
        state.state = "stopping"
        stopping = asyncio.create_task(child.stop(_STOP_TIMEOUT_S))
        hurrying = asyncio.create_task(self._hurry.wait())
        await asyncio.wait({stopping, hurrying}, return_when=asyncio.FIRST_COMPLETED)
        hurrying.cancel()
        if not stopping.done():
            child.kill()
        if not await stopping:
            self._report(f"{state.name} did not stop in {_STOP_TIMEOUT_S:g} s and was killed")
        state.state = "stopped"

    def _start_failed(self, name: str, reason: str) -> Unavailable:
        path = self._log_path(name)
        return Unavailable(
            "START_FAILED",
            f"{name} could not be started: it {reason}; its log {path} ends with\n{log_tail(path)}",
            service=name,
        )

    def _log_path(self, name: str) -> Path:
        return self.plan.state_dir / "logs" / f"{name}.log"

    def _describe(self) -> None:
        plan = self.plan
        write_description(
            plan.state_dir,
            {
                "pid": os.getpid(),
                "phase": self._phase,
                "profile": plan.profile,
                "state_dir": str(plan.state_dir),
                "certificates_dir": str(plan.certificates_dir or ""),
                "port_base": plan.port_base,
                "page_url": plan.page_url,
                "review_url": plan.review_url,
                "ports": plan.ports(),
                "addresses": {name: plan.address(name) for name in plan.services},
                "services": {
                    name: {
                        "state": state.state,
                        "pid": state.child.pid if state.child else None,
                        "restarts": state.restarts,
                    }
                    for name, state in self.states.items()
                },
            },
        )


async def _unless(ended: asyncio.Task[int], probing: Coroutine[None, None, Health]) -> Health:
    """The probe's answer; SILENT as soon as the process is over."""
    probe = asyncio.create_task(probing)
    try:
        await asyncio.wait({probe, ended}, return_when=asyncio.FIRST_COMPLETED)
        return probe.result() if probe.done() else Health.SILENT
    finally:
        probe.cancel()
        await asyncio.wait({probe})


def _only_cause(error: BaseException) -> BaseException:
    """What a group holds, if all of that is one error: callers look for it by its type."""
    while isinstance(error, BaseExceptionGroup) and len(set(map(repr, error.exceptions))) == 1:
        error = error.exceptions[0]
    return error
