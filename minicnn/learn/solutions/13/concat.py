"""Lesson 13, exercise 2: a Concat of your own."""

import numpy as np


class Concat:
    def __init__(self, *branches):
        self.branches = branches

    def forward(self, x):
        parts = [branch.forward(x) for branch in self.branches]
        self.ends = np.cumsum([part.shape[1] for part in parts])
        return np.concatenate(parts, axis=1)

    def backward(self, dy):
        parts = np.split(dy, self.ends[:-1], axis=1)
        return sum(b.backward(part) for b, part in zip(self.branches, parts, strict=True))
