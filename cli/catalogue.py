"""The models that Glossa knows how to get, read from catalogue.toml, whose head explains them."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from services.errors import InvalidInput
from services.mt.engine import RUNTIMES
from services.qe.engine import ENGINES as QUALITY_ENGINES
from services.qe.engine import LEARNED, RULES
from services.stt.engine import ENGINES

_FILE = Path(__file__).with_name("catalogue.toml")


@dataclass(frozen=True)
class Model:
    """One model; sizes are approximate."""

    name: str
    repo: str
    files: tuple[str, ...]
    bytes: int
    licence: str
    engines: tuple[str, ...]
    purpose: str
    seen: bool
    folder: str = ""
    revision: str = "main"
    loaded_bytes: int = 0
    working_bytes: int = 0
    licence_url: str = ""
    gated: bool = False
    note: str = ""
    needs: tuple[str, ...] = ()
    optional: bool = False

    def memory_bytes(self, compute_type: str) -> int:
        """What it takes in memory: Whisper's files hold 16 bits a weight, int8 takes half."""
        weights = self.loaded_bytes or self.bytes
        if "faster_whisper" in self.engines and compute_type.startswith("int8"):
            weights //= 2
        return weights + self.working_bytes


@dataclass(frozen=True)
class Use:
    """One model that a stack is to load.

    Args:
        variable: the setting that names its engine, for example GLOSSA_MT_RUNTIME.
        model: a path, or a name below the folder of models; empty for an engine without.
    """

    service: str
    variable: str
    engine: str
    model: str
    device: str
    compute_type: str


@functools.cache
def catalogue() -> tuple[Model, ...]:
    """Every model, in the file's order."""
    entries = tomllib.loads(_FILE.read_text(encoding="utf-8"))["model"]
    return tuple(
        Model(
            **{
                **entry,
                "files": tuple(entry["files"]),
                "engines": tuple(entry["engines"]),
                "needs": tuple(entry.get("needs", ())),
                "folder": entry.get("folder", entry["name"]),
            }
        )
        for entry in entries
    )


def find(name: str) -> Model:
    """The model of this name; of "owner/name" outside the catalogue, all files of that repository.

    Raises:
        InvalidInput: UNKNOWN_MODEL.
    """
    for model in catalogue():
        if name in (model.name, model.folder, model.repo):
            return model
    owner, _, short = name.partition("/")
    if owner and short and "/" not in short and not {owner, short} & {".", ".."}:
        return Model(
            name=short,
            repo=name,
            files=("*",),
            bytes=0,
            licence="unknown",
            engines=(),
            purpose="not in the catalogue",
            seen=False,
            folder=short,
        )
    raise InvalidInput(
        "UNKNOWN_MODEL",
        f"there is no model {name!r} in the catalogue (./glossa models list --all); a repository "
        "of the hub is written owner/name",
        model=name,
    )


def uses(environment: Mapping[str, str]) -> tuple[Use, ...]:
    """What a stack with these variables loads, the engines without models included."""
    found = []
    # service, the variable of its engine, then those of its models and of its device
    for service, engine_variable, model_variables, device_variable in (
        ("stt", "STT_ENGINE", ("STT_MODEL", "STT_FALLBACK_MODEL"), "STT_DEVICE"),
        ("stt", "STT_PARTIAL_ENGINE", ("STT_PARTIAL_MODEL",), "STT_DEVICE"),
        ("mt", "MT_RUNTIME", ("MT_MODEL", "MT_SPECULATIVE_MODEL"), "MT_DEVICE"),
        ("mt", "MT_DRAFT_RUNTIME", ("MT_DRAFT_MODEL",), "MT_DRAFT_DEVICE"),
        ("mt_alternative", "MT_ALTERNATIVE_RUNTIME", ("MT_ALTERNATIVE_MODEL",), "MT_DEVICE"),
    ):
        engine = environment.get(f"GLOSSA_{engine_variable}", "")
        if not engine:
            continue
        entry = (ENGINES if service == "stt" else RUNTIMES).get(engine)
        usual = entry.model if entry else ""
        for position, variable in enumerate(model_variables):
            model = environment.get(f"GLOSSA_{variable}", "") or (usual if position == 0 else "")
            if model or position == 0:
                found.append(
                    Use(
                        service=service,
                        variable=f"GLOSSA_{engine_variable}",
                        engine=engine,
                        model="" if engine in WITHOUT_MODEL else model,
                        device=environment.get(f"GLOSSA_{device_variable}", "auto"),
                        compute_type=environment.get(
                            f"GLOSSA_{service.partition('_')[0].upper()}_COMPUTE_TYPE", "auto"
                        ),
                    )
                )
    return (*found, *_estimates(environment))


def _estimates(environment: Mapping[str, str]) -> Iterator[Use]:
    """What qe loads beside the rules: each is left out where it is missing."""
    engine = environment.get("GLOSSA_QE_ENGINE", "")
    for variable, name, usual in (
        ("MODEL", LEARNED, QUALITY_ENGINES[LEARNED].model),
        ("ENCODER", LEARNED, ""),
        ("MARIAN_MODEL", "agreement", ""),
        ("EMBEDDING_MODEL", "agreement", ""),
    ):
        model = environment.get(f"GLOSSA_QE_{variable}", "") or usual
        if model and (name != LEARNED or engine == LEARNED):
            yield Use(
                service="qe",
                variable=f"GLOSSA_QE_{variable}",
                engine=name,
                model=model,
                device=environment.get("GLOSSA_QE_DEVICE", "auto"),
                compute_type="auto",
            )


# Engines that bring what they need with them, or find it in Debian's packages.
WITHOUT_MODEL = ("pocketsphinx", "apertium", RULES)


def models_of(used: tuple[Use, ...]) -> tuple[Model, ...]:
    """The catalogue's models behind these uses, each once, in order.

    A use may name a folder that holds several: opus-mt, for both directions. What a model needs
    comes after it.
    """
    found: dict[str, Model] = {}
    for use in used:
        for model in catalogue():
            if use.model and use.model in (model.name, model.folder, model.folder.split("/")[0]):
                found.setdefault(model.name, model)
                found |= {name: find(name) for name in model.needs if name not in found}
    return tuple(found.values())
