"""Settings of the qe service: GLOSSA_QE_* in the environment."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.settings import ServiceSettings, port


class QeSettings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="GLOSSA_QE_", frozen=True, extra="ignore")
    callers = ("gateway", "client")

    grpc_port: int = Field(port("qe"), ge=1, le=65535)
    http_port: int = Field(port("qe_http"), ge=1, le=65535)

    engine: Literal["heuristic", "cometkiwi"] = Field(
        "heuristic",
        description="heuristic: rules alone; cometkiwi: a learned estimate beside them, where its "
        "libraries and its model are installed",
    )
    model: str = Field(
        "",
        description="the learned estimate's model: a folder, or a name below models_dir; empty: "
        "the engine's usual one",
    )
    encoder: str = Field(
        "",
        description="folder of its encoder's config and tokenizer, or a name below models_dir; "
        "empty: `encoder` beside the checkpoint, else what its hparams.yaml names",
    )
    marian_model: str = Field(
        "",
        description="OPUS-MT for CTranslate2 to compare translations with: a folder, or a name "
        "below models_dir; empty: only a translation that the caller sends is compared with",
    )
    embedding_model: str = Field(
        "",
        description="sentence-transformers model that compares them: a folder, or a name below "
        "models_dir; empty: chrF++",
    )
    second_tier_back_translation: Literal["always", "doubtful", "never"] = Field(
        "always",
        description="which pairs are translated back; doubtful: those whose other signals leave "
        "doubts",
    )
    models_dir: Path = Field(Path("var/models"), description="where models are found by name")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="where models run")
    dtype: Literal["auto", "bfloat16", "float16", "float32"] = Field(
        "auto",
        description="number format of the learned estimate; auto: float16 on a card, bfloat16 on "
        "a CPU that computes in it, else float32",
    )
    threads: int = Field(
        0, ge=0, le=256, description="CPU threads of each model; 0: the library's choice"
    )

    signals: str = Field(
        "", description="names of the signals to measure, separated by commas; empty for all"
    )
    warm_pairs: str = Field(
        "en>es",
        description="pairs, separated by commas, that are ready when the service says SERVING; "
        "others start with their first text",
    )

    queue_size: int = Field(32, ge=1, le=1024, description="requests that may wait for an engine")
    max_batch_pairs: int = Field(
        8, ge=1, le=64, description="pairs, of several requests, that go through an engine together"
    )
    batch_wait_ms: float = Field(
        5.0, ge=0, le=1000, description="time that a batch with room left waits for more pairs"
    )
    back_translation_timeout_s: float = Field(
        2.0, gt=0, le=120, description="time for one text to be translated back"
    )

    def wanted_signals(self) -> tuple[str, ...]:
        """`signals`, read; empty for all."""
        return tuple(name.strip() for name in self.signals.split(",") if name.strip())
