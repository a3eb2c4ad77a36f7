"""What a quantised export lost against the model that it was made from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from services.errors import InvalidInput
from training.evaluation.kept import TermCheck
from training.rows import Row

_CHECK = "check.json"  # as training.export writes it


def export_figures(folder: Path, source_language: str, target_language: str) -> dict[str, Any]:
    """{"sentences", "bleu_loss", "chrf_loss", "term_loss"}: points, points, share of the terms.

    A loss is that of the scores against a person's translations; None without such, or without a
    term.

    Raises:
        InvalidInput: EXPORT_UNCHECKED.
    """
    try:
        check = json.loads((folder / _CHECK).read_text(encoding="utf-8"))
        source, export = check["source"] or {}, check["export"] or {}
        lost: dict[str, Any] = {
            f"{name}_loss": round(source[name] - export[name], 2) if source and export else None
            for name in ("bleu", "chrf")
        }
        rows = [
            (
                Row(
                    source=row["source"],
                    target=row["reference"],
                    kind="general",
                    origin="",
                    source_language=source_language,
                    target_language=target_language,
                ),
                row["of_source"],
                row["of_export"],
            )
            for row in check["rows"]
            if row.get("reference")
        ]
        count = int(check["count"])
    except OSError as error:
        raise InvalidInput(
            "EXPORT_UNCHECKED", f"{folder} has no {_CHECK}; export it without --no-check"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidInput(
            "EXPORT_UNCHECKED", f"cannot read {folder / _CHECK}: {error!r}"
        ) from error
    terms = TermCheck()
    before = [terms.kept(row, of_source) for row, of_source, _ in rows]
    after = [terms.kept(row, of_export) for row, _, of_export in rows]
    wanted = sum(each.wanted for each in before)
    lost_terms = sum(each.kept for each in before) - sum(each.kept for each in after)
    return {
        "sentences": count,
        **lost,
        "term_loss": round(lost_terms / wanted, 4) if wanted else None,
    }
