"""AvgPool2D: of every window the mean goes on; the gradient is shared out equally.

    y[b,c,i,j]   = 1/n(i,j) · Σ over the window at (i·s − p, j·s − p) of x[b,c,·,·]
    dL/dx[b,c,n] = Σ over the windows (i,j) that hold pixel n of dy[b,c,i,j] / n(i,j)

n(i,j) is the number of pixels of window (i,j): with ``count_include_pad`` those in the padding
count (as zeros), without it they do not; what ``ceil_mode`` lets reach beyond the padding never
counts.
"""

from __future__ import annotations

from typing import Any

from .. import kernels
from ..errors import ShapeError, boolean, pair
from ..tensor import FloatArray
from .base import Layer, Shape
from .maxpool2d import check_padding, pooled_shape


class AvgPool2D(Layer):
    """Mean over windows.

    Args:
        kernel_size: KH×KW of the window, an int or an (h, w) pair, as the two that follow.
        stride: Step from window to window; None means ``kernel_size``.
        padding: Rows and columns of zeros added on each side, at most half the window.
        ceil_mode: Whether a last window may reach over the edge.
        count_include_pad: Whether the padding's zeros count in the mean.

    Raises:
        ValueError, TypeError: an argument is out of range.
    """

    kind = "avgpool"

    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__()
        self.kernel_size = pair(kernel_size, "kernel_size")
        self.stride = self.kernel_size if stride is None else pair(stride, "stride")
        self.padding = pair(padding, "padding", 0)
        self.ceil_mode = boolean(ceil_mode, "ceil_mode")
        self.count_include_pad = boolean(count_include_pad, "count_include_pad")
        check_padding(self.padding, self.kernel_size)

    def output_shape(self, in_shape: Shape) -> Shape:
        return pooled_shape(self, in_shape, (1, 1))

    def _forward(self, x: FloatArray) -> FloatArray:
        y = self.buffer("y", self._out_shape, x.dtype)
        kernels.engine.avgpool2d_forward(x, y, *self._geometry)
        self.save(x.shape)
        return y

    def _backward(self, dy: FloatArray, need_dx: bool) -> FloatArray | None:
        if not need_dx:
            return None
        (in_shape,) = self.saved
        dx = self.borrow(in_shape, dy.dtype)
        kernels.engine.avgpool2d_backward(dy, dx, *self._geometry)
        return dx

    @property
    def _geometry(self) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int], bool, int]:
        return self.kernel_size, self.stride, self.padding, self.count_include_pad, kernels.threads

    def args(self) -> dict[str, Any]:
        return {
            "kernel_size": self.kernel_size,
            "stride": self.stride,
            "padding": self.padding,
            "ceil_mode": self.ceil_mode,
            "count_include_pad": self.count_include_pad,
        }


class GlobalAvgPool2D(Layer):
    """Mean over each whole plane: B×C×H×W → B×C×1×1 (Lin et al., "Network in network", 2014)."""

    kind = "gap"

    def output_shape(self, in_shape: Shape) -> Shape:
        B, C, H, W = in_shape
        if H * W == 0:
            raise ShapeError(
                f"{self.label}: x must have at least one pixel a plane, got {in_shape}"
            )
        return B, C, 1, 1

    def _forward(self, x: FloatArray) -> FloatArray:
        y = self.buffer("y", self._out_shape, x.dtype)
        kernels.engine.global_avgpool2d_forward(x, y, kernels.threads)
        self.save(x.shape)
        return y

    def _backward(self, dy: FloatArray, need_dx: bool) -> FloatArray | None:
        if not need_dx:
            return None
        (in_shape,) = self.saved
        dx = self.borrow(in_shape, dy.dtype)
        kernels.engine.global_avgpool2d_backward(dy, dx, kernels.threads)
        return dx
