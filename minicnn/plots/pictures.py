"""Pictures with something on them: what a net looks at, and where it was wrong."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..errors import ShapeError, boolean, positive_int
from ..labels import class_labels, class_scores
from ..tensor import Tensor
from ._marks import FAINT, Marks, not_finite
from ._style import GRID, SMALL, TEXT, axes_or_new, bare_axes, grey_look, short_names

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ._fit import Fitter

FOR, AGAINST = (0.902, 0.447, 0.0), (0.0, 0.267, 0.533)  # vermilion, and a much darker blue
PAPER = 1.15, 1.5  # of a picture's width and height: the place of a mistake, with its words
Grey = npt.NDArray[np.float64]


def heat_map(
    picture: Tensor | npt.ArrayLike,
    heat: npt.ArrayLike,
    ax: Axes | None = None,
    *,
    title: str = "",
    ink: bool | None = None,
) -> Axes:
    """A picture in grey, and over it in vermilion what speaks for a class, in blue what against.

    The hottest place is opaque, and the others in proportion. What speaks against has dashes as
    well, and a line below the picture then says so. Heat that is not finite is crossed out, and
    counted there.

    Args:
        picture: 1×H×W, 3×H×W (red, green, blue) or H×W; 8 bit, or floats from 0 to 1.
        heat: H×W: one of `explain.HeatMap.heat`.
        ax: Where to draw; None makes a figure with one Axes.
        title: Above the picture.
        ink: Of a picture of one channel: whether high values are ink, and drawn dark on paper;
            None: if its border is dark. Pictures of three channels stay as they are.

    Raises:
        ShapeError: picture is no picture, or heat is not as large.
        TypeError: ink is neither True, False nor None.
    """
    plane, one = _plane(picture)
    grey = 1 - plane if one and _is_ink([plane], ink) else plane
    values = np.asarray(heat, np.float64)
    if values.shape != grey.shape:
        raise ShapeError(f"heat must have the picture's shape {grey.shape}, got {values.shape}")
    H, W = grey.shape
    ax = axes_or_new(ax, (3.2 * max(1.0, W / H), 3.2 * max(1.0, H / W) + 0.3))
    from ._fit import Fitter

    ax.imshow(0.25 + 0.75 * grey, interpolation="nearest", **grey_look())
    finite = np.isfinite(values)
    values = np.where(finite, values, 0)
    hottest = float(np.abs(values).max()) or 1.0
    colours = np.where(values[..., None] > 0, FOR, AGAINST)
    ax.imshow(np.dstack([colours, 0.85 * np.abs(values) / hottest]), interpolation="nearest")
    marks = Marks()
    marks.below(values, hottest)
    against = bool((values < -FAINT * hottest).any())
    broken = marks.broken(~finite)
    marks.broken(~np.isfinite(grey))
    marks.draw(ax)
    bare_axes(ax)
    fitter = Fitter(ax)
    fitter.title(title)
    said = "orange speaks for, blue (dashes) against" if against else ""
    said = (said + not_finite(broken)).removeprefix(", ")
    fitter.note(ax.set_xlabel(said, fontsize=SMALL, color=TEXT, parse_math=False))
    return ax


def mistakes(
    pictures: Tensor | npt.ArrayLike | Callable[[npt.NDArray[np.int64]], npt.ArrayLike | Tensor],
    scores: Tensor | npt.ArrayLike,
    labels: npt.ArrayLike,
    classes: Sequence[str] | None = None,
    ax: Axes | None = None,
    *,
    count: int = 12,
    ink: bool | None = None,
) -> Axes:
    """The pictures that a net was wrong about, those first that it was surest of.

    Above each stand the class that it was taken for, with its probability, and the true class.
    Scores that give no probability, as NaN does, are wrong too, and come last: "no number".

    Args:
        pictures: N×C×H×W of 1 or 3 channels; 8 bit, or floats from 0 to 1. Or a function of
            indices, an int64 array of B of the numbers from 0 to N - 1, that gives those,
            B×C×H×W: it is asked once, for what is shown.
        scores: N×K or N×K×1×1, the logits.
        labels: N, the true classes.
        classes: K names; None numbers them.
        ax: Where to draw; None makes a figure with one Axes.
        count: At most so many.
        ink: Of pictures of one channel: whether high values are ink, and drawn dark on paper; None:
            if the borders of those shown are dark. Pictures of three channels stay as they are.

    Raises:
        ShapeError: pictures, scores, labels or classes do not fit each other.
        ValueError: a label is no class.
        TypeError: ink is neither True, False nor None.
    """
    logits = class_scores(scores, "scores")
    N, K = logits.shape
    truth = class_labels(labels, "labels", count=N, classes=K)
    data = None if callable(pictures) else np.asarray(pictures)
    if data is not None and (data.ndim != 4 or len(data) != N):
        raise ShapeError(f"pictures must have shape ({N}, C, H, W), got {data.shape}")
    if classes is not None and len(classes) != K:
        raise ShapeError(f"classes must hold {K} names, one for each score, got {len(classes)}")
    names = short_names(range(K) if classes is None else classes)
    wrong, taken, p = _wrong(logits, truth)
    shown = wrong[: positive_int(count, "count")]
    chosen = data[shown] if data is not None else _asked(pictures, shown)
    words = [_words(names[taken[k]], names[truth[k]], float(p[k])) for k in shown]
    fitter = _album(_greys(chosen, ink), ax, words)
    surest = f", the {len(shown)} it was surest of" if len(shown) < len(wrong) else ""
    mute = int(np.count_nonzero(~np.isfinite(p)))
    numberless = f", {mute:,} without a number" if mute else ""
    fitter.title(f"{len(wrong):,} of {N:,} wrong{numberless}{surest}")
    return fitter.board


def _wrong(
    logits: npt.NDArray[Any], truth: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Grey]:
    """Which are wrong, the surest first; of all, the class they are taken for and how surely."""
    from ..losses import softmax

    p = softmax(logits)
    taken = p.argmax(axis=1).astype(np.int64)
    sure = np.where(np.isfinite(p).all(axis=1), p.max(axis=1), np.nan).astype(np.float64)
    wrong = np.flatnonzero((taken != truth) | np.isnan(sure))
    return wrong[np.argsort(-sure[wrong], kind="stable")], taken, sure  # NaN is sorted last


def _words(taken: str, truth: str, p: float) -> list[tuple[str, str]]:
    """What stands above a mistake: the answer and the truth, at length and in short."""
    said = []
    for given, true in ((taken, truth), (_cut(taken), _cut(truth))):
        said.append((f"{given}, {100 * p:.0f} %" if np.isfinite(p) else "no number", f"is {true}"))
    return said


def _cut(name: str) -> str:
    return name if len(name) <= 6 else f"{name[:5]}…"


def _asked(pictures: Any, indices: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
    """What the function gives for these, B×C×H×W; it is not asked for none."""
    if not len(indices):
        return np.zeros((0, 1, 1, 1))
    found = np.asarray(pictures(indices))
    if found.ndim != 4 or len(found) != len(indices):
        raise ShapeError(f"pictures must give shape ({len(indices)}, C, H, W), got {found.shape}")
    return found


def _album(
    greys: Sequence[Grey], ax: Axes | None, words: Sequence[Sequence[tuple[str, str]]]
) -> Fitter:
    """Pictures in rows of at most six, two lines above each."""
    columns = min(max(len(greys), 1), 6)
    rows = max(1, math.ceil(len(greys) / columns))
    H, W = greys[0].shape if len(greys) else (1, 1)
    wide, high = PAPER[0] * W, PAPER[1] * H
    letters = max((len(line) for said in words for line in said[0]), default=0)
    inches = min(max(1.25, 0.07 * letters), 1.9)
    ax = axes_or_new(ax, (max(inches * columns + 0.2, 2.6), inches * rows * high / wide + 0.4))
    from ._fit import Fitter

    fitter, marks = Fitter(ax), Marks()
    for n, (grey, said) in enumerate(zip(greys, words, strict=True)):
        row, column = divmod(n, columns)
        x, y = column * wide, row * high
        ax.imshow(grey, extent=(x, x + W, y + H, y), **grey_look())
        ax.plot([x, x + W, x + W, x, x], [y, y, y + H, y + H, y], color=GRID, linewidth=0.8)
        marks.broken(~np.isfinite(grey), (x, y))
        look: dict[str, Any] = {"fontsize": SMALL, "ha": "left", "va": "bottom"}
        look["parse_math"] = False
        room, (answers, truths) = (1.1 * W, 0.17 * H), zip(*said, strict=True)
        answer = ax.text(x, y - 0.19 * H, answers[0], color="#A64800", **look)
        fitter.add(answer, room, *answers[1:])
        fitter.add(ax.text(x, y - 0.02 * H, truths[0], color=TEXT, **look), room, *truths[1:])
    marks.draw(ax)
    ax.set(xlim=(-0.1 * W, columns * wide), ylim=(rows * high - 0.4 * H, -0.42 * H))
    ax.set_aspect("equal")
    bare_axes(ax)
    return fitter


def _plane(picture: Tensor | npt.ArrayLike) -> tuple[Grey, bool]:
    """H×W from 0 to 1, of three channels their luminance; and whether it is of one channel."""
    data = np.asarray(picture)
    plane = np.asarray(data, np.float64) / (255 if data.dtype == np.uint8 else 1)
    if plane.ndim == 2:
        plane = plane[np.newaxis]
    if plane.ndim != 3 or plane.shape[0] not in (1, 3) or plane.size == 0:
        raise ShapeError(f"picture must be 1×H×W, 3×H×W or H×W, got shape {data.shape}")
    if len(plane) == 1:
        return np.clip(plane[0], 0, 1), True
    return np.clip(np.tensordot([0.299, 0.587, 0.114], plane, axes=1), 0, 1), False


def _greys(pictures: npt.NDArray[Any], ink: bool | None) -> list[Grey]:
    """B×C×H×W as they are drawn, H×W each."""
    found = [_plane(picture) for picture in pictures]
    dark = _is_ink([plane for plane, _ in found], ink)
    return [1 - plane if one and dark else plane for plane, one in found]


def _is_ink(planes: Sequence[Grey], ink: bool | None) -> bool:
    """``ink``, or whether the borders of the pictures are dark."""
    if ink is not None:
        return boolean(ink, "ink")
    if not len(planes):
        return False
    rims = [np.r_[plane[0], plane[-1], plane[:, 0], plane[:, -1]] for plane in planes]
    rim = np.concatenate(rims)
    rim = rim[np.isfinite(rim)]
    return bool(rim.size and np.median(rim) < 0.5)
