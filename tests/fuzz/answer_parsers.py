"""What reads the answers of other programs and services, and reports, as functions of bytes."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from cli import obs_messages, propresenter_messages
from cli.metrics_page import MetricsPage
from cli.obs_connection import authentication
from dashboard.sessions import read_sessions, score_rows
from tests.fuzz.parser import Parser, of_file, of_text


def _obs_message(text: str) -> None:
    """As each kind that is waited for, one within another as they come."""
    hello = obs_messages.data_of(text, 0)
    if hello is not None:
        proof = obs_messages.Hello.model_validate(hello).authentication
        if proof is not None:
            authentication("password", proof.salt, proof.challenge)
    data = obs_messages.data_of(text, 7)
    if data is not None:
        answer = obs_messages.RequestResponse.model_validate(data).response_data or {}
        kind = obs_messages.InputList if "inputs" in answer else obs_messages.InputSettings
        kind.model_validate(answer)


def _propresenter(data: bytes) -> None:
    for message in propresenter_messages.messages_of(data).values():
        assert "/" not in message.id.uuid
        message.text_tokens  # noqa: B018


def _metrics(text: str) -> None:
    page = MetricsPage(text)
    for name in page.names:
        page.total(name)
        for label in ("", "kind"):
            page.durations(name.removesuffix("_bucket"), label)
            assert all(float(value) == value for value in page.by_label(name, label).values())


def _report(path: Path) -> None:
    """Beside a report that is right: they are put in order."""
    for name, content in (("right", REPORT), ("other", path.read_bytes())):
        (path.parent / name).mkdir()
        (path.parent / name / "report.json").write_bytes(content)
    sessions, unreadable = read_sessions(path.parent)
    assert len(sessions) + len(unreadable) == 2
    list(score_rows(sessions))
    if unreadable:
        raise ValueError(unreadable[0])


REPORT = json.dumps(
    {
        "session": {
            "session_id": "s",
            "title": "Sunday",
            "start_time": datetime(2026, 11, 22, 10, tzinfo=UTC).isoformat(),
            "speech_s": 60.5,
            "stt_models": ["a"],
            "mt_models": ["b"],
        },
        "segments": {"finals": 2, "suppressed": {"noise": 1}, "untranslated": {}},
        "pairs": {"by_language": {"es": {"bands": {"accept": 1, "review": 1}}}},
        "terms": {"glossary": [{"count": 2, "missing": 1}]},
        "review": {
            "source_words": 4,
            "changes": [{"source_before": "race and peace", "source_after": "grace and peace"}],
        },
        "lag_ms": {"in_real_time": True, "target_caption": {"p95": 900.5}},
        "scores": {"quality_score": {"values": [0.5, 0.9]}},
    }
).encode()

_INPUTS = (
    b'{"op": 7, "d": {"requestId": "1", "requestStatus": {"result": true, "code": 100}, '
    b'"responseData": {"inputs": [{"inputName": "Captions", "inputKind": "text_ft2_source_v2"}]}}}'
)
_PAGE = b"""\
# HELP waiting What waits.
# TYPE waiting gauge
waiting{kind="final"} 2
waiting{kind="lost"} NaN
# TYPE took_seconds histogram
took_seconds_bucket{kind="final",le="1.0"} 1.0
took_seconds_bucket{kind="final",le="+Inf"} 3.0
took_seconds_count{kind="final"} 3.0
took_seconds_sum{kind="final"} 4.5
# TYPE calls_total counter
calls_total{code="OK",method="a\\"b"} 5 1763805600000
"""

ANSWER_PARSERS = (
    Parser(
        "obs message",
        of_text(_obs_message),
        (ValueError,),  # cli.obs_connection takes it
        seeds=(
            b'{"op": 0, "d": {"rpcVersion": 1, "authentication": {"challenge": "c", "salt": "s"}}}',
            _INPUTS,
            b'{"op": 7, "d": {"requestId": "2", "requestStatus": {"result": false, "code": 501, '
            b'"comment": "c"}, "responseData": {"inputSettings": {"text": "Am\xc3\xa9n."}}}}',
            b'{"op": 5, "d": {"eventType": "e"}}',
        ),
    ),
    Parser(
        "propresenter version",
        propresenter_messages.check_version,
        (ValueError,),  # cli.propresenter_connection takes it, as it does the next one's
        seeds=(b'{"name": "n", "api_version": "v1"}',),
    ),
    Parser(
        "propresenter messages",
        _propresenter,
        (ValueError,),
        seeds=(
            b'[{"id": {"name": "Captions", "uuid": "0A1B-2", "index": 0}, "tokens": [{"name": "t", '
            b'"text": {"text": ""}}, {"name": "u", "clock": {}}]}]',
        ),
    ),
    Parser("metrics page", of_text(_metrics), (ValueError,), seeds=(_PAGE,)),
    Parser("session report", of_file(_report), (ValueError,), seeds=(REPORT,)),
)
