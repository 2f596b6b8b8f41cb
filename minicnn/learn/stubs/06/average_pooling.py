"""Lesson 6, exercise 2: average pooling, forward and backward, of one plane.

Every pixel of a window has the same share in its average; what follows for the gradients?
"""

import numpy as np


def forward(x, k, s):
    """The averages of windows k×k that start every s pixels: x H×W → y OH×OW."""
    raise NotImplementedError


def backward(dy, shape, k, s):
    """dL/dx, of the shape H×W, from dL/dy, OH×OW. No mask is needed: say why, then write it."""
    raise NotImplementedError
