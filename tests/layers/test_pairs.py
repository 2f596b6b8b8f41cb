"""Neighbours that work together say, bit for bit, what they say one by one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minicnn as mc
from minicnn import kernels
from minicnn.layers.pairs import together


class Apart(mc.ReLU):
    """A ReLU that is no ReLU to its neighbours."""


def net(relu: type[mc.ReLU], pool: mc.MaxPool2D) -> mc.Sequential:
    return mc.Sequential(
        mc.Conv2D(2, 5, 3, padding=1, rng=0), relu(), pool, mc.Conv2D(5, 4, 3, rng=1), relu()
    )


def passes(layers: mc.Sequential, x: np.ndarray) -> dict[str, Any]:
    """The output and all gradients of two passes, the second of a smaller batch."""
    result = {}
    for count in (len(x), len(x) - 1):
        given = mc.Tensor(x[:count])
        y = layers(given)
        dy = np.cos(np.arange(y.data.size)).astype(y.dtype).reshape(y.shape)
        layers.zero_grad()
        dx = layers.backward(dy)
        assert dx is not None
        result.update({f"y {count}": y.numpy(), f"dx {count}": dx.numpy()})
        for name, parameter in layers.named_parameters().items():
            assert parameter.grad is not None
            result[f"{name} {count}"] = parameter.grad.copy()
    return result


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("backend", ["cython", "reference"])
@pytest.mark.parametrize(
    "pool", [lambda: mc.MaxPool2D(2), lambda: mc.MaxPool2D(3, 2, padding=1)], ids=["2", "3s2"]
)
def test_bits_are_those_of_the_layers_one_by_one(pool: Any, backend: str, dtype: str) -> None:
    x = np.random.default_rng(0).standard_normal((4, 2, 9, 10)).astype(dtype)
    x[0, 0] = 0  # ties, and sums of exactly the bias
    x[1] = -5
    with kernels.use_backend(backend):
        one, other = net(mc.ReLU, pool()).astype(dtype), net(Apart, pool()).astype(dtype)
        for layer in (one[0], other[0]):
            layer.bias.data[:2] = 0  # a channel that is exactly 0 where x is
        mine, theirs = passes(one, x), passes(other, x)
    assert mine.keys() == theirs.keys()
    for name in mine:
        np.testing.assert_array_equal(mine[name], theirs[name], err_msg=name)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("backend", ["cython", "reference"])
def test_batch_norm_and_relu(backend: str, dtype: str, training: bool) -> None:
    def build(relu: type[mc.ReLU]) -> mc.Sequential:
        norm = mc.BatchNorm2D(5)
        norm.weight.data[:] = [1, -2, 0, 0.5, 3]
        norm.bias.data[:] = [0.1, 0, 0, -0.2, 1]
        block = mc.Sequential(mc.Conv2D(2, 5, 3, rng=0), norm, relu(), mc.MaxPool2D(3, 2))
        return block.astype(dtype).train(training)

    x = np.random.default_rng(0).standard_normal((4, 2, 9, 10)).astype(dtype)
    with kernels.use_backend(backend):
        mine, theirs = passes(build(mc.ReLU), x), passes(build(Apart), x)
    for name in mine:
        np.testing.assert_array_equal(mine[name], theirs[name], err_msg=name)


def test_who_works_together() -> None:
    pairs = together(list(net(mc.ReLU, mc.MaxPool2D(2))))
    assert pairs == [
        {"relu": True},
        {"done": True, "routed": True},
        {"after_relu": True},
        {"relu": True},
        {"done": True},
    ]
    assert not any(together(list(net(Apart, mc.MaxPool2D(2)))))
    block = [mc.BatchNorm2D(2), mc.ReLU(), mc.MaxPool2D(2)]
    assert together(block) == [{"relu": True}, {"done": True, "routed": True}, {}]
    assert together([mc.ReLU()]) == [{}]
    assert together([]) == []


def test_a_layer_on_its_own_does_its_own_work() -> None:
    layers = net(mc.ReLU, mc.MaxPool2D(2))
    x = np.random.default_rng(0).standard_normal((2, 2, 8, 8)).astype(np.float32)
    layers(x)
    convolved = layers[0](x).numpy()
    assert (convolved < 0).any()
    rectified = layers[1](convolved)
    np.testing.assert_array_equal(rectified.numpy(), np.maximum(convolved, 0))
    gradient = layers[1].backward(np.ones_like(convolved))
    assert gradient is not None
    np.testing.assert_array_equal(gradient.numpy(), convolved > 0)
    pooled = layers[2](-np.abs(convolved))
    back = layers[2].backward(np.ones_like(pooled.numpy()))
    assert back is not None
    assert back.numpy().sum() == pooled.data.size


def test_nan_goes_through_both_ways() -> None:
    layers = mc.Sequential(mc.Conv2D(1, 1, 1, bias=False, rng=0), mc.ReLU(), mc.MaxPool2D(2))
    x = np.ones((1, 1, 2, 2), np.float32)
    x[0, 0, 1, 1] = np.nan
    y = layers(x)
    assert np.isnan(y.numpy()).all()
    dx = layers.backward(np.ones((1, 1, 1, 1), np.float32))
    assert dx is not None
    assert dx.numpy()[0, 0, 1, 1] == layers[0].weight.data.item()
