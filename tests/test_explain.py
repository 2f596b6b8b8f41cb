"""Heat maps say what their formulas say, and leave the net as it was."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minicnn as mc
from minicnn import explain
from minicnn.errors import ShapeError
from minicnn.losses import softmax
from minicnn.museum.tools import class_map

Maker = Callable[[], mc.Sequential]


def plain() -> mc.Sequential:
    return mc.Sequential(
        mc.Conv2D(2, 4, 3, padding=1, rng=0),
        mc.ReLU(),
        mc.MaxPool2D(2),
        mc.Conv2D(4, 6, 3, padding=1, rng=1),
        mc.ReLU(),
        mc.Linear(6 * 4 * 4, 5, rng=2),
    )


def deep() -> mc.Sequential:
    """Nested, with batch normalisation and dropout that are not as new."""
    net = mc.Sequential(
        mc.Conv2D(2, 4, 3, padding=1, rng=0),
        mc.BatchNorm2D(4),
        mc.ReLU(),
        mc.Residual(
            mc.Conv2D(4, 4, 3, padding=1, rng=1), mc.ReLU(), shortcut=mc.Conv2D(4, 4, 1, rng=2)
        ),
        mc.Concat(mc.Sequential(mc.Conv2D(4, 3, 1, rng=3), mc.ReLU()), mc.Sequential()),
        mc.Dropout(0.5, rng=4),
        mc.GlobalAvgPool2D(),
        mc.Linear(7, 5, rng=5),
    )
    for _ in range(3):
        net(np.random.default_rng(1).normal(1, 2, (4, 2, 8, 8)).astype(np.float32))
    return net


def pictures(count: int = 3, dtype: Any = np.float32) -> Any:
    return np.random.default_rng(7).normal(size=(count, 2, 8, 8)).astype(dtype)


def by_slices(net: mc.Sequential, k: int, x: Any, target: Any) -> tuple[Any, Any]:
    """Layer k's output and the gradient of the score there, by running the net in two parts."""
    net = net.eval()
    A = net[: k + 1].forward(x).data
    rest = net[k + 1 :]
    logits = rest.forward(A)
    dy = np.zeros(logits.shape, A.dtype)
    dy[np.arange(len(x)), target] = 1
    return A, rest.backward(dy).data  # type: ignore[union-attr]


class TestGradcam:
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @pytest.mark.parametrize(("make", "layer", "k"), [(plain, "conv1", 0), (plain, "relu1", 1)])
    def test_is_its_formula(self, make: Maker, layer: str, k: int, dtype: Any) -> None:
        net, x, target = make().astype(dtype), pictures(dtype=dtype), np.array([4, 0, 2])
        found = explain.gradcam(net, x, target, layer)
        A, dA = by_slices(make().astype(dtype), k, x, target)
        for b in range(3):
            np.testing.assert_allclose(found.heat[b], class_map(A[b], dA[b]), atol=1e-6)
        assert found.heat.shape == (3, 8, 8)
        assert found.layer == layer

    @pytest.mark.parametrize("k", [0, 1, 2, 3, 4])
    def test_reaches_nested_nets_and_uses_running_statistics(self, k: int) -> None:
        x, target = pictures(), np.array([1, 1, 3])
        found = explain.gradcam(deep(), x, target, str(k))
        A, dA = by_slices(deep(), k, x, target)
        for b in range(3):
            np.testing.assert_allclose(found.heat[b], class_map(A[b], dA[b]), atol=1e-6)

    @pytest.mark.parametrize(
        ("name", "path"), [("residual1.conv1", "3.0"), ("residual1.shortcut", "3.shortcut")]
    )
    def test_layers_have_names_paths_and_themselves(self, name: str, path: str) -> None:
        net, x = deep(), pictures(1)
        found = [explain.gradcam(net, x, 0, by) for by in (name, path, net.named_layers()[path])]
        assert [each.layer for each in found] == [name] * 3
        assert found[0].heat.max() > 0
        for each in found[1:]:
            np.testing.assert_array_equal(each.heat, found[0].heat)

    @pytest.mark.parametrize(("make", "last"), [(plain, "relu2"), (deep, "dropout1")])
    def test_takes_the_last_layer_that_has_places(self, make: Maker, last: str) -> None:
        assert explain.gradcam(make(), pictures(1)).layer == last

    def test_asks_about_the_likeliest_class(self) -> None:
        net, x = plain(), pictures()
        found = explain.gradcam(net, x)
        logits = net.predict(x).data[:, :, 0, 0]
        np.testing.assert_array_equal(found.target, logits.argmax(axis=1))
        np.testing.assert_allclose(found.score, logits.max(axis=1), rtol=1e-6)

    def test_is_stretched_between_the_middles_of_cells(self) -> None:
        net = mc.Sequential(mc.AvgPool2D(2), mc.ReLU(), mc.Linear(4, 1, bias=False))
        net[2].weight.data[...] = 1  # type: ignore[attr-defined]
        x = np.repeat(np.repeat([[[1.0, 3.0], [1.0, 3.0]]], 2, axis=1), 2, axis=2)
        heat = explain.gradcam(net, x.astype(np.float32)).heat[0]
        np.testing.assert_allclose(heat, np.tile([1, 1.5, 2.5, 3], (4, 1)))

    def test_a_layer_without_places_has_no_map(self) -> None:
        with pytest.raises(ShapeError, match=r"'fc1' makes \(5, 1, 1\) of a picture: a single"):
            explain.gradcam(plain(), pictures(), layer="fc1")
        with pytest.raises(ShapeError, match="no layer of the net makes a map"):
            explain.gradcam(mc.Sequential(mc.Linear(128, 2)), pictures())

    def test_an_unknown_layer_is_told_the_known_ones(self) -> None:
        with pytest.raises(KeyError, match=r"no layer is 'conv7'.*there are conv1, relu1, pool1"):
            explain.gradcam(plain(), pictures(), layer="conv7")
        with pytest.raises(KeyError, match="no layer is"):
            explain.gradcam(plain(), pictures(), layer=mc.ReLU())

    @pytest.mark.parametrize("layer", [np.zeros(3), 2, b"conv1"])
    def test_what_is_no_layer_at_all_is_refused(self, layer: Any) -> None:
        with pytest.raises(TypeError, match="layer must be a name, a path or a layer, got"):
            explain.gradcam(plain(), pictures(), layer=layer)


class TestSaliency:
    @pytest.mark.parametrize("make", [plain, deep])
    def test_plain_is_the_slope_of_the_score(self, make: Maker) -> None:
        net, x = make().astype(np.float64).eval(), pictures(1, np.float64)
        heat = explain.saliency(net, x, 2, guided=False).heat[0]
        h = 1e-6
        for place in ((0, 0), (3, 5), (7, 7)):
            slopes = []
            for c in range(2):
                ends = []
                for sign in (1, -1):
                    moved = x.copy()
                    moved[(0, c, *place)] += sign * h
                    ends.append(net.predict(moved).data[0, 2, 0, 0])
                slopes.append(abs(ends[0] - ends[1]) / (2 * h))
            assert heat[place] == pytest.approx(max(slopes), abs=1e-6)

    def test_guided_leaves_out_what_speaks_against(self) -> None:
        net = mc.Sequential(mc.ReLU(), mc.Linear(4, 1, bias=False))
        net[1].weight.data[...] = [[2, -3, 4, 5]]  # type: ignore[attr-defined]
        x = np.array([[[1, 1], [-1, 1]]], np.float32)
        np.testing.assert_array_equal(
            explain.saliency(net, x, guided=False).heat[0], [[2, 3], [0, 5]]
        )
        np.testing.assert_array_equal(explain.saliency(net, x).heat[0], [[2, 0], [0, 5]])

    def test_guided_treats_leaky_relus_alike(self) -> None:
        net = mc.Sequential(mc.LeakyReLU(0.5), mc.Linear(4, 1, bias=False))
        net[1].weight.data[...] = [[2, -3, 4, -5]]  # type: ignore[attr-defined]
        x = np.array([[[1, 1], [-1, -1]]], np.float32)
        plain_heat = explain.saliency(net, x, guided=False).heat[0]
        np.testing.assert_array_equal(plain_heat, [[2, 3], [2, 2.5]])
        np.testing.assert_array_equal(explain.saliency(net, x).heat[0], [[2, 0], [2, 0]])

    def test_guided_reaches_relus_that_work_with_their_neighbours(self) -> None:
        class Apart(mc.ReLU):
            """No ReLU to its neighbours."""

        twin = plain()
        other = mc.Sequential(*(Apart() if isinstance(one, mc.ReLU) else one for one in twin))
        found = [explain.saliency(net, pictures()).heat for net in (plain(), other)]
        np.testing.assert_array_equal(*found)
        assert (found[0] != explain.saliency(plain(), pictures(), guided=False).heat).any()


class TestOcclusion:
    def test_is_the_mean_fall_of_the_probability(self) -> None:
        net, x = deep().eval(), pictures(2)
        found = explain.occlusion(net, x, [1, 4], window=3, stride=2, fill=0.5)
        fall, count = np.zeros((2, 8, 8)), np.zeros((8, 8))
        for top in (0, 2, 4, 5):
            for left in (0, 2, 4, 5):
                hidden = x.copy()
                hidden[:, :, top : top + 3, left : left + 3] = 0.5
                p, q = softmax(net.predict(x)), softmax(net.predict(hidden))
                for b, k in enumerate((1, 4)):
                    fall[b, top : top + 3, left : left + 3] += p[b, k] - q[b, k]
                count[top : top + 3, left : left + 3] += 1
        np.testing.assert_allclose(found.heat, fall / count, atol=1e-6)

    def test_covers_every_pixel_by_default(self) -> None:
        assert np.isfinite(explain.occlusion(plain(), pictures()).heat).all()

    def test_no_place_may_be_left_uncovered(self) -> None:
        with pytest.raises(
            ValueError, match="stride must be at most window.*stride=4 and window=3"
        ):
            explain.occlusion(plain(), pictures(), window=3, stride=4)
        heat = explain.occlusion(plain(), pictures(), window=3, stride=3).heat
        assert np.isfinite(heat).all()

    def test_a_window_must_fit(self) -> None:
        with pytest.raises(ShapeError, match="window must be within 8×8, got 9"):
            explain.occlusion(plain(), pictures(), window=9)


class TestPasses:
    def test_activations_are_those_of_the_layers_one_by_one(self) -> None:
        net, x = deep(), pictures()
        found = explain.activations(net, x)
        assert list(found)[:5] == ["conv1", "bn1", "relu1", "residual1.conv1", "residual1.relu1"]
        y = mc.Tensor(x)
        for layer in net.eval():
            y = layer(y)
            np.testing.assert_allclose(found[layer.name or ""], y.data, atol=1e-6)

    def test_gradients_are_slopes_of_the_loss(self) -> None:
        net, x, labels = plain().astype(np.float64), pictures(2, np.float64), [1, 3]
        loss = mc.SoftmaxCrossEntropy()
        found = explain.gradients(net, x, loss, labels)
        assert list(found) == list(explain.activations(net, x))
        y, rest, h = net[:3](x).data, net[3:], 1e-6
        for place in ((0, 0, 1, 1), (1, 3, 2, 0)):
            ends = []
            for sign in (1, -1):
                moved = y.copy()
                moved[place] += sign * h
                ends.append(loss(rest(moved), labels))
            assert found["pool1"][place] == pytest.approx((ends[0] - ends[1]) / (2 * h), abs=1e-8)

    def test_a_layer_alone_is_a_net(self) -> None:
        assert list(explain.activations(mc.Conv2D(2, 1, 3), pictures())) == ["Conv2D"]


EXPLAINERS: list[Callable[[Any, Any], Any]] = [
    explain.gradcam,
    explain.saliency,
    explain.occlusion,
    explain.activations,
    lambda net, x: explain.gradients(net, x, mc.SoftmaxCrossEntropy(), [0, 1, 2]),
]


@pytest.mark.parametrize("tell", EXPLAINERS)
def test_the_net_is_left_as_it_was(tell: Any) -> None:
    net, x = deep(), pictures()
    net[0].eval()
    y = net(x)
    state = {name: array.copy() for name, array in net.state_dict().items()}
    modes = [layer.training for layer in net.named_layers().values()]
    generators = net.rng_state()
    tell(net, x)
    assert modes == [layer.training for layer in net.named_layers().values()]
    assert generators == net.rng_state()
    for name, array in net.state_dict().items():
        np.testing.assert_array_equal(array, state[name])
    assert all(parameter.grad is None for parameter in net.parameters())
    assert all(not {"_forward", "_backward"} & {*vars(one)} for one in net.named_layers().values())
    net.backward(y)  # the pass before is still there to be gone back through


@pytest.mark.parametrize("tell", EXPLAINERS[:4])
def test_8_bit_pictures_are_what_predict_takes_them_for(tell: Any) -> None:
    net = mc.models.toy(rng=0)
    x = mc.data.digits("test").images[:2]
    mine, theirs = tell(net, x), tell(net, mc.Tensor(x.astype(np.float32) / np.float32(255)))
    if isinstance(mine, dict):
        np.testing.assert_array_equal(mine["relu2"], theirs["relu2"])
    else:
        np.testing.assert_array_equal(mine.heat, theirs.heat)


@pytest.mark.parametrize("tell", [explain.gradcam, explain.saliency, explain.occlusion])
@pytest.mark.parametrize(
    ("x", "target", "message"),
    [
        (pictures()[0, 0], None, r"x must have shape \(B, C, H, W\) or \(C, H, W\), got \(8, 8\)"),
        (pictures(), 5, "target must be from 0 to 4, got 5"),
        (pictures(), [0, 1], "target must be a class, or one for each of 3"),
        (pictures(), "cat", "target must be a class"),
    ],
)
def test_wrong_arguments_are_named(tell: Any, x: Any, target: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tell(plain(), x, target)


@pytest.mark.parametrize("tell", [explain.gradcam, explain.saliency, explain.occlusion])
def test_what_is_no_classifier_is_refused(tell: Any) -> None:
    with pytest.raises(ShapeError, match=r"must make scores \(B, K, 1, 1\), it makes"):
        tell(mc.Sequential(mc.Conv2D(2, 3, 3)), pictures())
    with pytest.raises(TypeError, match="net must be a minicnn layer, got 3"):
        tell(3, pictures())


class TestFlow:
    def test_is_each_layers_own_input_output_and_gradient(self) -> None:
        net = mc.Sequential(
            mc.Conv2D(1, 2, 3, rng=0), mc.ReLU(), mc.MaxPool2D(2), mc.Linear(18, 3, rng=1)
        )
        x = np.random.default_rng(0).normal(size=(2, 1, 8, 8)).astype(np.float32)
        flow = explain.flow(net, x, [2, 0])
        assert list(flow) == ["conv1", "relu1", "pool1", "fc1"]
        np.testing.assert_array_equal(flow["conv1"].x, x)
        for before, after in zip(list(flow)[:-1], list(flow)[1:], strict=True):
            np.testing.assert_array_equal(flow[before].y, flow[after].x)
        np.testing.assert_array_equal(flow["fc1"].dy[:, :, 0, 0], np.eye(3)[[2, 0]])
        weight = net[3].weight.data
        np.testing.assert_allclose(
            flow["pool1"].dy.reshape(2, -1), weight.reshape(3, -1)[[2, 0]], rtol=1e-6
        )

    def test_layers_have_the_same_names(self) -> None:
        net = mc.Sequential(mc.Conv2D(1, 2, 3, rng=0), mc.Sequential(mc.ReLU(), mc.MaxPool2D(2)))
        assert explain.layer_names(net)["conv1"] is net[0]
        assert [type(layer).__name__ for layer in explain.layer_names(net).values()] == [
            "Conv2D", "Sequential", "ReLU", "MaxPool2D"
        ]  # fmt: skip
