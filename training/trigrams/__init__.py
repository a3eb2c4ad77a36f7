"""The embedded recogniser's language model."""
