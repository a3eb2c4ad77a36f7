"""Whether this machine can run what a profile asks for: libraries, models, devices, memory.

Libraries are looked for and never imported: that would take seconds and, for some, a card.
"""

from __future__ import annotations

import importlib.util
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from cli.catalogue import Use, models_of, uses
from cli.finding import Finding
from cli.model_folder import is_whole
from cli.stack import models_dir_of, python_of
from services.errors import GlossaError
from services.marian import model_folders
from services.model_files import SHIPPED, find_model
from services.model_manifest import read_manifest
from services.mt.engine import OWN_MODEL, RUNTIMES
from services.qe.engine import LEARNED
from services.stt.engine import ENGINES

# Modules that an engine imports; "a|b" is satisfied by either.
_MODULES = {
    "pocketsphinx": ("pocketsphinx",),
    "faster_whisper": ("faster_whisper",),
    "mlx_whisper": ("mlx_whisper",),
    "apertium": (),
    "embedded": (),  # without its model's libraries Apertium speaks alone
    "marian": ("ctranslate2", "sentencepiece"),
    "gguf": ("llama_cpp|xllamacpp",),
    "bitsandbytes": ("torch", "transformers", "bitsandbytes"),
    "mlx": ("mlx_lm",),
    "exl2": ("exllamav3|exllamav2",),
}
_ON_APPLE = ("mlx_whisper", "mlx")
# A CUDA context with its libraries' own buffers, for each process (an estimate).
_CONTEXT_BYTES = 400_000_000
# What a desktop keeps of its only card.
_DISPLAY_BYTES = 500_000_000


@dataclass(frozen=True)
class Card:
    """One NVIDIA card."""

    name: str
    total_bytes: int


def card() -> Card | None:
    """The first NVIDIA card, as nvidia-smi tells it; None without one."""
    if shutil.which("nvidia-smi") is None:
        return None
    try:
        asked = subprocess.run(
            ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    first = asked.stdout.strip().partition("\n")[0]
    name, separator, mebibytes = first.rpartition(",")
    if asked.returncode or not separator or not mebibytes.strip().isdigit():
        return None
    return Card(name.strip(), int(mebibytes) * 1024**2)


def examine_profile(profile: str, environment: Mapping[str, str]) -> list[Finding]:
    """The checks of one profile's engines; `environment` holds its variables.

    A finding that is not good keeps the stack from starting as it was meant.
    """
    used = uses(environment)
    needed = tuple(use for use in used if use.service != "qe")
    models_dir = models_dir_of(environment)
    stood_in_for = tuple(use for use in needed if _own_model_stands_in(use, models_dir))
    found_card = card()
    return [
        *_libraries(profile, needed),
        *_devices(used, found_card),
        *_own_model(profile, needed, models_dir),
        *(
            Finding(
                f"model {use.model} is not here: {OWN_MODEL}, which comes with Glossa, stands in",
                good=True,
                advice=f"./glossa models pull --profile {profile} gets the larger one",
            )
            for use in {use.model: use for use in stood_in_for}.values()
        ),
        *_models(profile, tuple(use for use in needed if use not in stood_in_for), models_dir),
        *_estimates(profile, used, environment),
        *_memory(used, found_card),
    ]


def installed_runtimes() -> Finding:
    """Every engine whose library is here, whatever the profile."""
    there = [name for name in _MODULES if not _missing_modules(name) and _MODULES[name]]
    return Finding(f"engines installed: {', '.join(there) or 'none'}", good=True)


def _missing_modules(engine: str) -> list[str]:
    return [
        modules.replace("|", " or ")
        for modules in _MODULES[engine]
        if not any(importlib.util.find_spec(name) for name in modules.split("|"))
    ]


def _libraries(profile: str, used: tuple[Use, ...]) -> list[Finding]:
    findings = {}
    for use in used:
        known = ENGINES if use.service == "stt" else RUNTIMES
        entry = known.get(use.engine)
        if entry is None:
            findings[use.engine] = Finding(
                f"{use.variable}={use.engine} is no engine",
                good=False,
                advice=f"there are {', '.join(sorted(known))}",
            )
        elif missing := _missing_modules(use.engine):
            findings[use.engine] = Finding(
                f"{use.engine} lacks {' and '.join(missing)}",
                good=False,
                advice=f"./glossa up --profile {profile} installs it (or {entry.install})",
            )
    return list(findings.values())


def _own_model(profile: str, used: tuple[Use, ...], models_dir: Path) -> list[Finding]:
    """Whether the runtime `embedded` has its own model: without it captions go on, and worse."""
    pairs = [use for use in used if use.engine == "embedded"]
    if not pairs:
        return []
    if missing := _missing_modules("marian"):
        return [
            Finding(
                f"Apertium translates alone: {' and '.join(missing)} is not installed",
                good=True,
                advice=f"./glossa up --profile {profile} installs it "
                f"(or {RUNTIMES['embedded'].install})",
            )
        ]
    findings = []
    for model in dict.fromkeys(use.model or OWN_MODEL for use in pairs):
        try:
            names = " and ".join(folder.name for folder in model_folders(model, models_dir))
        except GlossaError:
            findings.append(
                Finding(
                    f"Apertium translates alone: {model} is not here, or not whole",
                    good=True,
                    advice=f"{OWN_MODEL} comes with Glossa, in {SHIPPED}",
                )
            )
        else:
            findings.append(Finding(f"translates with {names} and Apertium", good=True))
    return findings


def _own_model_stands_in(use: Use, models_dir: Path) -> bool:
    """Whether the runtime `marian` takes the own model because its usual one is not here."""
    if use.engine != "marian" or use.model != RUNTIMES["marian"].model:
        return False
    return not _is_there(use.model, models_dir) and _is_there(OWN_MODEL, models_dir)


def _is_there(model: str, models_dir: Path) -> bool:
    """Whether the services find it."""
    try:
        find_model(model, models_dir)
    except GlossaError:
        return False
    return True


def _estimates(
    profile: str, used: tuple[Use, ...], environment: Mapping[str, str]
) -> list[Finding]:
    """What qe is to measure with beside the rules: missing, it costs signals, and no captions."""
    named_elsewhere = {use.model for use in used if use.service != "qe"}
    wanted = tuple(use for use in used if use.service == "qe" and use.model not in named_elsewhere)
    findings = []
    if any(use.engine == LEARNED for use in wanted):
        python = python_of("qe", environment)
        findings.append(
            Finding(f"{LEARNED} by {python}", good=True)
            if python != sys.executable
            else Finding(
                f"{LEARNED} is not installed: pairs get no learned estimate",
                good=True,
                advice=f"./glossa up --profile {profile} installs it",
            )
        )
    for finding in _models(profile, wanted, models_dir_of(environment)):
        if not finding.good:
            finding = replace(finding, subject=f"{finding.subject}: qe runs without it", good=True)
        findings.append(finding)
    return findings


def _devices(used: tuple[Use, ...], found_card: Card | None) -> list[Finding]:
    findings = []
    if found_card is not None:
        size = f"{found_card.total_bytes / 1e9:.1f} GB"
        findings.append(Finding(f"card {found_card.name}, {size}", good=True))
    on_card = sorted({use.engine for use in used if use.device == "cuda" and use.model})
    if on_card and found_card is None:
        findings.append(
            Finding(
                f"no NVIDIA card answers (wanted by {', '.join(on_card)})",
                good=False,
                advice="install its driver, or choose --profile cpu",
            )
        )
    apple = sorted({use.engine for use in used if use.engine in _ON_APPLE})
    if apple and platform.system() != "Darwin":
        findings.append(
            Finding(
                f"on the CPU here: {', '.join(apple)}",
                good=True,
                advice="MLX is made for Apple Silicon and too slow for a sermon elsewhere",
            )
        )
    return findings


def _models(profile: str, used: tuple[Use, ...], models_dir: Path) -> list[Finding]:
    findings = []
    pull = f"./glossa models pull --profile {profile}"
    named = {use.model: use for use in used if use.model}
    for model in models_of(tuple(named.values())):
        folder = models_dir / model.folder
        # A folder of several models serves with those that are there: opus-mt, a direction each.
        if not folder.exists() and folder.parent != models_dir and folder.parent.exists():
            findings.append(
                Finding(f"model {model.name} is not here", good=True, advice=f"wanted? {pull}")
            )
        elif not folder.exists():
            size = f"{model.bytes / 1e9:.2f} GB"
            licence = (
                f", after accepting its licence ({model.licence}) at {model.licence_url}, "
                "with HF_TOKEN set"
            )
            findings.append(
                Finding(
                    f"model {model.name} ({size}) is missing",
                    good=False,
                    advice=pull + licence * model.gated,
                )
            )
        elif read_manifest(folder) is None:
            findings.append(
                Finding(
                    f"model {model.name} has no manifest",
                    good=True,
                    advice=f"./glossa models pull {model.name} --from FOLDER writes one",
                )
            )
        elif not is_whole(folder):
            findings.append(
                Finding(
                    f"model {model.name} is damaged",
                    good=False,
                    advice=f"./glossa models pull {model.name} --again",
                )
            )
        else:
            findings.append(Finding(f"model {model.name}", good=True))
    for name, use in named.items():
        if use.engine != "embedded" and not models_of((use,)) and not _is_there(name, models_dir):
            findings.append(
                Finding(
                    f"model {name} is neither a path nor in {models_dir}",
                    good=False,
                    advice="./glossa models pull OWNER/NAME, or --from FOLDER",
                )
            )
    return findings


def _memory(used: tuple[Use, ...], found_card: Card | None) -> list[Finding]:
    """The models' memory against the card's and the machine's: estimates from the catalogue."""
    import psutil

    on_card: dict[str, int] = {}
    elsewhere = 0
    for use in used:
        # Of a folder with several directions each is loaded; Whisper's partials may share a model.
        for model in models_of((use,)):
            needed = model.memory_bytes(use.compute_type)
            if use.device == "cuda":
                on_card[f"{use.service} {model.name}"] = needed
            else:
                elsewhere += needed
    findings = []
    if on_card:
        contexts = len({name.partition(" ")[0] for name in on_card})
        total = sum(on_card.values()) + contexts * _CONTEXT_BYTES
        parts = [f"{name} {needed / 1e9:.1f}" for name, needed in on_card.items()]
        parts.append(f"CUDA {contexts * _CONTEXT_BYTES / 1e9:.1f}")
        subject = f"video memory, estimated: {total / 1e9:.1f} GB ({', '.join(parts)})"
        if found_card is None:
            findings.append(Finding(subject, good=True))
        else:
            room = found_card.total_bytes - _DISPLAY_BYTES
            fits = total <= room
            findings.append(
                Finding(
                    f"{subject} of {found_card.total_bytes / 1e9:.1f}",
                    good=fits,
                    advice="" if fits else "choose a smaller profile or model",
                )
            )
    if elsewhere:
        total = psutil.virtual_memory().total
        fits = elsewhere <= total * 0.7
        findings.append(
            Finding(
                f"memory for models, estimated: {elsewhere / 1e9:.1f} GB of {total / 1e9:.1f}",
                good=fits,
                advice="" if fits else "choose a smaller profile or model",
            )
        )
    return findings
