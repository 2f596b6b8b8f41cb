"""Lesson 10, exercise 2: Adam and AdamW."""

import numpy as np


class Adam:
    """One parameter at a time is enough: call `step` with the array and its gradient.

    weight_decay is AdamW's: before anything else θ ← θ − lr · weight_decay · θ.
    """

    def __init__(self, shape, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0):
        raise NotImplementedError

    def step(self, theta, g):
        """Change theta in place; g is left as it is."""
        raise NotImplementedError
