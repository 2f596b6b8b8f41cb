"""Pictures that are written into files, and are not to appear anywhere else."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def closing_figures() -> Iterator[None]:
    """Close the figures that this block leaves open in pyplot, where that is in use.

    A notebook would show them below the cell that gave the command. Those from before stay.
    """
    before = _numbers()
    try:
        yield
    finally:
        for number in _numbers() - before:
            sys.modules["matplotlib.pyplot"].close(number)


def _numbers() -> set[int]:
    """The open figures; of pyplot itself only if somebody has imported it."""
    pyplot: Any = sys.modules.get("matplotlib.pyplot")
    return set() if pyplot is None else set(pyplot.get_fignums())
