"""What is shown of the segments that are still open."""

from __future__ import annotations

from services.captions.events import Caption, CaptionDropped, Event


class Partials:
    """The newest partial of each segment and language: live only, for displays that join now."""

    def __init__(self) -> None:
        self._newest: dict[tuple[str, int], dict[str, tuple[int, Event]]] = {}  # with its revision

    def take(self, event: Event, caption: Caption) -> bool:
        """Keeps `event`, whose body is `caption`; False when a newer one is known."""
        newest = self._newest.setdefault((event.session_id, caption.segment_id), {})
        known_revision, _ = newest.get(caption.language, (caption.revision, event))
        if known_revision > caption.revision:
            return False
        newest[caption.language] = (caption.revision, event)
        return True

    def events(self) -> list[Event]:
        return [event for newest in self._newest.values() for _, event in newest.values()]

    def forget(self, session_id: str, segment_id: int, language: str) -> None:
        """Forgets a segment in one language, or in all when it is empty."""
        newest = self._newest.get((session_id, segment_id))
        if newest is not None:
            newest.pop(language, None)
            if not newest or not language:
                del self._newest[session_id, segment_id]

    def forget_session(self, session_id: str) -> None:
        for key in [key for key in self._newest if key[0] == session_id]:
            del self._newest[key]

    def drop_all(self) -> list[Event]:
        """Forgets everything; returns the events by which displays take it away."""
        dropped = [
            Event(0, session_id, None, CaptionDropped(segment_id))
            for session_id, segment_id in self._newest
        ]
        self._newest.clear()
        return dropped
