"""Settings of the captions service."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator
from pydantic_settings import SettingsConfigDict

from services.settings import (
    NO_TOKEN,
    OptionalPath,
    Origins,
    ServiceSettings,
    Token,
    WebTls,
    address,
    is_loopback,
    port,
    refuse_plain_pages,
)
from services.token_file import Role, Roles


class CaptionsSettings(ServiceSettings):
    """Read from GLOSSA_CAPTIONS_*."""

    # Compose passes on what nobody set as an empty variable, which is no path.
    model_config = SettingsConfigDict(
        env_prefix="GLOSSA_CAPTIONS_", frozen=True, extra="ignore", env_ignore_empty=True
    )
    plain_token_roles: ClassVar[Mapping[str, Role]] = {
        "operator_token": Role.OPERATE,
        "ingest_token": Role.INGEST,
        "view_token": Role.VIEW,
    }

    grpc_port: int = Field(port("captions"), ge=1, le=65535)
    http_port: int = Field(port("captions_http"), ge=1, le=65535)
    web_port: int = Field(
        port("captions_web"), ge=1, le=65535, description="port of the page and the WebSocket"
    )
    web_host: str = Field("", description="address of the web port; that of `host` when empty")
    web_published_host: str = Field(
        "",
        description="address under which a container's web port is published; `web_host` when "
        "empty",
    )
    web_certificate_file: Path | None = Field(
        None, description="PEM certificate (chain) of the web port: with it, it speaks HTTPS alone"
    )
    web_key_file: Path | None = Field(None, description="PEM key of web_certificate_file")
    web_tls: WebTls = Field(
        "auto",
        description="auto: HTTPS with web_certificate_file, else with the certificate of "
        "certificates_dir; off: not with the latter, for a proxy that brings HTTPS",
    )
    public_url: str = Field(
        "",
        description="where phones find the page, for the QR code: https://captions.example.org/; "
        "empty: this machine's address in its network",
    )
    allowed_origins: Origins = Field(
        (),
        description="origins besides the page's own that may open the WebSocket, with commas: "
        "https://displays.example.org",
    )
    view_token: Token = Field(
        NO_TOKEN, description="wanted of who reads captions; empty: anyone who reaches the port may"
    )
    operator_token: Token = Field(
        NO_TOKEN,
        description="wanted of operators; empty: who sits at this machine may, while nobody else "
        "reaches the port",
    )
    ingest_token: Token = Field(
        NO_TOKEN, description="wanted of who speaks through a browser's microphone; else as above"
    )
    view_token_file: OptionalPath = Field(None, description="file that holds `view_token`")
    operator_token_file: OptionalPath = Field(None, description="file that holds `operator_token`")
    ingest_token_file: OptionalPath = Field(None, description="file that holds `ingest_token`")
    anyone_may_view: bool = Field(
        False, description="captions are for whoever reaches the ports, whatever tokens there are"
    )

    upstream_address: str = Field(address("gateway"), description="host:port to follow")
    upstream_kind: Literal["gateway", "captions"] = Field(
        "gateway", description="gateway, or captions for a relay of a relay"
    )
    gateway_address: str = Field(
        "",
        description="host:port of the gateway that operators steer; the upstream when that is a "
        "gateway; empty and no gateway upstream: no operator page",
    )

    session_limit: int = Field(16, ge=1, le=1000, description="newest sessions that are kept")
    session_event_limit: int = Field(
        20_000, ge=10, le=1_000_000, description="newest events that are kept of each session"
    )
    viewer_limit: int = Field(4_000, ge=1, le=100_000, description="displays at once")
    web_connections_per_host: int = Field(
        1_000,
        ge=1,
        le=100_000,
        description="connections of one IP address to the web port at once; a proxy is one, and so "
        "is a network behind one address",
    )
    viewer_queue_events: int = Field(
        256, ge=1, le=100_000, description="finals that may wait for one display before it is cut"
    )
    write_timeout_s: float = Field(
        10.0, gt=0, le=600, description="time a display has to take one event before it is cut"
    )
    catch_up_wait_s: float = Field(
        5.0, ge=0, le=60, description="time a new display waits for the upstream before NOT_READY"
    )
    unknown_wait_s: float = Field(
        1.0,
        ge=0,
        le=60,
        description="time that a session or a sequence which a display knows already has to come",
    )

    @property
    def operated_gateway(self) -> str:
        """host:port of the gateway that operators steer; empty when there is none."""
        upstream = self.upstream_address if self.upstream_kind == "gateway" else ""
        return self.gateway_address or upstream

    @property
    def open_roles(self) -> Roles:
        return Roles({Role.VIEW}) if self.anyone_may_view else Roles()

    @property
    def is_web_encrypted(self) -> bool:
        """Whether the web port speaks HTTPS."""
        if self.web_certificate_file is not None:
            return True
        return self.certificates_dir is not None and self.web_tls == "auto"

    @property
    def is_web_local(self) -> bool:
        """Whether only this machine reaches the web port.

        A public_url elsewhere says that a proxy on this machine passes others on to it.
        """
        public_name = urlsplit(self.public_url).hostname
        return is_loopback(self.web_published_host or self.web_host or self.host) and (
            public_name is None or is_loopback(public_name)
        )

    @model_validator(mode="after")
    def _view_token_is_no_others(self) -> Self:
        """The QR code on the wall has it."""
        if self.view_token and self.view_token in (self.operator_token, self.ingest_token):
            raise ValueError(
                "GLOSSA_CAPTIONS_VIEW_TOKEN is the operator's or the ingest token, too, and is "
                "shown to everybody as a QR code: set another one (openssl rand -hex 16)"
            )
        return self

    @model_validator(mode="after")
    def _pages_encrypted_as_the_rest(self) -> Self:
        if self.certificates_dir is not None and not self.is_web_encrypted:
            refuse_plain_pages(self, self.web_host or self.host)
        return self

    @model_validator(mode="after")
    def _certificate_with_its_key(self) -> Self:
        if (self.web_certificate_file is None) != (self.web_key_file is None):
            raise ValueError(
                "GLOSSA_CAPTIONS_WEB_CERTIFICATE_FILE and GLOSSA_CAPTIONS_WEB_KEY_FILE go "
                "together: set both, or neither"
            )
        for path in (self.web_certificate_file, self.web_key_file):
            if path is not None and not os.access(path, os.R_OK):
                raise ValueError(
                    f"{path} is not there, or captions may not read it (in a container it runs as "
                    "user 10001)"
                )
        return self
