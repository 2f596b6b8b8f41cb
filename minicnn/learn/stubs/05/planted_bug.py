"""Lesson 5, exercise 3: forward is right. Backward has two mistakes; mend them here.

A gradient passes where the input lay strictly between 0 and 6. `gradcheck` at random inputs finds
nothing wrong. Try small inputs of your own choice, and look at what becomes of the arrays that
backward is given.
"""

import numpy as np

from minicnn import Layer


class Bounded(Layer):
    """min(max(x, 0), 6): a ReLU that has a ceiling."""

    def _forward(self, x):
        self.save(x)
        return np.clip(x, 0, 6)

    def _backward(self, dy, need_dx):
        (x,) = self.saved
        dy *= (x >= 0) & (x <= 6)
        return dy
