"""The test that would have caught it: one for each exhibit, run on whatever is said to be right.

A check takes the class or function and raises an AssertionError that says what came and what should
have come. None of them knows how the mistake was made: each states what must hold.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from ..gradcheck import gradcheck
from ..layers import BatchNorm2D, Conv2D, ReLU, Sequential
from ..tensor import FloatArray, Parameter, Tensor, no_grad


def same(what: str, got: Any, expected: Any, tolerance: float = 1e-6) -> None:
    """Assert that two arrays are equal, or name the first place where they differ.

    Raises:
        AssertionError: the shapes or some values differ.
    """
    assert got is not None, f"{what}: None, where {_form(expected)} was expected"
    got, expected = np.asarray(got), np.asarray(expected)
    assert got.shape == expected.shape, f"{what}: shape {got.shape}, expected {expected.shape}"
    wrong = ~np.isclose(got, expected, rtol=tolerance, atol=tolerance, equal_nan=True)
    if wrong.any():
        index = np.unravel_index(int(np.argmax(wrong)), wrong.shape)
        place = f" at ({', '.join(map(str, map(int, index)))})" if index else ""
        count = f"; {np.count_nonzero(wrong)} of {wrong.size} values differ" if index else ""
        raise AssertionError(
            f"{what}{place}: {got[index]:.6g}, expected {expected[index]:.6g}{count}"
        )


def _form(expected: Any) -> str:
    shape = np.shape(expected)
    return f"an array of shape {shape}" if shape else "a number"


def pays_every_window(layer: Any) -> None:
    """A pixel that wins all nine 3×3 windows that see it gets nine gradients."""
    pool = layer(3, 1)
    x = np.zeros((1, 1, 5, 5), np.float32)
    x[0, 0, 2, 2] = 1
    pool(x)
    same("the middle pixel's gradient", pool.backward(np.ones((1, 1, 3, 3))).data[0, 0, 2, 2], 9)


def padding_never_wins(layer: Any) -> None:
    """Where all values are negative so are all maxima, and no gradient is lost."""
    pool = layer(3, 2, padding=1)
    y = pool(np.full((1, 1, 4, 4), -1, np.float32))
    same("the maxima of an input of −1", y.data, np.full((1, 1, 2, 2), -1))
    same("the sum of four gradients of 1", pool.backward(np.ones((1, 1, 2, 2))).data.sum(), 4)


def drops_every_channel(layer: Any) -> None:
    """In 200 draws with p = ½ every channel is dropped some time, and kept some time."""
    dropout, x = layer(0.5, rng=0), np.ones((1, 8, 1, 1), np.float32)
    kept = np.array([dropout(x).data.ravel() > 0 for _ in range(200)])
    assert not kept.all(axis=0).any(), f"channel {kept.all(axis=0).argmax()} is never dropped"
    assert kept.any(axis=0).all(), f"channel {kept.any(axis=0).argmin()} is always dropped"


def has_the_right_gradient(layer: Any) -> None:
    """Dropout's backward is the derivative of its forward, in training mode."""
    assert_gradient(layer(0.5, rng=0), np.random.default_rng(0).normal(size=(2, 3, 4, 4)))


def evaluates_alike(layer: Any) -> None:
    """In evaluation mode the result does not depend on whether anybody records."""
    norm = layer(2).eval()
    x = np.random.default_rng(0).normal(3, 2, (4, 2, 3, 3)).astype(np.float32)
    with no_grad():
        expected = norm(x).data
    same("eval() and recording", norm(x).data, expected)


def has_the_gradients_of_the_loss(layer: Any) -> None:
    """γ and β have the gradients that difference quotients of the loss give."""
    assert_gradient(layer(2), np.random.default_rng(0).normal(size=(4, 2, 3, 3)))


def fits_the_batch(layer: Any) -> None:
    """A batch of one after a batch of four gives one picture."""
    relu = layer()
    relu(np.full((4, 1, 2, 2), 7, np.float32))
    same(
        "a batch of one after a batch of four",
        relu(np.ones((1, 1, 2, 2))).data,
        np.ones((1, 1, 2, 2)),
    )


def stays_finite(loss: Any) -> None:
    """The loss is finite however sure the net is, and however wrong."""
    measure = loss()
    same("logits 0 and −1000, label 0", measure(np.array([[0.0, -1000.0]]), [0]), 0)
    same("logits 1000 and 0, label 1", measure(np.array([[1000.0, 0.0]]), [1]), 1000)


def starts_differently(layer: Any) -> None:
    """Two layers made in a row have other weights."""
    first, second = layer(1, 4, 3).weight.data, layer(1, 4, 3).weight.data
    assert not np.array_equal(first, second), "two layers start with the same weights"


def points_at_the_cause(heat: Any) -> None:
    """The map is hottest where a channel that raises the score is active, not where any is."""
    activations, gradients = np.zeros((2, 4, 4)), np.ones((2, 4, 4))
    activations[0, 0, 0] = 1  # a weak channel that speaks for the class
    activations[1, 3, 3], gradients[1] = 9, -1  # a strong one that speaks against it
    hottest = divmod(int(np.argmax(heat(activations, gradients))), 4)
    assert hottest == (0, 0), f"hottest at {hottest}, expected (0, 0)"


def takes_any_kernel(columns: Any) -> None:
    """Weights times columns is the convolution, for kernels that are not square too."""
    x = np.random.default_rng(0).normal(size=(5, 6))
    for kernel in ((3, 3), (2, 3), (3, 2)):
        KH, KW = kernel
        expected = [x[u : u + 6 - KH, v : v + 7 - KW].ravel() for u in range(KH) for v in range(KW)]
        same(f"the columns for a kernel of {KH}×{KW}", columns(x, kernel), expected)


def takes_any_stride(layer: Any) -> None:
    """Both gradients are right where the stride does not divide what the window may travel."""
    for stride, size in ((1, 5), (2, 5), (2, 6), (3, 7)):
        x = np.random.default_rng(0).normal(size=(1, 1, size, size))
        assert_gradient(layer(1, 2, 3, stride, rng=0), x, f"stride {stride}, {size}×{size}: ")


def begins_with_the_learning_rate(optimizer: Any) -> None:
    """Adam's first step is as long as the learning rate, whatever the gradient."""
    for gradient in (1e-3, 1.0, 1e3):
        theta = Parameter(np.zeros(1, np.float64))
        theta.grad = np.full(1, gradient)
        optimizer([theta], lr=0.01).step()
        same(f"the first step for a gradient of {gradient:g}", theta.data, [-0.01], 1e-4)


def refuses_another_net(file: Any) -> None:
    """What was saved comes back whole, and a file of another net is refused."""
    rng = np.random.default_rng(0)
    net = Sequential(Conv2D(1, 2, 3, rng=rng), BatchNorm2D(2))
    net(rng.normal(5, 1, (4, 1, 8, 8)).astype(np.float32))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.weights"
        file.save(path, net)
        twin = Sequential(Conv2D(1, 2, 3, rng=1), BatchNorm2D(2))
        file.load(path, twin)
        for name, array in net.state_dict().items():
            same(f"{name}, saved and loaded", twin.state_dict()[name], array)
        try:
            file.load(path, Sequential(Conv2D(1, 3, 3, rng=1), BatchNorm2D(3)))
        except (KeyError, ValueError):
            return
        raise AssertionError("a file of 2 channels was loaded into a net of 3 without an error")


def keeps_quiet_at_kinks(check: Any) -> None:
    """A right layer passes although one of its inputs is on the kink; a wrong one does not."""
    x = np.array([[[[0.0, 1.0], [-1.0, 2.0]]]])
    assert check(ReLU(), x), "a false alarm: ReLU is right, but one input is on its kink"
    assert not check(_DoublingReLU(), x), "no alarm, though backward is twice what it should be"


class _DoublingReLU(ReLU):
    def _backward(self, dy: FloatArray, need_dx: bool) -> FloatArray | None:
        dx = super()._backward(dy, need_dx)
        return None if dx is None else 2 * dx


def assert_gradient(net: Any, x: Any, where: str = "") -> None:
    """Assert that `gradcheck` finds nothing.

    Raises:
        AssertionError: with the first line of the report that says WRONG.
    """
    report = gradcheck(net, Tensor(np.asarray(x, np.float64)))
    wrong = [str(check) for check in report.checks if not check.ok]
    assert report.ok, where + (wrong[0] if wrong else str(report))
