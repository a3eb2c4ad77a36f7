"""What a session is given: the parts of the gateway that it uses, and where it begins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from glossa.gateway.v1 import gateway_pb2
from services.gateway.audio_store import AudioStore
from services.gateway.held import HeldStretch
from services.gateway.journal import Journal
from services.gateway.last_drafts import LastDrafts
from services.gateway.models import Models
from services.gateway.segment_log import SegmentLog
from services.gateway.settings import GatewaySettings
from services.gateway.shown import ShownTexts


@dataclass(frozen=True)
class Surroundings:
    """What a session uses of the gateway."""

    journal: Journal
    models: Models
    audio_store: AudioStore
    last_drafts: LastDrafts
    settings: GatewaySettings
    shown: ShownTexts
    segment_log: SegmentLog
    publish_live: Callable[[gateway_pb2.LiveUpdate], None]
    translations_behind: Callable[[], bool]


@dataclass(frozen=True)
class Progress:
    """Where a session begins or goes on.

    Args:
        start_time_ms: in milliseconds since the Unix epoch.
        held: what is to be thrown away of the audio above settled_sample.
    """

    start_time_ms: int
    settled_sample: int = 0
    final_count: int = 0
    revision_epoch: int = 0
    held: tuple[HeldStretch, ...] = ()
    owed_translation_count: int = 0
