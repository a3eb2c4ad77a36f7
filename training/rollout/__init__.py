"""Versions of models, and getting them to where they run."""
