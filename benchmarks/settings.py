"""What a run was asked to do."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import minicnn as mc

from .peers import PEERS
from .workers import on_processors, processors


@dataclass(frozen=True)
class Settings:
    """The options that all parts share."""

    threads: tuple[int, ...]
    repetitions: int
    quick: bool = False
    only: tuple[str, ...] = ()
    out: Path = field(default=Path("benchmark-results"))

    def wanted(self, name: str) -> bool:
        """Whether --only lets a row of this name through."""
        return not self.only or any(word in name for word in self.only)


def default_threads(quick: bool) -> tuple[int, ...]:
    """One, and two where there are two processors."""
    return (1,) if quick or processors() == 1 else (1, 2)


@contextmanager
def in_process(threads: int) -> Iterator[Any]:
    """Both libraries in this process on so many threads and processors; gives torch, or None."""
    torch: Any = None
    if PEERS["PyTorch"].installed:
        torch = importlib.import_module("torch")

        torch.set_num_threads(threads)
    mc.set_num_threads(threads)
    with on_processors(threads):
        yield torch
