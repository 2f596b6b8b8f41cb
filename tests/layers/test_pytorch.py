"""Whole nets against PyTorch with the same weights: outputs, gradients, state dicts both ways."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from minicnn import (
    AvgPool2D,
    BatchNorm2D,
    Conv2D,
    Flatten,
    Layer,
    LeakyReLU,
    Linear,
    MaxPool2D,
    ReLU,
    Sequential,
    Sigmoid,
    Tanh,
)

torch = pytest.importorskip("torch")
nn = torch.nn


def pairs() -> dict[str, tuple[Layer, Any, tuple[int, int, int]]]:
    """Nets of ours and of PyTorch's with the same layers."""
    return {
        "conv-pool": (
            Sequential(Conv2D(2, 4, 3, 2, 1), ReLU(), MaxPool2D(3, 2, 1), Flatten(), Linear(36, 5)),
            nn.Sequential(
                nn.Conv2d(2, 4, 3, 2, 1),
                nn.ReLU(),
                nn.MaxPool2d(3, 2, 1),
                nn.Flatten(),
                nn.Linear(36, 5),
            ),
            (2, 11, 12),
        ),
        "norm-average": (
            Sequential(
                Conv2D(3, 6, (3, 5), groups=3), BatchNorm2D(6), Tanh(), AvgPool2D(3, 2, 1, True)
            ),
            nn.Sequential(
                nn.Conv2d(3, 6, (3, 5), groups=3),
                nn.BatchNorm2d(6),
                nn.Tanh(),
                nn.AvgPool2d(3, 2, 1, ceil_mode=True),
            ),
            (3, 9, 12),
        ),
        "dilated": (
            Sequential(
                Conv2D(1, 2, 3, dilation=2, padding=2, bias=False), LeakyReLU(0.2), Sigmoid()
            ),
            nn.Sequential(
                nn.Conv2d(1, 2, 3, dilation=2, padding=2, bias=False),
                nn.LeakyReLU(0.2),
                nn.Sigmoid(),
            ),
            (1, 7, 8),
        ),
    }


@pytest.mark.parametrize("name", pairs())
@pytest.mark.parametrize("training", [True, False])
def test_outputs_and_gradients(name: str, training: bool) -> None:
    mine, theirs, picture = pairs()[name]
    mine.astype("float64").train(training)
    theirs.double().train(training)
    mine.load_state_dict(theirs.state_dict())
    rng = np.random.default_rng(0)
    for batch in (3, 2):
        x = rng.standard_normal((batch, *picture))
        tx = torch.tensor(x, requires_grad=True)
        y, ty = mine(x), theirs(tx)
        np.testing.assert_allclose(y.numpy().reshape(ty.shape), ty.detach(), rtol=1e-9, atol=1e-12)
        dy = rng.standard_normal(y.shape)
        dx = mine.backward(dy)
        ty.backward(torch.tensor(dy).reshape(ty.shape))
        np.testing.assert_allclose(dx, tx.grad, rtol=1e-9, atol=1e-12)
    for parameter, other in zip(mine.parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(parameter.grad, other.grad, rtol=1e-8, atol=1e-11)
    for key, value in theirs.state_dict().items():
        np.testing.assert_allclose(mine.state_dict()[key], value, rtol=1e-12)


@pytest.mark.parametrize("name", pairs())
def test_state_dicts_load_both_ways(name: str) -> None:
    mine, theirs, picture = pairs()[name]
    state = {key: torch.from_numpy(value) for key, value in mine.state_dict().items()}
    theirs.load_state_dict(state)
    x = np.random.default_rng(0).standard_normal((2, *picture)).astype(np.float32)
    y, ty = mine(x), theirs(torch.from_numpy(x))
    np.testing.assert_allclose(y.numpy().reshape(ty.shape), ty.detach(), rtol=1e-4, atol=1e-5)


def test_first_weights_are_spread_as_pytorchs() -> None:
    mine = Conv2D(8, 64, 3, rng=0).weight.data
    theirs = nn.Conv2d(8, 64, 3).weight.detach().numpy()
    bound = 72**-0.5
    assert abs(mine).max() <= bound
    assert abs(theirs).max() <= bound
    assert abs(mine.std() / theirs.std() - 1) < 0.05
