"""What the exercises of lesson 11, what did it learn, must do."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

from .. import explain
from ..layers import Conv2D, Flatten, GlobalAvgPool2D, Linear, ReLU, Sequential
from ..metrics import confusion_matrix
from ..museum.checks import same
from .exercise import Exercise

# The lesson's two maps: one speaks for the class, a louder one against it.
A = np.array([[[1.0, 0.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 5.0]]])
DA = np.array([[[0.4, 0.4], [0.4, 0.4]], [[-0.2, -0.2], [-0.2, -0.2]]])


def random(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(size=shape)


def weights_by_hand(own: ModuleType) -> None:
    """The weights of the lesson's two maps: 0.4 and −0.2"""
    same("weights", own.weights(DA), [0.4, -0.2])


def a_mean_of_unequal_places(own: ModuleType) -> None:
    """A map's weight is a mean over its places, however many there are"""
    dA = random(3, 4, 7)
    same("weights", own.weights(dA), [dA[c].sum() / 28 for c in range(3)])


def heat_by_hand(own: ModuleType) -> None:
    """What speaks against the class has no heat, however loud it is"""
    same("heat", own.heat(A, DA), [[0.4, 0], [0, 0]])


def maps_cancel(own: ModuleType) -> None:
    """Maps are added up before what is negative is dropped"""
    both = np.array([[[2.0]], [[3.0]]])
    same("heat", own.heat(both, np.array([[[1.0]], [[-0.5]]])), [[0.5]])


def as_explain_has_it(own: ModuleType) -> None:
    """On a net: the heat of the layer behind which the picture has its own size"""
    net = Sequential(Conv2D(1, 5, 3, padding=1, rng=0), ReLU(), GlobalAvgPool2D(), Flatten())
    net = Sequential(*net, Linear(5, 3, rng=1)).astype(np.float64)
    x = random(1, 1, 6, 8)
    through = explain.flow(net, x, 2)["relu1"]
    expected = explain.gradcam(net, x, 2, "relu1").heat[0]
    same("heat", own.heat(through.y[0], through.dy[0]), expected)


def squares(own: ModuleType) -> None:
    """stretch makes a square of every value"""
    got = own.stretch(np.array([[1.0, 2.0]]), 2)
    same("stretched", got, [[1, 1, 2, 2], [1, 1, 2, 2]])


def one_pixel_matters(own: ModuleType) -> None:
    """If the score is one pixel, only windows that cover it have a fall"""
    picture = np.ones((3, 3))
    got = own.occlusion(lambda x: float(x[0, 0]), picture, 1, 1)
    same("heat", got, [[1, 0, 0], [0, 0, 0], [0, 0, 0]])


def mean_over_windows(own: ModuleType) -> None:
    """A pixel's heat is the mean over the windows that cover it"""
    got = own.occlusion(lambda x: float(x[0, 0]), np.ones((1, 3)), 1, 1)
    same("heat for windows of one pixel", got, [[1, 0, 0]])
    picture = np.ones((3, 3))
    got = own.occlusion(lambda x: float(x[1, 1]) + float(x[0, 0]), picture, 2, 1)
    same("heat for windows 2×2", got, [[2, 1.5, 1], [1.5, 1.25, 1], [1, 1, 1]])


def what_helps_is_negative(own: ModuleType) -> None:
    """Where covering raises the score the heat is below 0"""
    got = own.occlusion(lambda x: -float(x[0, 1]), np.ones((1, 2)), 1, 1)
    same("heat", got, [[0, -1]])


def strides_and_edges(own: ModuleType) -> None:
    """Windows lie within the picture whole; what none covers has 0"""
    got = own.occlusion(lambda x: float(x.sum()), np.ones((5, 5)), 2, 2)
    expected = np.zeros((5, 5))
    expected[:4, :4] = 4
    same("heat", got, expected)


def picture_untouched(own: ModuleType) -> None:
    """The picture is as it was afterwards"""
    picture = random(4, 4)
    before = picture.copy()
    own.occlusion(lambda x: float(x.sum()), picture, 2, 1)
    same("picture", picture, before)


SCORES = np.array([[9.0, 0, 0], [4, 0, 0], [0, 3, 2], [0, 1, 7], [2, 0, 0], [5, 0, 0]])
TRUE = np.array([0, 0, 1, 1, 2, 1])


def counts(own: ModuleType) -> None:
    """Every picture is counted"""
    same("matrix", own.confusion(SCORES, TRUE), confusion_matrix(SCORES, TRUE, 3))


def both_questions(own: ModuleType) -> None:
    """Precision and recall of the lesson's small matrix"""
    precision, recall = own.precision_recall(np.array([[8, 0], [1, 1]]))
    same("precision", precision, [8 / 9, 1])
    same("recall", recall, [1, 1 / 2])


def surest_first(own: ModuleType) -> None:
    """The mistakes that the net was surest of come first"""
    same("mistakes", own.surest_mistakes(SCORES, TRUE, 3), [3, 5, 4])
    # By the probability of the right answer these two would change places.
    scores = np.array([[3.0, 2.9, 0, 0], [3, 0, 2, 2]])
    same("mistakes", own.surest_mistakes(scores, np.array([1, 1]), 2), [1, 0])


EXERCISES = (
    Exercise(
        "grad_cam",
        "Write Grad-CAM: weights of the maps, heat, and a stretch to the picture's size.",
        (
            weights_by_hand,
            a_mean_of_unequal_places,
            heat_by_hand,
            maps_cancel,
            as_explain_has_it,
            squares,
        ),
    ),
    Exercise(
        "occlusion",
        "Write occlusion: cover a window, and note how far the score falls.",
        (
            one_pixel_matters,
            mean_over_windows,
            what_helps_is_negative,
            strides_and_edges,
            picture_untouched,
        ),
    ),
    Exercise(
        "planted_bug",
        "Find three planted bugs in a report of mistakes.",
        (counts, both_questions, surest_first),
    ),
)
