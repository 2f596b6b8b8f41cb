"""Many small pictures in one: the filters of a convolution, the feature maps of a layer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..errors import ShapeError, describe
from ..layers import Conv2D
from ..tensor import Tensor
from ._style import NORMAL, SMALL, TEXT, axes_or_new, plain_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GAP = 1 / 8  # of the side of a small picture, between it and its neighbours


def filters(layer: Conv2D, ax: Axes | None = None, *, channel: int | None = None) -> Axes:
    """The weights of a convolution, a small picture for each filter, numbered.

    Filters of three input channels are shown in colour, those of one in red (above 0) and blue
    (below), on one scale for all. Of other layers one ``channel`` can be shown, or the mean over
    the channels, which is what None does.

    Args:
        layer: The convolution, out × in × KH × KW.
        ax: Where to draw; None makes a figure with one Axes.
        channel: The input channel to show.

    Raises:
        TypeError: layer is no Conv2D.
        IndexError: there is no such channel.
    """
    if not isinstance(layer, Conv2D):
        raise TypeError(f"layer must be a Conv2D, got {describe(layer)}")
    weight = layer.weight.data
    C = weight.shape[1]
    if channel is not None and not 0 <= channel < C:
        raise IndexError(f"channel must be from 0 to {C - 1}, got {channel}")
    if channel is None and C == 3:
        ax = _mosaic(_unit(weight).transpose(0, 2, 3, 1), ax)
        what = "in colour"
    else:
        planes = weight.mean(axis=1) if channel is None else weight[:, channel]
        ax = _mosaic(planes, ax, signed=True)
        what = f"channel {channel}" if channel is not None else f"mean of {C} channels"
        what = "red: above 0, blue: below" if C == 1 else what
    _title(ax, f"{layer.label}: {len(weight)} filters, {what}")
    return ax


def feature_maps(
    maps: Tensor | npt.ArrayLike, ax: Axes | None = None, *, b: int = 0, title: str | None = None
) -> Axes:
    """What a layer made of one picture: a small picture for each channel, each on its own scale.

    Args:
        maps: B×C×H×W, or C×H×W.
        ax: Where to draw; None makes a figure with one Axes.
        b: Which picture of the batch.
        title: Above the maps; None counts them.

    Raises:
        ShapeError: maps have another number of axes, or no element.
        IndexError: there is no such picture.
    """
    data = np.asarray(maps)
    if data.ndim == 3:
        data = data[None]
    if data.ndim != 4 or data.size == 0:
        raise ShapeError(f"maps must have shape (B, C, H, W) or (C, H, W), got {data.shape}")
    if not 0 <= b < len(data):
        raise IndexError(f"b must be from 0 to {len(data) - 1}, got {b}")
    planes = data[b]
    low = planes.min(axis=(1, 2), keepdims=True)
    span = planes.max(axis=(1, 2), keepdims=True) - low
    ax = _mosaic((planes - low) / np.where(span > 0, span, 1), ax)
    C, H, W = planes.shape
    _title(ax, f"{C} feature maps of {H}×{W}, each on its own scale" if title is None else title)
    return ax


def _unit(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Values from −m to m, m the largest magnitude, brought to 0 to 1."""
    return np.asarray(0.5 + 0.5 * values / (np.abs(values).max() or 1))


def _mosaic(planes: npt.NDArray[Any], ax: Axes | None, *, signed: bool = False) -> Axes:
    """N×H×W or N×H×W×3 side by side in rows, numbered at their upper left."""
    N, H, W = planes.shape[:3]
    columns = min(N, max(1, math.ceil(math.sqrt(N * 1.6 * H / W))))
    rows = math.ceil(N / columns)
    wide, high = W * (1 + GAP), H * (1 + GAP) + 0.2 * H  # room above each for its number
    ax = axes_or_new(ax, (0.75 * columns + 0.2, 0.75 * rows * high / wide + 0.4))
    limit = float(np.abs(planes).max()) or 1.0
    look: dict[str, Any] = {"cmap": "gray", "vmin": 0, "vmax": 1}
    if signed:
        look = {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit}
    for n, plane in enumerate(planes):
        row, column = divmod(n, columns)
        x, y = column * wide, row * high
        ax.imshow(plane, extent=(x, x + W, y + H, y), interpolation="nearest", **look)
        ax.text(x, y - 0.03 * H, str(n), fontsize=6, color=TEXT, ha="left", va="bottom")
    ax.set(xlim=(-0.1 * W, columns * wide), ylim=(rows * high - 0.1 * H, -0.25 * H))
    ax.set_aspect("equal")
    plain_axes(ax, frame=False)
    ax.set_xticks([])
    ax.set_yticks([])
    return ax


def _title(ax: Axes, text: str) -> None:
    ax.set_title(text, fontsize=NORMAL if len(text) < 50 else SMALL, color=TEXT, loc="left")
