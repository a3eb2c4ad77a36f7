"""Recordings of a church as clips to train a recogniser on."""
