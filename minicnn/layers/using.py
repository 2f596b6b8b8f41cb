"""Using a trained net: pictures in, outputs out, in batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..errors import ShapeError, positive_int
from ..tensor import CHANNELS, FloatArray, Tensor, as_float_array, no_grad

if TYPE_CHECKING:
    from .base import Layer
    from .plan import Plan

WORTH_COMPILING = 16
"""Pictures in a batch from which on a net is compiled first: that takes as long as the layers take
for one to five pictures."""


def as_pictures(x: npt.ArrayLike | Tensor, dtype: npt.DTypeLike | None = None) -> FloatArray:
    """Pictures in any usual form as B×C×H×W floats.

    8-bit arrays are pictures as files hold them, H×W, N×H×W or N×H×W×C, and divided by 255;
    N×C×H×W, as data sets hold them, is told by its axis of 1, 3 or 4 channels. Floats are H×W,
    N×H×W or B×C×H×W and taken as they are.

    Raises:
        ShapeError: another number of axes.
    """
    if isinstance(x, Tensor):
        return as_float_array(x, "x", dtype)
    array = np.asarray(x)
    if array.dtype == np.uint8:
        if array.ndim == 4 and array.shape[1] in CHANNELS and array.shape[3] not in CHANNELS:
            array = np.moveaxis(array, 1, 3)
        array = Tensor.from_images(array[np.newaxis] if array.ndim == 2 else array).data
    elif array.ndim == 2:
        array = array[np.newaxis, np.newaxis]
    elif array.ndim == 3:
        array = array[:, np.newaxis]
    if array.ndim != 4:
        raise ShapeError(
            f"predict: x must be pictures, (B, C, H, W) floats or 8-bit (H, W), (N, H, W) or "
            f"(N, H, W, C), got {array.dtype} {array.shape}"
        )
    return as_float_array(array, "x", dtype)


@contextmanager
def in_evaluation(net: Layer) -> Iterator[None]:
    """Evaluation mode without recording in this block; the modes are restored after it."""
    layers = list(net.named_layers().values())
    modes = [layer.training for layer in layers]
    net.eval()
    try:
        with no_grad():
            yield
    finally:
        for layer, mode in zip(layers, modes, strict=True):
            layer.training = mode


def predict(net: Layer, x: npt.ArrayLike | Tensor, batch_size: int = 256) -> Tensor:
    """`Layer.predict`, which see."""
    step = positive_int(batch_size, "batch_size")
    pictures = as_pictures(x, net.dtype)
    forward = evaluator(net)
    outputs = [
        forward(pictures[start : start + step]) for start in range(0, max(len(pictures), 1), step)
    ]
    return Tensor(np.concatenate(outputs) if len(outputs) > 1 else outputs[0])


def evaluator(net: Layer) -> Callable[[npt.ArrayLike | Tensor], FloatArray]:
    """A function from B×C×H×W to what the net makes of it in evaluation mode, without recording.

    It compiles the net (see `Layer.compile`) when pictures come in numbers that repay it, so the
    net must not change while the function is in use. A float64 net goes layer by layer.
    """
    plans: dict[tuple[int, ...], Plan] = {}
    single = net.dtype is None or net.dtype == np.float32

    def forward(x: npt.ArrayLike | Tensor) -> FloatArray:
        pictures = (x if isinstance(x, Tensor) else net._as_input(x)).data
        shape = pictures.shape[1:]
        many = len(pictures) >= WORTH_COMPILING or shape in plans
        if many and single and pictures.dtype == np.float32:
            if shape not in plans:
                plans[shape] = net.compile(shape)
            return plans[shape](pictures).data
        with in_evaluation(net):
            return net.forward(x).data

    return forward
