"""Writes docs/settings.md from the settings classes: `.venv/bin/python docs/settings.py`."""

from __future__ import annotations

import importlib
import types
from pathlib import Path
from typing import Literal, Union, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from services.settings import SERVICES, ServiceSettings

REPOSITORY = Path(__file__).resolve().parents[1]
PAGE = REPOSITORY / "docs" / "settings.md"


def settings_page() -> str:
    """The page: what all services share, then what each has for itself."""
    lines = [
        "# Settings",
        "",
        "Every setting is an environment variable, read once at the start. Wrong values end the",
        "service with a line for each. This page is written by `docs/settings.py`.",
        "",
        "## Of every service",
        "",
        "`<S>` is GATEWAY, STT, MT, QE, CAPTIONS or COLLECTOR. The ports are under each service.",
        "`GLOSSA_CERTIFICATES_DIR`, `GLOSSA_TOKEN` and `GLOSSA_TOKEN_FILE` without `<S>_` hold for",
        "every service that has none of its own, and for the command line; so does",
        "`GLOSSA_TRACES_ENDPOINT` for every service.",
        "",
        *_table("GLOSSA_<S>_", ServiceSettings.model_fields, left_out=("grpc_port", "http_port")),
    ]
    for name in SERVICES:
        module = importlib.import_module(f"services.{name}.settings")
        settings_type = getattr(module, f"{name.title()}Settings")
        shared = tuple(key for key in ServiceSettings.model_fields if not key.endswith("_port"))
        table = _table(f"GLOSSA_{name.upper()}_", settings_type.model_fields, left_out=shared)
        lines += ["", f"## {name}", "", *table]
    return "\n".join(lines) + "\n"


def _table(prefix: str, fields: dict[str, FieldInfo], left_out: tuple[str, ...]) -> list[str]:
    rows = ["| variable | default | meaning |", "|---|---|---|"]
    for name, field in fields.items():
        if name in left_out:
            continue
        shared = ServiceSettings.model_fields.get(name)
        meaning = field.description or (shared.description if shared else None) or ""
        limit = _choices(field.annotation) or _range(field)
        if limit and not name.endswith("_port") and not _says_each(meaning, field.annotation):
            meaning = f"{meaning}; {limit}" if meaning else limit
        rows.append(f"| `{prefix}{name.upper()}` | {_default(field)} | {meaning} |")
    return rows


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, Path) and value.is_absolute():
        value = value.relative_to(REPOSITORY)
    if isinstance(value, bool):
        value = str(value).lower()
    return f"`{value}`" if value not in ("", (), None) else ""


def _says_each(meaning: str, annotation: object) -> bool:
    choices = _choices(annotation)
    return bool(choices) and sum(choice in meaning for choice in choices.split(", ")) > 1


def _choices(annotation: object) -> str:
    if get_origin(annotation) in (Union, types.UnionType):
        return next((text for part in get_args(annotation) if (text := _choices(part))), "")
    return ", ".join(get_args(annotation)) if get_origin(annotation) is Literal else ""


def _range(field: FieldInfo) -> str:
    bounds = {"ge": "from {}", "gt": "above {}", "le": "to {}", "lt": "below {}"}
    return " ".join(
        text.format(getattr(limit, kind))
        for kind, text in bounds.items()
        for limit in field.metadata
        if getattr(limit, kind, None) is not None
    )


if __name__ == "__main__":
    PAGE.write_text(settings_page(), encoding="utf-8")
