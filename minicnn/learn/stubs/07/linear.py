"""Lesson 7, exercise 1: the linear layer."""

import numpy as np


def forward(x, w, bias):
    """y[b, o] = bias[o] + Σ_i w[o, i] · x[b, i]: x B×I, w O×I, bias O → y B×O."""
    raise NotImplementedError


def backward(dy, x, w):
    """(dx, dw, dbias) from dL/dy, B×O: each has the shape of what it is the gradient of."""
    raise NotImplementedError
