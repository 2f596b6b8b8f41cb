"""Blocks of memory for gradients: lent while an array refers to them, never to two at a time."""

from __future__ import annotations

import numpy as np
import pytest

import minicnn as mc
from minicnn.layers.memory import Blocks

FLOAT = np.dtype(np.float32)


def test_a_block_is_lent_again_once_nothing_refers_to_it() -> None:
    blocks = Blocks()
    first = blocks.borrow((2, 3), FLOAT)
    view = first[1:].reshape(-1)
    at = first.ctypes.data
    del first
    second = blocks.borrow((2, 3), FLOAT)  # the view still needs the first
    assert not np.shares_memory(view, second)
    del view
    again = blocks.borrow((6,), FLOAT)
    assert again.ctypes.data == at
    assert not np.shares_memory(again, second)


def test_the_smallest_block_that_has_room_is_lent() -> None:
    blocks = Blocks()
    arrays = [blocks.borrow((size,), FLOAT) for size in (100, 10, 50)]
    places = {array.size: array.ctypes.data for array in arrays}
    del arrays
    taken = blocks.borrow((20,), FLOAT)
    assert taken.shape == (20,)
    assert taken.ctypes.data == places[50]
    assert blocks.borrow((0, 4), FLOAT).shape == (0, 4)


def test_a_larger_block_takes_the_place_of_an_idle_one() -> None:
    blocks = Blocks()
    for size in (10, 1000, 100):
        assert blocks.borrow((size,), FLOAT).shape == (size,)
    assert [block.size for block in blocks._blocks] == [1000]
    assert blocks.borrow((7,), np.dtype(np.float64)).dtype == np.float64
    assert [block.dtype for block in blocks._blocks] == [np.float64]


def deep(*more: mc.Layer) -> mc.Sequential:
    pairs = [layer for k in range(6) for layer in (mc.Conv2D(2, 2, 1, rng=k), mc.Tanh())]
    return mc.Sequential(*pairs, *more)


def test_a_chain_of_layers_shares_two_blocks() -> None:
    net, x = deep(), np.ones((3, 2, 5, 5), np.float32)
    for _ in range(2):
        net.backward(net(x))
        assert [block.size for block in net._blocks._blocks] == [x.size, x.size]
    net = deep()
    with mc.no_grad():
        net(x)
    assert [block.size for block in net._blocks._blocks] == [x.size, x.size]
    assert not any(layer._buffers for layer in net)


def test_blocks_inside_are_those_of_the_net() -> None:
    inner = mc.Residual(mc.Conv2D(2, 2, 1, rng=0), mc.Tanh())
    branches = mc.Concat(mc.Conv2D(2, 1, 1, rng=1), mc.Conv2D(2, 1, 1, rng=2))
    net = deep(inner, branches, mc.Tanh())
    net.backward(net(np.ones((3, 2, 5, 5), np.float32)))
    assert (
        len(net._blocks._blocks) <= 5
    )  # of Concat: dy, its cut, what came of it, of the last, their sum
    for name, layer in net.named_layers().items():
        assert not name or not layer._blocks._blocks


@pytest.mark.parametrize("recording", [True, False])
def test_what_somebody_keeps_is_not_overwritten(recording: bool) -> None:
    """A watcher that keeps what flows by keeps its values."""
    net, seen = deep(), []

    def watch(layer: mc.Layer) -> None:
        name = "_backward" if recording else "_forward"
        inner = getattr(layer, name)

        def watched(value: np.ndarray, *need_dx: bool) -> np.ndarray:
            result = inner(value, *need_dx)
            seen.append((result, result.copy()))
            return result

        setattr(layer, name, watched)

    for layer in net:
        watch(layer)
    x = np.random.default_rng(0).standard_normal((3, 2, 5, 5)).astype(np.float32)
    for _ in range(2):
        if recording:
            net.backward(net(x))
        else:
            with mc.no_grad():
                net(x)
    assert len(seen) == 24
    for kept, copy in seen:
        np.testing.assert_array_equal(kept, copy)
