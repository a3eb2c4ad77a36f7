"""Pairs as Label Studio tasks, and its annotations as decisions. Pure.

The labelling configuration that fits is docs/label-studio.xml; a test holds the two together.
Source of the format: https://labelstud.io/guide/task_format and /guide/predictions.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.collector.pair import Decision

# Names of the controls and of the object that they label, in the labelling configuration.
SOURCE_CONTROL = "source_text"
TARGET_CONTROL = "target_text"
DECISION_CONTROL = "decision"
OBJECT = "shown_source"
TARGET_OBJECT = "shown_target"

CHOICES = {
    "Right as shown": Decision.ACCEPTED,
    "Put right": Decision.FIXED,
    "Reject": Decision.REJECTED,
}
MODEL_VERSION = "glossa"


@dataclass(frozen=True, slots=True)
class Shown:
    """What a task is made of.

    Args:
        audio: an address or a path that the annotators' browser can load; empty for none.
        scores: what was measured, by name.
    """

    pair_id: str
    source_language: str
    target_language: str
    source_text: str
    target_text: str
    audio: str
    priority: float
    quality_score: float
    reasons: Sequence[str]
    flags: Sequence[str]
    missing_terms: Sequence[tuple[str, str]]
    scores: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Annotation:
    """A person's decision, as Label Studio knows it.

    Args:
        source_text: as it shall be.
        target_text: as it shall be.
        shown_source_text: as the task showed it; empty when its data do not say.
        shown_target_text: the same.
    """

    task: str
    pair_id: str
    decision: Decision
    source_text: str
    target_text: str
    shown_source_text: str
    shown_target_text: str


@dataclass(frozen=True, slots=True)
class Malformed:
    """A task that says nothing that could be understood, and why."""

    task: str
    problem: str


def task(shown: Shown) -> dict[str, Any]:
    """One task, its texts filled in as a prediction."""
    return {
        "data": {
            "pair_id": shown.pair_id,
            "source": shown.source_text,
            "target": shown.target_text,
            "source_language": shown.source_language,
            "target_language": shown.target_language,
            "audio": shown.audio,
            "doubts": ", ".join([*shown.reasons, *shown.flags]),
            "reasons": list(shown.reasons),
            "flags": list(shown.flags),
            "missing_terms": "; ".join(
                f"{source} = {target}" for source, target in shown.missing_terms
            ),
            "priority": shown.priority,
            "quality_score": shown.quality_score,
            "scores": dict(shown.scores),
        },
        "predictions": [
            {
                "model_version": MODEL_VERSION,
                "score": shown.quality_score,
                "result": [
                    _text(SOURCE_CONTROL, OBJECT, shown.source_text, shown.pair_id),
                    _text(TARGET_CONTROL, TARGET_OBJECT, shown.target_text, shown.pair_id),
                ],
            }
        ],
    }


def read(tasks: object) -> Iterable[Annotation | Malformed]:
    """What people decided, one a task that was annotated; tasks that nobody did are left out.

    Of several annotations of a task the newest counts that was not cancelled.

    Raises:
        ValueError: this is no export of Label Studio.
    """
    if not isinstance(tasks, list):
        raise ValueError("a JSON export of Label Studio is a list of tasks")
    for number, entry in enumerate(tasks, start=1):
        name = (
            f"task {entry['id']}"
            if isinstance(entry, dict) and "id" in entry
            else f"entry {number}"
        )
        try:
            annotation = _annotation(name, entry)
        except ValueError as error:
            yield Malformed(name, str(error))
        else:
            if annotation is not None:
                yield annotation


def _annotation(name: str, entry: object) -> Annotation | None:
    """Raises ValueError, saying what is wrong."""
    if not isinstance(entry, dict) or not isinstance(entry.get("data"), dict):
        raise ValueError('it has no "data"; export from Label Studio as JSON, not JSON-MIN')
    data = entry["data"]
    pair_id = data.get("pair_id")
    if not isinstance(pair_id, str) or len(pair_id.rsplit("/", 2)) != 3:
        raise ValueError('its data has no "pair_id"; import tasks that `review export` wrote')
    annotations = entry.get("annotations", [])
    if not isinstance(annotations, list) or not all(isinstance(one, dict) for one in annotations):
        raise ValueError('its "annotations" are no list of objects')
    done = [one for one in annotations if not one.get("was_cancelled")]
    if not done:
        return None
    newest = max(done, key=lambda one: str(one.get("updated_at") or one.get("created_at") or ""))
    values = _values(newest.get("result"))
    choice = values.get(DECISION_CONTROL, "")
    decision = CHOICES.get(choice)
    if decision is None:
        found = f"{choice!r}" if choice else "none"
        raise ValueError(f"its decision is {found}; choose one of: {', '.join(CHOICES)}")
    shown = {
        control: text if isinstance(text := data.get(field), str) else ""
        for control, field in ((SOURCE_CONTROL, "source"), (TARGET_CONTROL, "target"))
    }
    texts = {control: values.get(control, text) for control, text in shown.items()}
    if not all(text.strip() for text in texts.values()):
        raise ValueError("one of its texts is empty")
    if decision is Decision.ACCEPTED and texts != shown:
        decision = Decision.FIXED  # who changed a text and left the choice meant the change
    return Annotation(
        name,
        pair_id,
        decision,
        source_text=texts[SOURCE_CONTROL],
        target_text=texts[TARGET_CONTROL],
        shown_source_text=shown[SOURCE_CONTROL],
        shown_target_text=shown[TARGET_CONTROL],
    )


def _values(result: object) -> dict[str, str]:
    """What each control says: a text, or the choice."""
    if not isinstance(result, list):
        raise ValueError('its annotation has no "result"')
    values = {}
    for region in result:
        if not isinstance(region, dict) or not isinstance(region.get("value"), dict):
            raise ValueError('its "result" holds something that is no region')
        given = region["value"].get("text" if region.get("type") == "textarea" else "choices")
        if isinstance(given, str):
            given = [given]
        if isinstance(given, list) and given and all(isinstance(part, str) for part in given):
            values[str(region.get("from_name"))] = given[-1].strip()
    return values


def _text(control: str, to_name: str, text: str, pair_id: str) -> dict[str, Any]:
    identity = hashlib.sha256(f"{pair_id} {control}".encode()).hexdigest()[:10]
    return {
        "id": identity,
        "from_name": control,
        "to_name": to_name,
        "type": "textarea",
        "value": {"text": [text]},
    }
