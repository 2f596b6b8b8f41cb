"""What the exercises of lesson 5, ReLU and its relatives, must do."""

from __future__ import annotations

import warnings
from types import ModuleType

import numpy as np

from ..museum.checks import assert_gradient, same
from .exercise import Exercise

X = np.array([[1.5, -0.3], [0.2, -2.0]])
DY = np.array([[0.5, 7.0], [-1.0, 3.0]])


def negative_becomes_zero(own: ModuleType) -> None:
    """The lesson's four numbers: what is negative becomes zero"""
    same("y", own.forward(X), [[1.5, 0], [0.2, 0]])


def nan_stays(own: ModuleType) -> None:
    """NaN stays NaN: a net that has broken down must be seen to"""
    same("y", own.forward(np.array([np.nan, -1.0])), [np.nan, 0])


def sign_of_the_input_counts(own: ModuleType) -> None:
    """The gradient passes by the sign of the input, whatever its own"""
    same("dx", own.backward(DY, own.forward(X)), [[0.5, 0], [-1, 0]])


def nothing_at_zero(own: ModuleType) -> None:
    """At exactly 0 the gradient is 0"""
    same("dx", own.backward(np.ones(3), own.forward(np.zeros(3))), np.zeros(3))


def leaves_arguments_alone(own: ModuleType) -> None:
    """What is passed in is not changed"""
    x, dy = X.copy(), DY.copy()
    y = own.forward(x)
    same("x after forward", x, X)
    kept = y.copy()
    own.backward(dy, y)
    same("dy after backward", dy, DY)
    same("y after backward", y, kept)


def any_shape(own: ModuleType) -> None:
    """Any shape, an empty one too"""
    for shape in ((), (3,), (2, 3, 4, 5), (0, 3)):
        x = np.random.default_rng(0).normal(size=shape)
        y = own.forward(x)
        same(f"y of shape {shape}", y, np.where(x > 0, x, 0))
        same(f"dx of shape {shape}", own.backward(np.full(shape, 2.0), y), np.where(x > 0, 2, 0))


def leaky_values(own: ModuleType) -> None:
    """LeakyReLU: the lesson's numbers with a = 0.1, and with a = 2"""
    same("y for a = 0.1", own.leaky_forward(X, 0.1), [[1.5, -0.03], [0.2, -0.2]])
    same("y for a = 2", own.leaky_forward(X, 2.0), [[1.5, -0.6], [0.2, -4]])


def leaky_gradient(own: ModuleType) -> None:
    """LeakyReLU's backward, from the output; and nothing is changed"""
    for a in (0.1, 2.0):
        x, dy = X.copy(), DY.copy()
        y = own.leaky_forward(x, a)
        kept = y.copy()
        dx = own.leaky_backward(dy, y, a)
        same(f"dx for a = {a:g}", dx, [[0.5, 7 * a], [-1, 3 * a]])
        same("x afterwards", x, X)
        same("dy afterwards", dy, DY)
        same("y afterwards", y, kept)


def sigmoid_values(own: ModuleType) -> None:
    """sigmoid of 0 is ½, and of x and −x together 1"""
    same("sigmoid(0)", own.sigmoid(np.zeros(1)), [0.5])
    x = np.linspace(-5, 5, 11)
    same("sigmoid(x) + sigmoid(−x)", own.sigmoid(x) + own.sigmoid(-x), np.ones(11))
    same("sigmoid(1)", own.sigmoid(np.ones(1)), [0.7310585786])


def sigmoid_far_out(own: ModuleType) -> None:
    """sigmoid of −1000 and 1000, without a warning"""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        same("sigmoid", own.sigmoid(np.array([-1000.0, 1000.0])), [0, 1])


def sigmoid_slope(own: ModuleType) -> None:
    """sigmoid's backward is its slope"""
    x, h = np.linspace(-3, 3, 7), 1e-6
    slope = (own.sigmoid(x + h) - own.sigmoid(x - h)) / (2 * h)
    same("dx", own.sigmoid_backward(np.full(7, 2.0), own.sigmoid(x)), 2 * slope)


def tanh_slope(own: ModuleType) -> None:
    """tanh's backward is its slope"""
    x, h = np.linspace(-3, 3, 7), 1e-6
    slope = (np.tanh(x + h) - np.tanh(x - h)) / (2 * h)
    same("dx", own.tanh_backward(np.full(7, 2.0), np.tanh(x)), 2 * slope)


def bounded_gradient(own: ModuleType) -> None:
    """Backward is the derivative of forward, at random inputs"""
    x = np.random.default_rng(0).normal(3, 4, size=(2, 2, 4, 4))
    assert_gradient(own.Bounded(), x)


def bounded_at_its_kinks(own: ModuleType) -> None:
    """At both kinks, 0 and 6, no gradient passes; nor for what lies beyond them"""
    layer = own.Bounded()
    layer(np.array([-1.0, 0.0, 3.0, 6.0, 7.0]).reshape(1, 1, 1, 5))
    dx = layer.backward(np.ones((1, 1, 1, 5))).data.ravel()
    same("dx for x of −1, 0, 3, 6, 7", dx, [0, 0, 1, 0, 0])


def bounded_leaves_dy_alone(own: ModuleType) -> None:
    """The gradient that came is not changed"""
    layer, dy = own.Bounded(), np.array([4.0, 5.0, 6.0]).reshape(1, 1, 1, 3)
    layer(np.array([-1.0, 3.0, 7.0]).reshape(1, 1, 1, 3))
    dx = layer.backward(dy).data.ravel()
    same("dx for x of −1, 3, 7 and dy of 4, 5, 6", dx, [0, 5, 0])
    same("dy after backward", dy.ravel(), [4, 5, 6])


EXERCISES = (
    Exercise(
        "relu",
        "Write ReLU and LeakyReLU, forward and backward.",
        (
            negative_becomes_zero,
            nan_stays,
            sign_of_the_input_counts,
            nothing_at_zero,
            leaves_arguments_alone,
            any_shape,
            leaky_values,
            leaky_gradient,
        ),
    ),
    Exercise(
        "smooth",
        "Write sigmoid, and the way back through sigmoid and tanh.",
        (sigmoid_values, sigmoid_far_out, sigmoid_slope, tanh_slope),
    ),
    Exercise(
        "planted_bug",
        "Mend two mistakes in a layer's backward.",
        (bounded_gradient, bounded_at_its_kinks, bounded_leaves_dy_alone),
    ),
)
