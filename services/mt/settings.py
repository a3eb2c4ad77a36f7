"""Settings of the mt service: GLOSSA_MT_* in the environment."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from services.mt.engine import RUNTIMES, LanguagePair
from services.settings import ServiceSettings, port


class MtSettings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="GLOSSA_MT_", frozen=True, extra="ignore")
    callers = ("gateway", "client")

    grpc_port: int = Field(port("mt"), ge=1, le=65535)
    http_port: int = Field(port("mt_http"), ge=1, le=65535)

    runtime: str = Field(
        "embedded", description="what translates finals: a name in engine.RUNTIMES"
    )
    model: str = Field(
        "",
        description="its model: a folder or file, or a name below models_dir; empty: its usual one",
    )
    speculative_model: str = Field(
        "", description="a smaller model of the same family that drafts tokens for it"
    )
    draft_runtime: str = Field(
        "", description="a faster runtime for drafts of partials; empty: the one of finals"
    )
    draft_model: str = Field(
        "",
        description="its model; empty: its usual one; with runtime and model of finals, one engine "
        "does both",
    )
    models_dir: Path = Field(Path("var/models"), description="where models are found by name")
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="where the finals' model runs"
    )
    draft_device: Literal["auto", "cpu", "cuda"] = Field(
        "cpu", description="where the drafts' model runs"
    )
    compute_type: str = Field(
        "auto", description="number format as the runtime names it: int8, float16 ..."
    )
    threads: int = Field(0, ge=0, le=256, description="CPU threads; 0: the runtime's choice")
    context_tokens: int = Field(
        2048, ge=256, le=32768, description="room for prompt and answer together"
    )
    prompt_family: str = Field(
        "auto", description="a name in prompt.FAMILIES; auto: by the model's template and tokens"
    )
    max_batch: int = Field(
        4, ge=1, le=64, description="texts translated at once where the runtime can"
    )
    draft_mask_words: int = Field(
        2, ge=0, le=10, description="last words of a draft that are held back: they change most"
    )
    pairs: str = Field(
        "en>es",
        description="pairs, separated by commas, that are ready when the service says SERVING; "
        "others start with their first text",
    )
    glossary_file: Path = Field(
        Path(__file__).with_name("glossary_en_es.tsv"),
        description="tab-separated terms with a header: source, target and, if need be, context "
        "(docs/protocol.md)",
    )
    glossary_source_language: str = Field("en", description="language of the file's first column")
    glossary_target_language: str = Field("es", description="language of the file's second column")

    queue_size: int = Field(64, ge=1, le=4096, description="texts that may wait for the engine")
    request_timeout_s: float = Field(
        2.0, gt=0, le=120, description="time that the runtime gets for one text before a restart"
    )

    def language_pairs(self) -> tuple[LanguagePair, ...]:
        """`pairs`, read."""
        named = (pair.strip().partition(">") for pair in self.pairs.split(",") if pair.strip())
        return tuple(LanguagePair(source.strip(), target.strip()) for source, _, target in named)

    @model_validator(mode="before")
    @classmethod
    def _usual_models(cls, given: dict[str, Any]) -> dict[str, Any]:
        # So that one variable, the runtime, is enough to change it and to change it back.
        for tier in ("", "draft_"):
            entry = RUNTIMES.get(given.get(f"{tier}runtime", ""))
            if entry is not None and not given.get(f"{tier}model"):
                given = {**given, f"{tier}model": entry.model}
        return given

    @field_validator("pairs")
    @classmethod
    def _readable_pairs(cls, pairs: str) -> str:
        for pair in filter(None, map(str.strip, pairs.split(","))):
            source, _, target = pair.partition(">")
            if not (source.strip().isalpha() and target.strip().isalpha()):
                raise ValueError(f"{pair!r} is not a pair; write en>es, or en>es,es>en")
        return pairs

    @field_validator("runtime", "draft_runtime")
    @classmethod
    def _known_runtime(cls, name: str) -> str:
        if name and name not in RUNTIMES:
            raise ValueError(f"unknown runtime {name!r}; known: {', '.join(sorted(RUNTIMES))}")
        return name
