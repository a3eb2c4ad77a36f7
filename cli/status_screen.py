"""`status` on one screen, and as JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from google.protobuf.json_format import MessageToDict
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cli.service_state import ServiceState, State
from cli.stack_status import StackStatus
from glossa.gateway.v1 import gateway_pb2

_STYLES = {
    State.SERVING: "green",
    State.NOT_SERVING: "yellow",
    State.STUCK: "bold red",
    State.AWAY: "bold red",
}
NOTHING = (
    "Nothing of Glossa runs on this machine's ports: ./glossa up, or docker compose up -d. "
    "(What runs with certificates answers only where GLOSSA_CERTIFICATES_DIR is set.)"
)


def as_object(status: StackStatus) -> dict[str, Any]:
    """For JSON: what is a fraction has one decimal."""
    models = {engine.name: engine.model for engine in status.engines}
    found = {
        "state": "away" if not status.is_there else "degraded" if status.troubles else "good",
        "troubles": list(status.troubles),
        "services": {
            each.name: {
                "state": each.state,
                "up_s": None if each.up_s is None else round(each.up_s),
                "model": models.get(each.name, ""),
                "warnings": list(each.warnings),
            }
            for each in status.services
        },
        "sessions": [
            MessageToDict(
                each,
                preserving_proto_field_name=True,
                always_print_fields_with_no_presence=True,
            )
            for each in status.sessions
        ],
        "stages": {name: dataclasses.asdict(each) for name, each in status.stages.items()},
        "queues": dict(status.queues),
        "pairs": dataclasses.asdict(status.pairs),
        "viewers": dict(status.viewers),
        "errors": dict(status.errors),
    }
    return {key: _rounded(value) for key, value in found.items()}


def _rounded(value: Any) -> Any:
    match value:
        case float():
            return round(value, 1)
        case dict():
            return {key: _rounded(each) for key, each in value.items()}
        case list():
            return [_rounded(each) for each in value]
    return value


def screen(status: StackStatus) -> RenderableType:
    """For a terminal."""
    troubles = [Text(f"! {trouble}", "bold red") for trouble in status.troubles]
    if not status.is_there:
        return Group(Text(NOTHING), *troubles)
    parts: list[RenderableType] = [_services(status)]
    parts.append(_sessions(status) if status.sessions else Text("No session is open.", "dim"))
    if status.stages:
        parts.append(_stages(status))
    parts += [
        _line("waiting", status.queues),
        _line("pairs", status.pairs.by_band, f"{status.pairs.open_review_count} for a person"),
        _line("viewers", status.viewers),
        _line("failed calls since the start", status.errors),
    ]
    parts += troubles
    if not troubles:
        parts.append(Text("All is well.", "green"))
    return Group(*parts)


def _services(status: StackStatus) -> Table:
    engines = {engine.name: engine for engine in status.engines}
    table = Table(box=None, pad_edge=False)
    for heading in ("service", "state", "since", "model"):
        table.add_column(heading)
    for each in status.services:
        engine = engines.get(each.name, gateway_pb2.EngineStatus())
        is_degraded = engine.state == gateway_pb2.ENGINE_STATE_DEGRADED
        state = Text(each.state, _STYLES[each.state])
        if each.state is State.SERVING and (is_degraded or each.warnings):
            state = Text("degraded", "yellow")
        table.add_row(each.name, state, _since(each), Text(engine.model))
    return table


def _since(service: ServiceState) -> str:
    if service.up_s is None:
        return ""
    minutes, seconds = divmod(int(service.up_s), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" * bool(days) or (
        f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s"
    )


def _sessions(status: StackStatus) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("session", "title", "speaker", "finals", "owed", "lag p50 / p95 s"):
        table.add_column(heading)
    for session in status.sessions:
        speaker = "held" if session.is_held else "speaks" if session.has_speaker else "gone"
        lags = [
            f"{lag.stage.removeprefix('translation:')} {lag.p50_ms / 1000:.1f} / "
            f"{lag.p95_ms / 1000:.1f}"
            for lag in session.lags
        ]
        table.add_row(
            session.session_id,
            Text(session.title),
            speaker,
            str(session.final_count),
            str(session.owed_translation_count),
            ", ".join(lags) or "none yet",
        )
    return table


def _stages(status: StackStatus) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("step")
    for heading in ("p50 ms", "p95 ms", "times"):
        table.add_column(heading, justify="right")
    for name, each in status.stages.items():
        table.add_row(name, f"{each.p50_ms:.0f}", f"{each.p95_ms:.0f}", str(each.count))
    return table


def _line(name: str, counts: Mapping[str, int], *more: str) -> Text:
    """What there is of something; what there is none of is left out."""
    words = [f"{key} {count}" for key, count in counts.items() if count]
    return Text.assemble((f"{name}: ", "dim"), ", ".join((*words, *more)) or "none")
