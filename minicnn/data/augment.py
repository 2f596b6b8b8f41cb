"""Random changes to training pictures: each epoch the net sees slightly different ones.

An augmentation is a function of a batch and a random generator: ``augment(images, rng) -> images``,
where images are float B×C×H×W and every picture of the batch is changed in its own way. It returns
a new array and leaves the one it was given as it was. `Compose` chains several::

    augment = Compose(RandomShift(2), RandomRotation(10))
    loader = DataLoader(digits("train"), 64, shuffle=True, augment=augment)

What comes in from outside the picture is ``fill``, 0 (black) by default. The same generator state
gives the same result, which is how `DataLoader` makes augmentation repeatable.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from .. import kernels
from ..errors import ShapeError, finite_float, pair, probability

FloatArray: TypeAlias = npt.NDArray[Any]
# As text, because naming numpy.random would import it, and it takes its time.
Augmentation: TypeAlias = "Callable[[FloatArray, np.random.Generator], FloatArray]"


class Compose:
    """Several augmentations, one after the other."""

    def __init__(self, *steps: Augmentation) -> None:
        for step in steps:
            if not callable(step):
                raise TypeError(f"Compose takes augmentations (callables), got {step!r}")
        self.steps = steps

    def __call__(self, images: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Every step applied in turn."""
        result: FloatArray = _checked(images, "Compose")
        # A step of one's own may work in place, or give back what it was given; ours never do.
        if not self.steps or type(self.steps[0]) not in _MAKE_NEW_ARRAYS:
            result = result.copy()
        for step in self.steps:
            result = step(result, rng)
        return result

    def __repr__(self) -> str:
        return f"Compose({', '.join(map(repr, self.steps))})"


@dataclass(frozen=True)
class RandomHorizontalFlip:
    """Mirror left and right, with probability ``p`` for each picture. Not for digits."""

    p: float = 0.5

    def __post_init__(self) -> None:
        probability(self.p, "p")

    def __call__(self, images: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Some pictures mirrored: y[b, c, i, j] = x[b, c, i, W-1-j]."""
        return _mirror(_checked(images, "RandomHorizontalFlip"), rng, self.p, axis=3)


@dataclass(frozen=True)
class RandomVerticalFlip:
    """Turn upside down (mirror top and bottom), with probability ``p`` for each picture."""

    p: float = 0.5

    def __post_init__(self) -> None:
        probability(self.p, "p")

    def __call__(self, images: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Some pictures mirrored: y[b, c, i, j] = x[b, c, H-1-i, j]."""
        return _mirror(_checked(images, "RandomVerticalFlip"), rng, self.p, axis=2)


@dataclass(frozen=True)
class RandomShift:
    """Move each picture by up to ``max_shift`` pixels (an int, or (rows, columns)) either way.

    Every whole distance from -max_shift to max_shift is equally likely.
    """

    max_shift: int | tuple[int, int] = 2
    fill: float = 0.0

    def __post_init__(self) -> None:
        pair(self.max_shift, "max_shift", minimum=0)
        finite_float(self.fill, "fill")

    def __call__(self, images: FloatArray, rng: np.random.Generator) -> FloatArray:
        """y[b, c, i, j] = x[b, c, i - down[b], j - right[b]], or ``fill`` from outside."""
        x = _checked(images, "RandomShift")
        rows, columns = pair(self.max_shift, "max_shift", minimum=0)
        down = rng.integers(-rows, rows, len(x), endpoint=True)
        right = rng.integers(-columns, columns, len(x), endpoint=True)
        return _windows(x, -down, -right, x.shape[2:], self.fill)


@dataclass(frozen=True)
class RandomCrop:
    """Cut a window of ``size`` (an int, or (height, width)) out of each picture, somewhere.

    Args:
        size: The window's; no larger than the picture with its padding.
        padding: So many pixels of ``fill`` are first thought to lie around the picture (an int, or
            (rows, columns)). Size 32 with padding 4 is the classic for 32×32 pictures.
        fill: The value of the padding.
    """

    size: int | tuple[int, int]
    padding: int | tuple[int, int] = 0
    fill: float = 0.0

    def __post_init__(self) -> None:
        pair(self.size, "size")
        pair(self.padding, "padding", minimum=0)
        finite_float(self.fill, "fill")

    def __call__(self, images: FloatArray, rng: np.random.Generator) -> FloatArray:
        """B×C×height×width windows; every position in the padded picture is equally likely.

        Raises:
            ShapeError: the window is larger than the padded picture.
        """
        x = _checked(images, "RandomCrop")
        size, padding = pair(self.size, "size"), pair(self.padding, "padding", minimum=0)
        room = [x.shape[2 + axis] + 2 * padding[axis] - size[axis] for axis in (0, 1)]
        if min(room) < 0:
            raise ShapeError(
                f"RandomCrop: pictures of {x.shape[2]}×{x.shape[3]} with padding {padding} "
                f"are too small for a window of {size[0]}×{size[1]}"
            )
        tops = rng.integers(0, room[0], len(x), endpoint=True) - padding[0]
        lefts = rng.integers(0, room[1], len(x), endpoint=True) - padding[1]
        return _windows(x, tops, lefts, size, self.fill)


@dataclass(frozen=True)
class RandomRotation:
    """Turn each picture about its centre by up to ``degrees`` either way, evenly distributed."""

    degrees: float = 10.0
    fill: float = 0.0

    def __post_init__(self) -> None:
        finite_float(self.degrees, "degrees", 0, 180)
        finite_float(self.fill, "fill")

    def __call__(self, images: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Turned counter-clockwise by an angle from -degrees to degrees; see `rotate`."""
        x = _checked(images, "RandomRotation")
        angles = rng.uniform(-self.degrees, self.degrees, len(x))
        return rotate(x, angles, self.fill)


# These very classes: who derives from one may do otherwise.
_MAKE_NEW_ARRAYS = (
    Compose,
    RandomHorizontalFlip,
    RandomVerticalFlip,
    RandomShift,
    RandomCrop,
    RandomRotation,
)


def rotate(images: FloatArray, degrees: npt.ArrayLike, fill: float = 0.0) -> FloatArray:
    """Pictures turned counter-clockwise about their centres, with bilinear interpolation.

    The output pixel at (i, j), seen from the centre, takes its value from where it was before the
    turn by θ::

        i' = i cos θ + j sin θ        j' = j cos θ - i sin θ

    (rows grow downwards), mixing the four pixels around (i', j') by their nearness. What lies
    outside the picture counts as ``fill``.

    Args:
        images: Float, B×C×H×W.
        degrees: The angle of each picture, (B,).
        fill: The value of what lies outside.

    Returns:
        A new array of the same shape and dtype.

    Raises:
        ShapeError, TypeError: not such images. ValueError: an angle that is no number.
    """
    x = _checked(images, "rotate")
    angles = np.deg2rad(np.broadcast_to(np.asarray(degrees, dtype=np.float64), len(x)))
    if not np.isfinite(angles).all():
        raise ValueError("rotate: degrees must be finite")
    if x.shape[2] * x.shape[3] > np.iinfo(np.int32).max:
        raise ShapeError(f"rotate: a plane must have fewer than 2³¹ pixels, got {x.shape[2:]}")
    y = np.empty_like(x)
    kernels.engine.rotate(x, np.cos(angles), np.sin(angles), fill, y, kernels.threads)
    return y


def _checked(images: FloatArray, name: str) -> FloatArray:
    x: FloatArray = np.asarray(images, order="C")
    if x.ndim != 4:
        raise ShapeError(f"{name}: images must have shape (B, C, H, W), got {x.shape}")
    if x.dtype not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise TypeError(f"{name}: images must be float32 or float64, got dtype {x.dtype}")
    return x


def _mirror(x: FloatArray, rng: np.random.Generator, p: float, axis: int) -> FloatArray:
    chosen = rng.random(len(x)) < p
    y = x.copy()
    y[chosen] = np.flip(x[chosen], axis)
    return y


def _windows(
    x: FloatArray,
    tops: npt.NDArray[np.int64],
    lefts: npt.NDArray[np.int64],
    size: tuple[int, ...],
    fill: float,
) -> FloatArray:
    """From each picture the window of ``size`` that begins at (top, left), which may lie outside.

    y[b, c, i, j] = x[b, c, tops[b] + i, lefts[b] + j], or ``fill`` where that does not exist.
    """
    y = np.empty((*x.shape[:2], *size), x.dtype)
    # Farther off is all the same: fill. Sums with these cannot overflow.
    tops, lefts = np.clip(tops, -size[0], x.shape[2]), np.clip(lefts, -size[1], x.shape[3])
    kernels.engine.windows(x, tops, lefts, fill, y, kernels.threads)
    return y
