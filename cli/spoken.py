"""The sample sermon, spoken by flite: what `demo` plays when it is given no file."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import wave
from pathlib import Path

from services.audio import BYTES_PER_SAMPLE, SAMPLE_RATE_HERTZ
from services.errors import EngineFailed, Unavailable

SAMPLE_TEXT = Path(__file__).with_name("sample") / "sermon.txt"
VOICE = "slt"
_SENTENCE_PAUSE_S = 0.7
_PARAGRAPH_PAUSE_S = 1.2
_FLITE_TIMEOUT_S = 60.0


async def speak(text: str, wav_path: Path) -> None:
    """Writes the text, a sentence a line and a blank line between paragraphs, as 16 kHz speech.

    Raises:
        Unavailable: TOOL_MISSING, or ENGINE_FAILED when flite does not do it.
    """
    if shutil.which("flite") is None:
        raise Unavailable(
            "TOOL_MISSING", "flite is not installed (on Debian: apt-get install flite)"
        )
    wav_path.parent.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        wave.open(str(wav_path), "wb") as speech,
    ):
        speech.setnchannels(1)
        speech.setsampwidth(BYTES_PER_SAMPLE)
        speech.setframerate(SAMPLE_RATE_HERTZ)
        speech.writeframes(_silence(_SENTENCE_PAUSE_S))
        for line in text.splitlines():
            if sentence := line.strip():
                speech.writeframes(await _spoken(sentence, Path(folder) / "sentence.wav"))
                speech.writeframes(_silence(_SENTENCE_PAUSE_S))
            else:
                speech.writeframes(_silence(_PARAGRAPH_PAUSE_S - _SENTENCE_PAUSE_S))
        speech.writeframes(_silence(_PARAGRAPH_PAUSE_S))


async def _spoken(sentence: str, path: Path) -> bytes:
    process = await asyncio.create_subprocess_exec(
        *("flite", "-voice", VOICE, "-t", sentence, "-o", str(path))
    )
    try:
        async with asyncio.timeout(_FLITE_TIMEOUT_S):
            status = await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
        status = -1
    if status != 0:
        raise EngineFailed(f"flite ended with {status}")
    with wave.open(str(path)) as audio:
        if (audio.getframerate(), audio.getnchannels()) != (SAMPLE_RATE_HERTZ, 1):
            raise EngineFailed(f"flite's voice {VOICE} does not speak at {SAMPLE_RATE_HERTZ} Hz")
        return bytes(audio.readframes(audio.getnframes()))


def _silence(duration_s: float) -> bytes:
    return bytes(int(duration_s * SAMPLE_RATE_HERTZ) * BYTES_PER_SAMPLE)
