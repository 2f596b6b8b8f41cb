"""Tensor and Parameter: what goes in, what it is turned into, and what is refused."""

from __future__ import annotations

import re
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from minicnn.errors import ShapeError
from minicnn.tensor import Parameter, Tensor, as_float_array, is_recording, no_grad


def test_shares_what_needs_no_change() -> None:
    x = np.zeros((2, 3, 4, 5), np.float32)
    assert Tensor(x).data is not None
    assert np.shares_memory(Tensor(x).data, x)
    assert np.shares_memory(Tensor(Tensor(x)).data, x)


def test_sizes_have_their_letters() -> None:
    t = Tensor.zeros(2, 3, 4, 5)
    assert (t.B, t.C, t.H, t.W) == t.shape == (2, 3, 4, 5)
    assert t.size == 120
    assert len(t) == 2
    assert t.dtype == np.float32
    assert t.grad is None
    assert repr(t) == "Tensor(2×3×4×5 float32)"


@given(
    hnp.arrays(
        st.sampled_from(["<f4", ">f4", "<f2", "i1", "u1", ">i2", "?", "<f8", ">f8"]),
        hnp.array_shapes(min_dims=4, max_dims=4, min_side=0, max_side=4),
    )
)
def test_conversion_is_exact(array: np.ndarray) -> None:
    t = Tensor(array)
    wide = array.dtype.itemsize == 8
    assert t.dtype == (np.float64 if wide else np.float32)
    assert t.dtype.isnative
    assert t.data.flags.c_contiguous
    np.testing.assert_array_equal(t.data, array.astype(t.dtype))


def test_strided_input_becomes_contiguous() -> None:
    base = np.arange(120, dtype=np.float32).reshape(2, 3, 4, 5)
    t = Tensor(base.transpose(0, 1, 3, 2)[:, ::-1])
    assert t.data.flags.c_contiguous
    np.testing.assert_array_equal(t.data, base.transpose(0, 1, 3, 2)[:, ::-1])


def test_lists_become_float32() -> None:
    assert Tensor([[[[1.5, 2]]]]).dtype == np.float32
    assert Tensor([[[[1.5, 2]]]], dtype="float64").dtype == np.float64


def test_large_integers_are_refused_where_float32_cannot_hold_them() -> None:
    exact = np.full((1, 1, 1, 1), 2**24, np.int64)
    assert Tensor(exact).data[0, 0, 0, 0] == 2**24
    with pytest.raises(ValueError, match="integers that float32 cannot represent exactly"):
        Tensor(exact + 1)
    assert Tensor(exact + 1, dtype=np.float64).data[0, 0, 0, 0] == 2**24 + 1
    for n in (2**60 + 1, 2**63 - 1, -(2**63) + 1):
        with pytest.raises(ValueError, match="cannot represent exactly"):
            as_float_array(np.array([n], np.int64), dtype=np.float64)
    for exactly in (2**60, -(2**63)):
        assert as_float_array(np.array([exactly], np.int64))[0] == exactly
    with pytest.raises(ValueError, match="cannot represent exactly"):
        as_float_array(np.array([2**64 - 1], np.uint64))


@pytest.mark.parametrize("shape", [(), (3,), (3, 4), (2, 3, 4), (1, 1, 1, 1, 1)])
def test_other_ranks_are_refused_and_the_helpers_named(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=re.escape(f"got {shape}")) as caught:
        Tensor(np.zeros(shape))
    assert "Tensor.from_images" in str(caught.value)
    assert "Tensor.from_features" in str(caught.value)


@pytest.mark.parametrize("array", [np.zeros((1, 1, 1, 1), complex), np.full((1, 1, 1, 1), "a")])
def test_what_is_no_real_number_is_refused(array: np.ndarray) -> None:
    with pytest.raises(TypeError, match="data must hold real numbers of at most 64 bits"):
        Tensor(array)


def test_ragged_lists_are_refused() -> None:
    with pytest.raises(ShapeError, match="data must be a rectangular array"):
        Tensor([[[[1.0, 2.0], [3.0]]]])


def test_bad_dtype_is_named() -> None:
    for bad in ("int32", "float16", "nonsense"):
        with pytest.raises(TypeError, match="dtype must be float32 or float64, got"):
            Tensor.zeros(1, 1, 1, 1, dtype=bad)


def test_from_images_puts_channels_first_and_divides_by_255() -> None:
    grey = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    assert Tensor.from_images(grey).shape == (2, 1, 3, 4)
    colour = np.arange(2 * 3 * 4 * 3, dtype=np.uint8).reshape(2, 3, 4, 3)
    t = Tensor.from_images(colour)
    assert t.shape == (2, 3, 3, 4)
    np.testing.assert_array_equal(t.data[1, 2], colour[1, :, :, 2] / np.float32(255))
    assert Tensor.from_images(np.full((1, 1, 1), 255, np.uint8)).data.item() == 1.0


def test_from_images_refuses_floats_and_other_ranks() -> None:
    with pytest.raises(TypeError, match="images must be uint8, got dtype float64"):
        Tensor.from_images(np.zeros((1, 2, 2)))
    with pytest.raises(ShapeError, match=r"got \(2, 2\)"):
        Tensor.from_images(np.zeros((2, 2), np.uint8))
    with pytest.raises(ShapeError, match="must have their channels last"):
        Tensor.from_images(np.zeros((2, 3, 28, 28), np.uint8))


def test_from_features() -> None:
    assert Tensor.from_features(np.zeros((5, 7))).shape == (5, 7, 1, 1)
    with pytest.raises(ShapeError, match=r"features must have shape \(B, F\), got \(5,\)"):
        Tensor.from_features(np.zeros(5))


def test_argmax_is_the_class_of_logits() -> None:
    logits = Tensor.from_features([[0.0, 2.0, 2.0], [5.0, 1.0, 0.0]])
    np.testing.assert_array_equal(logits.argmax(), [1, 0])
    assert Tensor.zeros(0, 3, 1, 1).argmax().shape == (0,)
    with pytest.raises(ValueError, match="empty tensor"):
        Tensor.zeros(2, 0, 1, 1).argmax()


def test_show_prints_an_aligned_table(capsys: pytest.CaptureFixture[str]) -> None:
    Tensor([[[[1.0, -2.5], [10.25, 0.0]]]]).show(0, 0)
    assert capsys.readouterr().out == " 1.000 -2.500\n10.250  0.000\n"
    with pytest.raises(IndexError, match="channel c must be below 1, got 3"):
        Tensor.zeros(1, 1, 1, 1).show(c=3)


def test_numpy_protocols() -> None:
    t = Tensor([[[[1.0, 2.0]]]])
    assert np.asarray(t) is t.data
    assert t.numpy() is t.data
    assert np.array(t, copy=True) is not t.data
    assert np.asarray(t, dtype=np.float64).dtype == np.float64
    assert np.shares_memory(np.from_dlpack(t), t.data)
    copied = t.copy()
    copied.data[...] = 0
    assert t.data.sum() == 3
    assert t.astype("float64").dtype == np.float64
    np.testing.assert_array_equal(t.data + t, 2 * t.data)
    np.testing.assert_array_equal(t * np.float32(3), 3 * t.data)


def test_read_only_arrays_stay_read_only() -> None:
    x = np.zeros((1, 1, 1, 1), np.float32)
    x.flags.writeable = False
    assert not Tensor(x).data.flags.writeable


def test_no_grad_nests_and_decorates() -> None:
    assert is_recording()
    with no_grad():
        assert not is_recording()
        with no_grad():
            assert not is_recording()
        assert not is_recording()
    assert is_recording()
    assert no_grad()(is_recording)() is False


def test_no_grad_ends_with_an_exception() -> None:
    with pytest.raises(RuntimeError, match="boom"), no_grad():
        raise RuntimeError("boom")
    assert is_recording()


def test_no_grad_is_the_threads_own() -> None:
    seen: list[bool] = []
    with no_grad():
        thread = threading.Thread(target=lambda: seen.append(is_recording()))
        thread.start()
        thread.join()
    assert seen == [True]


def test_a_function_without_grad_may_run_in_two_threads_at_once() -> None:
    inside, leave = threading.Barrier(2, timeout=30), [threading.Event(), threading.Event()]
    seen: list[bool] = []

    @no_grad()
    def wait(number: int) -> None:
        inside.wait()
        assert leave[number].wait(30)

    def run(number: int) -> None:
        wait(number)
        seen.append(is_recording())

    threads = [threading.Thread(target=run, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    for event, thread in zip(leave, threads, strict=True):  # the first in leaves first
        event.set()
        thread.join(30)
    assert seen == [True, True]


def test_parameter_gradients_accumulate_until_cleared() -> None:
    p = Parameter(np.zeros(3))
    assert p.grad is None
    p.add_grad(np.ones(3))
    p.add_grad(np.ones(3))
    np.testing.assert_array_equal(p.grad, [2, 2, 2])
    p.zero_grad()
    assert p.grad is None
    p.add_grad(np.ones(3))
    np.testing.assert_array_equal(p.grad, [1, 1, 1])


def test_parameter_owns_its_data_and_keeps_its_shape() -> None:
    source = np.zeros(3, np.float32)
    p = Parameter(source)
    p.data = [1, 2, 3]
    np.testing.assert_array_equal(p.data, [1, 2, 3])
    np.testing.assert_array_equal(source, 0)
    with pytest.raises(ShapeError, match=r"data must have shape \(3,\), got \(1, 3\)"):
        p.data = [[1, 2, 3]]
    with pytest.raises(ShapeError, match=r"grad must have shape \(3,\), got \(2,\)"):
        p.grad = [1, 2]
    p.grad = [1, 1, 1]
    assert p.grad is not None
    p.grad = None
    assert p.grad is None
    assert repr(p) == "Parameter(3 float32)"
    assert np.asarray(p).shape == p.shape == (3,)
    p.convert("float64")
    assert p.dtype == np.float64


@given(st.integers(-(2**24), 2**24))
def test_every_whole_number_up_to_2_to_the_24_converts(n: int) -> None:
    assert as_float_array(np.array(n, np.int64)) == n
