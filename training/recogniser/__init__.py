"""Teaching a Whisper."""
