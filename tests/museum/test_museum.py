"""The museum: every mistake is caught, and nothing that is right is."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest

import minicnn as mc
from minicnn import museum
from minicnn.museum import Exhibit
from minicnn.museum.checks import same

EVERY = pytest.mark.parametrize("bug", museum.exhibits(), ids=lambda bug: bug.name)

# What the check of each says, in part: the symptom, not just any failure.
SAYS = {
    "pool-assigns": "1, expected 9",
    "pool-pads-zero": "0, expected -1",
    "dropout-same-places": "channel 4 is never dropped",
    "dropout-unscaled": "x: 96 of 96 entries",
    "bn-mode-by-recording": "eval() and recording at (0, 0, 0, 0)",
    "bn-sums": "weight: 2 of 2 entries",
    "stale-buffer": "shape (4, 1, 2, 2), expected (1, 1, 2, 2)",
    "log-of-zero": "nan, expected 0",
    "same-seed": "the same weights",
    "cam-of-activations": "hottest at (3, 3)",
    "im2col-square": "kernel of 2×3",
    "conv-far-edge": "stride 2, 6×6: x:",
    "adam-multiplies": "expected -0.01",
    "raw-weights": "running_mean",
    "alarm-at-kinks": "false alarm",
}


def test_names_are_unique_and_all_are_described() -> None:
    assert {bug.name for bug in museum.exhibits()} == set(SAYS)
    assert len(museum.exhibits()) == len(SAYS) >= 12


@EVERY
def test_the_right_one_passes(bug: Exhibit) -> None:
    bug.check(bug.right)
    assert bug.caught(bug.right) is None


@EVERY
def test_the_wrong_one_is_caught(bug: Exhibit) -> None:
    said = bug.caught()
    assert said is not None
    assert SAYS[bug.name] in said


@pytest.mark.parametrize("subject", [mc.SoftmaxCrossEntropy(), mc.Adam([mc.Parameter(np.ones(1))])])
def test_a_loss_or_an_optimizer_can_have_one(subject: object) -> None:
    name = "log-of-zero" if isinstance(subject, mc.SoftmaxCrossEntropy) else "adam-multiplies"
    right = type(subject)
    with museum.exhibit(name).on(subject) as same_object:
        assert same_object is subject
        assert type(subject) is museum.exhibit(name).wrong
    assert type(subject) is right


def test_a_net_has_it_in_the_block_and_is_right_again_after_it() -> None:
    net = mc.Sequential(mc.Conv2D(1, 2, 3, rng=0), mc.ReLU(), mc.Residual(mc.MaxPool2D(3, 1, 1)))
    x = np.random.default_rng(0).normal(size=(1, 1, 7, 7))
    before = net(x).data
    bug = museum.exhibit("pool-assigns")
    with bug.on(net):
        np.testing.assert_array_equal(net(x).data, before)  # forward is right
        assert not mc.gradcheck(net, x).ok
    assert mc.gradcheck(net, x).ok
    pool = next(each for each in net.named_layers().values() if isinstance(each, mc.MaxPool2D))
    with pytest.raises(RuntimeError, match="backward"):
        pool.backward(np.ones((1, 2, 5, 5)))  # what it knew of the wrong pass is forgotten
    with contextlib.suppress(KeyError), bug.on(net):
        raise KeyError
    assert type(pool) is mc.MaxPool2D


@EVERY
def test_every_one_can_be_switched_on_by_itself(bug: Exhibit) -> None:
    with bug.on() as it:
        assert it is bug.wrong
        assert SAYS[bug.name] in str(bug.caught(it))


def test_a_module_has_it_in_the_block_and_is_right_again_after_it() -> None:
    bug = museum.exhibit("same-seed")
    with bug.on(mc) as module:
        assert module is mc
        first, second = mc.Conv2D(1, 2, 3), mc.Conv2D(1, 2, 3)
    assert np.array_equal(first.weight.data, second.weight.data)
    assert mc.Conv2D is bug.right
    with contextlib.suppress(KeyError), museum.exhibit("im2col-square").on(museum.tools):
        assert museum.tools.im2col is museum.tools.square_im2col
        raise KeyError
    assert museum.tools.im2col is museum.exhibit("im2col-square").right
    with (
        pytest.raises(ValueError, match="needs an im2col, and there is none in minicnn"),
        museum.exhibit("im2col-square").on(mc),
    ):
        pass


def test_what_cannot_be_switched_on_says_so() -> None:
    with pytest.raises(ValueError, match="pool-assigns needs a MaxPool2D"):
        museum.exhibit("pool-assigns").on(mc.Sequential(mc.ReLU())).__enter__()
    with pytest.raises(ValueError, match="adam-multiplies needs an Adam, and there is none in"):
        museum.exhibit("adam-multiplies").on(mc.Sequential(mc.ReLU())).__enter__()
    with pytest.raises(TypeError, match="im2col-square is not a layer, loss or optimizer; take"):
        museum.exhibit("im2col-square").on(mc.ReLU()).__enter__()
    with pytest.raises(TypeError, match="same-seed happens when an object is made; take what"):
        museum.exhibit("same-seed").on(mc.Conv2D(1, 1, 3)).__enter__()
    with pytest.raises(KeyError, match="there are pool-assigns"):
        museum.exhibit("pool")


def test_a_log_of_zero_is_no_overflow() -> None:
    loss = museum.exhibit("log-of-zero").wrong()

    def of(gap: float, label: int) -> float:
        return float(loss(np.array([[0, gap]], np.float32), [label]))

    assert of(103, 0) == pytest.approx(103, rel=0.01)  # past e⁸⁹, which overflows
    assert of(103, 1) == 0
    assert of(104, 0) == np.inf  # very wrong
    assert np.isnan(of(104, 1))  # very sure, and right
    assert of(1e30, 0) == np.inf


def test_an_exhibit_prints_as_its_label() -> None:
    assert str(museum.exhibit("log-of-zero")).splitlines() == [
        "log-of-zero: cross entropy is computed as −Σ t·log p",
        "  NaN where the net is very sure, infinity where it is very wrong (lesson 7)",
    ]


def test_the_first_difference_is_named() -> None:
    same("y", [1.0, np.nan], [1.0, np.nan])
    with pytest.raises(
        AssertionError, match=r"^y at \(0, 1\): 5, expected 2; 1 of 2 values differ"
    ):
        same("y", [[1.0, 5.0]], [[1.0, 2.0]])
    with pytest.raises(AssertionError, match=r"y: shape \(1,\), expected \(2,\)"):
        same("y", [1.0], [1.0, 2.0])
    with pytest.raises(
        AssertionError, match=r"y: None, where an array of shape \(2,\) was expected"
    ):
        same("y", None, [1.0, 2.0])
    with pytest.raises(AssertionError, match="y: None, where a number was expected"):
        same("y", None, 1.0)
