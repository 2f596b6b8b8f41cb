"""Conv2D: a small window of weights slides over the picture.

    y[b,o,i,j] = bias[o] + Σ_{c,u,v} w[o,c,u,v] · x[b, c, i·s − p + u·d, j·s − p + v·d]

where c runs over the input channels of o's group and x is 0 in the padding. The derivative of a sum
of products is the other factor, so each gradient is a convolution too:

    dL/db[o]       = Σ_{b,i,j} dy[b,o,i,j]
    dL/dw[o,c,u,v] = Σ_{b,i,j} dy[b,o,i,j] · x[b, c, i·s − p + u·d, j·s − p + v·d]
    dL/dx[b,c,h,w] = Σ over all (o,u,v,i,j) that read pixel (h,w): dy[b,o,i,j] · w[o,c,u,v]

(Dumoulin & Visin, "A guide to convolution arithmetic for deep learning", 2016, section 4.)
"""

from __future__ import annotations

from typing import Any

from .. import kernels
from ..errors import ShapeError, boolean, pair, positive_int
from ..init import Rng, as_generator, kaiming_uniform, uniform
from ..tensor import FloatArray, Parameter
from .base import Layer, Shape

Pair = tuple[int, int]


class Conv2D(Layer):
    """2-D convolution (cross-correlation, as all deep-learning libraries mean it).

    Args:
        in_channels: C of the input.
        out_channels: C of the output.
        kernel_size: KH×KW of the window, an int or an (h, w) pair, as the three that follow.
        stride: Step from window to window.
        padding: Rows and columns of zeros added on each side.
        dilation: Step between the taps within a window.
        groups: Number of groups of channels that do not see each other; divides both counts.
        bias: Whether to add a learnt number per output channel.
        rng: Seed or Generator for the first weights; None draws a fresh seed.

    Attributes:
        weight: out_channels × in_channels/groups × KH × KW; starts Kaiming-uniform as in PyTorch,
            within ±1/√fan_in.
        bias: out_channels, or None.

    Raises:
        ValueError, TypeError: an argument is out of range.
    """

    kind = "conv"
    parameter_names = ("weight", "bias")

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] = 0,
        dilation: int | tuple[int, int] = 1,
        groups: int = 1,
        bias: bool = True,
        *,
        rng: Rng = None,
    ) -> None:
        super().__init__()
        self.in_channels = positive_int(in_channels, "in_channels")
        self.out_channels = positive_int(out_channels, "out_channels")
        self.kernel_size = pair(kernel_size, "kernel_size")
        self.stride = pair(stride, "stride")
        self.padding = pair(padding, "padding", 0)
        self.dilation = pair(dilation, "dilation")
        self.groups = positive_int(groups, "groups")
        for name in ("in_channels", "out_channels"):
            if getattr(self, name) % self.groups:
                raise ValueError(
                    f"groups must divide {name}, got groups={groups} and "
                    f"{name}={getattr(self, name)}"
                )
        generator = as_generator(rng)
        shape = self._weight_shape
        self.weight = Parameter(kaiming_uniform(shape, generator, negative_slope=5**0.5))
        self.bias = (
            Parameter(uniform(shape[:1], self.weight.data[0].size ** -0.5, generator))
            if boolean(bias, "bias")
            else None
        )

    def output_shape(self, in_shape: Shape) -> Shape:
        B, C, H, W = in_shape
        if self.in_channels != C:
            raise ShapeError(
                f"{self.label}: x must have shape (B, {self.in_channels}, H, W), got {in_shape}"
            )
        OH, OW = (
            (size + 2 * p - d * (k - 1) - 1) // s + 1
            for size, k, s, p, d in zip(
                (H, W), self.kernel_size, self.stride, self.padding, self.dilation, strict=True
            )
        )
        if OH < 1 or OW < 1:
            raise ShapeError(
                f"{self.label}: x of {H}×{W} with padding {self.padding} is smaller than the "
                f"window, kernel_size {self.kernel_size} with dilation {self.dilation}"
            )
        return B, self.out_channels, OH, OW

    def _forward(self, x: FloatArray, relu: bool = False) -> FloatArray:
        weight, bias = self._checked_values()
        y = self.buffer("y", self._out_shape, x.dtype)
        how = *self._geometry[:-1], relu, kernels.threads
        kernels.engine.conv2d_forward(x, weight, bias, y, *how)
        self.save(x)
        return y

    def _backward(self, dy: FloatArray, need_dx: bool) -> FloatArray | None:
        (x,) = self.saved
        weight, _ = self._checked_values()
        if self.bias is not None:
            db, accumulate = self.bias.open_grad()
            kernels.engine.conv2d_backward_bias(dy, db, accumulate, kernels.threads)
        dw, accumulate = self.weight.open_grad()
        kernels.engine.conv2d_backward_weight(
            x, dy, dw, *self._geometry[:-1], accumulate, kernels.threads
        )
        if not need_dx:
            return None
        dx = self.borrow(x.shape, x.dtype)
        kernels.engine.conv2d_backward_input(dy, weight, dx, *self._geometry)
        return dx

    def _checked_values(self) -> tuple[FloatArray, FloatArray | None]:
        bias = None if self.bias is None else self.values("bias", (self.out_channels,))
        return self.values("weight", self._weight_shape), bias

    @property
    def _weight_shape(self) -> tuple[int, int, int, int]:
        return (self.out_channels, self.in_channels // self.groups, *self.kernel_size)

    @property
    def _geometry(self) -> tuple[Pair, Pair, Pair, int, bool, int]:
        how = kernels.winograd, kernels.threads
        return self.stride, self.padding, self.dilation, self.groups, *how

    def algorithm(self, in_shape: Shape) -> str:
        """How the kernels sum for an input of this shape: "winograd" or "direct".

        See `minicnn.set_winograd`.
        """
        shapes = in_shape, self._weight_shape, self.output_shape(in_shape)
        window = self.stride, self.padding, self.dilation
        suits = kernels.engine.conv2d_suits_winograd(*shapes, *window, self.groups)
        single = self.weight.dtype.itemsize == 4
        return "winograd" if kernels.winograd and single and suits else "direct"

    def multiply_adds(self, in_shape: Shape) -> int:
        B, _, OH, OW = self.output_shape(in_shape)
        return B * OH * OW * self.weight.size

    def args(self) -> dict[str, Any]:
        return {
            "in_channels": self.in_channels,
            "out_channels": self.out_channels,
            "kernel_size": self.kernel_size,
            "stride": self.stride,
            "padding": self.padding,
            "dilation": self.dilation,
            "groups": self.groups,
            "bias": self.bias is not None,
        }
