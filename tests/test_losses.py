from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicnn import Tensor, kernels, losses, no_grad
from minicnn.errors import ShapeError
from minicnn.losses import MSELoss, SoftmaxCrossEntropy, softmax


@pytest.fixture(params=["cython", "reference"], scope="class")
def backend(request: pytest.FixtureRequest) -> Iterator[None]:
    with kernels.use_backend(request.param):
        yield


def batch(B: int, K: int, seed: int, dtype: Any = np.float64) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    return (3 * rng.standard_normal((B, K))).astype(dtype), rng.integers(0, K, B)


def slope(loss: Callable[[Any, Any], float], x: Any, target: Any) -> Any:
    """dL/dx by central differences, in float64."""
    gradient = np.empty_like(x)
    for index in np.ndindex(x.shape):
        values = []
        for step in (1e-5, -1e-5):
            moved = x.copy()
            moved[index] += step
            values.append(loss(moved, target))
        gradient[index] = (values[0] - values[1]) / 2e-5
    return gradient


batches = st.tuples(st.integers(1, 6), st.integers(1, 7), st.integers(0, 2**32))
smoothings = st.one_of(st.just(0.0), st.floats(0, 1))


@pytest.mark.usefixtures("backend")
class TestSoftmaxCrossEntropy:
    @given(sizes=batches, smoothing=smoothings)
    def test_is_the_formula(self, sizes: tuple[int, int, int], smoothing: float) -> None:
        z, y = batch(*sizes)
        B, K = z.shape
        p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
        t = (1 - smoothing) * np.eye(K)[y] + smoothing / K
        loss = SoftmaxCrossEntropy(smoothing)
        assert loss(z, y) == pytest.approx(-(t * np.log(p)).sum() / B, rel=1e-12, abs=1e-14)
        gradient = loss.backward()
        assert gradient.shape == (B, K, 1, 1)
        np.testing.assert_allclose(gradient.data[:, :, 0, 0], (p - t) / B, rtol=1e-11, atol=1e-15)

    @pytest.mark.parametrize("smoothing", [0.0, 0.1])
    def test_the_gradient_is_the_slope(self, smoothing: float) -> None:
        z, y = batch(4, 5, 0)
        loss = SoftmaxCrossEntropy(smoothing)
        numeric = slope(loss, z, y)
        loss(z, y)
        np.testing.assert_allclose(loss.backward().data[:, :, 0, 0], numeric, atol=1e-9)

    @given(sizes=batches, smoothing=smoothings, dtype=st.sampled_from([np.float32, np.float64]))
    def test_is_pytorchs(self, sizes: tuple[int, int, int], smoothing: float, dtype: Any) -> None:
        torch = pytest.importorskip("torch")
        z, y = batch(*sizes, dtype)
        z_torch = torch.tensor(z, requires_grad=True)
        theirs = torch.nn.CrossEntropyLoss(label_smoothing=smoothing)(z_torch, torch.tensor(y))
        theirs.backward()
        loss = SoftmaxCrossEntropy(smoothing)
        tolerance: Any = {"rtol": 1e-5, "atol": 1e-6} if dtype == np.float32 else {"atol": 1e-13}
        np.testing.assert_allclose(loss(z, y), theirs.item(), **tolerance)
        np.testing.assert_allclose(loss.backward().data[:, :, 0, 0], z_torch.grad, **tolerance)

    @given(sizes=batches)
    def test_gradients_of_a_sample_add_up_to_zero(self, sizes: tuple[int, int, int]) -> None:
        z, y = batch(*sizes)
        loss = SoftmaxCrossEntropy(0.05)
        loss(z, y)
        np.testing.assert_allclose(loss.backward().data.sum(axis=1), 0, atol=1e-15)

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_confident_logits_give_a_finite_loss(self, dtype: Any) -> None:
        loss = SoftmaxCrossEntropy()
        assert loss(np.array([[60, 0, 0]], dtype), [0]) == pytest.approx(0, abs=1e-20)
        assert loss(np.array([[60, 0, 0]], dtype), [1]) == pytest.approx(60)
        assert loss(np.array([[1e4, -1e4, 0]], dtype), [1]) == pytest.approx(2e4)
        assert np.isfinite(loss.backward().data).all()
        assert loss(np.full((2, 3), 1e30, dtype), [1, 2]) == pytest.approx(np.log(3))

    @pytest.mark.parametrize("bad", [np.nan, np.inf])
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_logits_that_are_not_finite_give_nan(self, bad: float, dtype: Any) -> None:
        z, y = batch(3, 4, 1, dtype)
        z[1, 2] = bad
        loss = SoftmaxCrossEntropy()
        assert np.isnan(loss(z, y))
        assert np.isnan(loss.backward().data[1]).any()
        assert np.isfinite(loss.backward().data[[0, 2]]).all()

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_takes_tensors_and_arrays_and_keeps_their_dtype(self, dtype: Any) -> None:
        z, y = batch(3, 4, 2, dtype)
        loss = SoftmaxCrossEntropy()
        value = loss(z, y)
        assert isinstance(value, float)
        assert loss(Tensor(z[:, :, None, None]), y) == value
        assert loss(z[:, :, None, None], y.astype(np.uint8)) == value
        assert loss(np.asfortranarray(z), list(y)) == value
        assert loss(z.astype(z.dtype.newbyteorder(">")), y) == value
        z.flags.writeable = False
        assert loss(z, y) == value
        assert loss.backward().dtype == dtype

    def test_the_batch_may_change_its_size(self) -> None:
        loss = SoftmaxCrossEntropy()
        for B in (5, 2, 7, 1):
            z, y = batch(B, 3, B)
            fresh = SoftmaxCrossEntropy()
            assert loss(z, y) == fresh(z, y)
            np.testing.assert_array_equal(loss.backward(), fresh.backward())


LOSSES: list[tuple[Callable[[], Any], Any, Any]] = [
    (SoftmaxCrossEntropy, np.ones((2, 3), np.float32), [0, 2]),
    (MSELoss, np.ones((2, 3), np.float32), np.zeros((2, 3))),
]


@pytest.mark.parametrize(("make", "outputs", "targets"), LOSSES)
class TestEveryLoss:
    def test_backward_needs_a_loss(
        self, make: Callable[[], Any], outputs: Any, targets: Any
    ) -> None:
        loss = make()
        with pytest.raises(RuntimeError, match="backward before a loss was computed"):
            loss.backward()
        loss(outputs, targets)
        with no_grad():
            assert loss(outputs, targets) > 0
        with pytest.raises(RuntimeError, match=r"under no_grad\(\)"):
            loss.backward()

    def test_the_gradient_belongs_to_the_caller(
        self, make: Callable[[], Any], outputs: Any, targets: Any
    ) -> None:
        loss = make()
        loss(outputs, targets)
        first = loss.backward()
        kept = first.data.copy()
        first.data *= 100
        np.testing.assert_array_equal(loss.backward(), kept)
        loss(2 * outputs, targets)
        np.testing.assert_array_equal(first, 100 * kept)

    def test_the_config_makes_it_again(
        self, make: Callable[[], Any], outputs: Any, targets: Any
    ) -> None:
        again = losses.from_config(make().config())
        assert repr(again) == repr(make())
        assert again(outputs, targets) == make()(outputs, targets)


def test_configs_that_fit_nothing_are_refused() -> None:
    smooth = SoftmaxCrossEntropy(0.25)
    assert repr(losses.from_config(smooth.config())) == "SoftmaxCrossEntropy(label_smoothing=0.25)"
    with pytest.raises(
        ValueError, match="loss must be SoftmaxCrossEntropy or MSELoss, got 'Hinge'"
    ):
        losses.from_config({"type": "Hinge"})
    with pytest.raises(ValueError, match="does not fit MSELoss"):
        losses.from_config({"type": "MSELoss", "margin": 1})


@pytest.mark.parametrize(
    ("logits", "labels", "error", "message"),
    [
        (
            np.zeros((0, 3)),
            [],
            ShapeError,
            r"logits must hold at least one sample, got shape \(0, 3\)",
        ),
        (np.zeros((2, 3, 4, 4)), [0, 1], ShapeError, "logits must have shape"),
        (np.zeros((2, 3)), [0], ShapeError, r"labels must have shape \(2,\)"),
        (np.zeros((2, 3)), [0, 3], ValueError, "labels must be from 0 to 2, got 3 at index 1"),
        (np.zeros((2, 3)), [0.5, 1], ValueError, "labels must be integers, got 0.5 at index 0"),
        (np.zeros((2, 3), complex), [0, 1], TypeError, "logits must hold real numbers"),
    ],
)
def test_cross_entropy_names_what_is_wrong(
    logits: Any, labels: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        SoftmaxCrossEntropy()(logits, labels)


@pytest.mark.parametrize("smoothing", [-0.1, 1.1, np.nan, "much", None, True])
def test_label_smoothing_is_a_probability(smoothing: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="label_smoothing must be"):
        SoftmaxCrossEntropy(smoothing)


class TestMSELoss:
    @given(
        shape=st.one_of(st.tuples(*[st.integers(1, 4)] * 2), st.tuples(*[st.integers(1, 4)] * 4)),
        seed=st.integers(0, 2**32),
        dtype=st.sampled_from([np.float32, np.float64]),
    )
    def test_is_pytorchs(self, shape: tuple[int, ...], seed: int, dtype: Any) -> None:
        torch = pytest.importorskip("torch")
        rng = np.random.default_rng(seed)
        x, t = rng.standard_normal((2, *shape)).astype(dtype)
        x_torch = torch.tensor(x, requires_grad=True)
        theirs = torch.nn.MSELoss()(x_torch, torch.tensor(t))
        theirs.backward()
        loss = MSELoss()
        tolerance = 1e-6 if dtype == np.float32 else 1e-15
        assert loss(x, t) == pytest.approx(theirs.item(), rel=10 * tolerance)
        gradient = loss.backward()
        assert gradient.shape == (*shape, 1, 1)[:4] and gradient.dtype == dtype
        np.testing.assert_allclose(gradient.data.reshape(shape), x_torch.grad, atol=tolerance)

    def test_the_gradient_is_the_slope(self) -> None:
        rng = np.random.default_rng(0)
        x, t = rng.standard_normal((2, 2, 3))
        loss = MSELoss()
        numeric = slope(loss, x, t)
        loss(x, t)
        np.testing.assert_allclose(loss.backward().data[:, :, 0, 0], numeric, atol=1e-9)

    def test_matrices_and_tensors_of_features_mix(self) -> None:
        x, t = np.array([[1.0, 2.0]]), np.array([[0.0, 4.0]])
        assert MSELoss()(Tensor.from_features(x), t) == 2.5
        assert MSELoss()(x, Tensor.from_features(t)) == 2.5
        assert MSELoss()(x.astype(np.float32), t.astype(int)) == 2.5

    def test_neither_argument_is_changed(self) -> None:
        x, t = np.array([[1.0, 2.0]]), np.array([[0.0, 4.0]])
        MSELoss()(x, t)
        assert x.tolist() == [[1, 2]] and t.tolist() == [[0, 4]]

    def test_what_is_not_finite_shows(self) -> None:
        assert np.isnan(MSELoss()([[np.nan]], [[0.0]]))
        assert MSELoss()([[np.inf]], [[0.0]]) == np.inf
        assert MSELoss()(np.array([[1e30]], np.float32), [[0.0]]) == pytest.approx(1e60)

    @pytest.mark.parametrize(
        ("outputs", "targets", "message"),
        [
            (np.zeros((3, 1)), np.zeros((1, 3)), r"targets must have the shape of outputs"),
            (np.zeros((3, 2)), np.zeros(3), r"targets must have shape \(B, C, H, W\) or \(B, K\)"),
            (np.zeros(3), np.zeros(3), r"outputs must have shape \(B, C, H, W\) or \(B, K\)"),
            (np.zeros((0, 3)), np.zeros((0, 3)), "outputs must hold at least one sample"),
            (np.zeros((2, 3, 0, 1)), np.zeros((2, 3, 0, 1)), "outputs must hold at least one"),
        ],
    )
    def test_shapes_must_match(self, outputs: Any, targets: Any, message: str) -> None:
        with pytest.raises(ShapeError, match=message):
            MSELoss()(outputs, targets)


class TestSoftmax:
    @given(sizes=batches)
    def test_rows_are_probabilities(self, sizes: tuple[int, int, int]) -> None:
        z, _ = batch(*sizes)
        p = softmax(z)
        assert (p >= 0).all()
        np.testing.assert_allclose(p.sum(axis=1), 1)
        np.testing.assert_allclose(p, np.exp(z) / np.exp(z).sum(axis=1, keepdims=True))
        np.testing.assert_array_equal(softmax(Tensor.from_features(z)), p)
        np.testing.assert_allclose(softmax(z + 1000), p, rtol=1e-10)

    def test_extremes(self) -> None:
        assert softmax([[1e30, 0], [-1e30, -1e30]]).tolist() == [[1, 0], [0.5, 0.5]]
        assert np.isnan(softmax([[np.nan, 0], [np.inf, 0]])).tolist() == [[True] * 2] * 2
        assert softmax(np.zeros((0, 3))).shape == (0, 3)
        assert softmax(np.zeros((1, 3), np.float32)).dtype == np.float32
        with pytest.raises(ShapeError, match="logits must have shape"):
            softmax(np.zeros(3))
