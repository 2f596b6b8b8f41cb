"""Maximum and average pooling; see reference.py for what each computes."""

from typing import Any

import numpy as np
import numpy.typing as npt

_Array = npt.NDArray[Any]
_Pair = tuple[int, int]

def maxpool2d_forward(
    x: _Array,
    y: _Array,
    mask: npt.NDArray[np.int32] | None,
    kernel: _Pair,
    stride: _Pair,
    padding: _Pair,
    dilation: _Pair,
    num_threads: int,
) -> None: ...
def maxpool2d_backward(
    dy: _Array, y: _Array | None, mask: npt.NDArray[np.int32], dx: _Array, num_threads: int
) -> None: ...
def avgpool2d_forward(
    x: _Array,
    y: _Array,
    kernel: _Pair,
    stride: _Pair,
    padding: _Pair,
    count_include_pad: bool,
    num_threads: int,
) -> None: ...
def avgpool2d_backward(
    dy: _Array,
    dx: _Array,
    kernel: _Pair,
    stride: _Pair,
    padding: _Pair,
    count_include_pad: bool,
    num_threads: int,
) -> None: ...
def global_avgpool2d_forward(x: _Array, y: _Array, num_threads: int) -> None: ...
def global_avgpool2d_backward(dy: _Array, dx: _Array, num_threads: int) -> None: ...
