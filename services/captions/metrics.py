"""What this service counts."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

VIEWERS = Gauge("glossa_captions_viewers", "Displays being served now.", ["transport"])
CUTS = Counter(
    "glossa_captions_cuts_total", "Displays ended by this service, by reason.", ["reason"]
)
EVENTS = Counter("glossa_captions_events_total", "Events from upstream, by kind.", ["kind"])
PARTIALS_SKIPPED = Counter(
    "glossa_captions_partials_skipped_total", "Partials that a newer text overtook in a queue."
)
UPSTREAM_CONNECTED = Gauge(
    "glossa_captions_upstream_connected_bool", "1 while the upstream is being followed."
)
SESSIONS = Gauge("glossa_captions_sessions", "Sessions in the history.")
