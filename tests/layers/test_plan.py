"""Compiled plans: what `predict` says, from fewer steps, whatever the net is made of."""

from __future__ import annotations

import copy
import pickle
import threading
from collections.abc import Callable

import numpy as np
import pytest

import minicnn as mc
from minicnn import kernels
from minicnn.layers.fuse import program_of

from .cases import ALL, Case

MODELS: dict[str, Callable[[], mc.Sequential]] = {
    "toy": lambda: mc.models.toy(rng=0),
    "lenet5": lambda: mc.models.lenet5(rng=0),
    "animal": lambda: mc.models.animal(size=64, rng=0),
    "vgg": lambda: mc.models.vgg(size=16, rng=0),
    "resnet": lambda: mc.models.resnet(size=16, rng=0),
}
PICTURES = {
    "toy": (1, 28, 28),
    "lenet5": (1, 28, 28),
    "animal": (3, 64, 64),
    "vgg": (3, 16, 16),
    "resnet": (3, 16, 16),
}


def pictures(count: int, shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    x = np.random.default_rng(seed).standard_normal((count, *shape)).astype(np.float32)
    x.setflags(write=False)
    return x


def lived_in(net: mc.Layer) -> mc.Layer:
    """The net with statistics, scales and shifts as after some training."""
    rng = np.random.default_rng(7)
    for layer in net.named_layers().values():
        if isinstance(layer, mc.BatchNorm2D):
            layer.running_mean[...] = rng.standard_normal(layer.num_features)
            layer.running_var[...] = rng.uniform(0.5, 2, layer.num_features)
            layer.weight.data[...] = rng.standard_normal(layer.num_features)
            layer.bias.data[...] = rng.standard_normal(layer.num_features)
    return net


def forward(net: mc.Layer, x: np.ndarray) -> np.ndarray:
    """The net's answer layer by layer, which is what a plan has to give."""
    with mc.no_grad():
        return net.eval().forward(x).numpy()


def assert_same(mine: np.ndarray, theirs: np.ndarray) -> None:
    assert mine.shape == theirs.shape
    assert mine.dtype == np.float32
    scale = max(1.0, float(np.abs(theirs).max(initial=0)))
    np.testing.assert_allclose(mine, theirs, rtol=0, atol=2e-5 * scale)


@pytest.mark.parametrize("case", ALL)
@pytest.mark.parametrize("backend", ["cython", "reference"])
def test_every_layer_compiles(case: Case, backend: str) -> None:
    net = lived_in(case.make())
    x = pictures(5, case.picture)
    with kernels.use_backend(backend):
        assert_same(net.compile(case.picture)(x).numpy(), forward(net, x))


@pytest.mark.parametrize("count", [0, 1, 2, 3, 25, 64, 65, 99])
@pytest.mark.parametrize("name", MODELS)
def test_a_plan_says_what_the_net_says(name: str, count: int) -> None:
    net = lived_in(MODELS[name]())
    x = pictures(count, PICTURES[name])
    assert_same(net.compile(PICTURES[name])(x).numpy(), forward(net, x))


@pytest.mark.parametrize("name", MODELS)
def test_bits_depend_on_neither_threads_nor_batch(name: str) -> None:
    plan = lived_in(MODELS[name]()).compile(PICTURES[name])
    x = pictures(19, PICTURES[name])
    results = []
    for threads in (1, 2, 3, 7):
        mc.set_num_threads(threads)
        results.append(plan(x).numpy())
        results.append(np.concatenate([plan(x[k : k + 1]).numpy() for k in range(len(x))]))
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])


@pytest.mark.parametrize("name", MODELS)
def test_predict_uses_it_for_many_pictures(name: str) -> None:
    net = lived_in(MODELS[name]())
    x = pictures(20, PICTURES[name])
    np.testing.assert_array_equal(net.predict(x).numpy(), net.compile(PICTURES[name])(x).numpy())
    assert_same(net.predict(x, batch_size=7).numpy(), forward(net, x))


def test_what_was_fused_is_shown() -> None:
    text = repr(mc.models.vgg(size=16, rng=0).compile((3, 16, 16)))
    assert "conv1 + bn1 + relu1" in text
    assert "direct" in text
    assert "pool1" in text
    toy = repr(mc.models.toy(rng=0).compile((1, 28, 28)))
    assert "conv1 + relu1 + pool1" in toy
    assert "fc1" in toy
    assert "KB a picture" in toy


def test_winograd_is_shown_and_can_be_switched_off() -> None:
    plan = mc.Sequential(mc.Conv2D(32, 32, 3, rng=0)).compile((32, 12, 12))
    x = pictures(3, (32, 12, 12))
    before = kernels.winograd
    try:
        mc.set_winograd(True)
        tiles = plan(x).numpy()
        expected = "direct" if kernels.info()["engine"] == "reference" else "winograd"
        assert expected in repr(plan)
        mc.set_winograd(False)
        assert "direct" in repr(plan)
        assert_same(plan(x).numpy(), tiles)
    finally:
        mc.set_winograd(before)


class TestFusing:
    def check(self, net: mc.Layer, shape: tuple[int, int, int], steps: int) -> None:
        """The net has so many steps, and its plan says what it says."""
        _, names = program_of([net], shape)
        assert len(names) == steps, names
        x = pictures(9, shape)
        assert_same(lived_in(net).compile(shape)(x).numpy(), forward(net, x))

    def test_batchnorm_needs_a_convolution_right_before_it(self) -> None:
        conv = mc.Conv2D(2, 3, 3, rng=0)
        self.check(mc.Sequential(conv, mc.ReLU(), mc.BatchNorm2D(3)), (2, 6, 6), 2)

    def test_two_batchnorms_fold_into_one_convolution(self) -> None:
        conv = mc.Conv2D(4, 6, 3, groups=2, bias=False, rng=0)
        net = mc.Sequential(conv, mc.BatchNorm2D(6), mc.BatchNorm2D(6), mc.ReLU())
        self.check(net, (4, 6, 6), 1)

    def test_a_pooled_convolution_takes_no_batchnorm(self) -> None:
        """A negative factor would make of the largest the smallest."""
        net = mc.Sequential(mc.Conv2D(1, 3, 3, rng=0), mc.MaxPool2D(2), mc.BatchNorm2D(3))
        self.check(net, (1, 8, 8), 2)

    def test_relu_behind_pooling_is_one_step_too(self) -> None:
        net = mc.Sequential(mc.Conv2D(1, 3, 3, rng=0), mc.MaxPool2D(2), mc.ReLU())
        self.check(net, (1, 9, 10), 1)

    def test_many_channels_are_pooled_apart(self) -> None:
        self.check(mc.Sequential(mc.Conv2D(32, 4, 3, rng=0), mc.MaxPool2D(2)), (32, 8, 8), 2)

    @pytest.mark.parametrize(
        "pool",
        [
            mc.MaxPool2D(3, 2),
            mc.MaxPool2D(2, 1),
            mc.MaxPool2D(2, padding=1),
            mc.MaxPool2D(2, dilation=2),
            mc.MaxPool2D(2, ceil_mode=True),
        ],
        ids=repr,
    )
    def test_other_windows_are_pooled_apart(self, pool: mc.MaxPool2D) -> None:
        self.check(mc.Sequential(mc.Conv2D(1, 4, 3, rng=0), pool), (1, 9, 9), 2)

    def test_what_a_shortcut_reads_stays_as_it_is(self) -> None:
        body = mc.Residual(mc.ReLU(), mc.Conv2D(3, 3, 3, padding=1, rng=1))
        self.check(mc.Sequential(mc.Conv2D(2, 3, 3, rng=0), body, mc.ReLU()), (2, 7, 7), 4)

    def test_what_branches_read_stays_as_it_is(self) -> None:
        branches = mc.Concat(mc.ReLU(), mc.BatchNorm2D(3), mc.Sequential())
        self.check(mc.Sequential(mc.Conv2D(2, 3, 3, rng=0), branches, mc.Tanh()), (2, 7, 7), 7)

    def test_branches_that_flatten(self) -> None:
        branch = mc.Sequential(mc.Flatten(), mc.Linear(50, 6, rng=0))
        other = mc.Sequential(mc.GlobalAvgPool2D(), mc.Sigmoid())
        self.check(mc.Concat(branch, mc.Flatten(), other), (2, 5, 5), 6)

    def test_linear_layers_with_relu(self) -> None:
        net = mc.Sequential(mc.Linear(30, 50, rng=0), mc.ReLU(), mc.Linear(50, 3, rng=1))
        self.check(net, (2, 3, 5), 2)


class Doubled(mc.Layer):
    """A layer of the reader's own."""

    def _forward(self, x: np.ndarray) -> np.ndarray:
        assert not self.training
        return x * 2


class Shifted(mc.ReLU):
    """One that changes what a layer of minicnn does."""

    def _forward(self, x: np.ndarray) -> np.ndarray:
        return super()._forward(x) + 1


class Same(mc.Conv2D):
    """One that changes nothing of it."""


def test_layers_of_ones_own_run_between_compiled_pieces() -> None:
    conv, last = Same(1, 2, 3, rng=0), mc.Linear(72, 3, rng=1)
    net = mc.Sequential(conv, mc.ReLU(), Doubled(), Shifted(), mc.Flatten(), last)
    x = pictures(4, (1, 8, 8))
    plan = net.compile((1, 8, 8))
    assert_same(plan(x).numpy(), forward(net, x))
    lines = repr(plan).splitlines()
    assert "conv1 + relu1" in lines[1]
    assert "in Python" in lines[3]
    assert "in Python" in lines[4]
    net.train()
    plan(x)
    assert all(layer.training for layer in net.named_layers().values())


def test_a_net_that_is_one_layer_of_ones_own() -> None:
    x = pictures(3, (2, 4, 4))
    np.testing.assert_array_equal(Doubled().compile((2, 4, 4))(x).numpy(), 2 * x)


def test_a_plan_is_what_the_net_was() -> None:
    net = mc.models.toy(rng=0)
    x = pictures(3, (1, 28, 28))
    plan = net.compile((1, 28, 28))
    before = plan(x).numpy().copy()
    for parameter in net.parameters():
        parameter.data[...] = 0
    np.testing.assert_array_equal(plan(x).numpy(), before)


def test_results_belong_to_the_caller() -> None:
    plan = mc.models.toy(rng=0).compile((1, 28, 28))
    first = plan(pictures(3, (1, 28, 28)))
    kept = first.numpy().copy()
    plan(pictures(3, (1, 28, 28), seed=1))
    np.testing.assert_array_equal(first.numpy(), kept)
    nothing = mc.Sequential().compile((1, 2, 2))
    x = np.ones((1, 1, 2, 2), np.float32)
    nothing(x).data[...] = 5
    assert (x == 1).all()


def test_pictures_come_in_every_form_that_predict_takes() -> None:
    plan = mc.models.toy(rng=0).compile((1, 28, 28))
    bytes_ = np.random.default_rng(0).integers(0, 256, (2, 28, 28), np.uint8)
    expected = plan(mc.Tensor.from_images(bytes_)).numpy()
    for x in (bytes_, bytes_ / 255, mc.Tensor.from_images(bytes_).data[:, :, ::1]):
        np.testing.assert_array_equal(plan(x).numpy(), expected)
    turned = np.asfortranarray(mc.Tensor.from_images(bytes_).data)
    np.testing.assert_array_equal(plan(turned).numpy(), expected)


def test_nan_goes_through() -> None:
    plan = mc.models.toy(rng=0).compile((1, 28, 28))
    x = pictures(3, (1, 28, 28)).copy()
    x[1, 0, 14, 14] = np.nan
    result = plan(x).numpy()
    assert np.isnan(result[1]).all()
    assert np.isfinite(result[[0, 2]]).all()


def test_copies_and_pickles_work() -> None:
    plan = mc.models.toy(rng=0).compile((1, 28, 28))
    x = pictures(3, (1, 28, 28))
    expected = plan(x).numpy()
    for twin in (copy.deepcopy(plan), pickle.loads(pickle.dumps(plan))):
        np.testing.assert_array_equal(twin(x).numpy(), expected)


def test_one_plan_serves_several_threads() -> None:
    plan = mc.models.lenet5(rng=0).compile((1, 28, 28))
    x = [pictures(16, (1, 28, 28), seed) for seed in range(4)]
    expected = [plan(batch).numpy() for batch in x]
    wrong: list[int] = []

    def work(k: int) -> None:
        for _ in range(20):
            if not np.array_equal(plan(x[k]).numpy(), expected[k]):
                wrong.append(k)

    workers = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong


class TestErrors:
    def test_pictures_that_the_net_cannot_take(self) -> None:
        with pytest.raises(mc.ShapeError, match=r"conv1.*\(B, 1, H, W\)"):
            mc.models.toy(rng=0).compile((3, 28, 28))

    @pytest.mark.parametrize("shape", [(28, 28), (1, 1, 28, 28), (1, 28.0, 28), (0, 28, 28), 5])
    def test_no_shape(self, shape: object) -> None:
        with pytest.raises(mc.ShapeError, match=r"input_shape must be \(C, H, W\)"):
            mc.models.toy(rng=0).compile(shape)  # type: ignore[arg-type]

    def test_other_pictures_than_it_was_made_for(self) -> None:
        plan = mc.models.toy(rng=0).compile((1, 28, 28))
        with pytest.raises(mc.ShapeError, match=r"\('B', 1, 28, 28\), got \(2, 1, 30, 30\)"):
            plan(np.zeros((2, 1, 30, 30), np.float32))

    def test_double_precision(self) -> None:
        with pytest.raises(TypeError, match="plans are float32"):
            mc.models.toy(rng=0).astype("float64").compile((1, 28, 28))

    def test_a_float64_net_still_predicts(self) -> None:
        net = mc.models.toy(rng=0).astype("float64")
        assert net.predict(pictures(20, (1, 28, 28))).dtype == np.float64
