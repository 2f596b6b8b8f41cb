"""Lesson 5, exercise 1: ReLU and LeakyReLU, forward and backward, on an array of any shape."""

import numpy as np


def forward(x):
    """max(x, 0), element by element, as a new array; NaN stays NaN."""
    raise NotImplementedError


def backward(dy, y):
    """dL/dx from dL/dy and from y, what `forward` returned, as a new array."""
    raise NotImplementedError


def leaky_forward(x, a):
    """x where x > 0, elsewhere a·x, where a > 0; as a new array. a may be larger than 1, too."""
    raise NotImplementedError


def leaky_backward(dy, y, a):
    """dL/dx from dL/dy and from y, what `leaky_forward` returned, as a new array."""
    raise NotImplementedError
