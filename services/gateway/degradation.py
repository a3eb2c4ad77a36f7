"""What captions are without while something is away: a gauge, and a log line once a change.

final model down -> the draft model writes finals; mt down -> captions in the source language alone;
stt down -> nothing is written; qe down -> captions as before, pairs are scored later; no journal ->
no finals.
"""

from __future__ import annotations

import structlog

from glossa.gateway.v1 import gateway_pb2
from services.gateway import metrics

log = structlog.get_logger()

# By engine: the stage that is lost with it, and what that means for those who read.
_WITHOUT = {
    "stt": ("speech", "nothing is written until it is back; audio is kept meanwhile"),
    "mt": ("translation", "screens show the source text; what is owed is translated later"),
    "qe": ("quality", "captions are as before; pairs are scored later"),
}
_FINAL_STAGE = "final_translation"
_DRAFTS_MEANING = "the draft model of mt writes finals"
_JOURNAL_STAGE = "journal"
_JOURNAL_MEANING = "there are no finals until it can be written; audio is kept meanwhile"


class Degradation:
    """Keeps `glossa_degraded` as the engines and the journal are."""

    def __init__(self) -> None:
        self._degraded: dict[str, bool] = {}
        for stage in (_FINAL_STAGE, _JOURNAL_STAGE, *(stage for stage, _ in _WITHOUT.values())):
            metrics.DEGRADED.labels(stage).set(0)

    def note(self, engine: gateway_pb2.EngineStatus) -> None:
        """Takes in how an engine is now. The second mt, which is only compared, is no stage."""
        if engine.name not in _WITHOUT:
            return
        stage, meaning = _WITHOUT[engine.name]
        is_degraded = engine.state == gateway_pb2.ENGINE_STATE_DEGRADED
        serves = is_degraded or engine.state == gateway_pb2.ENGINE_STATE_SERVING
        self._set(stage, meaning, engine.detail, is_degraded=not serves)
        # While it is away nothing is known of its final model: that stays as it was.
        if engine.name == "mt" and serves:
            self._set(_FINAL_STAGE, _DRAFTS_MEANING, engine.detail, is_degraded=is_degraded)

    def note_journal(self, failure: str) -> None:
        """Takes in why the journal cannot be written; empty: it can."""
        self._set(_JOURNAL_STAGE, _JOURNAL_MEANING, failure, is_degraded=bool(failure))

    def _set(self, stage: str, meaning: str, detail: str, *, is_degraded: bool) -> None:
        if self._degraded.get(stage, False) is is_degraded:
            return
        self._degraded[stage] = is_degraded
        metrics.DEGRADED.labels(stage).set(is_degraded)
        if is_degraded:
            log.warning("degraded", stage=stage, meaning=meaning, detail=detail)
        else:
            log.info("recovered", stage=stage)
