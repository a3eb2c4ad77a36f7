"""Settings of the collector, read from GLOSSA_COLLECTOR_*."""

from __future__ import annotations

from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from services.collector.bands import Thresholds
from services.collector.composite import Weights
from services.settings import ServiceSettings, address, port


class CollectorSettings(ServiceSettings):
    """What is followed, where the pairs go, and what makes a pair good."""

    model_config = SettingsConfigDict(env_prefix="GLOSSA_COLLECTOR_", frozen=True, extra="ignore")

    grpc_port: int = Field(port("collector"), ge=1, le=65535, description="port of the gRPC server")
    http_port: int = Field(
        port("collector_http"), ge=1, le=65535, description="port of /healthz, /readyz and /metrics"
    )
    gateway_address: str = Field(address("gateway"), description="host:port whose journal is read")
    redis_url: SecretStr = Field(
        SecretStr(f"redis://{address('redis')}/0"),
        description="redis://, rediss:// or unix:// with the password, if any",
    )
    redis_timeout_s: float = Field(
        2.0, gt=0, le=60, description="silence after which Redis counts as away"
    )

    accept_threshold: float = Field(0.85, ge=0, le=1, description="composite score for accept")
    moderate_threshold: float = Field(0.70, ge=0, le=1, description="composite score for moderate")
    review_threshold: float = Field(0.50, ge=0, le=1, description="composite score for review")
    translation_qe_weight: float = Field(0.45, gt=0, le=1)
    stt_confidence_weight: float = Field(0.35, gt=0, le=1)
    marian_agreement_weight: float = Field(0.20, gt=0, le=1)

    event_buffer: int = Field(
        256,
        ge=1,
        le=10_000,
        description="events read ahead of Redis; when full, the gateway is not read any further",
    )
    progress_interval_s: float = Field(
        1.0, gt=0, le=60, description="how often events without a pair move the cursor"
    )
    queue_check_interval_s: float = Field(
        5.0, gt=0, le=600, description="how often Redis is looked at while nothing is written"
    )

    @field_validator("redis_url")
    @classmethod
    def _known_scheme(cls, value: SecretStr) -> SecretStr:
        if urlsplit(value.get_secret_value()).scheme not in ("redis", "rediss", "unix"):
            raise ValueError("must begin with redis://, rediss:// or unix://")
        return value

    @model_validator(mode="after")
    def _thresholds_in_order(self) -> Self:
        self.thresholds()
        return self

    def thresholds(self) -> Thresholds:
        return Thresholds(self.accept_threshold, self.moderate_threshold, self.review_threshold)

    def weights(self) -> Weights:
        return Weights(
            self.translation_qe_weight, self.stt_confidence_weight, self.marian_agreement_weight
        )
