"""Settings of the gateway, read from GLOSSA_GATEWAY_*."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.settings import ServiceSettings, address, port


class GatewaySettings(ServiceSettings):
    """Where the models are, where the journal lies, and what a session may use."""

    model_config = SettingsConfigDict(env_prefix="GLOSSA_GATEWAY_", frozen=True, extra="ignore")

    grpc_port: int = Field(port("gateway"), ge=1, le=65535, description="port of the gRPC server")
    http_port: int = Field(
        port("gateway_http"), ge=1, le=65535, description="port of /healthz, /readyz and /metrics"
    )
    stt_address: str = Field(
        address("stt"), description="host:port of stt; dns:///NAME:PORT: all its replicas"
    )
    mt_address: str = Field(
        address("mt"), description="host:port of mt; dns:///NAME:PORT: all its replicas"
    )
    qe_address: str = Field(
        address("qe"), description="host:port of qe; dns:///NAME:PORT: all its replicas"
    )
    mt_alternative_address: str = Field(
        "",
        description="host:port of a second mt whose finals are journalled beside the first's, to "
        "compare them; empty: none",
    )
    state_dir: Path = Field(Path("var/gateway"), description="journal.db and audio/ lie here")
    journal_synchronous: Literal["full", "normal"] = Field(
        "full",
        description="full: an event survives a power cut; normal: only a killed process",
    )
    audio_retention_days: float = Field(
        90.0,
        ge=0,
        description="the audio of a session that ended so long ago is deleted; 0: it is kept until "
        "the session is forgotten",
    )
    max_sessions: int = Field(
        16, ge=1, description="sessions open at once; stt must serve as many streams"
    )
    max_lag_s: float = Field(
        5.0,
        gt=0,
        description="no further session is opened while the captions of an open one come later",
    )
    session_limit_s: float = Field(
        43_200.0, gt=0, le=86_400, description="audio of one session, its gaps included"
    )
    audio_burst_s: float = Field(
        600.0, ge=3, description="audio of a session that may come as fast as it is taken"
    )
    audio_speed_limit: float = Field(
        10.0,
        gt=0,
        description="how many times faster than real time it may come after that; the speaker is "
        "held back",
    )
    resume_window_s: float = Field(
        120.0, gt=0, description="how long a session waits for its speaker to come back"
    )
    idle_timeout_s: float = Field(
        300.0, gt=0, description="a speaker's stream that sends nothing for this long is closed"
    )
    unsent_audio_limit_s: float = Field(
        5.0,
        gt=0,
        description="audio taken in ahead of a working stt before the speaker is held back",
    )
    replay_audio_limit_s: float = Field(
        600.0, gt=0, description="audio taken in while stt is away before the speaker is held back"
    )
    translate_timeout_s: float = Field(20.0, gt=0, description="deadline of one final translation")
    draft_timeout_s: float = Field(2.0, gt=0, description="deadline of one draft translation")
    draft_concurrency: int = Field(
        2, ge=1, le=64, description="draft translations of one session in flight, all languages"
    )
    force_committed_prefix: Literal["same_model", "always", "never"] = Field(
        "same_model",
        description="whether a final must begin with the words that its drafts agreed on: "
        "same_model only where finals come from the model of the drafts",
    )
    translate_context_pairs: int = Field(
        2, ge=0, le=8, description="earlier finals given to mt with each final; 0: none"
    )
    translate_context_characters: int = Field(
        600, ge=0, le=4000, description="of these finals and their translations together"
    )
    score_timeout_s: float = Field(30.0, gt=0, description="deadline of one scoring call")
    translate_concurrency: int = Field(4, ge=1, le=64, description="final translations in flight")
    score_concurrency: int = Field(4, ge=1, le=64, description="scoring calls in flight")
    draft_backlog_limit: int = Field(
        8, ge=0, le=63, description="finals owed a translation above which drafts are skipped"
    )
    end_drain_timeout_s: float = Field(
        30.0, gt=0, description="how long the end of a session waits for its last translations"
    )
