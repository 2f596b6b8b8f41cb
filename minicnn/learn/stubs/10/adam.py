"""Lesson 10, exercise 2: Adam and AdamW."""

import numpy as np


class Adam:
    """Steps for several arrays. Each has running means of its own, and counts its own steps.

    params: the arrays, which are changed in place. weight_decay is AdamW's: before anything else
    θ ← θ − lr · weight_decay · θ.
    """

    def __init__(self, params, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0):
        raise NotImplementedError

    def step(self, grads):
        """One step. grads: for each array its gradient, or None: nothing happens to that array.

        The gradients are left as they are.
        """
        raise NotImplementedError
