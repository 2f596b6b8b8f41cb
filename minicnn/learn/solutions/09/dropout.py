"""Lesson 9, exercise 2: dropout."""

import numpy as np


class Dropout:
    def __init__(self, p, rng):
        self.p, self.rng = p, rng

    def forward(self, x, training):
        self.mask = np.ones(x.shape)
        if training:
            self.mask = (self.rng.random(x.shape) >= self.p) / (1 - self.p)
        return x * self.mask

    def backward(self, dy):
        return dy * self.mask
