"""A data set held in memory: pictures in one array, labels in another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import ShapeError, describe
from ..labels import class_labels
from .base import FloatImages, IntArray, Splittable, check_indices

MAX_CHANNELS = 4  # of a picture: grey, grey and alpha, RGB, RGB and alpha


class ArrayDataset(Splittable):
    """Labelled pictures from arrays.

    Args:
        images: N×H×W (grey), or 4-D in one of two orders. 8-bit pictures (uint8) are N×H×W×C, as
            picture files and `Tensor.from_images` have them, and a batch of them is divided by 255.
            Floats are N×C×H×W, as `Tensor` has them, and are taken as they are: scale them to
            0…1 yourself. uint8 stays uint8 in memory, and is shared with the caller where it can
            be; float64 is rounded to float32.
        labels: N integers, 0 ≤ label < the number of classes.
        classes: Their names; None names them "0", "1", … up to the largest label.
        channels_last: For 4-D images: True for N×H×W×C and False for N×C×H×W, whatever the dtype;
            None for the rule above.

    Raises:
        TypeError: images that are neither uint8 nor float, or labels that are no numbers.
        ShapeError: images of another shape, or which seem to have their channels on the other side
            (say so with ``channels_last``); or not one label for each picture.
        ValueError: a label out of range, or NaN or infinity among the pixels.
    """

    def __init__(
        self,
        images: npt.ArrayLike,
        labels: npt.ArrayLike,
        classes: Sequence[str] | None = None,
        *,
        channels_last: bool | None = None,
    ) -> None:
        self.images: npt.NDArray[Any] = _planes(np.asarray(images), channels_last)
        names = None if classes is None else class_names(classes)
        self.labels: IntArray = class_labels(
            labels,
            "labels",
            count=len(self.images),
            classes=None if names is None else len(names),
        )
        if names is None:
            names = [str(k) for k in range(int(self.labels.max(initial=-1)) + 1)]
        self.classes: list[str] = names

    def __len__(self) -> int:
        return len(self.images)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of every picture."""
        _, C, H, W = self.images.shape
        return C, H, W

    def batch(self, indices: npt.ArrayLike) -> tuple[FloatImages, IntArray]:
        """See `Dataset.batch`."""
        chosen = check_indices(indices, len(self))
        return to_float(self.images[chosen]), self.labels[chosen]

    def __repr__(self) -> str:
        C, H, W = self.image_shape
        return f"ArrayDataset({len(self)} pictures {C}×{H}×{W}, {len(self.classes)} classes)"


def to_float(images: npt.NDArray[Any]) -> FloatImages:
    """Pictures as C-contiguous float32: 8-bit values divided by 255, floats as they are.

    It divides, exactly as `Tensor.from_images` does, rather than multiply by 1/255, which rounds
    differently; 255 becomes 1.0 either way.
    """
    if images.dtype != np.uint8:
        return np.ascontiguousarray(images, dtype=np.float32)
    result = np.empty(images.shape, dtype=np.float32)
    np.divide(images, np.float32(255), out=result, dtype=np.float32)
    return result


def class_names(classes: Sequence[str]) -> list[str]:
    """``classes`` as a list of different names.

    Raises:
        TypeError: they are not strings.
        ValueError: a name comes twice.
    """
    if isinstance(classes, str) or not all(isinstance(name, str) for name in classes):
        raise TypeError(f"classes must be a list of names, got {describe(classes)}")
    names = list(classes)
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"classes must be different names, got {name!r} twice")
    return names


def _planes(images: npt.NDArray[Any], channels_last: bool | None) -> npt.NDArray[Any]:
    """The images as N×C×H×W, uint8 or float32; a view where nothing has to change."""
    if images.dtype != np.uint8 and images.dtype.kind != "f":
        raise TypeError(
            "images must be uint8 (0 to 255) or float (used as they are), got dtype "
            f"{images.dtype}; for whole numbers from 0 to 255 use images.astype('uint8')"
        )
    if images.ndim == 3:
        planes = images[:, np.newaxis]
    elif images.ndim == 4:
        last = images.dtype == np.uint8 if channels_last is None else channels_last
        if channels_last is None:
            _refuse_doubtful(images, last)
        planes = np.moveaxis(images, 3, 1) if last else images
    else:
        raise ShapeError(
            "images must have shape (N, H, W), (N, H, W, C) if uint8, or (N, C, H, W) if float, "
            f"got {images.shape}"
        )
    if 0 in planes.shape[1:]:
        raise ShapeError(f"images must have at least one pixel, got shape {images.shape}")
    if planes.dtype == np.uint8:
        return planes
    with np.errstate(over="ignore"):  # float64 beyond float32's range becomes infinite: see below
        planes = np.ascontiguousarray(planes, dtype=np.float32)
    if not np.isfinite(planes).all():
        raise ValueError("images must be finite in float32, but hold NaN or infinity")
    return planes


def _refuse_doubtful(images: npt.NDArray[Any], last: bool) -> None:
    """Refuse a shape that makes sense only the other way round: mixed-up axes are silent bugs."""
    _, first, middle, final = images.shape
    if last and final > MAX_CHANNELS:
        found, expected, other = "uint8", "(N, H, W, C) with at most 4 channels", "(N, C, H, W)"
    elif not last and first > MAX_CHANNELS >= final and middle > MAX_CHANNELS:
        found, expected, other = "float", "(N, C, H, W)", "(N, H, W, C)"
    else:
        return
    raise ShapeError(
        f"{found} images must have shape {expected}, got {images.shape}; "
        f"if they are {other}, pass channels_last={not last}"
    )
