"""Lesson 5, exercise 3: forward is right. Backward had two mistakes.

It let gradients pass at the kinks, 0 and 6, and it wrote over the gradient that it was given.
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
        return dy * ((x > 0) & (x < 6))
