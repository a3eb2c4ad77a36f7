"""Tasks that Label Studio takes, and what its annotations mean."""

from __future__ import annotations

import copy
import json
from typing import Any
from xml.etree import ElementTree

import pytest

from services.collector.label_studio import (
    CHOICES,
    Annotation,
    Malformed,
    Shown,
    read,
    task,
)
from services.collector.pair import Decision
from tests.processes import REPOSITORY

SHOWN = Shown(
    pair_id="session-a/3/es",
    source_language="en",
    target_language="es",
    source_text="The river stands",
    target_text="El río está",
    audio="/data/local-files/?d=a.wav",
    priority=0.7,
    quality_score=0.6,
    reasons=("low_score", "missing_term"),
    flags=("runaway",),
    missing_terms=(("river", "río"), ("covenant", "pacto")),
    scores={"translation_qe": 0.5},
)


def annotated(choice: str | None, *, number: int = 7, **texts: str) -> dict[str, Any]:
    """A task as Label Studio exports it, with one annotation."""
    exported = json.loads(json.dumps(task(SHOWN)))
    exported["id"] = number
    result = copy.deepcopy(exported["predictions"][0]["result"])
    for region in result:
        if region["from_name"] in texts:
            region["value"]["text"] = [texts[region["from_name"]]]
    if choice is not None:
        result.append(
            {
                "id": "x",
                "from_name": "decision",
                "to_name": "shown_source",
                "type": "choices",
                "value": {"choices": [choice]},
            }
        )
    exported["annotations"] = [
        {"id": 1, "result": result, "was_cancelled": False, "updated_at": "2026-11-22T10:00:00Z"}
    ]
    return exported


def only(tasks: object) -> Annotation | Malformed:
    found = list(read(tasks))
    assert len(found) == 1
    return found[0]


def test_a_task_and_the_labelling_configuration_fit_each_other() -> None:
    root = ElementTree.parse(REPOSITORY / "docs" / "label-studio.xml").getroot()  # noqa: S314
    wanted = {
        name[1:]
        for element in root.iter()
        for value in (element.get("value", ""),)
        for name in value.split()
        if name.startswith("$")
    }
    made = task(SHOWN)
    assert wanted <= made["data"].keys()
    objects = {element.get("name") for element in root.iter() if element.tag in ("Text", "Audio")}
    controls = {
        element.get("name"): element.get("toName")
        for element in root.iter()
        if element.tag in ("TextArea", "Choices")
    }
    assert set(controls.values()) <= objects
    for region in made["predictions"][0]["result"]:
        assert controls[region["from_name"]] == region["to_name"]
        assert region["type"] == "textarea"
    assert {element.get("value") for element in root.iter("Choice")} == set(CHOICES)


@pytest.mark.parametrize("choice", CHOICES)
def test_a_choice_is_a_decision(choice: str) -> None:
    annotation = only([annotated(choice, target_text="El río se queda")])
    assert isinstance(annotation, Annotation)
    assert (annotation.task, annotation.pair_id) == ("task 7", "session-a/3/es")
    assert annotation.target_text == "El río se queda"
    # A changed text was meant, whatever was chosen but the rejection.
    expected = Decision.REJECTED if choice == "Reject" else Decision.FIXED
    assert annotation.decision is expected


def test_what_was_left_as_it_is_is_accepted() -> None:
    annotation = only([annotated("Right as shown")])
    assert isinstance(annotation, Annotation)
    assert annotation.decision is Decision.ACCEPTED
    assert (annotation.source_text, annotation.target_text) == ("The river stands", "El río está")


def test_tasks_that_nobody_annotated_are_left_out() -> None:
    cancelled = annotated("Reject")
    cancelled["annotations"][0]["was_cancelled"] = True
    empty = annotated("Reject")
    empty["annotations"] = []
    assert list(read([cancelled, empty, task(SHOWN)])) == []


def test_the_newest_annotation_of_a_task_counts() -> None:
    both = annotated("Right as shown")
    newer = copy.deepcopy(annotated("Reject")["annotations"][0])
    newer["updated_at"] = "2026-11-22T11:00:00Z"
    both["annotations"].insert(0, newer)
    annotation = only([both])
    assert isinstance(annotation, Annotation)
    assert annotation.decision is Decision.REJECTED


def _without_data() -> object:
    return {"id": 7, "source": "JSON-MIN has no data"}


def _without_pair_id() -> object:
    broken = annotated("Reject")
    del broken["data"]["pair_id"]
    return broken


def _with(path: str, value: object) -> object:
    broken = annotated("Reject")
    broken["annotations"][0][path] = value
    return broken


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        (_without_data(), "JSON-MIN"),
        (_without_pair_id(), "pair_id"),
        (annotated(None), "choose one of"),
        (annotated("Maybe"), "'Maybe'"),
        (annotated("Put right", target_text="  "), "empty"),
        (_with("result", None), "result"),
        (_with("result", [3]), "no region"),
        (_with("result", [{"value": {}}]), "choose one of"),
        ({"id": 7, "data": {"pair_id": "a/1/es"}, "annotations": [3]}, "annotations"),
        ("nonsense", "data"),
        (None, "data"),
    ],
)
def test_what_cannot_be_understood_is_named_and_the_rest_is_read(
    entry: object, problem: str
) -> None:
    malformed, good = read([entry, annotated("Reject", number=8)])
    assert isinstance(malformed, Malformed)
    assert problem in malformed.problem
    assert malformed.task == ("task 7" if isinstance(entry, dict) else "entry 1")
    assert isinstance(good, Annotation)


@pytest.mark.parametrize("tasks", [{}, None, "text", 3])
def test_what_is_no_export_is_refused(tasks: object) -> None:
    with pytest.raises(ValueError, match="list of tasks"):
        list(read(tasks))
