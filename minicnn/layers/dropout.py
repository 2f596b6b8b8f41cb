"""Dropout: in training, each value is put to zero with probability p, and the others are scaled up.

    y = x · m,   m = 0 with probability p, else 1/(1 − p)      dL/dx = dy · m

The scale keeps the expected value, so that evaluation does nothing at all. (Srivastava et al. 2014;
this "inverted" form is the usual one. The series scaled at evaluation instead, and dropped the same
channels every time.)
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import finite_float
from ..init import Rng, as_generator
from ..tensor import FloatArray
from .base import Layer


class Dropout(Layer):
    """Drops single values at random while training; does nothing in evaluation mode.

    Args:
        p: Probability that a value is dropped, from 0 up to but not including 1.
        rng: Seed or Generator for the draws; None draws a fresh seed.

    Raises:
        ValueError, TypeError: p is out of range.
    """

    kind = "dropout"
    makes_new_output = False

    def __init__(self, p: float = 0.5, *, rng: Rng = None) -> None:
        super().__init__()
        self.p = finite_float(p, "p", 0, below=1)
        self.rng = as_generator(rng)

    def _forward(self, x: FloatArray) -> FloatArray:
        if not self.training or self.p == 0:
            self.save(None)
            return x
        mask = self.buffer("mask", x.shape, x.dtype)
        self.rng.random(out=mask, dtype=x.dtype)
        np.greater_equal(mask, self.p, out=mask, casting="unsafe")
        mask /= 1 - self.p
        y = self.buffer("y", x.shape, x.dtype)
        np.multiply(x, mask, out=y)
        self.save(mask)
        return y

    def _backward(self, dy: FloatArray, need_dx: bool) -> FloatArray | None:
        if not need_dx:
            return None
        (mask,) = self.saved
        if mask is None:
            return dy
        dx = self.borrow(dy.shape, dy.dtype)
        np.multiply(dy, mask, out=dx)
        return dx

    def args(self) -> dict[str, Any]:
        return {"p": self.p}
