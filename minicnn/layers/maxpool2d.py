"""MaxPool2D: of every window the largest value goes on, and it alone gets the gradient back.

    mask[b,c,i,j] = argmax of x[b,c,·,·] over the window whose corner is (i·s − p, j·s − p)
    y[b,c,i,j]    = x[b,c, mask[b,c,i,j]]

A maximum equals one of its arguments, so dy/dx is 1 at that argument and 0 at all others. Windows
may overlap, and then one pixel can win several of them: its gradients add up.

    dL/dx[b,c,n] = Σ_{i,j with mask[b,c,i,j] = n} dy[b,c,i,j]

The series wrote ``dx[mask[i]] = dy[i]``, which keeps only the last of them; ``+=`` is right.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .. import kernels
from ..errors import ShapeError, boolean, pair
from ..tensor import FloatArray, is_recording
from .base import Layer, Shape


def pooled_size(size: int, k: int, s: int, p: int, d: int, ceil_mode: bool) -> int:
    """How many windows of ``k`` taps fit along an axis: PyTorch's rule.

    floor((size + 2p − d(k−1) − 1)/s) + 1, or the ceiling with ``ceil_mode``, less a last window
    that would start in the padding on the far side.
    """
    room = size + 2 * p - d * (k - 1) - 1
    count = (room + (s - 1 if ceil_mode else 0)) // s + 1
    if ceil_mode and (count - 1) * s >= size + p:
        count -= 1
    return count


class MaxPool2D(Layer):
    """Maximum over windows.

    The padding counts as −∞. Of equal values the first in row-major order wins; a NaN wins over all
    numbers (the last one, where a window has several, as in PyTorch).

    Args:
        kernel_size: KH×KW of the window, an int or an (h, w) pair, as the three that follow.
        stride: Step from window to window; None means ``kernel_size``: windows side by side.
        padding: Rows and columns added on each side, at most half the window.
        dilation: Step between the taps within a window.
        ceil_mode: Whether a last window may reach over the edge.

    Attributes:
        mask: After a recorded forward: read-only int32, of the output's shape; for every output
            the flat index h·W + w of its winner in the H×W plane it came from; −1 for a window that
            dilation puts into the padding altogether.

    Raises:
        ValueError, TypeError: an argument is out of range.
    """

    kind = "pool"

    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] = 0,
        dilation: int | tuple[int, int] = 1,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size = pair(kernel_size, "kernel_size")
        self.stride = self.kernel_size if stride is None else pair(stride, "stride")
        self.padding = pair(padding, "padding", 0)
        self.dilation = pair(dilation, "dilation")
        self.ceil_mode = boolean(ceil_mode, "ceil_mode")
        check_padding(self.padding, self.kernel_size)

    @property
    def mask(self) -> npt.NDArray[np.int32] | None:
        mask: npt.NDArray[np.int32] | None = self._saved[0].view() if self._saved else None
        if mask is not None:
            mask.flags.writeable = False  # backward writes where it points
        return mask

    def output_shape(self, in_shape: Shape) -> Shape:
        return pooled_shape(self, in_shape, self.dilation)

    def _forward(self, x: FloatArray, after_relu: bool = False) -> FloatArray:
        y = self.buffer("y", self._out_shape, x.dtype)
        mask = self.buffer("mask", self._out_shape, np.int32) if is_recording() else None
        kernels.engine.maxpool2d_forward(
            x,
            y,
            mask,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            kernels.threads,
        )
        self.save(mask, x.shape, y if after_relu else None)
        return y

    def _backward(self, dy: FloatArray, need_dx: bool) -> FloatArray | None:
        if not need_dx:
            return None
        mask, in_shape, y = self.saved
        dx = self.borrow(in_shape, dy.dtype)
        kernels.engine.maxpool2d_backward(dy, y, mask, dx, kernels.threads)
        return dx

    def args(self) -> dict[str, Any]:
        return {
            "kernel_size": self.kernel_size,
            "stride": self.stride,
            "padding": self.padding,
            "dilation": self.dilation,
            "ceil_mode": self.ceil_mode,
        }


def check_padding(padding: tuple[int, int], kernel_size: tuple[int, int]) -> None:
    """Refuse windows that could lie in the padding alone, as PyTorch does."""
    if 2 * padding[0] > kernel_size[0] or 2 * padding[1] > kernel_size[1]:
        raise ValueError(
            f"padding must be at most half of kernel_size, got padding={padding} "
            f"and kernel_size={kernel_size}"
        )


def pooled_shape(layer: Any, in_shape: Shape, dilation: tuple[int, int]) -> Shape:
    """The output shape of a pooling layer, or a ShapeError that names it."""
    B, C, H, W = in_shape
    if np.iinfo(np.int32).max < H * W:
        raise ShapeError(
            f"{layer.label}: a plane of x must have fewer than 2³¹ pixels, got {H}×{W}"
        )
    if H * W == 0:
        raise ShapeError(f"{layer.label}: x of {H}×{W} has no pixel to pool")
    OH, OW = (
        pooled_size(size, k, s, p, d, layer.ceil_mode)
        for size, k, s, p, d in zip(
            (H, W), layer.kernel_size, layer.stride, layer.padding, dilation, strict=True
        )
    )
    if OH < 1 or OW < 1:
        raise ShapeError(
            f"{layer.label}: x of {H}×{W} with padding {layer.padding} is smaller than the window, "
            f"kernel_size {layer.kernel_size} with dilation {dilation}"
        )
    return B, C, OH, OW
