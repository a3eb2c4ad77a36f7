"""One stack on this machine: its folder, ports, addresses and environment.

A running stack writes <state dir>/stack.json; verbs that need a stack look there.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shutil
import socket
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cli.web_scheme import web_scheme
from services.errors import InvalidInput, Unavailable, WrongState
from services.qe.engine import LEARNED
from services.settings import PORT_BASE, PORT_OFFSETS, port

REPOSITORY = Path(__file__).resolve().parents[1]
DEFAULT_STATE_DIR = REPOSITORY / "var"
DEMO_STATE_DIR = REPOSITORY / "var" / "demo"
SERVICES = ("mt", "stt", "qe", "gateway", "captions", "collector")
# A second mt with a runtime of its own, beside the first: for comparing two on the same segments.
ALTERNATIVE = "mt_alternative"
_PROFILES = REPOSITORY / "profiles"
DEFAULT_MODELS_DIR = REPOSITORY / "var" / "models"
_QE_ENVIRONMENT = REPOSITORY / ".venv-qe"
# In a profile, what a variable is unless it is set outside: ${NAME:-value}, as compose reads it.
_UNLESS_SET = re.compile(r"\$\{\w+:-(.*)\}")
_LAST_PORT_BASE = 32_000  # ports above 32767 are ephemeral on Linux


@dataclass(frozen=True)
class StackPlan:
    """What a stack is to be; everything that its processes need follows from it.

    Args:
        environment: the variables of the processes, the profile's included.
        redis_url: a Redis that someone else keeps, or None for the stack's own.
        detours: host:port at which the gateway reaches stt, mt or qe instead of their own: that of
            something between them.
    """

    profile: str
    state_dir: Path
    port_base: int
    environment: Mapping[str, str]
    redis_url: str | None = None
    detours: Mapping[str, str] = field(default_factory=dict)

    @property
    def services(self) -> tuple[str, ...]:
        redis = () if self.redis_url else ("redis",)
        alternative = (ALTERNATIVE,) if self._has_alternative else ()
        return (*redis, *SERVICES, *alternative)

    @property
    def _has_alternative(self) -> bool:
        return bool(self.environment.get("GLOSSA_MT_ALTERNATIVE_RUNTIME"))

    @property
    def page_url(self) -> str:
        return self._url("captions")

    @property
    def review_url(self) -> str:
        return self._url("collector")

    def _url(self, service: str) -> str:
        scheme = web_scheme(service, self.environment)
        return f"{scheme}://127.0.0.1:{port(f'{service}_web', self.port_base)}/"

    def address(self, name: str) -> str:
        """host:port of a service's gRPC server (of Redis itself for "redis")."""
        return f"127.0.0.1:{port(name, self.port_base)}"

    def ports(self) -> dict[str, int]:
        """Every port that the stack listens on, by its name."""
        left_out = set()
        if self.redis_url:
            left_out.add("redis")
        if not self._has_alternative:
            left_out |= {ALTERNATIVE, f"{ALTERNATIVE}_http"}
        return {name: port(name, self.port_base) for name in PORT_OFFSETS if name not in left_out}

    def child_environment(self, name: str = "") -> dict[str, str]:
        """The variables of every process: each service picks its own out of them.

        Args:
            name: a process that wants other values than the rest: the second mt.
        """
        variables = self._shared_environment()
        if name == ALTERNATIVE:
            prefix = "GLOSSA_MT_ALTERNATIVE_"
            # Neither the first one's model nor its draft tier: the gateway asks for finals alone.
            for setting in ("MODEL", "SPECULATIVE_MODEL", "DRAFT_RUNTIME", "DRAFT_MODEL"):
                variables.pop(f"GLOSSA_MT_{setting}", None)
            variables |= {
                f"GLOSSA_MT_{key.removeprefix(prefix)}": value
                for key, value in variables.items()
                if key.startswith(prefix)
            }
        return variables

    def _shared_environment(self) -> dict[str, str]:
        variables = dict(self.environment)
        models_dir = str(models_dir_of(variables))
        if self.certificates_dir is not None:
            variables["GLOSSA_CERTIFICATES_DIR"] = str(self.certificates_dir)
        variables.setdefault("GLOSSA_STT_MODELS_DIR", models_dir)
        variables.setdefault("GLOSSA_MT_MODELS_DIR", models_dir)
        variables.setdefault("GLOSSA_QE_MODELS_DIR", models_dir)
        for name in (service for service in self.services if service != "redis"):
            prefix = f"GLOSSA_{name.upper()}_"
            variables[prefix + "GRPC_PORT"] = str(port(name, self.port_base))
            variables[prefix + "HTTP_PORT"] = str(port(f"{name}_http", self.port_base))
        if self._has_alternative:
            variables["GLOSSA_GATEWAY_MT_ALTERNATIVE_ADDRESS"] = self.address(ALTERNATIVE)
        return (
            variables
            | {
                **{
                    f"GLOSSA_GATEWAY_{name.upper()}_ADDRESS": self.detours.get(
                        name, self.address(name)
                    )
                    for name in ("stt", "mt", "qe")
                },
                "GLOSSA_GATEWAY_STATE_DIR": str(self.state_dir / "gateway"),
                "GLOSSA_CAPTIONS_UPSTREAM_ADDRESS": self.address("gateway"),
                "GLOSSA_CAPTIONS_WEB_PORT": str(port("captions_web", self.port_base)),
                "GLOSSA_COLLECTOR_WEB_PORT": str(port("collector_web", self.port_base)),
                "GLOSSA_COLLECTOR_GATEWAY_ADDRESS": self.address("gateway"),
                "GLOSSA_COLLECTOR_REPORTS_DIR": str(self.state_dir / "reports"),
            }
            | self._redis_access()
        )

    def _redis_access(self) -> dict[str, str]:
        """How the collector reaches Redis: the stack's own as the user that may add pairs."""
        if self.redis_url:
            return {"GLOSSA_COLLECTOR_REDIS_URL": self.redis_url}
        return {
            "GLOSSA_COLLECTOR_REDIS_URL": f"redis://collector@{self.address('redis')}/0",
            "GLOSSA_COLLECTOR_REDIS_PASSWORD_FILE": str(
                self.state_dir / "redis" / "collector.password"
            ),
        }

    def command(self, name: str) -> list[str]:
        """What starts a process of the stack."""
        if name != "redis":
            module = "mt" if name == ALTERNATIVE else name
            python = python_of(module, self.environment)
            return [python, "-P", "-m", f"services.{module}"]
        return [
            *(str(REPOSITORY / "redis-server" / "start"), str(self.state_dir / "redis")),
            *("--port", self.address("redis").rpartition(":")[2]),
            *("--bind", "127.0.0.1"),
        ]

    @property
    def certificates_dir(self) -> Path | None:
        """Whole path of the folder that all of its processes share; None: they have none."""
        named = self.environment.get("GLOSSA_CERTIFICATES_DIR")
        return Path(named).resolve() if named else None

    def check_certificates(self) -> None:
        """Raises InvalidInput CERTIFICATE_MISSING, BAD_CERTIFICATE for the first of no use."""
        from services.certificates import CLIENT, read_certificates

        folders = {CLIENT: self.certificates_dir}
        for name in SERVICES:
            own = self.environment.get(f"GLOSSA_{name.upper()}_CERTIFICATES_DIR")
            folders[name] = Path(own) if own else self.certificates_dir
        for name, folder in folders.items():
            if folder is not None:
                read_certificates(folder, name)

    def check_tools(self) -> None:
        """Raises Unavailable TOOL_MISSING for the first program that is not installed."""
        needed = {"redis-server": "redis-server"} if self.redis_url is None else {}
        runtimes = ("RUNTIME", "DRAFT_RUNTIME", "ALTERNATIVE_RUNTIME")
        chosen = {self.environment.get(f"GLOSSA_MT_{name}") for name in runtimes}
        if chosen & {"apertium", "embedded"}:
            needed["apertium"] = "apertium apertium-eng-spa"
        for tool, packages in needed.items():
            if shutil.which(tool, path=self.environment.get("PATH")) is None:
                raise Unavailable(
                    "TOOL_MISSING",
                    f"{tool} is not installed (on Debian: apt-get install {packages})",
                    tool=tool,
                )

    def check_ports(self) -> None:
        """Raises Unavailable PORT_TAKEN for the first port that someone else listens on."""
        for name, number in self.ports().items():
            if not port_is_free(number):
                raise Unavailable(
                    "PORT_TAKEN",
                    f"port {number} (for {name}) is taken; stop what uses it, or choose others "
                    f"with --port-base (now {self.port_base})",
                    port=number,
                )


def plan(
    profile: str, state_dir: Path, port_base: int, environment: Mapping[str, str] = os.environ
) -> StackPlan:
    """A plan from a profile's name; variables that are already set win over the profile's.

    Raises:
        InvalidInput: UNKNOWN_PROFILE or INVALID_PORT_BASE.
    """
    if not 1024 <= port_base <= _LAST_PORT_BASE:
        raise InvalidInput(
            "INVALID_PORT_BASE", f"--port-base must be between 1024 and {_LAST_PORT_BASE}"
        )
    return StackPlan(
        profile=profile,
        state_dir=state_dir.resolve(),
        port_base=port_base,
        environment={**read_profile(profile), **environment, "GLOSSA_PROFILE": profile},
        redis_url=environment.get("GLOSSA_COLLECTOR_REDIS_URL") or None,
    )


def read_profile(name: str) -> dict[str, str]:
    """The KEY=VALUE lines of profiles/<name>.env; KEY=${KEY:-VALUE} gives VALUE.

    Raises InvalidInput UNKNOWN_PROFILE, INVALID_PROFILE.
    """
    if name not in profile_names():
        raise InvalidInput(
            "UNKNOWN_PROFILE",
            f"there is no profile {name!r}; there is {', '.join(profile_names())}",
        )
    return variables_of(_PROFILES / f"{name}.env")


def variables_of(path: Path) -> dict[str, str]:
    """The KEY=VALUE lines of a file, as `read_profile` says.

    Raises InvalidInput INVALID_PROFILE: it is no text that an environment can hold.
    """
    variables = {}
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput("INVALID_PROFILE", f"{path} is no UTF-8 text: {error}") from error
    if "\0" in text:
        raise InvalidInput("INVALID_PROFILE", f"{path} holds a zero byte; write it again")
    for line in text.splitlines():
        key, separator, value = line.strip().partition("=")
        if separator and key.strip() and not key.startswith("#"):
            variables[key.strip()] = _UNLESS_SET.sub(r"\1", value.strip())
    return variables


def profile_names() -> list[str]:
    return sorted(path.stem for path in _PROFILES.glob("*.env"))


def models_dir_of(environment: Mapping[str, str]) -> Path:
    """The folder of models: GLOSSA_MODELS_DIR, else var/models of this checkout."""
    return Path(environment.get("GLOSSA_MODELS_DIR") or DEFAULT_MODELS_DIR).resolve()


def python_of(service: str, environment: Mapping[str, str]) -> str:
    """The interpreter of a service: qe's learned engine has libraries, and so one, of its own.

    GLOSSA_QE_PYTHON names another one than that of .venv-qe.
    """
    if service == "qe" and environment.get("GLOSSA_QE_ENGINE") == LEARNED:
        if named := environment.get("GLOSSA_QE_PYTHON"):
            return named
        # ./glossa writes the stamp when the environment is whole.
        if (_QE_ENVIRONMENT / ".glossa-stamp").exists():
            return str(_QE_ENVIRONMENT / "bin" / "python")
    return sys.executable


def port_is_free(number: int) -> bool:
    """Whether a server could listen on this port of 127.0.0.1 now."""
    with socket.socket() as probe:
        # As servers do: a port whose last connections are still winding up is not taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", number))
        except OSError:
            return False
    return True


def free_port_base(first: int = PORT_BASE) -> int:
    """The first base from `first` on whose ports are all free. Raises Unavailable PORT_TAKEN."""
    for base in range(first, _LAST_PORT_BASE, 20):
        if all(port_is_free(base + offset) for offset in PORT_OFFSETS.values()):
            return base
    raise Unavailable("PORT_TAKEN", f"no free block of ports from {first} on")


@contextlib.contextmanager
def sole_use(state_dir: Path) -> Iterator[None]:
    """Holds the folder for one stack; the lock goes with the process, however that ends.

    Raises:
        WrongState: ALREADY_RUNNING.
        InvalidInput: STATE_DIR_UNUSABLE.
    """
    try:
        state_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidInput(
            "STATE_DIR_UNUSABLE", f"cannot keep anything in {state_dir}: {error.strerror}"
        ) from error
    with (state_dir / "stack.lock").open("w") as lock_file:
        try:
            fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise WrongState(
                "ALREADY_RUNNING",
                f"a stack is already running in {state_dir}; stop it, or use another --state-dir",
            ) from error
        yield


def write_description(state_dir: Path, description: Mapping[str, Any]) -> None:
    """Replaces stack.json in one step, so that readers never see half of it."""
    path = state_dir / "stack.json"
    temporary = path.with_suffix(".json.new")
    temporary.write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")
    temporary.replace(path)


def remove_description(state_dir: Path) -> None:
    (state_dir / "stack.json").unlink(missing_ok=True)


def read_description(state_dir: Path) -> dict[str, Any] | None:
    """stack.json of the stack that runs in `state_dir` now, or None."""
    try:
        description: dict[str, Any] = json.loads((state_dir / "stack.json").read_text("utf-8"))
        os.kill(description["pid"], 0)
    except (OSError, ValueError, KeyError):
        return None
    return description


def running_stack() -> dict[str, Any] | None:
    """The stack that verbs talk to when they are not told: the one of `up`, else that of `demo`."""
    named = os.environ.get("GLOSSA_STATE_DIR")
    folders = [Path(named)] if named else [DEFAULT_STATE_DIR, DEMO_STATE_DIR]
    found = (read_description(folder) for folder in folders)
    return next((description for description in found if description is not None), None)


def address_of(service: str) -> str:
    """host:port of a service of the running stack; of the default stack when none is known."""
    description = running_stack()
    if description is None:
        return f"127.0.0.1:{port(service)}"
    return str(description["addresses"][service])
