"""Lesson 4, exercise 2: all three gradients for batches with channels, stride 1, no padding.

y[b, o, i, j] = bias[o] + Σ_cuv w[o, c, u, v] · x[b, c, i + u, j + v]

Loop over the taps (u, v) only, as in exercise 1. What is to be summed over? Over the letters that
the result does not have.
"""

import numpy as np


def backward(dy, x, w):
    """(dx, dw, dbias) from dL/dy, B×O×OH×OW, x, B×C×H×W, and w, O×C×KH×KW."""
    raise NotImplementedError
