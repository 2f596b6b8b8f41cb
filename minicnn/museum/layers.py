"""Layers that are wrong, each in one place; all that is not said here they have from the right one.

Every class stands in for the right one, its base: `Exhibit.on` puts it into a net.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..init import Rng
from ..layers import BatchNorm2D, Conv2D, Dropout, MaxPool2D, ReLU
from ..tensor import FloatArray, is_recording


class AssigningMaxPool2D(MaxPool2D):
    """Backward with ``=`` instead of ``+=``: of several gradients for a pixel the last stays."""

    def _backward(self, dy: FloatArray, need_dx: bool) -> FloatArray | None:
        mask, (B, C, H, W), _ = self.saved
        dx = np.zeros((B, C, H * W), dy.dtype)
        np.put_along_axis(dx, mask.reshape(B, C, -1), dy.reshape(B, C, -1), axis=2)  # should add
        return dx.reshape(B, C, H, W)


class ZeroPaddedMaxPool2D(MaxPool2D):
    """The padding is zeros, which win wherever all values of a window are negative."""

    def _forward(self, x: FloatArray, after_relu: bool = False) -> FloatArray:
        (ph, pw), H, W = self.padding, *x.shape[2:]
        inner = MaxPool2D(self.kernel_size, self.stride, 0, self.dilation, self.ceil_mode)
        y = inner._run(np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw))))
        if is_recording():
            h, w = np.divmod(inner.saved[0], W + 2 * pw)  # where the winner is in the padded plane
            h, w = h - ph, w - pw
            inside = (h >= 0) & (h < H) & (w >= 0) & (w < W)
            self.save(np.where(inside, h * W + w, -1).astype(np.int32), x.shape, None)
        return y


class SamePlacesDropout(Dropout):
    """A permutation is drawn and never used: the first channels are dropped, step after step."""

    def _forward(self, x: FloatArray) -> FloatArray:
        if not self.training:
            self.save(None)
            return x
        C = x.shape[1]
        self.rng.permutation(C)
        mask = np.full(x.shape, 1 / (1 - self.p), x.dtype)
        mask[:, : int(self.p * C)] = 0
        self.save(mask)
        return x * mask


class UnscaledDropout(Dropout):
    """Forward multiplies what is kept by 1/(1 − p); backward forgets to."""

    def _backward(self, dy: FloatArray, need_dx: bool) -> FloatArray | None:
        (mask,) = self.saved
        return dy if mask is None else dy * (mask > 0)  # should be dy * mask


class RecordingBatchNorm2D(BatchNorm2D):
    """Evaluation mode is tied to `no_grad`: whoever records gets the batch's own statistics."""

    def _forward(self, x: FloatArray, relu: bool = False) -> FloatArray:
        mode = self.training
        self.training = is_recording()  # whatever eval() has said
        try:
            return super()._forward(x, relu)
        finally:
            self.training = mode


class SummingBatchNorm2D(BatchNorm2D):
    """The gradients of γ and β are multiplied by B, which undoes the average that the loss took.

    It is as if these two had a learning rate of their own, B times that of the others.
    """

    def _backward(self, dy: FloatArray, need_dx: bool) -> FloatArray | None:
        dx = super()._backward(dy, need_dx)
        for parameter in (self.weight, self.bias):
            if parameter.grad is not None:
                parameter.grad[...] *= dy.shape[0]
        return dx


class StaleReLU(ReLU):
    """The buffer has the size of the first batch, and a smaller one gets back all of it."""

    _own: npt.NDArray[Any] | None = None

    def _forward(self, x: FloatArray, done: bool = False, routed: bool = False) -> FloatArray:
        if self._own is None or self._own.shape[1:] != x.shape[1:] or len(self._own) < len(x):
            self._own = np.zeros(x.shape, x.dtype)  # never smaller again
        np.maximum(x, 0, out=self._own[: len(x)])
        self.save(self._own.copy())
        return self._own.copy()  # should be the first len(x) rows


class SameSeedConv2D(Conv2D):
    """Whoever gives no seed gets number 212, in every layer."""

    def __init__(self, *args: Any, rng: Rng = None, **options: Any) -> None:
        super().__init__(*args, rng=212 if rng is None else rng, **options)


class FarAlignedConv2D(Conv2D):
    """dL/dx for strides that do not divide: what is missing is put in front instead of behind.

    The last rows and columns are read by no window then, and their gradient is 0. Spreading dy over
    the windows gives (OH − 1)·s + KH rows, which is short of H by just those.
    """

    def _backward(self, dy: FloatArray, need_dx: bool) -> FloatArray | None:
        dx = super()._backward(dy, need_dx)
        if dx is None:
            return None
        unread = [
            (size + 2 * p - d * (k - 1) - 1) % s
            for size, k, s, p, d in zip(
                dx.shape[2:],
                self.kernel_size,
                self.stride,
                self.padding,
                self.dilation,
                strict=True,
            )
        ]
        return np.roll(dx, unread, axis=(2, 3))
