"""Marks on small pictures that need no colour: a dash where a value is below 0, a cross where it is
no number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST = 28  # marks along a side; in larger pictures one stands for a block of cells
FAINT = 0.05  # of the scale: what is nearer to 0 looks like 0
BROKEN = "#B0B0B0"  # behind a cross


class Marks:
    """Collects marks, to draw them all at once."""

    def __init__(self) -> None:
        self.lines: list[Any] = []
        self.colours: list[str] = []

    def below(
        self, values: npt.NDArray[Any], limit: float, corner: tuple[float, float] = (-0.5, -0.5)
    ) -> None:
        """A dash in each cell of H×W ``values`` that is below 0.

        Args:
            values: H×W; what is not finite counts as 0.
            limit: The magnitude that is drawn strongest.
            corner: (x, y) of the upper left corner of the picture, cells being 1×1.
        """
        strength = np.where(np.isfinite(values), values, 0) / (limit or 1)
        blocks, side = _blocks(strength, np.mean)
        for h, w in np.argwhere(blocks < -FAINT):
            x, y = corner[0] + side * (w + 0.5), corner[1] + side * (h + 0.5)
            self.lines.append([(x - 0.24 * side, y), (x + 0.24 * side, y)])
            self.colours.append("white" if blocks[h, w] < -0.4 else "#053061")

    def broken(
        self, wrong: npt.NDArray[np.bool_], corner: tuple[float, float] = (-0.5, -0.5)
    ) -> int:
        """A cross in each cell of H×W ``wrong`` that is true; returns how many cells are."""
        blocks, side = _blocks(wrong, np.max)
        for h, w in np.argwhere(blocks):
            x, y = corner[0] + side * (w + 0.5), corner[1] + side * (h + 0.5)
            r = 0.3 * side
            self.lines += [[(x - r, y - r), (x + r, y + r)], [(x - r, y + r), (x + r, y - r)]]
            self.colours += ["#333333"] * 2
        return int(wrong.sum())

    def draw(self, ax: Axes) -> None:
        """Put the marks on ax."""
        from matplotlib.collections import LineCollection

        if self.lines:
            lines = LineCollection(self.lines, colors=self.colours, linewidths=0.8, zorder=2.5)
            ax.add_collection(lines, autolim=False)


def _blocks(values: npt.NDArray[Any], together: Any) -> tuple[npt.NDArray[Any], int]:
    """Values of square blocks, at most `MOST` along a side, and how many cells a side they have."""
    side = -(-max(values.shape) // MOST)
    down, across = (-n % side for n in values.shape)
    padded = np.pad(values, ((0, down), (0, across)))
    h, w = padded.shape[0] // side, padded.shape[1] // side
    return together(padded.reshape(h, side, w, side), axis=(1, 3)), side


def not_finite(count: int) -> str:
    """A remark for a title; "" for none."""
    return f", {count:,} not finite (×)" if count else ""
