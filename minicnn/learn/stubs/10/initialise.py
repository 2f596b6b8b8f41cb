"""Lesson 10, exercise 1: first weights."""

import numpy as np


def fans(shape):
    """(fan_in, fan_out) of weights O×I (linear) or O×C×KH×KW (convolution).

    fan_in: how many products one output sums; fan_out: how many outputs one input goes into
    (away from the edges, with stride 1).
    """
    raise NotImplementedError


def he(shape, rng):
    """Normal weights for a layer with ReLU behind it; rng is a numpy.random.Generator."""
    raise NotImplementedError


def glorot(shape, rng):
    """Weights drawn evenly from [−b, b], with Glorot's variance: which b has it?"""
    raise NotImplementedError
