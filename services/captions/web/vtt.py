"""A session's finals in one language as WebVTT (https://www.w3.org/TR/webvtt1/)."""

from __future__ import annotations

from collections.abc import Iterable

from services.captions.events import Caption

_SHORTEST_CUE_MS = 500


def webvtt(captions: Iterable[Caption]) -> str:
    """One cue a caption; a cue lasts half a second at least, as one without length never shows."""
    blocks = ["WEBVTT"]
    for caption in captions:
        text = _cue_text(caption.stable_text)
        if not text:
            continue
        end_ms = max(caption.end_offset_ms, caption.start_offset_ms + _SHORTEST_CUE_MS)
        blocks.append(
            f"{caption.segment_id}\n"
            f"{_timestamp(caption.start_offset_ms)} --> {_timestamp(end_ms)}\n{text}"
        )
    return "\n\n".join(blocks) + "\n"


def _cue_text(text: str) -> str:
    """One line (an empty one would end the cue), the three characters of markup escaped."""
    line = " ".join(text.split())
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _timestamp(offset_ms: int) -> str:
    seconds, ms = divmod(max(0, offset_ms), 1000)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour:02}:{minute:02}:{second:02}.{ms:03}"
