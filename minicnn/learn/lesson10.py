"""What the exercises of lesson 10, optimizers and initialisation, must do."""

from __future__ import annotations

import math
from types import ModuleType
from typing import Any

import numpy as np

from ..museum.checks import same
from ..optim import AdamW
from ..tensor import Parameter
from .exercise import Exercise

SHAPES = ((40, 60), (32, 16, 3, 3), (50, 10, 1, 5))


def counts_products(own: ModuleType) -> None:
    """fans: of a linear layer and of a convolution"""
    for shape, right in (
        ((10, 128), (128, 10)),
        ((16, 8, 3, 3), (72, 144)),
        ((4, 3, 1, 5), (15, 20)),
    ):
        same(f"fans of {shape}", own.fans(shape), right)


def near(what: str, got: float, right: float, share: float) -> None:
    assert abs(got - right) <= share * right, f"{what}: {got:.4g}, expected about {right:.4g}"


def he_has_its_size(own: ModuleType) -> None:
    """He: the right shape, mean 0, variance 2/fan_in"""
    for shape in SHAPES:
        w = own.he(shape, np.random.default_rng(0))
        assert w.shape == shape, f"shape {w.shape}, expected {shape}"
        fan_in = math.prod(shape[1:])
        near(f"the standard deviation for {shape}", w.std(), math.sqrt(2 / fan_in), 0.1)
        assert abs(w.mean()) < 0.1 * w.std(), f"the mean for {shape} is {w.mean():.3g}, expected 0"


def he_keeps_the_size(own: ModuleType) -> None:
    """He: ten layers with ReLU keep the size of what goes through"""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(500, 200))
    for _ in range(10):
        x = np.maximum(x @ own.he((200, 200), rng).T, 0)
    size = math.sqrt((x**2).mean())
    assert 0.4 < size < 2.5, f"the size of the values: {size:.3g}, expected about 1"


def glorot_has_its_size(own: ModuleType) -> None:
    """Glorot: evenly drawn, variance 2/(fan_in + fan_out)"""
    for shape in SHAPES:
        w = own.glorot(shape, np.random.default_rng(0))
        taps = math.prod(shape[2:])
        variance = 2 / (taps * (shape[0] + shape[1]))
        near(f"the variance for {shape}", w.var(), variance, 0.1)
        near(f"the largest weight for {shape}", np.abs(w).max(), math.sqrt(3 * variance), 0.05)


def draws_from_rng(own: ModuleType) -> None:
    """The same generator gives the same weights, and its next draw gives others"""
    rng = np.random.default_rng(3)
    first, second = own.he((4, 4), rng), own.he((4, 4), rng)
    same("weights of the same seed", own.he((4, 4), np.random.default_rng(3)), first)
    assert not np.allclose(first, second), "two layers made in a row have the same weights"


def first_step(own: ModuleType) -> None:
    """The first step is as long as the learning rate, whatever the gradient"""
    for g in (1e-3, 1.0, -1e3):
        theta = np.zeros(1)
        own.Adam([theta], lr=0.01).step([np.array([g])])
        same(f"θ for a gradient of {g:g}", theta, [-0.01 * np.sign(g)], 1e-4)


def many_steps(own: ModuleType, idle: tuple[int, ...] = (), **settings: Any) -> None:
    """Twenty steps of two arrays; in the steps ``idle`` the second one has no gradient."""
    rng = np.random.default_rng(0)
    values = ([1.0, -2.0, 0.5], [[3.0], [-1.0]])
    parameters, arrays = [Parameter(np.array(v)) for v in values], [np.array(v) for v in values]
    settings = {"lr": 0.05, "weight_decay": 0.0, **settings}
    right, mine = AdamW(parameters, **settings), own.Adam(arrays, **settings)
    for step in range(1, 21):
        grads: list[Any] = [rng.normal(size=array.shape) for array in arrays]
        if step in idle:
            grads[1] = None
        for parameter, g in zip(parameters, grads, strict=True):
            parameter.grad = None if g is None else g.copy()
        right.step()
        mine.step(grads)
        for k, (parameter, theta) in enumerate(zip(parameters, arrays, strict=True)):
            same(f"array {k} after step {step}", theta, parameter.data, 1e-6)


def twenty_steps(own: ModuleType) -> None:
    """Twenty steps, as minicnn's Adam"""
    many_steps(own)


def other_betas(own: ModuleType) -> None:
    """… with other betas"""
    many_steps(own, betas=(0.5, 0.9))


def decays(own: ModuleType) -> None:
    """… with weight decay, as minicnn's AdamW"""
    many_steps(own, weight_decay=0.1)


def counts_its_own_steps(own: ModuleType) -> None:
    """… and an array without a gradient rests, and does not count the step"""
    many_steps(own, idle=(1, 2, 5, 9), weight_decay=0.1)


def leaves_gradient(own: ModuleType) -> None:
    """The gradient is left as it is"""
    g = np.array([2.0])
    own.Adam([np.zeros(1)], lr=0.1).step([g])
    same("g afterwards", g, [2])


def ends(own: ModuleType) -> None:
    """0 at the beginning, lr behind the warm-up, 0 at the end"""
    for step, right in ((0, 0), (20, 0.1), (200, 0)):
        same(f"rate in step {step}", own.rate(step, 0.1, 200, 20), right)


def warm_up(own: ModuleType) -> None:
    """A straight line up"""
    for step in (5, 10, 19):
        same(f"rate in step {step}", own.rate(step, 0.1, 200, 20), 0.1 * step / 20)


def half_way(own: ModuleType) -> None:
    """Half of lr in the middle of the way down"""
    same("rate in step 110", own.rate(110, 0.1, 200, 20), 0.05)


EXERCISES = (
    Exercise(
        "initialise",
        "Draw He and Glorot weights.",
        (counts_products, he_has_its_size, he_keeps_the_size, glorot_has_its_size, draws_from_rng),
    ),
    Exercise(
        "adam",
        "Write Adam and AdamW for several arrays.",
        (first_step, twenty_steps, other_betas, decays, counts_its_own_steps, leaves_gradient),
    ),
    Exercise("planted_bug", "Mend a schedule.", (ends, warm_up, half_way)),
)
