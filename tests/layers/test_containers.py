"""Sequential, Residual and Concat."""

from __future__ import annotations

import numpy as np
import pytest

from minicnn import (
    Concat,
    Conv2D,
    Dropout,
    Flatten,
    Layer,
    Linear,
    MaxPool2D,
    ReLU,
    Residual,
    Sequential,
    ShapeError,
    Tensor,
)


def small() -> Sequential:
    return Sequential(
        Conv2D(1, 2, 3, rng=0),
        ReLU(),
        Conv2D(2, 3, 3, rng=1),
        ReLU(),
        Flatten(),
        Linear(48, 4, rng=2),
    )


def test_forward_is_the_chain_and_backward_its_reverse() -> None:
    net, x = small(), np.random.default_rng(0).standard_normal((2, 1, 8, 8)).astype(np.float32)
    y = x
    for layer in small():
        y = layer(y)
    np.testing.assert_array_equal(net(x), y)
    twin = small()
    step: Tensor | np.ndarray = x
    for layer in twin:
        step = layer(step)
    gradient: Tensor | None = Tensor(np.ones((2, 4, 1, 1)))
    for layer in reversed(list(twin)):
        assert gradient is not None
        gradient = layer.backward(gradient)
    np.testing.assert_array_equal(net.backward(np.ones((2, 4, 1, 1))), gradient)
    for mine, theirs in zip(net.parameters(), twin.parameters(), strict=True):
        np.testing.assert_array_equal(mine.grad, theirs.grad)


def test_it_is_a_list_of_layers() -> None:
    net = small()
    assert len(net) == 6
    assert isinstance(net[0], Conv2D)
    assert net[-1] is net[5]
    assert net["conv2"] is net[2]
    assert net["fc1"] is net[5]
    assert [layer.name for layer in net] == ["conv1", "relu1", "conv2", "relu2", "flatten1", "fc1"]
    part = net[1:3]
    assert isinstance(part, Sequential)
    assert list(part) == [net[1], net[2]]
    assert net.append(ReLU()) is net
    assert net[6].name == "relu3"
    with pytest.raises(KeyError, match="no layer is named 'conv9'; there are 'conv1', 'relu1'"):
        net["conv9"]
    assert "conv1" in net
    assert net[1] in net
    assert "conv9" not in net
    for index in (7, -8, 1.5):
        with pytest.raises(IndexError, match="Sequential has 7 layers; its index must be"):
            net[index]  # type: ignore[call-overload]


def test_names_can_be_given_but_not_twice() -> None:
    stem = ReLU()
    stem.name = "stem"
    net = Sequential(stem, ReLU())
    assert net["stem"] is stem
    other = ReLU()
    other.name = "stem"
    with pytest.raises(ValueError, match="two layers are named 'stem'"):
        net.append(other)
    joined = Sequential(*Sequential(ReLU()), *Sequential(ReLU()))
    assert [layer.name for layer in joined] == ["relu1", "relu2"]


def test_parameter_names_are_pytorchs() -> None:
    net = Sequential(Conv2D(1, 2, 3), Residual(Conv2D(2, 2, 1), shortcut=Conv2D(2, 2, 1)))
    assert list(net.named_parameters()) == [
        "0.weight",
        "0.bias",
        "1.0.weight",
        "1.0.bias",
        "1.shortcut.weight",
        "1.shortcut.bias",
    ]
    assert list(net.named_layers()) == ["", "0", "1", "1.0", "1.shortcut"]


def test_a_layer_cannot_stand_in_two_places() -> None:
    relu = ReLU()
    with pytest.raises(ValueError, match="is in it twice"):
        Sequential(relu, Sequential(relu))
    with pytest.raises(ValueError, match="is in it twice"):
        Residual(relu, shortcut=relu)
    with pytest.raises(TypeError, match="shortcut must be a minicnn layer or None, got 3"):
        Residual(relu, shortcut=3)  # type: ignore[arg-type]
    net = Sequential(relu)
    with pytest.raises(ValueError, match="is in it twice"):
        net.append(net)
    with pytest.raises(TypeError, match="layers must be minicnn layers, got 'relu' "):
        Sequential("relu")  # type: ignore[arg-type]


def test_nor_by_way_of_an_inner_container() -> None:
    shared = ReLU()
    inner = Sequential(Conv2D(1, 1, 1))
    net = Sequential(inner, shared)
    inner.append(shared)
    for use in (net.parameters, net.train, lambda: net.predict(np.zeros((1, 1, 2, 2)))):
        with pytest.raises(ValueError, match="one layer stands in it twice"):
            use()


@pytest.mark.parametrize(
    "net",
    [
        Sequential(Conv2D(1, 2, 3), ReLU()),
        Concat(Conv2D(1, 2, 3), Conv2D(1, 1, 3)),
        Residual(Conv2D(1, 2, 3), shortcut=Conv2D(1, 2, 3)),
    ],
    ids=["sequential", "concat", "residual"],
)
def test_backward_follows_its_own_forward(net: Layer) -> None:
    x = np.zeros((2, 1, 4, 4), np.float32)
    y = net(x)
    next(iter(net.children().values()))(x[:1])
    with pytest.raises(RuntimeError, match="conv1' in it has run another one|block1' in it"):
        net.backward(y)
    net.backward(net(x))


def test_repr_shows_the_tree() -> None:
    text = repr(Sequential(Conv2D(1, 2, 3), Residual(ReLU(), shortcut=Sequential())))
    assert text.startswith("Sequential(\n  (0) conv1: Conv2D(in_channels=1, out_channels=2")
    assert "\n  (1) residual1: Residual(\n    (0) relu1: ReLU()\n    shortcut: Sequential()" in text
    assert repr(Sequential()) == "Sequential()"


def test_residual_adds_and_says_when_it_cannot() -> None:
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 4)).astype(np.float32)
    inner = Conv2D(3, 3, 1, rng=0)
    np.testing.assert_array_equal(Residual(inner)(x), Conv2D(3, 3, 1, rng=0)(x).numpy() + x)
    with pytest.raises(ShapeError, match=r"the block makes \(2, 5, 4, 4\) of \(2, 3, 4, 4\)"):
        Residual(Conv2D(3, 5, 1))(x)


def test_concat_joins_channels_and_says_when_it_cannot() -> None:
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 4)).astype(np.float32)
    y = Concat(Sequential(), ReLU())(x).numpy()
    np.testing.assert_array_equal(y[:, :3], x)
    np.testing.assert_array_equal(y[:, 3:], np.maximum(x, 0))
    with pytest.raises(ShapeError, match="branches must agree in B, H and W"):
        Concat(ReLU(), MaxPool2D(2))(x)
    with pytest.raises(ValueError, match="at least one branch"):
        Concat()


def test_two_layers_made_in_a_row_differ() -> None:
    for make in (lambda: Conv2D(1, 4, 3), lambda: Linear(9, 4)):
        assert (make().parameters()[0].data != make().parameters()[0].data).any()
    rng = np.random.default_rng(0)
    first, second = Conv2D(1, 4, 3, rng=rng), Conv2D(1, 4, 3, rng=rng)
    assert (first.weight.data != second.weight.data).any()


def test_buffers_follow_the_dtype() -> None:
    net = Sequential(ReLU(), MaxPool2D(2))
    for dtype in (np.float32, np.float64, np.float32):
        x = Tensor(np.full((1, 1, 2, 2), 1 / 3, dtype))
        y = net(x)
        assert y.dtype == dtype
        assert y.data[0, 0, 0, 0] == dtype(1 / 3)
        dx = net.backward(y)
        assert dx is not None
        assert dx.dtype == dtype


def test_predict_works_in_evaluation_mode_and_restores_the_mode() -> None:
    net = Sequential(Flatten(), Dropout(0.5, rng=0), Linear(4, 3, rng=0))
    net[1].eval()
    modes = [layer.training for layer in net.named_layers().values()]
    images = np.arange(20, dtype=np.uint8).reshape(5, 2, 2)
    whole = net.predict(images)
    assert whole.shape == (5, 3, 1, 1)
    np.testing.assert_allclose(net.predict(images, batch_size=2), whole, rtol=1e-6)
    assert [layer.training for layer in net.named_layers().values()] == modes
    floats = images.astype(np.float64) / 255
    np.testing.assert_allclose(net.predict(floats), whole, rtol=1e-6)
    np.testing.assert_allclose(net.predict(floats[:, None]), whole, rtol=1e-6)
    np.testing.assert_allclose(net.predict(images[0]), whole.numpy()[:1], rtol=1e-6)
    for four_axes in (images[:, None], images[..., None]):  # N×C×H×W and N×H×W×C
        np.testing.assert_allclose(net.predict(four_axes), whole, rtol=1e-6)
    assert net.predict(images[:0]).shape == (0, 3, 1, 1)
    with pytest.raises(RuntimeError, match="no_grad"):
        net.backward(whole)
    with pytest.raises(ValueError, match="batch_size must be an integer of at least 1"):
        net.predict(images, batch_size=0)
    with pytest.raises(ShapeError, match="x must be pictures"):
        net.predict(np.zeros(3))
    with pytest.raises(ShapeError, match="fc1"):
        net.predict(np.zeros((1, 1, 3, 3)))
    assert [layer.training for layer in net.named_layers().values()] == modes


def test_summary_counts() -> None:
    net = Sequential(Conv2D(1, 8, 3), ReLU(), MaxPool2D(2), Flatten(), Linear(1352, 10))
    summary = net.summary((1, 28, 28))
    assert [row.output_shape for row in summary.rows] == [
        (1, 8, 26, 26),
        (1, 8, 26, 26),
        (1, 8, 13, 13),
        (1, 1352, 1, 1),
        (1, 10, 1, 1),
    ]
    assert summary.parameters == 80 + 13530
    assert summary.multiply_adds == 8 * 9 * 26 * 26 + 13520
    assert net.multiply_adds((1, 1, 28, 28)) == summary.multiply_adds
    assert summary.rows[0].memory == 8 * 26 * 26 * 4
    text = str(net.summary((64, 1, 28, 28)))
    assert "conv1: Conv2D" in text
    assert "64×8×26×26" in text
    assert "13,610" in text
    with pytest.raises(ShapeError, match=r"input_shape must be \(C, H, W\) or \(B, C, H, W\)"):
        net.summary((28, 28))
    nested = Sequential(Residual(ReLU(), shortcut=Conv2D(1, 1, 1)), Concat(ReLU(), ReLU()))
    assert [row.path for row in nested.summary((1, 4, 4)).rows] == [
        "0.0",
        "0.shortcut",
        "1.0",
        "1.1",
    ]
    assert nested.multiply_adds((1, 1, 4, 4)) == 16


def test_state_dicts_are_loaded_whole_or_not_at_all() -> None:
    net = small()
    state = net.state_dict()
    before = net.state_dict()
    net.load_state_dict(state)
    del state["0.bias"]
    state["9.weight"] = np.zeros(1)
    with pytest.raises(KeyError, match=r"missing: 0\.bias; unexpected: 9\.weight"):
        net.load_state_dict(state)
    bad = net.state_dict()
    bad["0.weight"] = bad["0.weight"] + 1
    bad["5.bias"] = np.zeros(3, np.float32)
    with pytest.raises(ShapeError, match=r"5\.bias must have shape \(4,\), got \(3,\)"):
        net.load_state_dict(bad)
    for name, array in net.state_dict().items():
        np.testing.assert_array_equal(array, before[name])
    net.load_state_dict({"0.bias": np.ones(2)}, strict=False)
    with pytest.raises(TypeError, match="state must be a dict of arrays by name, got None"):
        net.load_state_dict(None)  # type: ignore[arg-type]
    np.testing.assert_array_equal(net.state_dict()["0.bias"], 1)
    with pytest.raises(TypeError, match=r"0\.bias must be float32, got dtype complex128"):
        net.load_state_dict({"0.bias": np.ones(2, complex)}, strict=False)
