"""What every layer promises, whichever it is."""

from __future__ import annotations

import copy
import json
import pickle
import re
from collections.abc import Callable

import numpy as np
import pytest

from minicnn import (
    AvgPool2D,
    BatchNorm2D,
    Conv2D,
    Layer,
    Linear,
    MaxPool2D,
    Parameter,
    ReLU,
    Sequential,
    ShapeError,
    Tensor,
    gradcheck,
    no_grad,
)
from minicnn.layers import from_config

from .cases import ALL, CASES, Case

Array = np.ndarray


def sample(case: Case, batch: int = 2, seed: int = 0) -> Array:
    shape = (batch, *case.picture)
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def gradient_for(y: Tensor, seed: int = 9) -> Array:
    return np.random.default_rng(seed).standard_normal(y.shape).astype(np.float32)


@pytest.mark.parametrize("case", ALL)
def test_gradcheck(case: Case) -> None:
    report = gradcheck(case.make(), sample(case))
    assert report, str(report)
    assert all(check.kinks == 0 for check in report.checks)


@pytest.mark.parametrize("case", ALL)
def test_gradcheck_in_evaluation_mode(case: Case) -> None:
    report = gradcheck(case.make().eval(), sample(case))
    assert report, str(report)


@pytest.mark.parametrize("case", ALL)
@pytest.mark.parametrize("batch", [0, 1, 3])
def test_output_shape_is_what_forward_makes(case: Case, batch: int) -> None:
    layer, x = case.make(), sample(case, batch)
    y = layer(x)
    assert isinstance(y, Tensor)
    assert y.shape == layer.output_shape(x.shape)
    assert y.dtype == np.float32
    dx = layer.backward(gradient_for(y))
    assert dx is not None
    assert dx.shape == x.shape
    assert dx.dtype == np.float32


@pytest.mark.parametrize("case", ALL)
def test_batches_of_changing_size_give_what_a_fresh_layer_gives(case: Case) -> None:
    layer = case.make().eval()
    for batch in (3, 1, 4, 0, 2):
        x = sample(case, batch, seed=batch)
        fresh = case.make().eval()
        y, expected = layer(x), fresh(x)
        np.testing.assert_array_equal(y, expected)
        dy = gradient_for(y)
        layer.zero_grad()
        np.testing.assert_array_equal(layer.backward(dy), fresh.backward(dy))
        for mine, theirs in zip(layer.parameters(), fresh.parameters(), strict=True):
            np.testing.assert_array_equal(mine.grad, theirs.grad)


@pytest.mark.parametrize("case", ALL)
def test_pictures_of_a_batch_do_not_see_each_other_in_evaluation(case: Case) -> None:
    layer, x = case.make().eval(), sample(case, 3)
    together = layer(x).numpy()
    alone = np.concatenate([layer(x[b : b + 1]).numpy() for b in range(3)])
    np.testing.assert_allclose(together, alone, rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("case", ALL)
def test_input_in_any_memory_layout(case: Case) -> None:
    x = sample(case, 3)
    expected = case.make().eval()(x).numpy()
    strided = np.repeat(x, 2, axis=3)[:, :, :, ::2]
    assert not strided.flags.c_contiguous or x.shape[3] == 1
    frozen = x.copy()
    frozen.flags.writeable = False
    for other in (strided, np.asfortranarray(x), frozen, x.astype(">f4"), Tensor(x), x.tolist()):
        np.testing.assert_array_equal(case.make().eval()(other), expected)


@pytest.mark.parametrize("case", ALL)
def test_integer_pictures_are_taken_as_their_values(case: Case) -> None:
    x = np.arange(2 * np.prod(case.picture), dtype=np.uint8).reshape(2, *case.picture)
    layer = case.make().eval()
    np.testing.assert_array_equal(layer(x).numpy(), layer(x.astype(np.float32)).numpy())


@pytest.mark.parametrize("case", ALL)
def test_a_float64_tensor_needs_float64_weights(case: Case) -> None:
    layer, x = case.make(), sample(case).astype(np.float64)
    if layer.dtype is None:
        assert layer(x).dtype == np.float64
        return
    with pytest.raises(TypeError, match="x is float64 but the weights are float32"):
        layer(Tensor(x))
    layer.eval()
    np.testing.assert_array_equal(layer(x), layer(x.astype(np.float32)))
    layer.astype("float64")
    assert layer(x).dtype == np.float64
    assert layer(x.astype(np.float32)).dtype == np.float64


@pytest.mark.parametrize("case", ALL)
def test_what_forward_returns_never_changes_under_the_caller(case: Case) -> None:
    layer = case.make()
    x = sample(case)
    y = layer(x)
    kept = y.numpy().copy()
    dx = layer.backward(gradient_for(y))
    assert dx is not None
    kept_dx = dx.numpy().copy()
    assert not np.shares_memory(y.data, x)
    y2 = layer(sample(case, seed=1))
    layer.backward(gradient_for(y2))
    np.testing.assert_array_equal(y, kept)
    np.testing.assert_array_equal(dx, kept_dx)


@pytest.mark.parametrize("case", ALL)
def test_inputs_and_gradients_are_left_as_they_were(case: Case) -> None:
    layer, x = case.make(), sample(case)
    before = x.copy()
    y = layer(x)
    dy = gradient_for(y)
    dy_before = dy.copy()
    layer.backward(dy)
    np.testing.assert_array_equal(x, before)
    np.testing.assert_array_equal(dy, dy_before)


@pytest.mark.parametrize("case", ALL)
def test_backward_needs_a_recorded_forward(case: Case) -> None:
    layer, x = case.make(), sample(case)
    with pytest.raises(RuntimeError, match=r"backward\(\) needs a forward\(\) before it"):
        layer.backward(x)
    with no_grad():
        y = layer(x)
    with pytest.raises(RuntimeError, match=r"cannot follow a forward\(\) under no_grad\(\)"):
        layer.backward(gradient_for(y))
    layer.backward(gradient_for(layer(x)))


@pytest.mark.parametrize("case", ALL)
def test_backward_checks_the_shape_of_its_gradient(case: Case) -> None:
    layer = case.make()
    y = layer(sample(case))
    wrong = np.zeros((y.B + 1, y.C, y.H, y.W), np.float32)
    with pytest.raises(ShapeError, match="dy must have the shape of forward's result"):
        layer.backward(wrong)


@pytest.mark.parametrize("case", ALL)
def test_the_input_tensor_gets_its_gradient(case: Case) -> None:
    layer, x = case.make(), Tensor(sample(case))
    y = layer(x)
    dx = layer.backward(gradient_for(y))
    np.testing.assert_array_equal(x.grad, dx)
    assert dx is not None
    assert not np.shares_memory(x.grad, dx.data)
    layer(x)
    layer.backward(gradient_for(y), need_dx=False)
    assert x.grad is None


@pytest.mark.parametrize("case", ALL)
def test_what_forward_returned_may_be_written_over(case: Case) -> None:
    layer, twin, x = case.make(), case.make(), sample(case)
    y = layer(x)
    twin(x)
    dy = gradient_for(y)
    y.data[...] = 0
    np.testing.assert_array_equal(layer.backward(dy), twin.backward(dy))


@pytest.mark.parametrize("case", ALL)
def test_copies_and_pickles_leave_the_last_pass_behind(case: Case) -> None:
    layer, x = case.make(), sample(case)
    fresh = len(pickle.dumps(layer))
    y = layer(x)
    layer.backward(gradient_for(y))
    layer.zero_grad()
    slack = 200 + 2 * sum(p.data.nbytes for p in layer.parameters())  # the gradients' memory
    assert len(pickle.dumps(layer)) <= fresh + slack
    again = pickle.loads(pickle.dumps(layer))
    with pytest.raises(RuntimeError, match=r"needs a forward\(\) before it"):
        again.backward(gradient_for(y))
    np.testing.assert_array_equal(again.eval()(x), layer.eval()(x))


@pytest.mark.parametrize("case", ALL)
def test_without_need_dx_parameters_learn_the_same(case: Case) -> None:
    layer, twin, x = case.make(), case.make(), sample(case)
    y = layer(x)
    twin(x)
    layer.backward(gradient_for(y))
    assert twin.backward(gradient_for(y), need_dx=False) is None
    for mine, theirs in zip(layer.parameters(), twin.parameters(), strict=True):
        np.testing.assert_array_equal(mine.grad, theirs.grad)


@pytest.mark.parametrize("case", ALL)
def test_gradients_accumulate_until_zero_grad(case: Case) -> None:
    layer, x = case.make().eval(), sample(case)
    y = layer(x)
    dy = gradient_for(y)
    layer.backward(dy)
    once = [p.grad.copy() for p in layer.parameters() if p.grad is not None]
    assert len(once) == len(layer.parameters())
    layer.backward(dy)
    for parameter, grad in zip(layer.parameters(), once, strict=True):
        np.testing.assert_allclose(parameter.grad, 2 * grad, rtol=1e-5, atol=1e-5)
    layer.zero_grad()
    assert all(parameter.grad is None for parameter in layer.parameters())
    layer.backward(dy)
    for parameter, grad in zip(layer.parameters(), once, strict=True):
        np.testing.assert_array_equal(parameter.grad, grad)


@pytest.mark.parametrize("case", ALL)
def test_architecture_survives_json(case: Case) -> None:
    layer, x = case.make().eval(), sample(case)
    config = json.loads(json.dumps(layer.config()))
    twin = from_config(config).eval()
    assert twin.config() == layer.config()
    assert repr(twin) == repr(layer)
    twin.load_state_dict(layer.state_dict())
    np.testing.assert_array_equal(twin(x), layer(x))


@pytest.mark.parametrize("case", ALL)
def test_copies_are_independent(case: Case) -> None:
    layer = case.make()
    twin = copy.deepcopy(layer)
    for parameter in twin.parameters():
        parameter.data[...] = 0
    assert all(p.data.any() for p in layer.parameters() if p.data.ndim > 1)


@pytest.mark.parametrize("case", ALL)
def test_modes_reach_every_layer(case: Case) -> None:
    layer = case.make()
    assert all(inner.training for inner in layer.named_layers().values())
    assert layer.eval() is layer
    assert not any(inner.training for inner in layer.named_layers().values())
    assert layer.train() is layer
    assert all(inner.training for inner in layer.named_layers().values())


def test_every_public_layer_is_among_the_cases() -> None:
    import minicnn.layers as package

    public = {getattr(package, name) for name in package.__all__}
    layers = {c for c in public if isinstance(c, type) and issubclass(c, Layer)} - {Layer}
    made = {type(layer) for case in CASES.values() for layer in case.make().named_layers().values()}
    assert layers <= made


@pytest.mark.parametrize("case", ALL)
def test_results_are_the_same_for_any_number_of_threads(case: Case) -> None:
    from minicnn import get_num_threads, set_num_threads

    before = get_num_threads()
    results = []
    try:
        for threads in (1, 2, 3, 7):
            set_num_threads(threads)
            layer = case.make()
            y = layer(sample(case, 5))
            dx = layer.backward(gradient_for(y))
            results.append([y.numpy(), np.asarray(dx), *(p.grad for p in layer.parameters())])
    finally:
        set_num_threads(before)
    for other in results[1:]:
        for mine, theirs in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Conv2D(1, 1, 3, bias="x"),  # type: ignore[arg-type]
        lambda: Linear(1, 1, bias=1),  # type: ignore[arg-type]
        lambda: MaxPool2D(2, ceil_mode=2),  # type: ignore[arg-type]
        lambda: AvgPool2D(2, count_include_pad=None),  # type: ignore[arg-type]
    ],
)
def test_switches_must_be_true_or_false(make: Callable[[], Layer]) -> None:
    with pytest.raises(TypeError, match="must be True or False, got"):
        make()


def test_messages_name_the_layer() -> None:
    layer = Conv2D(2, 3, 3)
    layer.name = "conv1"
    text = "Conv2D 'conv1': x must have shape (B, 2, H, W), got (1, 3, 5, 5)"
    with pytest.raises(ShapeError, match=re.escape(text)):
        layer(np.zeros((1, 3, 5, 5)))
    with pytest.raises(ShapeError, match=re.escape("MaxPool2D: x of 1×1")):
        MaxPool2D(2)(np.zeros((1, 1, 1, 1)))
    with pytest.raises(RuntimeError, match="^ReLU: backward"):
        ReLU().backward(np.zeros((1, 1, 1, 1)))


def test_an_ndarray_that_is_not_4d_is_refused_with_the_helpers_named() -> None:
    with pytest.raises(ShapeError, match="from_features"):
        ReLU()(np.zeros((2, 3)))


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (Conv2D(2, 3, 3), (1, 2, 5, 5)),
        (Linear(18, 4), (1, 2, 3, 3)),
        (BatchNorm2D(2), (2, 2, 3, 3)),
    ],
    ids=["conv", "linear", "batchnorm"],
)
def test_parameters_of_another_shape_never_reach_a_kernel(
    layer: Layer, shape: tuple[int, ...]
) -> None:
    x = np.zeros(shape, np.float32)
    for attribute in ("weight", "bias"):
        y = layer(x)
        right = getattr(layer, attribute)
        setattr(layer, attribute, Parameter(np.zeros((1, 1, 1, 1), np.float32)))
        message = rf"{attribute} must have shape .*, got \(1, 1, 1, 1\)"
        with pytest.raises(ShapeError, match=message):
            layer.backward(y)
        with pytest.raises(ShapeError, match=message):
            layer(x)
        setattr(layer, attribute, right)


def test_a_forward_that_fails_leaves_nothing_to_go_back_through() -> None:
    net = Sequential(Conv2D(1, 2, 3), BatchNorm2D(2))
    y = net(np.zeros((2, 1, 4, 4), np.float32))
    with pytest.raises(ShapeError, match="more than one value per channel"):
        net(np.zeros((1, 1, 3, 3), np.float32))
    with pytest.raises(RuntimeError, match=r"needs a forward\(\) before it"):
        net.backward(y)
    net(np.zeros((2, 1, 4, 4), np.float32))
    with pytest.raises(ShapeError, match="must have shape"):
        net(np.zeros((2, 3, 4, 4), np.float32))
    with pytest.raises(RuntimeError, match=r"needs a forward\(\) before it"):
        net.backward(y)


def test_a_subclass_must_say_its_maths() -> None:
    class Nothing(Layer):
        pass

    with pytest.raises(NotImplementedError, match="Nothing does not define _forward"):
        Nothing()(np.zeros((1, 1, 1, 1)))


@pytest.mark.parametrize("door", ["forward", "backward", "__call__"])
def test_a_subclass_must_leave_the_doors_alone(door: str) -> None:
    with pytest.raises(TypeError, match=f"Bad must not define {door}: containers would pass it by"):
        type("Bad", (ReLU,), {door: lambda self, x: x})


def test_a_layer_of_ones_own() -> None:
    """The example of Layer's docstring."""

    class Square(Layer):
        def _forward(self, x: Array) -> Array:
            self.save(x)
            return x * x

        def _backward(self, dy: Array, need_dx: bool) -> Array | None:
            (x,) = self.saved
            return 2 * x * dy

    x = np.random.default_rng(0).standard_normal((2, 3, 4, 4))
    assert gradcheck(Square(), x)
    assert gradcheck(Sequential(Conv2D(3, 2, 3, rng=0), Square()), x)


def test_from_config_refuses_what_it_does_not_know() -> None:
    with pytest.raises(ValueError, match="'Banana' that is not known here"):
        from_config({"layer": "Banana"})
    with pytest.raises(ValueError, match="the architecture's Conv2D has wrong arguments"):
        from_config({"layer": "Conv2D", "spam": 1})
