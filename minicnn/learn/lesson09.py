"""What the exercises of lesson 9, batch norm and dropout, must do."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

from ..layers import BatchNorm2D
from ..museum.checks import same
from .exercise import Exercise


def random(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(3, 2, size=shape)


def twins(own: ModuleType) -> tuple[Any, BatchNorm2D]:
    """The reader's and minicnn's, with the same γ and β, in float64."""
    mine, right = own.BatchNorm(3), BatchNorm2D(3).astype(np.float64)
    mine.weight[:] = right.weight.data[:] = [1.0, 2.0, -0.5]
    mine.bias[:] = right.bias.data[:] = [0.0, 1.0, 3.0]
    return mine, right


def four_numbers(own: ModuleType) -> None:
    """The lesson's four numbers"""
    y = own.BatchNorm(1, eps=0.0).forward(np.array([1.0, 3, 5, 7]).reshape(4, 1, 1, 1), True)
    same("y", y.ravel(), np.array([-3.0, -1, 1, 3]) / np.sqrt(5))


def training_forward(own: ModuleType) -> None:
    """Training: y as BatchNorm2D has it, channel by channel"""
    mine, right = twins(own)
    x = random(4, 3, 5, 2)
    same("y", mine.forward(x, True), right(x).data)


def training_backward(own: ModuleType) -> None:
    """Training: all three gradients"""
    mine, right = twins(own)
    x, dy = random(4, 3, 5, 2), random(4, 3, 5, 2, seed=1)
    mine.forward(x, True)
    right(x)
    expected = right.backward(dy)
    assert expected is not None
    for name, got, gradient in zip(
        ("dx", "dweight", "dbias"),
        mine.backward(dy),
        (expected.data, right.weight.grad, right.bias.grad),
        strict=True,
    ):
        same(name, got, gradient)


def keeps_running_statistics(own: ModuleType) -> None:
    """Running statistics after each of three batches"""
    mine, right = twins(own)
    for step in range(3):
        x = random(4, 3, 5, 2, seed=step)
        mine.forward(x, True)
        right(x)
        same(f"running_mean after batch {step + 1}", mine.running_mean, right.running_mean)
        same(f"running_var after batch {step + 1}", mine.running_var, right.running_var)


def evaluates(own: ModuleType) -> None:
    """Evaluation: by the running statistics, which stay as they are"""
    mine, right = twins(own)
    for norm in (mine, right):
        norm.running_mean[:] = [1.0, 2.0, 3.0]
        norm.running_var[:] = [4.0, 1.0, 0.25]
    x = random(1, 3, 2, 2)
    same("y", mine.forward(x, False), right.eval()(x).data)
    same("running_mean afterwards", mine.running_mean, [1, 2, 3])


def drops_its_share(own: ModuleType) -> None:
    """Training: a share p is 0, the rest is scaled by 1/(1 − p)"""
    x = np.full((100, 100), 3.0)
    y = own.Dropout(0.25, np.random.default_rng(0)).forward(x, True)
    kept = y != 0
    same("what is kept", y[kept], np.full(kept.sum(), 4.0))
    share = 1 - kept.mean()
    assert abs(share - 0.25) < 0.03, f"{share:.3f} of the values are 0, expected about 0.25"


def draws_anew(own: ModuleType) -> None:
    """Each pass draws anew, and every place is dropped some time"""
    dropout, x = own.Dropout(0.5, np.random.default_rng(0)), np.ones((1, 8, 1, 1))
    kept = np.array([dropout.forward(x, True).ravel() > 0 for _ in range(100)])
    assert kept.any(axis=0).all(), f"channel {kept.any(axis=0).argmin()} is always dropped"
    assert not kept.all(axis=0).any(), f"channel {kept.all(axis=0).argmax()} is never dropped"


def same_mask_back(own: ModuleType) -> None:
    """Backward has the mask of forward, and its scale"""
    dropout, ones = own.Dropout(0.5, np.random.default_rng(0)), np.ones((4, 50))
    y = dropout.forward(ones, True)
    same("dx for dy of 1", dropout.backward(ones), y)


def rests_in_evaluation(own: ModuleType) -> None:
    """Evaluation: nothing happens, forward or back"""
    dropout, x = own.Dropout(0.5, np.random.default_rng(0)), random(2, 5)
    dropout.forward(x, True)
    same("y", dropout.forward(x, False), x)
    same("dx", dropout.backward(x), x)


def moves_the_mean(own: ModuleType) -> None:
    """The mean moves a tenth of the way"""
    running = own.Running()
    running.update(np.full(5, 10.0))
    same("mean after one batch of tens", running.mean, 1)
    running.update(np.full(5, 10.0))
    same("mean after two", running.mean, 1.9)


def moves_the_variance(own: ModuleType) -> None:
    """The variance too, that of a sample: divided by N − 1"""
    running = own.Running()
    running.update(np.array([1.0, 3.0]))
    same("variance after a batch of 1 and 3", running.var, 0.9 * 1 + 0.1 * 2)


def settles(own: ModuleType) -> None:
    """After many batches evaluation gives mean 0 and variance 1"""
    running, rng = own.Running(), np.random.default_rng(0)
    for _ in range(300):
        running.update(rng.normal(5, 3, 8))
    z = running.normalise(rng.normal(5, 3, 100_000))
    assert abs(z.mean()) < 0.2, f"mean {z.mean():.2f}, expected about 0"
    assert abs(z.var() - 1) < 0.35, f"variance {z.var():.2f}, expected about 1"


EXERCISES = (
    Exercise(
        "batch_norm",
        "Write batch normalisation, both ways and both modes.",
        (four_numbers, training_forward, training_backward, keeps_running_statistics, evaluates),
    ),
    Exercise(
        "dropout",
        "Write dropout, both ways and both modes.",
        (drops_its_share, draws_anew, same_mask_back, rests_in_evaluation),
    ),
    Exercise(
        "planted_bug",
        "Mend running statistics.",
        (moves_the_mean, moves_the_variance, settles),
    ),
)
