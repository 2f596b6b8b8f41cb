"""The version of minicnn, stated here alone: pyproject.toml and the checkpoints read it."""

from __future__ import annotations

__version__ = "0.1.0"
