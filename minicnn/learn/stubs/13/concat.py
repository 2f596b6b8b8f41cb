"""Lesson 13, exercise 2: a Concat of your own."""

import numpy as np


class Concat:
    """y = [f₁(x), f₂(x), …] along the channels, axis 1 of B×C×H×W.

    Each branch has forward(x) and backward(dy), on arrays; so has this. The branches may make
    different numbers of channels.
    """

    def __init__(self, *branches):
        self.branches = branches

    def forward(self, x):
        raise NotImplementedError

    def backward(self, dy):
        """dL/dx."""
        raise NotImplementedError
