"""Settings of the collector, read from GLOSSA_COLLECTOR_*."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Self
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from services.collector.bands import Thresholds
from services.collector.calibration import IDENTITY, Calibration, read_calibration
from services.collector.composite import Weights
from services.collector.redis_client import url_with_password
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
from services.token_file import Role


def _calibration(value: object) -> object:
    """The calibration of a file that is named; whatever is no name is left as it is."""
    if isinstance(value, str | Path):
        return read_calibration(Path(value)) if str(value) else IDENTITY
    return value


class CollectorSettings(ServiceSettings):
    """What is followed, where the pairs go, and what makes a pair good."""

    model_config = SettingsConfigDict(env_prefix="GLOSSA_COLLECTOR_", frozen=True, extra="ignore")
    plain_token_roles: ClassVar[Mapping[str, Role]] = {"review_token": Role.REVIEW}

    grpc_port: int = Field(port("collector"), ge=1, le=65535, description="port of the gRPC server")
    http_port: int = Field(
        port("collector_http"), ge=1, le=65535, description="port of /healthz, /readyz and /metrics"
    )
    web_port: int = Field(
        port("collector_web"), ge=1, le=65535, description="port of the review page"
    )
    web_host: str = Field("", description="address of the web port; that of `host` when empty")
    web_published_host: str = Field(
        "",
        description="address on which a container's web port is published; that of the web port "
        "when empty",
    )
    web_tls: WebTls = Field(
        "auto",
        description="auto: HTTPS with the certificate of certificates_dir; off: without, for a "
        "proxy that brings HTTPS",
    )
    allowed_origins: Origins = Field(
        (),
        description="where the review page is reached besides IP addresses and localhost, with "
        "commas: https://review.example.org",
    )
    review_token: Token = Field(
        NO_TOKEN,
        description="what reviewers must know, 16 characters or more; may only be empty when the "
        "web port can be reached from this machine alone",
    )

    review_token_file: OptionalPath = Field(None, description="file that holds `review_token`")

    review_lease_s: float = Field(
        120.0,
        gt=0,
        le=86_400,
        description="how long a reviewer has a pair to themselves after they were last heard of",
    )

    gateway_address: str = Field(address("gateway"), description="host:port whose journal is read")
    redis_url: SecretStr = Field(
        SecretStr(f"redis://{address('redis')}/0"),
        description="redis://, rediss:// or unix:// with the user and the password, if any",
    )
    redis_password_file: Path | None = Field(
        None, description="file that holds the password of redis_url's user"
    )
    redis_timeout_s: float = Field(
        2.0, gt=0, le=60, description="silence after which Redis counts as away"
    )

    calibration: Annotated[Calibration, NoDecode, BeforeValidator(_calibration)] = Field(
        "",
        validate_default=True,
        description="file of `./glossa queue calibrate`; a threshold that is set wins over its own",
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
        5.0, gt=0, le=600, description="how often Redis is looked at"
    )
    queue_length_alarm: int = Field(
        1_000_000, ge=1, description="entries of one stream above which metric and log warn"
    )
    trim_keep_days: float = Field(
        90.0,
        ge=0,
        le=36_500,
        description="entries younger than this are never trimmed; older ones once every consumer "
        "group has acknowledged them",
    )
    trim_interval_s: float = Field(
        600.0, gt=0, le=86_400, description="how often the streams are trimmed, when there is time"
    )

    reports_dir: Path | None = Field(
        None, description="a report of each session that ends is written here; empty: none is"
    )

    @field_validator("redis_password_file")
    @classmethod
    def _readable(cls, path: Path | None) -> Path | None:
        try:
            if path is not None and not path.read_text(encoding="utf-8").strip():
                raise ValueError(f"{path} is empty")
        except OSError as error:
            raise ValueError(f"{path} cannot be read: {error.strerror}") from error
        return path

    @field_validator("redis_url")
    @classmethod
    def _known_scheme(cls, value: SecretStr) -> SecretStr:
        if urlsplit(value.get_secret_value()).scheme not in ("redis", "rediss", "unix"):
            raise ValueError("must begin with redis://, rediss:// or unix://")
        return value

    @model_validator(mode="after")
    def _refuse_open_review_beyond_loopback(self) -> Self:
        host = self.web_published_host or self.web_host or self.host
        if self.review_token or self.tokens_file or is_loopback(host):
            return self
        raise ValueError(
            f"the review page on {host} can be reached from other machines, and anyone there could "
            "change what is trained on; set GLOSSA_COLLECTOR_REVIEW_TOKEN (openssl rand -hex 16 "
            "makes one) or GLOSSA_TOKENS_FILE, or GLOSSA_COLLECTOR_WEB_HOST=127.0.0.1"
        )

    @property
    def is_web_encrypted(self) -> bool:
        """Whether the review page comes over HTTPS."""
        return self.certificates_dir is not None and self.web_tls == "auto"

    @model_validator(mode="after")
    def _pages_encrypted_as_the_rest(self) -> Self:
        if self.certificates_dir is not None and not self.is_web_encrypted:
            refuse_plain_pages(self, self.web_host or self.host)
        return self

    @model_validator(mode="after")
    def _thresholds_in_order(self) -> Self:
        self.thresholds()
        return self

    def redis_url_with_password(self) -> str:
        """redis_url, with the password of redis_password_file if one is named."""
        url = self.redis_url.get_secret_value()
        if self.redis_password_file is None:
            return url
        return url_with_password(url, self.redis_password_file)

    def thresholds(self) -> Thresholds:
        """Where the bands begin: as set here, else as calibrated, else the defaults."""
        calibrated = self.calibration.thresholds

        def chosen(band: str) -> float:
            name = f"{band}_threshold"
            set_here: float = getattr(self, name)
            if calibrated is None or name in self.model_fields_set:
                return set_here
            return float(getattr(calibrated, band))

        return Thresholds(chosen("accept"), chosen("moderate"), chosen("review"))

    def weights(self) -> Weights:
        return Weights(
            self.translation_qe_weight, self.stt_confidence_weight, self.marian_agreement_weight
        )
