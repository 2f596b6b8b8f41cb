"""Lesson 11, exercise 1: Grad-CAM, given what a layer made and the gradients that came back."""

import numpy as np


def weights(dA):
    return dA.mean(axis=(1, 2))


def heat(A, dA):
    return np.maximum(np.tensordot(weights(dA), A, axes=1), 0)


def stretch(heat, size):
    return heat.repeat(size, axis=0).repeat(size, axis=1)
