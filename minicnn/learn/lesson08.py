"""What the exercises of lesson 8, Sequential, must do."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

from ..layers import Conv2D, Linear, MaxPool2D, ReLU, Sequential
from ..losses import SoftmaxCrossEntropy
from ..museum.checks import same
from ..optim import SGD
from ..tensor import Parameter
from .exercise import Exercise


def some_layers(rng: int = 0) -> list[Any]:
    generator = np.random.default_rng(rng)
    return [Conv2D(1, 2, 3, rng=generator), ReLU(), MaxPool2D(2), Linear(8, 3, rng=generator)]


def goes_forward(own: ModuleType) -> None:
    """Forward: as Sequential, and for no layers at all the input"""
    x = np.random.default_rng(1).normal(size=(2, 1, 6, 6)).astype(np.float32)
    same("y", own.Chain(*some_layers()).forward(x).data, Sequential(*some_layers())(x).data)
    same("y of an empty chain", own.Chain().forward(x), x)


def goes_back_in_reverse(own: ModuleType) -> None:
    """Backward: as Sequential"""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(2, 1, 6, 6)).astype(np.float32)
    dy = rng.normal(size=(2, 3, 1, 1)).astype(np.float32)
    chain, net = own.Chain(*some_layers()), Sequential(*some_layers())
    chain.forward(x)
    net(x)
    expected = net.backward(dy)
    assert expected is not None
    same("dx", chain.backward(dy).data, expected.data)
    same("the first layer's gradient", chain.layers[0].weight.grad, net.parameters()[0].grad)


def lists_parameters(own: ModuleType) -> None:
    """Parameters: all of them, in order"""
    shapes = [p.shape for p in own.Chain(*some_layers()).parameters()]
    expected = [p.shape for p in Sequential(*some_layers()).parameters()]
    assert shapes == expected, f"parameters of shapes {shapes}, expected {expected}"


def parameter(*values: float) -> Parameter:
    return Parameter(np.array(values))


def steps_of_the_lesson(own: ModuleType) -> None:
    """The lesson's two steps with momentum: from 1 to 0.71"""
    theta = parameter(1.0)
    optimizer = own.SGD([theta], lr=0.1, momentum=0.9)
    for _ in range(2):
        theta.grad = np.array([1.0])
        optimizer.step()
    same("θ", theta.data, [0.71])


def many_steps(own: ModuleType) -> None:
    """Ten steps of two parameters, with momentum and weight decay"""
    rng = np.random.default_rng(0)
    ours, theirs = ([parameter(1.0, -2.0), parameter(0.5)] for _ in range(2))
    settings: dict[str, Any] = {"lr": 0.05, "momentum": 0.8, "weight_decay": 0.1}
    mine, right = SGD(ours, **settings), own.SGD(theirs, **settings)
    for step in range(10):
        for a, b in zip(ours, theirs, strict=True):
            a.grad = rng.normal(size=a.shape)
            b.grad = a.grad.copy()
        mine.step()
        right.step()
        for n, (a, b) in enumerate(zip(ours, theirs, strict=True)):
            same(f"parameter {n} after step {step + 1}", b.data, a.data)


def in_place(own: ModuleType) -> None:
    """The array is changed in place, its gradient is not, and without one nothing happens"""
    theta, idle = parameter(1.0), parameter(3.0)
    theta.grad = np.array([2.0])
    array = theta.data
    own.SGD([theta, idle], lr=0.5, weight_decay=0.1).step()
    same("the array that was there", array, [1 - 0.5 * 2.1])
    same("the gradient afterwards", theta.grad, [2])
    same("a parameter without a gradient", idle.data, [3])


def task() -> tuple[Any, Any]:
    """Twelve pictures of two pixels: the brighter one is the class."""
    x = np.random.default_rng(0).normal(size=(12, 2, 1, 1)).astype(np.float32)
    return x, x[:, :, 0, 0].argmax(axis=1)


def something_changes(own: ModuleType) -> None:
    """The first batch alone: its loss falls"""
    x, labels = task()
    losses = own.fit(Linear(2, 2, rng=0), x[:4], labels[:4], lr=0.5)
    assert losses[-1] < losses[0] / 2, f"from {losses[0]:.3f} to {losses[-1]:.3f}: not half"


def every_batch(own: ModuleType) -> None:
    """Every picture is seen: all twelve are right in the end"""
    x, labels = task()
    net = Linear(2, 2, rng=0)
    own.fit(net, x, labels, lr=0.5, steps=90)
    same("answers", net.predict(x).argmax(), labels)


def plain_steps(own: ModuleType) -> None:
    """Every step is one of gradient descent, from the batch's own gradient"""
    x, labels = task()
    net, twin = Linear(2, 2, rng=0), Linear(2, 2, rng=0)
    loss, optimizer = SoftmaxCrossEntropy(), SGD(twin.parameters(), lr=0.1)
    expected = []
    for begin in (0, 4, 8, 0):
        expected.append(loss(twin(x[begin : begin + 4]), labels[begin : begin + 4]))
        optimizer.zero_grad()
        twin.backward(loss.backward())
        optimizer.step()
    same("the losses of four steps", own.fit(net, x, labels, steps=4), expected, 1e-5)


EXERCISES = (
    Exercise(
        "sequential",
        "Write a chain of layers, forward and backward.",
        (goes_forward, goes_back_in_reverse, lists_parameters),
    ),
    Exercise(
        "sgd",
        "Write gradient descent with momentum and weight decay.",
        (steps_of_the_lesson, many_steps, in_place),
    ),
    Exercise(
        "planted_bug",
        "Mend two mistakes in a training loop.",
        (something_changes, every_batch, plain_steps),
    ),
)
