"""Small Marian models and how they learn."""
