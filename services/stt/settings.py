"""Settings of the stt service: GLOSSA_STT_* in the environment."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator
from pydantic_settings import SettingsConfigDict

from services.settings import ServiceSettings, port
from services.stt.engine import ENGINES


class SttSettings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="GLOSSA_STT_", frozen=True, extra="ignore")
    callers = ("gateway", "client")

    grpc_port: int = Field(port("stt"), ge=1, le=65535)
    http_port: int = Field(port("stt_http"), ge=1, le=65535)

    engine: str = Field(
        "pocketsphinx", description="recogniser of finals: a name in engine.ENGINES"
    )
    model: str = Field(
        "", description="its model: a folder, or a name below models_dir; empty: its usual one"
    )
    partial_engine: str = Field(
        "", description="a faster recogniser for partials; empty: the one of finals"
    )
    partial_model: str = Field("", description="its model; empty: its usual one")
    fallback_model: str = Field(
        "", description="model of the same engine that doubtful finals are decoded with once more"
    )
    models_dir: Path = Field(Path("var/models"), description="where models are found by name")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="where the models run")
    compute_type: str = Field(
        "auto", description="number format as the runtime names it: int8, int8_float16, float16 ..."
    )
    threads: int = Field(
        0, ge=0, le=256, description="CPU threads a decode; 0: the runtime's choice"
    )
    final_workers: int = Field(
        2, ge=1, le=16, description="finals decoded at once; each costs a decoder's memory"
    )
    live_decoders: int = Field(
        4, ge=0, le=32, description="streams with partials at once; each costs a decoder's memory"
    )

    max_streams: int = Field(16, ge=1, le=256, description="audio streams served at once")
    # A gateway keeps its stream open while the speaker's connection is being repaired.
    idle_timeout_s: float = Field(
        600.0, gt=0, description="time after which a stream that sends nothing is ended"
    )

    speech_threshold: float = Field(
        0.5, gt=0, lt=1, description="voice activity probability that begins a segment"
    )
    end_silence_ms: int = Field(600, ge=200, le=3000, description="silence that ends a segment")
    max_segment_ms: int = Field(
        13_000, ge=4000, le=28_000, description="length at which a segment is cut"
    )
    partial_interval_ms: int = Field(
        0, ge=0, le=5000, description="audio between two partials; 0: what suits the engine"
    )
    music_hold: bool = Field(
        True,
        description="whether captions rest while somebody sings; false where speech is chanted",
    )
    corrections_dir: Path = Field(
        Path(__file__).parent,
        description="folder of corrections_<language>.tsv: misheard terms and what is meant",
    )

    @model_validator(mode="before")
    @classmethod
    def _usual_models(cls, given: dict[str, Any]) -> dict[str, Any]:
        # So that one variable, the engine, is enough to change it and to change it back.
        for tier in ("", "partial_"):
            entry = ENGINES.get(given.get(f"{tier}engine", ""))
            if entry is not None and not given.get(f"{tier}model"):
                given = {**given, f"{tier}model": entry.model}
        return given
