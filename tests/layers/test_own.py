"""A layer of one's own that breaks a rule is refused at once, by a message that names it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from minicnn import (
    Conv2D,
    Layer,
    Linear,
    Parameter,
    ReLU,
    Residual,
    Sequential,
    ShapeError,
    Tensor,
    gradcheck,
    no_grad,
)

Array = np.ndarray


class Own(Layer):
    """Right in all; each test puts something wrong into a subclass."""

    def _forward(self, x: Array) -> Any:
        self.save()
        return x * 1

    def _backward(self, dy: Array, need_dx: bool) -> Any:
        return dy * 1


def own(**wrong: Any) -> type[Own]:
    return type("Mine", (Own,), wrong)


def x() -> Array:
    return np.random.default_rng(0).standard_normal((2, 3, 4, 4)).astype(np.float32)


def forward(result: Callable[[Array], Any]) -> Any:
    """A _forward that returns ``result(x)``."""

    def _forward(self: Layer, x: Array) -> Any:
        self.save()
        return result(x)

    return _forward


def doubled(x: Array) -> Array:
    return x.repeat(2, axis=2).repeat(2, axis=3)


def test_a_forgotten_save_is_told_from_no_grad() -> None:
    layer = own(_forward=lambda self, x: x * 1)()
    in_net = Sequential(Conv2D(3, 3, 1), layer)
    for net in (layer, in_net):
        y = net(x())
        with pytest.raises(RuntimeError, match=r"Mine.*: backward\(\) needs what _forward keeps"):
            net.backward(y)
    with no_grad():
        y = layer(x())
    with pytest.raises(RuntimeError, match=r"cannot follow a forward\(\) under no_grad\(\)"):
        layer.backward(y)


def test_what_is_no_parameter_is_refused_before_anything_is_computed() -> None:
    def init(self: Layer) -> None:
        Layer.__init__(self)
        self.slope = np.ones(3, np.float32)  # type: ignore[attr-defined]

    layer = own(__init__=init, parameter_names=("slope",), _forward=None)()
    text = "Mine: slope is in parameter_names, so it must be a Parameter (or None), got a plain"
    for use in (lambda: layer(x()), lambda: layer(Tensor(x())), layer.parameters):
        with pytest.raises(TypeError, match=re.escape(text)):
            use()
    with pytest.raises(TypeError, match="Mine 'layer1': slope is in parameter_names"):
        Sequential(Conv2D(3, 3, 1), layer)(x())
    conv = Conv2D(3, 3, 1)
    conv.weight = conv.weight.data  # type: ignore[assignment]
    with pytest.raises(TypeError, match="Conv2D: weight is in parameter_names"):
        conv.parameters()


@pytest.mark.parametrize("attribute", ["parameter_names", "state_names"])
def test_names_without_a_comma_are_refused(attribute: str) -> None:
    text = f"Mine: {attribute} must be a tuple of names, got the text 'slope'"
    with pytest.raises(TypeError, match=text):
        own(**{attribute: "slope"})


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (
            {"_forward": forward(doubled)},
            ShapeError,
            "for x of shape (2, 3, 4, 4) output_shape says (2, 3, 4, 4), but _forward made "
            "(2, 3, 8, 8); define output_shape",
        ),
        (
            {"_forward": forward(doubled), "output_shape": lambda self, shape: (2, 3, 8, 4)},
            ShapeError,
            "output_shape says (2, 3, 8, 4), but _forward made (2, 3, 8, 8); one of the two",
        ),
        (
            {"output_shape": lambda self, shape: list(shape)},
            TypeError,
            "output_shape must return a tuple (B, C, H, W), got [2, 3, 4, 4]",
        ),
        ({"_forward": forward(lambda x: None)}, TypeError, "a NumPy array, got None"),
        ({"_forward": forward(Tensor)}, TypeError, "_forward must return its result, a NumPy"),
        (
            {"_forward": forward(lambda x: x + np.zeros(4))},
            TypeError,
            "_forward must return float32, the dtype of x, got float64; make arrays with dtype=x",
        ),
        (
            {"_forward": forward(lambda x: x.swapaxes(2, 3))},
            ValueError,
            "_forward must return a C-contiguous array, got one with strides (192, 64, 4, 16) "
            "for shape (2, 3, 4, 4); wrap it in np.ascontiguousarray",
        ),
    ],
)
def test_a_wrong_result_is_laid_to_the_layer_that_made_it(
    wrong: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match="^Mine: .*" + re.escape(message)):
        own(**wrong)()(x())
    layer = own(**wrong)()
    net = Sequential(Conv2D(3, 3, 1), layer, Conv2D(3, 2, 1))
    with pytest.raises(error, match="^Mine 'layer1': .*" + re.escape(message)):
        net(x())
    with pytest.raises(RuntimeError, match=r"needs a forward\(\) before it"):
        layer.backward(x())


@pytest.mark.parametrize(
    ("result", "error", "message"),
    [
        (lambda dy: None, TypeError, "_backward must return dL/dx, a NumPy array, got None"),
        (lambda dy: dy[:1], ShapeError, "dL/dx of x's shape, (2, 3, 4, 4), got (1, 3, 4, 4)"),
        (lambda dy: dy + np.zeros(4), TypeError, "must return float32, the dtype of dy, got"),
        (lambda dy: dy.swapaxes(2, 3), ValueError, "_backward must return a C-contiguous array"),
    ],
)
def test_a_wrong_gradient_is_laid_to_the_layer_that_made_it(
    result: Callable[[Array], Any], error: type[Exception], message: str
) -> None:
    layer = own(_backward=lambda self, dy, need_dx: result(dy))()
    net = Sequential(Conv2D(3, 3, 1), layer, ReLU())
    dy = net(x())
    with pytest.raises(error, match="^Mine 'layer1': .*" + re.escape(message)):
        net.backward(dy)
    assert layer.backward(dy, need_dx=False) is None  # then nobody looks at it


def test_a_forgotten_super_init_is_named() -> None:
    layer = own(__init__=lambda self: None)
    text = r"Mine has no '\w+' yet: its __init__ must call super\(\).__init__\(\) first"
    for use in (
        lambda: Sequential(ReLU(), layer()),
        lambda: Residual(layer()),
        lambda: layer()(x()),
        lambda: gradcheck(layer(), x()),
    ):
        with pytest.raises(AttributeError, match=text):
            use()
    assert not hasattr(layer(), "name")


@pytest.mark.parametrize("same", [lambda a: a, lambda a: a[:], lambda a: a.reshape(a.shape)])
def test_an_input_that_is_handed_on_stays_the_callers(same: Callable[[Array], Array]) -> None:
    layer = own(_forward=forward(same), _backward=lambda self, dy, need_dx: same(dy))()
    before, dy = Tensor(x()), Tensor(x())
    y = layer(before)
    dx = layer.backward(dy)
    assert dx is not None
    assert not np.shares_memory(y.data, before.data)
    assert not np.shares_memory(dx.data, dy.data)
    np.testing.assert_array_equal(y, before)
    np.testing.assert_array_equal(dx, dy)


def test_a_parameter_of_none_and_a_subclass_of_a_layer_are_fine() -> None:
    class Plain(Linear):
        pass

    layer = Plain(48, 2, bias=False, rng=0)
    y = layer(x())
    dx = layer.backward(y)
    assert dx is not None and dx.shape == (2, 3, 4, 4)
    assert isinstance(layer.weight, Parameter) and layer.bias is None
