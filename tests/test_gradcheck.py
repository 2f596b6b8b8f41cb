"""gradcheck finds planted bugs, is not fooled by kinks, and leaves the net alone."""

from __future__ import annotations

import numpy as np
import pytest

from minicnn import (
    Conv2D,
    Dropout,
    Flatten,
    Layer,
    Linear,
    MaxPool2D,
    ReLU,
    Sequential,
    SoftmaxCrossEntropy,
    Tensor,
    gradcheck,
    models,
)
from minicnn.tensor import FloatArray


class AssigningPool(MaxPool2D):
    """The series' bug: the last window that a pixel wins takes all."""

    def _backward(self, dy: FloatArray, need_dx: bool) -> FloatArray:
        mask, (B, C, H, W), _ = self.saved
        dx = np.zeros((B, C, H * W), dy.dtype)
        np.put_along_axis(dx, mask.reshape(B, C, -1).astype(np.int64), dy.reshape(B, C, -1), axis=2)
        return dx.reshape(B, C, H, W)


class ScaledLinear(Linear):
    """A bias gradient that is too large by a tenth."""

    def _backward(self, dy: FloatArray, need_dx: bool) -> FloatArray | None:
        dx = super()._backward(dy, need_dx)
        assert self.bias is not None
        assert self.bias.grad is not None
        self.bias.add_grad(self.bias.grad * 0.1)
        return dx


class NanReLU(ReLU):
    """A gradient that is no number."""

    def _backward(self, dy: FloatArray, need_dx: bool) -> FloatArray | None:
        return np.full_like(dy, np.nan)


def sample(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape)


def test_the_pooling_bug_of_the_series_is_found() -> None:
    assert gradcheck(MaxPool2D(3, 2), sample(2, 1, 7, 7))
    report = gradcheck(AssigningPool(3, 2), sample(2, 1, 7, 7))
    assert not report
    assert "gradcheck FAILED" in str(report)
    assert "WRONG at" in str(report)


def test_a_small_mistake_is_found_and_located() -> None:
    report = gradcheck(ScaledLinear(3, 2, rng=0), sample(4, 3, 1, 1))
    assert [check.name for check in report.checks if not check.ok] == ["bias"]
    (bad,) = (check for check in report.checks if not check.ok)
    assert bad.analytic == pytest.approx(1.1 * bad.numeric)


def test_nan_is_a_failure() -> None:
    assert not gradcheck(NanReLU(), sample(1, 1, 2, 2))


class FirstNanReLU(ReLU):
    """A gradient that is right but for its first entry."""

    def _backward(self, dy: FloatArray, need_dx: bool) -> FloatArray | None:
        dx = super()._backward(dy, need_dx)
        assert dx is not None
        dx.flat[0] = np.nan
        return dx


def test_a_single_nan_is_not_forgotten() -> None:
    report = gradcheck(FirstNanReLU(), np.abs(sample(1, 1, 3, 3)) + 1)
    assert not report
    assert report.checks[0].index == (0, 0, 0, 0)


class NoisyReLU(ReLU):
    """Random numbers that gradcheck cannot draw again."""

    def _forward(self, x: FloatArray) -> FloatArray:
        y = super()._forward(x)
        self.count = getattr(self, "count", 0) + 1
        return y + self.count


def test_a_loss_that_changes_by_itself_is_refused() -> None:
    with pytest.raises(RuntimeError, match="for the same input") as caught:
        gradcheck(NoisyReLU(), sample(1, 1, 3, 3))
    assert "draw random numbers from the layer's own `rng`" in str(caught.value)
    assert "if nothing is random, a _forward changes what it reads" in str(caught.value)


class Overwriting(Layer):
    """Its result goes where its input was."""

    def _forward(self, x: FloatArray) -> FloatArray:
        self.save()
        x *= 2
        return x

    def _backward(self, dy: FloatArray, need_dx: bool) -> FloatArray:
        return 2 * dy


def test_a_forward_that_writes_into_x_is_found_wherever_it_stands() -> None:
    for net in (Overwriting(), Sequential(ReLU(), Overwriting())):
        with pytest.raises(RuntimeError, match=r"^Overwriting.*: _forward writes into x, which"):
            gradcheck(net, sample(1, 1, 3, 3))
        net(sample(1, 1, 3, 3))  # the net itself is not watched


class Forgetful(Linear):
    """Has a Parameter that it does not list."""

    parameter_names = ("weight",)


def test_a_parameter_that_is_not_listed_is_refused() -> None:
    text = "Forgetful 'fc1': bias is a Parameter, but parameter_names does not list it"
    with pytest.raises(ValueError, match=text):
        gradcheck(Sequential(Forgetful(2, 2, rng=0)), sample(1, 2, 1, 1))


def test_a_parameter_that_another_layer_lists_may_be_used() -> None:
    first, second = Linear(2, 2, bias=False, rng=0), ReLU()
    second.other = first.weight  # type: ignore[attr-defined]
    assert gradcheck(Sequential(first, second), sample(1, 2, 1, 1))


class Silent(ReLU):
    """Returns no gradient."""

    def _backward(self, dy: FloatArray, need_dx: bool) -> FloatArray | None:
        return None


def test_a_backward_that_returns_nothing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TypeError, match="^Silent: _backward must return dL/dx, .* got None"):
        gradcheck(Silent(), sample(1, 1, 2, 2))
    monkeypatch.setattr(ReLU, "_backward", Silent._backward)  # minicnn's own are looked at less
    with pytest.raises(RuntimeError, match=r"^ReLU: backward\(\) must return dL/dx, got None"):
        gradcheck(ReLU(), sample(1, 1, 2, 2))


def test_a_forward_that_keeps_x_in_an_attribute_is_told_to_save() -> None:
    class Keeps(ReLU):
        def _forward(self, x: FloatArray) -> FloatArray:  # type: ignore[override]
            self.x = x
            return x * x

    with pytest.raises(RuntimeError, match=r"^Keeps: backward\(\) needs .* self.save\(...\)"):
        gradcheck(Keeps(), sample(1, 1, 2, 2))


class LargerReLU(ReLU):
    """A gradient half again as large as it should be."""

    def _backward(self, dy: FloatArray, need_dx: bool) -> FloatArray | None:
        dx = super()._backward(dy, need_dx)
        return None if dx is None else 1.5 * dx


@pytest.mark.parametrize("scale", [1.0, 1e-4, 1e-7])
def test_small_gradients_are_held_to_the_same_standard(scale: float) -> None:
    def loss(y: Tensor) -> tuple[float, Tensor]:
        return scale * float(y.data.sum()), Tensor(np.full(y.shape, scale))

    assert gradcheck(ReLU(), sample(2, 3, 4, 4), loss)
    assert not gradcheck(LargerReLU(), sample(2, 3, 4, 4), loss)


def test_a_kink_is_reported_not_failed() -> None:
    x = sample(1, 1, 2, 3)
    x[0, 0, 0, 0] = 0.0
    report = gradcheck(ReLU(), x)
    assert report
    assert report.checks[0].kinks == 1
    assert "1 not differentiable here" in str(report)


def test_a_tie_is_reported_not_failed() -> None:
    x = np.zeros((1, 1, 2, 2))
    report = gradcheck(MaxPool2D(2), x)
    assert report.checks[0].ok
    assert report.checks[0].kinks == 4


def test_nothing_but_kinks_is_neither_right_nor_wrong() -> None:
    report = gradcheck(MaxPool2D(2), np.zeros((1, 1, 2, 2)))
    assert report.inconclusive
    assert not report
    assert "gradcheck says nothing" in str(report)
    assert "FAILED" not in str(report)
    assert not gradcheck(MaxPool2D(2), sample(1, 1, 2, 2)).inconclusive
    assert gradcheck(MaxPool2D(2), np.zeros((0, 1, 2, 2))).inconclusive


def test_arguments_are_checked() -> None:
    with pytest.raises(TypeError, match="net must be a minicnn layer or net, got 3"):
        gradcheck(3, sample(1, 1, 2, 2))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="max_entries must be an integer of at least 1, got 0"):
        gradcheck(ReLU(), sample(1, 1, 2, 2), max_entries=0)


def test_a_kink_close_by_is_no_reason_to_skip_the_entry() -> None:
    for distance in (3e-6, 3e-7, -3e-6):
        report = gradcheck(ReLU(), np.full((1, 1, 1, 1), distance))
        assert report
        assert report.checks[0].kinks == 0


def test_with_a_loss() -> None:
    net = models.toy(rng=0, size=10, classes=3)
    loss, labels = SoftmaxCrossEntropy(), np.array([0, 2])
    report = gradcheck(net, sample(2, 1, 10, 10), lambda y: (loss(y, labels), loss.backward()))
    assert report, str(report)
    assert [check.name for check in report.checks] == ["x", *net.named_parameters()]


def test_the_net_is_left_alone() -> None:
    net = Sequential(Conv2D(1, 2, 3, rng=0), Dropout(0.5, rng=1), Flatten(), Linear(8, 2, rng=2))
    before, rng_before = net.state_dict(), net.rng_state()
    x = sample(2, 1, 4, 4).astype(np.float32)
    x.flags.writeable = False
    assert gradcheck(net, Tensor(x))
    assert net.dtype == np.float32
    assert net.rng_state() == rng_before
    assert all(parameter.grad is None for parameter in net.parameters())
    for name, array in net.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def test_large_arrays_are_sampled() -> None:
    report = gradcheck(Linear(400, 10, rng=0), sample(2, 400, 1, 1), max_entries=20)
    assert [(check.size, check.checked) for check in report.checks] == [
        (800, 20),
        (4000, 20),
        (10, 10),
    ]
    assert report
