"""Measurements: what minicnn costs in time and memory, and how it compares. See README.md here."""
