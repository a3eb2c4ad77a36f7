"""Tiny real models for the engines' tests, trained or made here; nothing is downloaded."""
