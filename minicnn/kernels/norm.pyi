"""Batch normalisation and softmax cross entropy; see reference.py for what each computes."""

from typing import Any

import numpy as np
import numpy.typing as npt

_Array = npt.NDArray[Any]

def batchnorm2d_statistics(x: _Array, mean: _Array, var: _Array, num_threads: int) -> None: ...
def batchnorm2d_normalize(
    x: _Array, scale: _Array, shift: _Array, y: _Array, relu: bool, num_threads: int
) -> None: ...
def batchnorm2d_backward_reduce(
    dy: _Array,
    x: _Array,
    scale: _Array,
    shift: _Array,
    mean: _Array,
    inv_std: _Array,
    dgamma: _Array,
    dbeta: _Array,
    relu: bool,
    num_threads: int,
) -> None: ...
def batchnorm2d_backward_input(
    dy: _Array,
    x: _Array,
    scale: _Array,
    shift: _Array,
    mean: _Array,
    inv_std: _Array,
    dgamma: _Array,
    dbeta: _Array,
    dx: _Array,
    relu: bool,
    num_threads: int,
) -> None: ...
def softmax_cross_entropy(
    logits: _Array, labels: npt.NDArray[np.int64], dlogits: _Array, label_smoothing: float
) -> float: ...
