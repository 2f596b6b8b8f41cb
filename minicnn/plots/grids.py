"""Many small pictures in one: the filters of a convolution, the feature maps of a layer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..errors import ShapeError, describe
from ..layers import Conv2D
from ..tensor import Tensor
from ._marks import Marks, not_finite
from ._style import SIGNED, TEXT, axes_or_new, bare_axes, colour_map, grey_look

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GAP = 1 / 8  # of the side of a small picture, between it and its neighbours


def filters(layer: Conv2D, ax: Axes | None = None, *, channel: int | None = None) -> Axes:
    """The weights of a convolution, a small picture for each filter, numbered.

    Filters of three input channels are shown in colour, those of one in red (above 0) and blue
    (below, with a dash), on one scale for all, which the title gives. Of other layers one
    ``channel`` can be shown, or the mean over the channels, which is what None does. Weights that
    are not finite are crossed out and counted.

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
    signs = "red: above 0, blue (dash): below"
    if channel is None and C == 3:
        planes, what = weight.transpose(0, 2, 3, 1), "in colour"
    elif channel is None:
        with np.errstate(invalid="ignore"):  # inf - inf is NaN, which is the answer
            planes = weight.mean(axis=1)
        what = signs if C == 1 else f"mean of {C} channels, {signs}"
    else:
        planes, what = weight[:, channel], f"channel {channel}, {signs}"
    limit = _limit(planes)
    broken = int(np.count_nonzero(~np.isfinite(planes)))
    title = f"{layer.label}: {len(weight)} filters, {what}, ±{limit:.3g}{not_finite(broken)}"
    return _mosaic(planes, ax, title, limit=limit)


def feature_maps(
    maps: Tensor | npt.ArrayLike, ax: Axes | None = None, *, b: int = 0, title: str | None = None
) -> Axes:
    """What a layer made of one picture: a small picture for each channel, each on its own scale.

    A map that is the same everywhere has no scale: it is black, crossed by a line, and says its
    value. Values that are not finite are crossed out and counted.

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
    planes = np.asarray(data[b], np.float64)
    C, H, W = planes.shape
    scaled, flat = np.empty(planes.shape), {}
    for c, plane in enumerate(planes):
        scaled[c], value = _own_scale(plane)
        if value is not None:
            flat[c] = value
    if title is None:
        title = f"{C} feature maps of {H}×{W}, each on its own scale"
    broken = int(np.count_nonzero(~np.isfinite(planes)))
    return _mosaic(scaled, ax, title + not_finite(broken), flat=flat)


def _own_scale(
    plane: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.float64], float | None]:
    """A plane from 0 to 1, NaN where it is not finite; and its value, if it has but one."""
    finite = np.where(np.isfinite(plane), plane, np.nan)
    known = plane[np.isfinite(plane)]
    if not known.size:
        return finite, None
    low, high = float(known.min()), float(known.max())
    if high == low:
        return finite - low, low
    half = high / 2 - low / 2  # high - low may be infinite
    return np.asarray((finite / 2 - low / 2) / half), None


def _limit(values: npt.NDArray[Any]) -> float:
    """The largest magnitude that is finite, or 1."""
    return float(np.abs(values[np.isfinite(values)]).max(initial=0)) or 1.0


def _mosaic(
    planes: npt.NDArray[Any],
    ax: Axes | None,
    title: str,
    *,
    limit: float = 0.0,
    flat: dict[int, float] | None = None,
) -> Axes:
    """N×H×W or N×H×W×3 side by side in rows, numbered at their upper left.

    Args:
        planes: From −limit to limit; without a limit from 0 to 1, in grey.
        ax: Where to draw.
        title: Above.
        limit: What is drawn strongest.
        flat: The values of those that have but one.
    """
    N, H, W = planes.shape[:3]
    columns = min(N, max(1, math.ceil(math.sqrt(N * 1.6 * H / W))))
    rows = math.ceil(N / columns)
    wide, high = W * (1 + GAP), H * (1 + GAP) + 0.2 * H  # room above each for its number
    size = 0.75 * columns + 0.2, 0.75 * rows * high / wide + 0.4
    ax = axes_or_new(ax, (max(size[0], 3.6), size[1]))
    from ._fit import Fitter

    fitter, marks = Fitter(ax), Marks()
    look = _look(planes, limit)
    for n, plane in enumerate(planes):
        row, column = divmod(n, columns)
        x, y = column * wide, row * high
        shown = 0.5 + 0.5 * _finite(plane) / limit if plane.ndim == 3 else plane
        ax.imshow(shown, extent=(x, x + W, y + H, y), interpolation="nearest", **look)
        number = ax.text(x, y - 0.03 * H, str(n), fontsize=6, color=TEXT, ha="left", va="bottom")
        fitter.add(number, (W, 0.2 * H), group="numbers")
        wrong = ~np.isfinite(plane)
        marks.broken(wrong.any(axis=2) if plane.ndim == 3 else wrong, (x, y))
        if limit and plane.ndim == 2:
            marks.below(plane, limit, (x, y))
        if flat and n in flat:
            _say_flat(fitter, flat[n], (x, y), (H, W))
    marks.draw(ax)
    ax.set(xlim=(-0.1 * W, columns * wide), ylim=(rows * high - 0.1 * H, -0.25 * H))
    ax.set_aspect("equal")
    bare_axes(ax)
    fitter.title(title)
    return ax


def _look(planes: npt.NDArray[Any], limit: float) -> dict[str, Any]:
    """How `imshow` is to draw them."""
    if not limit:
        return grey_look()
    if planes.ndim == 4:
        return {"vmin": 0, "vmax": 1}
    return {"cmap": colour_map(SIGNED), "vmin": -limit, "vmax": limit}


def _finite(plane: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.where(np.isfinite(plane), plane, 0)


def _say_flat(
    fitter: Any, value: float, corner: tuple[float, float], size: tuple[int, int]
) -> None:
    """Over a map that is the same everywhere: a line across, and its value."""
    (x, y), (H, W), ax = corner, size, fitter.board
    ax.plot([x, x + W], [y + H, y], color="#777777", linewidth=0.7, zorder=1.5)
    words: dict[str, Any] = {"color": "white", "ha": "center", "va": "center", "fontsize": 7}
    words["bbox"] = {"facecolor": "black", "edgecolor": "none", "pad": 0.5}
    said = f"{value:.3g}"
    text = ax.text(x + W / 2, y + H / 2, f"{said}\neverywhere", **words)
    fitter.add(text, (0.92 * W, 0.8 * H), said, group="flat")
