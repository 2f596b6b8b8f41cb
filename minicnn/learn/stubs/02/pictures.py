"""Lesson 2, exercise 2: pictures in and out. NumPy only, without Tensor.from_images."""

import numpy as np


def pictures_in(pictures):
    """uint8 N×H×W×C with values 0 to 255 → float32 N×C×H×W with values 0 to 1, C-contiguous."""
    raise NotImplementedError


def pictures_out(x):
    """float N×C×H×W → uint8 N×H×W×C, rounded; what is below 0 or above 1 becomes 0 or 255."""
    raise NotImplementedError
