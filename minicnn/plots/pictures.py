"""Pictures with something on them: what a net looks at, and where it was wrong."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..errors import ShapeError, positive_int
from ..labels import class_labels, class_scores
from ..tensor import Tensor
from ._style import GRID, NORMAL, SMALL, TEXT, axes_or_new, plain_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FOR, AGAINST = (0.835, 0.369, 0.0), (0.0, 0.447, 0.698)  # vermilion and blue, as everywhere


def heat_map(
    picture: Tensor | npt.ArrayLike,
    heat: npt.ArrayLike,
    ax: Axes | None = None,
    *,
    title: str = "",
) -> Axes:
    """A picture in grey, and over it in vermilion what speaks for a class, in blue what against.

    The hottest place is opaque, and the others in proportion. Pictures of one channel are drawn as
    ink on paper: high values dark.

    Args:
        picture: 1×H×W, 3×H×W (red, green, blue) or H×W; 8 bit, or floats from 0 to 1.
        heat: H×W: one of `explain.HeatMap.heat`.
        ax: Where to draw; None makes a figure with one Axes.
        title: Above the picture.

    Raises:
        ShapeError: picture is no picture, or heat is not as large.
    """
    grey = _grey(picture)
    values = np.asarray(heat, np.float64)
    if values.shape != grey.shape:
        raise ShapeError(f"heat must have the picture's shape {grey.shape}, got {values.shape}")
    H, W = grey.shape
    ax = axes_or_new(ax, (3.2 * max(1.0, W / H), 3.2 * max(1.0, H / W) + 0.3))
    ax.imshow(0.25 + 0.75 * grey, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    strength = np.abs(values) / (np.abs(values).max() or 1)
    colours = np.where(values[..., None] > 0, FOR, AGAINST)
    ax.imshow(np.dstack([colours, 0.85 * strength]), interpolation="nearest")
    _bare(ax)
    ax.set_title(title, fontsize=NORMAL, color=TEXT, loc="left")
    return ax


def mistakes(
    pictures: Tensor | npt.ArrayLike,
    scores: Tensor | npt.ArrayLike,
    labels: npt.ArrayLike,
    classes: Sequence[str] | None = None,
    ax: Axes | None = None,
    *,
    count: int = 12,
) -> Axes:
    """The mistakes that a net was surest of: what it took each picture for, and how sure it was.

    Args:
        pictures: N×C×H×W with 1 or 3 channels, 8 bit or floats from 0 to 1.
        scores: N×K (or N×K×1×1) logits.
        labels: N, the true classes.
        classes: K names; None numbers them.
        ax: Where to draw; None makes a figure with one Axes.
        count: At most so many.

    Raises:
        ShapeError: pictures, scores, labels or classes do not fit each other.
        ValueError: a label is no class.
    """
    from ..losses import softmax

    data = np.asarray(pictures)
    logits = class_scores(scores, "scores")
    N, K = logits.shape
    truth = class_labels(labels, "labels", count=N, classes=K)
    if data.ndim != 4 or len(data) != N:
        raise ShapeError(f"pictures must have shape ({N}, C, H, W), got {data.shape}")
    names = [str(k) for k in range(K)] if classes is None else [str(name) for name in classes]
    if len(names) != K:
        raise ShapeError(f"classes must hold {K} names, one for each score, got {len(names)}")
    p = softmax(logits)
    taken = p.argmax(axis=1)
    wrong = np.flatnonzero(taken != truth)
    shown = wrong[np.argsort(-p[wrong, taken[wrong]], kind="stable")][
        : positive_int(count, "count")
    ]
    H, W = data.shape[2:]
    columns = min(max(len(shown), 1), 6)
    rows = max(1, math.ceil(len(shown) / columns))
    wide, high = 1.15 * W, 1.5 * H
    ax = axes_or_new(ax, (1.25 * columns + 0.2, 1.25 * rows * high / wide + 0.4))
    for n, k in enumerate(shown):
        row, column = divmod(n, columns)
        x, y = column * wide, row * high
        ax.imshow(_grey(data[k]), cmap="gray", vmin=0, vmax=1, extent=(x, x + W, y + H, y))
        ax.plot([x, x + W, x + W, x, x], [y, y, y + H, y + H, y], color=GRID, linewidth=0.8)
        said = f"{_short(names[taken[k]])}, {100 * p[k, taken[k]]:.0f} %"
        look: dict[str, Any] = {"fontsize": SMALL, "ha": "left", "va": "bottom"}
        ax.text(x, y - 0.18 * H, said, color="#A64800", parse_math=False, **look)
        is_ = f"is {_short(names[truth[k]])}"
        ax.text(x, y - 0.02 * H, is_, color=TEXT, parse_math=False, **look)
    ax.set(xlim=(-0.1 * W, columns * wide), ylim=(rows * high - 0.4 * H, -0.42 * H))
    ax.set_aspect("equal")
    _bare(ax)
    surest = f", the {len(shown)} it was surest of" if len(shown) < len(wrong) else ""
    title = f"{len(wrong):,} of {N:,} wrong{surest}"
    ax.set_title(title, fontsize=NORMAL, color=TEXT, loc="left")
    return ax


def _grey(picture: Tensor | npt.ArrayLike) -> npt.NDArray[np.float64]:
    """H×W from 0 to 1; of one channel, ink dark on paper; of three, their luminance."""
    data = np.asarray(picture)
    plane = np.asarray(data, np.float64) / (255 if data.dtype == np.uint8 else 1)
    if plane.ndim == 2:
        plane = plane[np.newaxis]
    if plane.ndim != 3 or plane.shape[0] not in (1, 3) or plane.size == 0:
        raise ShapeError(f"picture must be 1×H×W, 3×H×W or H×W, got shape {data.shape}")
    if len(plane) == 1:
        return np.asarray(1 - np.clip(plane[0], 0, 1))
    return np.asarray(np.clip(np.tensordot([0.299, 0.587, 0.114], plane, axes=1), 0, 1))


def _short(name: str) -> str:
    return name if len(name) <= 12 else f"{name[:11]}…"


def _bare(ax: Axes) -> None:
    plain_axes(ax, frame=False)
    ax.set_xticks([])
    ax.set_yticks([])
