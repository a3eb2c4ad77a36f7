"""Teaching a TranslateGemma."""
