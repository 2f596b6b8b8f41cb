"""Lesson 8, exercise 2: gradient descent with momentum and weight decay."""

import numpy as np


class SGD:
    """For each parameter θ with gradient g, in this order:

    g ← g + weight_decay · θ
    v ← momentum · v + g            v is 0 at first, and each parameter has one of its own
    θ ← θ − lr · v                  in place: others hold the same array

    params: objects with the arrays .data and .grad; where .grad is None nothing happens, and .grad
    itself is not changed.
    """

    def __init__(self, params, lr, momentum=0.0, weight_decay=0.0):
        raise NotImplementedError

    def step(self):
        """One step for all parameters."""
        raise NotImplementedError
