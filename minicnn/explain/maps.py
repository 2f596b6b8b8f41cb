"""Heat maps: Grad-CAM, saliency, occlusion."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import ShapeError, finite_float, positive_int
from ..layers import Layer
from ..layers.using import evaluator
from ..losses import softmax
from ..tensor import Tensor
from .twin import Plane, Twin, logits_of, pictures_of, targets

AT_ONCE = 64
"""Pictures with something covered that go through the net together."""


@dataclass(frozen=True)
class HeatMap:
    """Which places of pictures speak for a class.

    Attributes:
        heat: B×H×W, float64, as large as the pictures; higher: speaks for it more.
        target: B, the class that was asked about.
        score: B, its score, the logit.
        layer: The name of the layer looked at; "" for the pixels themselves.
    """

    heat: Plane
    target: npt.NDArray[np.int64]
    score: Plane
    layer: str = ""


def gradcam(
    net: Layer,
    x: Tensor | npt.ArrayLike,
    target: int | npt.ArrayLike | None = None,
    layer: str | Layer | None = None,
) -> HeatMap:
    """Grad-CAM: the channels of a layer, weighted by what they do for the score of a class.

        α_c = mean over h, w of ∂score/∂A_c[h, w]        heat = max(0, Σ_c α_c·A_c)

    stretched from the layer's places to the picture's. It is the gradients that are averaged: a
    channel counts by what it does for the class, not by how active it is. (Selvaraju et al.,
    "Grad-CAM", 2017, equations 1 and 2.)

    Args:
        net: A classifier, B×C×H×W to B×K×1×1.
        x: A picture C×H×W, or several, B×C×H×W.
        target: The class, or one for each picture; None: the one with the highest score.
        layer: The layer A, by name ("conv2", "residual1.conv1"), by path ("3") or itself; None:
            the last one that still has places and does not pool.

    Raises:
        KeyError: there is no such layer.
        TypeError: layer is neither a string nor a layer.
        ShapeError: x or the output has another shape, or the layer has a single place.
        ValueError: target is no class.
    """
    pictures = pictures_of(net, x)
    twin = Twin(net)
    path = twin.last_with_places(pictures) if layer is None else twin.path_of(layer)
    twin.watch(path)
    classes, score = twin.score(pictures, target)
    A, dA = twin.outputs[path], twin.gradients[path]
    if A.shape[2] * A.shape[3] == 1:
        raise ShapeError(
            f"layer {twin.names[path]!r} makes {A.shape[1:]} of a picture: a single place, which "
            f"has no map; name one before it"
        )
    alpha = dA.mean(axis=(2, 3), keepdims=True)
    maps = np.maximum((alpha * A).sum(axis=1), 0)
    return HeatMap(_stretch(maps, pictures.shape[2:]), classes, score, twin.names[path])


def saliency(
    net: Layer,
    x: Tensor | npt.ArrayLike,
    target: int | npt.ArrayLike | None = None,
    *,
    guided: bool = True,
) -> HeatMap:
    """The gradient of a class's score with respect to each pixel: heat = max_c ``|∂score/∂x|``.

    Guided, every ReLU lets back only what is positive, so that what speaks against the class is
    left out on the way: dx = dy where x > 0 and dy > 0. (Simonyan et al., "Deep inside
    convolutional networks", 2014, section 3; guided: Springenberg et al., "Striving for
    simplicity", 2015, section 3.4.) A LeakyReLU lets back only what is positive too: dx =
    max(0, dy·slope). Other activations have no such rule, and pass back their plain gradient: in a
    net without ReLU and LeakyReLU guided and plain are the same. It shows sharp edges, and depends
    less on the class than it seems: compare with `gradcam`.

    Args:
        net, x, target: As for `gradcam`.
        guided: False for the plain gradient.

    Raises:
        ShapeError: x or the output has another shape.
        ValueError: target is no class.
    """
    pictures = pictures_of(net, x)
    twin = Twin(net)
    if guided:
        twin.guide()
    classes, score = twin.score(pictures, target)
    assert twin.dx is not None
    return HeatMap(np.abs(twin.dx).max(axis=1).astype(np.float64), classes, score)


def occlusion(
    net: Layer,
    x: Tensor | npt.ArrayLike,
    target: int | npt.ArrayLike | None = None,
    *,
    window: int | None = None,
    stride: int | None = None,
    fill: float = 0.0,
) -> HeatMap:
    """Cover a window of the picture, and see how far the probability of the class falls.

    The heat of a pixel is the mean fall over all windows that cover it; below 0 where covering
    helps. No gradient is needed, so this is the judge of the other two. (Zeiler & Fergus,
    "Visualizing and understanding convolutional networks", 2014, section 4.2.)

    Args:
        net, x, target: As for `gradcam`.
        window: The side of the window in pixels; None: a quarter of the picture's shorter side.
        stride: Pixels from one window to the next; None: a quarter of the window.
        fill: What it is covered with.

    Raises:
        ShapeError: x or the output has another shape, or the window is larger than a picture.
        ValueError: target is no class, or stride is larger than window, which would leave places
            that are never covered.
    """
    pictures = pictures_of(net, x)
    _, _, H, W = pictures.shape
    side = positive_int(max(1, min(H, W) // 4) if window is None else window, "window")
    step = positive_int(max(1, side // 4) if stride is None else stride, "stride")
    if side > min(H, W):
        raise ShapeError(f"window must be within {H}×{W}, got {side}")
    if step > side:
        raise ValueError(
            f"stride must be at most window, or places between windows are never covered; got "
            f"stride={step} and window={side}"
        )
    fill = finite_float(fill, "fill")
    forward = evaluator(Twin(net).net)
    logits = logits_of(forward(pictures))
    classes = targets(target, logits)
    rows = np.arange(len(pictures))
    score = logits[rows, classes].astype(np.float64)
    before = softmax(logits)[rows, classes]
    corners = list(_corners(H, W, side, step))
    fall, covered = np.zeros((len(pictures), H, W)), np.zeros((H, W))
    for b, picture in enumerate(pictures):
        for start in range(0, len(corners), AT_ONCE):
            places = [
                np.s_[top : top + side, left : left + side]
                for top, left in corners[start : start + AT_ONCE]
            ]
            hidden = np.repeat(picture[np.newaxis], len(places), axis=0)
            for one, place in zip(hidden, places, strict=True):
                one[:, place[0], place[1]] = fill
            after = softmax(logits_of(forward(hidden)))[:, classes[b]]
            for place, p in zip(places, after, strict=True):
                fall[b][place] += before[b] - p
                covered[place] += b == 0
    return HeatMap(fall / covered, classes, score)


def _corners(H: int, W: int, side: int, step: int) -> Iterator[tuple[int, int]]:
    """The upper left corners of windows, the last ones flush with the edge."""
    for top in sorted({*range(0, H - side, step), H - side}):
        for left in sorted({*range(0, W - side, step), W - side}):
            yield top, left


def _stretch(planes: npt.NDArray[Any], shape: tuple[int, ...]) -> Plane:
    """B×h×w to B×H×W, linear between the middles of the cells."""
    down, across = (
        np.array(
            [
                np.interp((np.arange(new) + 0.5) * old / new - 0.5, np.arange(old), row)
                for row in np.eye(old)
            ]
        )
        for old, new in zip(planes.shape[1:], shape, strict=True)
    )
    return np.asarray(np.einsum("bhw,hH,wW->bHW", planes, down, across), np.float64)
