"""What the files of deploy/ ask Prometheus for."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

from tests.processes import REPOSITORY

PROMETHEUS = REPOSITORY / "deploy" / "prometheus"
GRAFANA = REPOSITORY / "deploy" / "grafana"
DASHBOARD = GRAFANA / "dashboards" / "glossa.json"
# Every panel, and what it is there to show.
PANELS = {
    "Services": "up",
    "What captions go without": "glossa_degraded",
    "Alerts": "ALERTS",
    "Sessions": "glossa_gateway_sessions_open",
    "Viewers now": "glossa_captions_viewers",
    "Lag: from the last speech to the journal": "glossa_gateway_lag_seconds_bucket",
    "Errors: calls that failed": "glossa_rpc_duration_seconds_count",
    "Decoding: time of one step": "glossa_stt_engine_seconds_bucket",
    "Real-time factor": "glossa_stt_engine_seconds_sum",
    "Waiting for a decoder": "glossa_stt_queue_depth",
    "Suppressions: what was heard and not shown": "glossa_stt_suppressions_total",
    "Partials left out": "glossa_stt_partials_skipped_total",
    "Audio that is not heard": "glossa_gateway_gap_seconds_total",
    "Translating: time of one text in the engine": "glossa_mt_engine_seconds_bucket",
    "Tokens a second": "glossa_mt_tokens_total",
    "First token": "glossa_mt_first_token_seconds_bucket",
    "Finals by the draft model": "glossa_mt_shed_total",
    "Waiting for a translation": "glossa_mt_queue_depth",
    "Doubts, terms and voices": "glossa_mt_doubts_total",
    "Bands of new pairs": "glossa_collector_pairs_total",
    "Pairs in Redis": "glossa_collector_queue_length",
    "Excluded pairs": "glossa_collector_exclusions_total",
    "Scoring: time of one run": "glossa_qe_engine_seconds_bucket",
    "Behind the journal": "glossa_gateway_journal_sequence",
    "Redis": "glossa_collector_queue_available_bool",
    "Accepted unseen": "glossa_collector_auto_accept_ratio",
    "Signals missing": "glossa_qe_signals_missing_total",
    "Viewers": "glossa_captions_viewers",
    "Viewers cut or refused": "glossa_captions_cuts_total",
    "Events to displays": "glossa_captions_events_total",
    "Video memory": "glossa_card_memory_used_bytes",
    "Memory": "process_resident_memory_bytes",
    "Processor": "process_cpu_seconds_total",
    "Event loops": "glossa_event_loop_lag_seconds",
    "Disk of the journal": "glossa_gateway_disk_free_bytes",
    "Open files and streams": "process_open_fds",
    "Certificates": "glossa_certificate_expiry_timestamp_seconds",
}


def panels() -> list[dict[str, Any]]:
    """Those that show something, in order."""
    dashboard = json.loads(DASHBOARD.read_text())
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def expressions_of(panel: dict[str, Any]) -> list[str]:
    """As Prometheus takes them: Grafana's interval is a minute."""
    return [target["expr"].replace("$__rate_interval", "1m") for target in panel.get("targets", ())]


def alerts() -> list[dict[str, Any]]:
    groups = read_yaml(PROMETHEUS / "alerts.yml")["groups"]
    return [rule for group in groups for rule in group["rules"]]


def all_expressions() -> list[str]:
    """Of the dashboard and of the alerts."""
    shown = [expression for panel in panels() for expression in expressions_of(panel)]
    return [*shown, *(alert["expr"] for alert in alerts())]


def metrics_of(expression: str) -> set[str]:
    """The names of this project's metrics, and of a process's, in an expression."""
    return set(re.findall(r"\b(?:glossa|process)_\w+", expression))


def read_yaml(path: Path) -> Any:
    return yaml.safe_load(path.read_text())
