"""Settings shared by every service: read once at the edge, frozen, passed on explicitly.

A service's own settings subclass ServiceSettings with its prefix (`GLOSSA_STT_` ...), so the
environment variable of `grpc_port` is GLOSSA_STT_GRPC_PORT. What is the same for a whole stack may
be set once, without the service's name: GLOSSA_CERTIFICATES_DIR.
"""

from __future__ import annotations

import ipaddress
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, NoReturn, Self, TypeVar

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from services.errors import InvalidInput
from services.token_file import Role, Roles, TokenEntry, hash_of, read_token, read_tokens

# As they are shown, from the speaker on.
SERVICES = ("gateway", "stt", "mt", "qe", "captions", "collector")
# Every port sits below 32768, outside Linux's ephemeral range, where a client's port could take it.
# A stack on another base keeps the same offsets (`./glossa up --port-base`).
PORT_BASE = 7300
PORT_OFFSETS = {
    "gateway": 0,
    "gateway_http": 1,
    "stt": 2,
    "stt_http": 3,
    "mt": 4,
    "mt_http": 5,
    "qe": 6,
    "qe_http": 7,
    "captions": 8,
    "captions_http": 9,
    "captions_web": 10,
    "collector": 11,
    "collector_http": 12,
    "redis": 13,
    "mt_alternative": 14,
    "mt_alternative_http": 15,
    "collector_web": 16,
}


def port(name: str, base: int = PORT_BASE) -> int:
    """The port of `name` (a key of PORT_OFFSETS) in a stack that starts at `base`."""
    return base + PORT_OFFSETS[name]


def address(name: str) -> str:
    """host:port of a service of the default stack on this machine."""
    return f"127.0.0.1:{port(name)}"


def _split_at_commas(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip().rstrip("/") for part in value.split(",") if part.strip())
    return value


# "https://a.example.org, https://b.example.org"
Origins = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split_at_commas)]


def _long_enough(value: SecretStr) -> SecretStr:
    # The characters that a bearer token may have (RFC 6750, 2.1).
    if not re.fullmatch(r"([A-Za-z0-9._~+/=-]{16,})?", value.get_secret_value()):
        raise ValueError(
            "must be 16 characters or more, letters, digits and -._~+/= alone; "
            "openssl rand -hex 16 makes one"
        )
    return value


# A bearer token; empty: none is set.
Token = Annotated[SecretStr, AfterValidator(_long_enough)]
NO_TOKEN = SecretStr("")

# A file or a folder; None for the empty variable with which compose passes on what nobody set.
OptionalPath = Annotated[Path | None, BeforeValidator(lambda value: None if value == "" else value)]

# Settings that hold for a whole stack unless a service has its own.
STACK_SETTINGS = frozenset(
    {"certificates_dir", "token", "token_file", "tokens_file", "traces_endpoint"}
)


class _StackVariables(EnvSettingsSource):
    """GLOSSA_CERTIFICATES_DIR and the like, which hold for every service."""

    def __init__(self, settings_cls: type[BaseSettings]) -> None:
        super().__init__(settings_cls, env_prefix="GLOSSA_", env_ignore_empty=True)

    def __call__(self) -> dict[str, Any]:
        return {name: value for name, value in super().__call__().items() if name in STACK_SETTINGS}


# off: for a proxy that brings HTTPS itself.
WebTls = Literal["auto", "off"]


class ServiceSettings(BaseSettings):
    """What every service needs to listen, log and stop."""

    # What is wrong may be a token: errors say what was expected, not what came.
    model_config = SettingsConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    # Whose certificates may call, by the common name; empty: whoever reaches the port.
    callers: ClassVar[tuple[str, ...]] = ()
    # What a token that is set by itself is for, by its setting.
    plain_token_roles: ClassVar[Mapping[str, Role]] = {}

    host: str = Field("127.0.0.1", description="address to listen on")
    grpc_port: int = Field(ge=1, le=65535, description="port of the gRPC server")
    http_port: int = Field(ge=1, le=65535, description="port of /healthz, /readyz and /metrics")
    allow_plaintext: bool = Field(
        False, description="allow listening beyond this machine without TLS"
    )
    published_host: str = Field(
        "",
        description="address on which a container's gRPC port is published; empty: on none that "
        "other machines reach",
    )
    certificates_dir: OptionalPath = Field(
        None,
        description="folder of `./glossa certs`: with it every port of the service speaks TLS "
        "alone, and so does the service with the others",
    )
    token: Token = Field(NO_TOKEN, description="what it brings to the services that it calls")
    token_file: OptionalPath = Field(None, description="file that holds `token`")
    tokens_file: OptionalPath = Field(
        None,
        description="file of `./glossa tokens`: with it whoever calls the service has to bring a "
        "token; read again when it changes",
    )
    reflection: bool = Field(False, description="serve gRPC reflection")
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["auto", "json", "console"] = Field(
        "auto", description="auto: console on a terminal, JSON lines elsewhere"
    )
    traces_endpoint: str = Field(
        "",
        pattern=r"^(https?://[^/\s]+/?)?$",
        description="where spans of each segment are sent, OTLP over gRPC "
        "(http://127.0.0.1:4317); empty: nowhere",
    )
    drain_timeout_s: float = Field(
        10.0, gt=0, le=600, description="time open calls get to finish after SIGTERM"
    )

    connection_limit: int = Field(
        800, ge=1, le=100_000, description="connections that the gRPC port takes at once"
    )
    calls_per_host: int = Field(
        400,
        ge=1,
        le=100_000,
        description="calls of one IP address that the gRPC port has open at once; a proxy is one",
    )
    first_message_timeout_s: float = Field(
        10.0, gt=0, le=600, description="time that a call has to bring its first message"
    )
    connection_age_s: float = Field(
        0.0, ge=0, le=86_400, description="age at which a connection takes no new calls; 0: none"
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The service's own variables first, then those of the stack."""
        return (init_settings, env_settings, _StackVariables(settings_cls))

    @model_validator(mode="before")
    @classmethod
    def _tokens_from_files(cls, values: dict[str, Any]) -> dict[str, Any]:
        """A token that is set wins over the one in a file."""
        read = {}
        for name in cls.model_fields:
            token_name = name.removesuffix("_file")
            if name.endswith("token_file") and values.get(name) and not values.get(token_name):
                try:
                    read[token_name] = read_token(Path(values[name]))
                except InvalidInput as error:
                    raise ValueError(error.message) from None
        return {**values, **read}

    @field_validator("tokens_file")
    @classmethod
    def _tokens_can_be_read(cls, path: Path | None) -> Path | None:
        try:
            if path is not None:
                read_tokens(path)
        except InvalidInput as error:
            raise ValueError(error.message) from None
        return path

    @property
    def plain_tokens(self) -> tuple[TokenEntry, ...]:
        """Entries of the tokens that are set one by one."""
        prefix = self.model_config.get("env_prefix", "")
        given = ((name, getattr(self, name)) for name in self.plain_token_roles)
        return tuple(
            TokenEntry(
                f"{prefix}{name.upper()}",
                self.plain_token_roles[name],
                hash_of(token.get_secret_value()),
            )
            for name, token in given
            if token
        )

    @property
    def open_roles(self) -> Roles:
        """What nobody needs a token for, whatever tokens there are."""
        return Roles()

    @property
    def is_trusted(self) -> bool:
        """Whether only those reach the gRPC port whom one trusts without a token.

        Plaintext is allowed for the network of a container, and says nothing of who else reaches a
        port that is published.
        """
        if self.certificates_dir and self.callers:
            return True
        is_published = bool(self.published_host) and not is_loopback(self.published_host)
        return not is_published and (self.allow_plaintext or is_loopback(self.host))

    @model_validator(mode="after")
    def _refuse_plaintext_beyond_loopback(self) -> Self:
        if self.certificates_dir or self.allow_plaintext or is_loopback(self.host):
            return self
        prefix = self.model_config.get("env_prefix", "")
        raise ValueError(
            f"{prefix}HOST={self.host} can be reached from other machines and the connection is "
            f"not encrypted; set GLOSSA_CERTIFICATES_DIR to a folder of `./glossa certs`, or "
            f"{prefix}ALLOW_PLAINTEXT=true on a network that you trust"
        )

    @model_validator(mode="after")
    def _refuse_strangers_beyond_loopback(self) -> Self:
        if self.is_trusted or self.tokens_file or self.plain_tokens:
            return self
        prefix = self.model_config.get("env_prefix", "")
        host, in_compose = f"{prefix}HOST={self.host}", ""
        if self.published_host and not is_loopback(self.published_host):
            host = f"{prefix}PUBLISHED_HOST={self.published_host}"
            in_compose = (
                " (docker-compose.tokens.yml does), or have it published on 127.0.0.1 alone "
                "(GLOSSA_PUBLISH_HOST; GLOSSA_PAGES_PUBLISH_HOST opens the pages by themselves)"
            )
        raise ValueError(
            f"{host} can be reached from other machines, and nobody is asked for a token there "
            "(NO_TOKEN_SET); make some with `./glossa tokens make operate --name NAME`, and set "
            f"GLOSSA_TOKENS_FILE to their file{in_compose}"
        )


def refuse_plain_pages(settings: ServiceSettings, web_host: str) -> None:
    """Raises ValueError where certificates are set, and pages would go over a network without."""
    if settings.allow_plaintext or is_loopback(web_host):
        return
    prefix = settings.model_config.get("env_prefix", "")
    raise ValueError(
        f"{prefix}WEB_TLS=off and {prefix}WEB_HOST={web_host}: other machines reach the pages "
        f"without encryption; listen on 127.0.0.1 for a proxy of this machine, or set "
        f"{prefix}ALLOW_PLAINTEXT=true for one in a network that you trust"
    )


def is_loopback(host: str) -> bool:
    """Whether `host` can only be reached from this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


SettingsT = TypeVar("SettingsT", bound=BaseSettings)


def load(settings_type: type[SettingsT]) -> SettingsT:
    """Reads settings from the environment; prints a line for each wrong value and exits with 2."""
    try:
        return settings_type()
    except ValidationError as error:
        exit_with_settings_errors(error, str(settings_type.model_config.get("env_prefix", "")))
    except SettingsError as error:  # a value that is not even of the form that its field wants
        sys.stderr.write(f"{error}\n")
        raise SystemExit(2) from None


def exit_with_settings_errors(error: ValidationError, env_prefix: str) -> NoReturn:
    for problem in error.errors():
        name = "_".join(str(part) for part in problem["loc"]).upper()
        message = problem["msg"].removeprefix("Value error, ")
        # A problem of several settings together has no name; its message says which they are.
        sys.stderr.write(f"{env_prefix}{name}: {message}\n" if name else f"{message}\n")
    raise SystemExit(2)
