from typing import TypeVar

import numpy as np
import numpy.typing as npt

_Floating = TypeVar("_Floating", np.float32, np.float64)
_Pair = tuple[int, int]
_Shape = tuple[int, ...]

def conv2d_suits_winograd(
    x_shape: _Shape,
    weight_shape: _Shape,
    y_shape: _Shape,
    stride: _Pair,
    padding: _Pair,
    dilation: _Pair,
    groups: int,
) -> bool: ...
def conv2d_forward(
    x: npt.NDArray[_Floating],
    weight: npt.NDArray[_Floating],
    bias: npt.NDArray[_Floating] | None,
    y: npt.NDArray[_Floating],
    stride: _Pair,
    padding: _Pair,
    dilation: _Pair,
    groups: int,
    winograd: bool,
    relu: bool,
    num_threads: int,
) -> None: ...
def conv2d_backward_input(
    dy: npt.NDArray[_Floating],
    weight: npt.NDArray[_Floating],
    dx: npt.NDArray[_Floating],
    stride: _Pair,
    padding: _Pair,
    dilation: _Pair,
    groups: int,
    winograd: bool,
    num_threads: int,
) -> None: ...
def conv2d_backward_weight(
    x: npt.NDArray[_Floating],
    dy: npt.NDArray[_Floating],
    dweight: npt.NDArray[_Floating],
    stride: _Pair,
    padding: _Pair,
    dilation: _Pair,
    groups: int,
    winograd: bool,
    accumulate: bool,
    num_threads: int,
) -> None: ...
def conv2d_backward_bias(
    dy: npt.NDArray[_Floating],
    dbias: npt.NDArray[_Floating],
    accumulate: bool,
    num_threads: int,
) -> None: ...
