"""Lesson 9, exercise 2: dropout."""

import numpy as np


class Dropout:
    """Puts values to 0 with probability p in training, and scales the others by 1/(1 − p)."""

    def __init__(self, p, rng):
        """rng: a numpy.random.Generator."""
        raise NotImplementedError

    def forward(self, x, training):
        raise NotImplementedError

    def backward(self, dy):
        """dL/dx of the last forward pass, in whichever mode that was."""
        raise NotImplementedError
