"""BatchNorm2D: batch statistics in training, running ones in evaluation, and never mixed up."""

from __future__ import annotations

import numpy as np
import pytest

from minicnn import BatchNorm2D, ShapeError, no_grad


def sample(seed: int = 0, batch: int = 4) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (3 + 2 * rng.standard_normal((batch, 3, 5, 6))).astype(np.float32)


def test_training_output_has_mean_0_and_variance_1() -> None:
    y = BatchNorm2D(3)(sample()).numpy()
    np.testing.assert_allclose(y.mean(axis=(0, 2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(y.var(axis=(0, 2, 3)), 1, atol=1e-4)


def test_running_statistics_move_towards_the_batchs() -> None:
    bn, x = BatchNorm2D(3, momentum=0.25), sample()
    bn(x)
    mean, var = x.mean(axis=(0, 2, 3)), x.var(axis=(0, 2, 3), ddof=1)
    np.testing.assert_allclose(bn.running_mean, 0.25 * mean, rtol=1e-5)
    np.testing.assert_allclose(bn.running_var, 0.75 + 0.25 * var, rtol=1e-5)
    assert bn.num_batches_tracked == 1


def test_evaluation_uses_running_statistics_and_leaves_them() -> None:
    bn = BatchNorm2D(3).eval()
    bn.running_mean[...] = 3
    bn.running_var[...] = 4
    x = sample()
    np.testing.assert_allclose(bn(x), (x - 3) / np.sqrt(4 + 1e-5), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(bn.running_mean, 3)
    assert bn.num_batches_tracked == 0


def test_no_grad_is_not_evaluation_mode() -> None:
    """The series tied the two together, so that Grad-CAM ran on the wrong statistics."""
    bn, x = BatchNorm2D(3), sample()
    recorded = bn(x).numpy()
    with no_grad():
        np.testing.assert_array_equal(bn(x), recorded)
    assert bn.num_batches_tracked == 2
    bn.eval()
    y = bn(x)
    assert np.asarray(bn.backward(y)).shape == x.shape  # evaluation still records


def test_statistics_are_part_of_the_state() -> None:
    bn = BatchNorm2D(3)
    bn(sample())
    assert list(bn.state_dict()) == [
        "weight",
        "bias",
        "running_mean",
        "running_var",
        "num_batches_tracked",
    ]
    twin = BatchNorm2D(3)
    twin.load_state_dict(bn.state_dict())
    np.testing.assert_array_equal(twin.eval()(sample(1)), bn.eval()(sample(1)))


def test_a_large_mean_does_not_drown_the_variance() -> None:
    x = sample().astype(np.float64) * 1e-2 + 1e3
    bn = BatchNorm2D(3)
    bn(x.astype(np.float32))
    expected = x.astype(np.float32).astype(np.float64).var(axis=(0, 2, 3), ddof=1)
    np.testing.assert_allclose((bn.running_var - 0.9) / 0.1, expected, rtol=2e-2)


def test_gradients_of_gamma_and_beta_are_not_sums_over_copies() -> None:
    """Doubling the batch by repeating it doubles a mean loss's parts, not its gradients."""
    x = sample()
    grads = []
    for repeat in (1, 2):
        bn = BatchNorm2D(3)
        y = bn(np.concatenate([x] * repeat))
        bn.backward(y.numpy() / y.B)
        grads.append((bn.weight.grad, bn.bias.grad))
    np.testing.assert_allclose(grads[0][0], grads[1][0], rtol=1e-4)
    np.testing.assert_allclose(grads[0][1], grads[1][1], atol=1e-4)


def test_one_value_per_channel_cannot_be_normalised() -> None:
    with pytest.raises(ShapeError, match="training needs more than one value per channel"):
        BatchNorm2D(3)(np.zeros((1, 3, 1, 1)))
    BatchNorm2D(3).eval()(np.zeros((1, 3, 1, 1)))


def test_an_empty_batch_moves_nothing() -> None:
    bn = BatchNorm2D(3)
    assert bn(np.zeros((0, 3, 2, 2))).shape == (0, 3, 2, 2)
    assert bn.num_batches_tracked == 0
    np.testing.assert_array_equal(bn.running_var, 1)


def test_arguments_are_checked() -> None:
    with pytest.raises(ValueError, match="num_features must be an integer of at least 1"):
        BatchNorm2D(0)
    with pytest.raises(ValueError, match="eps must be a finite number above 0"):
        BatchNorm2D(3, eps=0)
    with pytest.raises(ShapeError, match=r"x must have shape \(B, 3, H, W\), got \(1, 2, 4, 4\)"):
        BatchNorm2D(3)(np.zeros((1, 2, 4, 4)))


def test_statistics_of_another_shape_never_reach_a_kernel() -> None:
    for name in ("running_mean", "running_var"):
        bn = BatchNorm2D(3)
        setattr(bn, name, np.zeros(1, np.float32))
        with pytest.raises(ShapeError, match=rf"{name} must have shape \(3,\), got \(1,\)"):
            bn(sample())
