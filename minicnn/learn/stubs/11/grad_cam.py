"""Lesson 11, exercise 1: Grad-CAM, given what a layer made and the gradients that came back.

`A` is C×H×W, the maps that a layer made of one picture; `dA`, as large, is the gradient of the
score of a class with respect to each of their values.
"""

import numpy as np


def weights(dA):
    """α, one number for each map: how much it matters for the score."""
    raise NotImplementedError


def heat(A, dA):
    """H×W: where the maps speak for the class; 0 where they speak against it."""
    raise NotImplementedError


def stretch(heat, size):
    """The H×W map as one of (size·H)×(size·W): each value becomes a square of size×size."""
    raise NotImplementedError
