"""One service on its own, for a verb that needs no whole stack: started, used, ended."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cli.catalogue import WITHOUT_MODEL
from cli.child import Child, Health, log_tail
from cli.stack import address_of, free_port_base, plan, python_of, running_stack
from services.errors import GlossaError, InvalidInput, Unavailable
from services.marian import model_folders
from services.stt.engine import ENGINES

# Apart from where stacks are: verbs that find no stack would talk to this one.
_PORT_BASE = 19_300
_LOAD_TIMEOUT_S = 600.0  # a large model from a slow disk
_PROBE_INTERVAL_S = 0.1
_STOP_TIMEOUT_S = 12.0

# gRPC's core tells of a peer that goes away, which is what ends every use of a lone service.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")


Lone = tuple[str, Mapping[str, str]]  # profile, and GLOSSA_* settings over it


@dataclass(frozen=True)
class LoneService:
    """A service that is ready."""

    address: str  # host:port of its gRPC server
    pid: int
    log_path: Path


@contextlib.asynccontextmanager
async def lone_service(
    name: str,
    profile: str,
    settings: Mapping[str, str],
    report: Callable[[str], None] = lambda line: None,
) -> AsyncIterator[LoneService]:
    """Starts `services.<name>` with a profile's variables and then `settings` over them.

    Args:
        settings: GLOSSA_* variables; an empty value takes the profile's away.
        report: gets a line for people when it takes long.

    Raises:
        InvalidInput: UNKNOWN_PROFILE, or ENGINE_WITHOUT_MODELS when `settings` name a model for it.
        Unavailable: START_FAILED with the end of its log.
    """
    with tempfile.TemporaryDirectory(prefix=f"glossa-{name}-") as folder:
        base = free_port_base(_PORT_BASE)
        stack_plan = plan(profile, Path(folder), base, {**os.environ, **settings})
        log_path = Path(folder) / f"{name}.log"
        environment = stack_plan.child_environment()
        _check_model(name, settings, environment)
        child = await Child.start(
            name,
            [python_of(name, environment), "-P", "-m", f"services.{name}"],
            stack_plan.address(name),
            {key: value for key, value in environment.items() if settings.get(key) != ""},
            log_path,
        )
        try:
            await _wait_ready(child, log_path, report)
            yield LoneService(stack_plan.address(name), child.pid, log_path)
        finally:
            await child.stop(_STOP_TIMEOUT_S)
            await child.close()


@contextlib.asynccontextmanager
async def service_for(name: str, address: str | None, lone: Lone | None) -> AsyncIterator[str]:
    """The address of the service that a verb is to talk to; progress goes to stderr.

    Args:
        address: where the user says that it is; None for the stack that runs here.
        lone: profile and settings of one to start instead; so it is also when no stack runs.
    """

    def report(line: str) -> None:
        sys.stderr.write(f"glossa: {line}\n")

    if lone is None and address is None and running_stack() is None:
        report(f"no stack is running here: starting {name} alone")
        lone = (os.environ.get("GLOSSA_PROFILE") or "embedded", {})
    if lone is None:
        yield address or address_of(name)
        return
    profile, settings = lone
    async with lone_service(name, profile, settings, report) as service:
        yield service.address


def _check_model(name: str, settings: Mapping[str, str], environment: Mapping[str, str]) -> None:
    """Refuses a model that would not be looked at."""
    choice = "runtime" if name == "mt" else "engine"
    engine = environment.get(f"GLOSSA_{name.upper()}_{choice.upper()}", "")
    model = settings.get(f"GLOSSA_{name.upper()}_MODEL")
    if model and engine in WITHOUT_MODEL and not _is_language_model(engine, model):
        raise InvalidInput(
            "ENGINE_WITHOUT_MODELS",
            f"{engine} takes no model, and {model!r} would not be used; name the {choice} that it "
            "is for, too",
        )
    if model and engine == "embedded":
        _check_own_model(model, Path(environment["GLOSSA_MT_MODELS_DIR"]))


def _check_own_model(model: str, models_dir: Path) -> None:
    """Apertium would speak alone where the model named is not one that `embedded` can load."""
    try:
        model_folders(model, models_dir)
    except GlossaError as error:
        raise InvalidInput(
            "MODEL_MISSING",
            f"the runtime embedded cannot take {model!r}: {error.message}; name the runtime that "
            "it is for, too",
            model=model,
        ) from error


def _is_language_model(engine: str, model: str) -> bool:
    """Whether it takes the place of what the recogniser brings with it."""
    entry = ENGINES.get(engine)
    return entry is not None and (
        model == entry.own_model or (Path(model) / "model.dict").is_file()
    )


async def _wait_ready(child: Child, log_path: Path, report: Callable[[str], None]) -> None:
    ended = asyncio.ensure_future(child.ended())
    loop = asyncio.get_running_loop()
    patience = loop.call_later(3.0, report, f"{child.name} is loading its model ...")
    try:
        async with asyncio.timeout(_LOAD_TIMEOUT_S):
            while await child.health() is not Health.SERVING:
                await asyncio.wait({ended}, timeout=_PROBE_INTERVAL_S)
                if ended.done():
                    raise _start_failed(child.name, f"ended with {ended.result()}", log_path)
    except TimeoutError:
        raise _start_failed(
            child.name, f"was not ready after {_LOAD_TIMEOUT_S:g} s", log_path
        ) from None
    finally:
        patience.cancel()
        ended.cancel()


def _start_failed(name: str, how: str, log_path: Path) -> Unavailable:
    """What the service itself said last, when it said why; else the end of its log."""
    lines = log_path.read_text(encoding="utf-8", errors="replace").splitlines()
    with contextlib.suppress(IndexError, ValueError):
        said = json.loads(lines[-1])
        if said.get("level") == "error" and "reason" in said:
            return Unavailable(said["reason"], said["message"], service=name)
    return Unavailable("START_FAILED", f"{name} {how}:\n{log_tail(log_path)}", service=name)
