"""Settings of the captions service."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.settings import Origins, ServiceSettings, address, port


class CaptionsSettings(ServiceSettings):
    """Read from GLOSSA_CAPTIONS_*."""

    model_config = SettingsConfigDict(env_prefix="GLOSSA_CAPTIONS_", frozen=True, extra="ignore")

    grpc_port: int = Field(port("captions"), ge=1, le=65535)
    http_port: int = Field(port("captions_http"), ge=1, le=65535)
    web_port: int = Field(
        port("captions_web"), ge=1, le=65535, description="port of the page and the WebSocket"
    )
    web_host: str = Field("", description="address of the web port; that of `host` when empty")
    allowed_origins: Origins = Field(
        (),
        description="origins besides the page's own that may open the WebSocket, with commas: "
        "https://displays.example.org",
    )

    upstream_address: str = Field(address("gateway"), description="host:port to follow")
    upstream_kind: Literal["gateway", "captions"] = Field(
        "gateway", description="gateway, or captions for a relay of a relay"
    )

    session_limit: int = Field(16, ge=1, le=1000, description="newest sessions that are kept")
    session_event_limit: int = Field(
        20_000, ge=10, le=1_000_000, description="newest events that are kept of each session"
    )
    viewer_limit: int = Field(2_000, ge=1, le=100_000, description="displays at once")
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
