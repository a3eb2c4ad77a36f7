"""Whether music is playing or people are singing, so that captions rest until somebody speaks."""

from __future__ import annotations

from services.stt.engine import Samples


class MusicDetector:
    """Follows one stream window by window."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forgets what came before, as at the beginning of a stream."""

    def accept(self, samples: Samples, speech_probability: float) -> bool:
        """Whether captions are held after this window.

        Args:
            samples: the next 512, mono float32 at 16 kHz, [-1, 1].
            speech_probability: what voice activity says of them, [0, 1].
        """
        del samples, speech_probability
        return False
