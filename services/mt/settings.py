"""Settings of the mt service: GLOSSA_MT_* in the environment."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, field_validator
from pydantic_settings import SettingsConfigDict

from services.mt.engine import RUNTIMES
from services.settings import ServiceSettings, port


class MtSettings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="GLOSSA_MT_", frozen=True, extra="ignore")

    grpc_port: int = Field(port("mt"), ge=1, le=65535)
    http_port: int = Field(port("mt_http"), ge=1, le=65535)

    runtime: str = Field("apertium", description="what translates: a name in engine.RUNTIMES")
    warm_pairs: str = Field(
        "en>es",
        description="pairs, separated by commas, that are ready when the service says SERVING; "
        "others start with their first text",
    )
    glossary_file: Path = Field(
        Path(__file__).with_name("glossary_en_es.tsv"),
        description="tab-separated terms with a header: source, target",
    )
    glossary_source_language: str = Field("en", description="language of the file's first column")
    glossary_target_language: str = Field("es", description="language of the file's second column")

    queue_size: int = Field(64, ge=1, le=4096, description="texts that may wait for the engine")
    request_timeout_s: float = Field(
        2.0, gt=0, le=120, description="time that the runtime gets for one text before a restart"
    )

    @field_validator("runtime")
    @classmethod
    def _known_runtime(cls, name: str) -> str:
        if name not in RUNTIMES:
            raise ValueError(f"unknown runtime {name!r}; known: {', '.join(sorted(RUNTIMES))}")
        return name
