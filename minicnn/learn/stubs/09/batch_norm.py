"""Lesson 9, exercise 1: batch normalisation of B×C×H×W."""

import numpy as np


class BatchNorm:
    """γ and β are the arrays `weight` and `bias`, shape (C,): 1 and 0 at first.

    `running_mean` and `running_var` are 0 and 1 at first. In training mode each batch moves them by
    `momentum` of the way to its own mean and variance (this one divided by N − 1, N = B·H·W).
    """

    def __init__(self, channels, eps=1e-5, momentum=0.1):
        raise NotImplementedError

    def forward(self, x, training):
        """y; in training by the batch's statistics (variance divided by N), else by the running."""
        raise NotImplementedError

    def backward(self, dy):
        """(dx, dweight, dbias) of the last forward pass in training mode."""
        raise NotImplementedError
