"""Settings of the qe service: GLOSSA_QE_* in the environment."""

from __future__ import annotations

from pydantic import Field, field_validator
from pydantic_settings import SettingsConfigDict

from services.qe.engine import ENGINES
from services.settings import ServiceSettings, port


class QeSettings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="GLOSSA_QE_", frozen=True, extra="ignore")

    grpc_port: int = Field(port("qe"), ge=1, le=65535)
    http_port: int = Field(port("qe_http"), ge=1, le=65535)

    engine: str = Field("heuristic", description="what measures: a name in engine.ENGINES")
    signals: str = Field(
        "", description="names of the signals to measure, separated by commas; empty for all"
    )
    warm_pairs: str = Field(
        "en>es",
        description="pairs, separated by commas, that are ready when the service says SERVING; "
        "others start with their first text",
    )

    queue_size: int = Field(32, ge=1, le=1024, description="requests that may wait for the engine")
    chunk_pairs: int = Field(
        8, ge=1, le=64, description="pairs measured before looking whether anybody still waits"
    )
    back_translation_timeout_s: float = Field(
        2.0, gt=0, le=120, description="time for one text to be translated back"
    )

    @field_validator("engine")
    @classmethod
    def _known_engine(cls, name: str) -> str:
        if name not in ENGINES:
            raise ValueError(f"unknown engine {name!r}; known: {', '.join(sorted(ENGINES))}")
        return name
