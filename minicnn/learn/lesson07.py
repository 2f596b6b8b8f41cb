"""What the exercises of lesson 7, linear, softmax, cross-entropy, must do."""

from __future__ import annotations

import ast
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ..losses import SoftmaxCrossEntropy
from ..museum.checks import same
from .exercise import Exercise

X = np.array([1.0, 2.0, -1.0]).reshape(1, 3, 1, 1)
W = np.array([[0.5, -1.0, 2.0], [1.0, 0.0, 3.0]])
Z = np.array([[2.0, 1.0, -1.0], [0.0, 0.0, 0.0], [-3.0, 4.0, 1.0]])
LABELS = np.array([1, 2, 1])


def sums_of_the_lesson(own: ModuleType) -> None:
    """The lesson's numbers: y = (−3, −2)"""
    same("y", own.forward(X, W, np.array([0.5, 0.0])), [[-3, -2]])


def gradients_of_the_lesson(own: ModuleType) -> None:
    """… and its gradients"""
    dx, dw, dbias = own.backward(np.array([[1.0, -2.0]]), X, W)
    same("dx", dx, np.reshape([-1.5, -1, -4], X.shape))
    same("dw", dw, [[1, 2, -1], [-2, -4, 2]])
    same("dbias", dbias, [1, -2])


def adjoint(own: ModuleType) -> None:
    """Backward is the derivative of forward, for any batch of pictures"""
    rng = np.random.default_rng(0)
    for shape, O in (((1, 4, 1, 1), 3), ((5, 2, 2, 3), 4)):  # noqa: E741
        I = int(np.prod(shape[1:]))  # noqa: E741
        x, w, b, dy = (rng.normal(size=s) for s in (shape, (O, I), (O,), (shape[0], O)))
        gradients = own.backward(dy, x, w)
        assert len(gradients) == 3, f"backward returns {len(gradients)} arrays, expected 3"
        for n, (name, array) in enumerate((("dx", x), ("dw", w), ("dbias", b))):
            quotient = np.empty_like(array)
            for index in np.ndindex(*array.shape):
                ends = []
                for step in (1e-6, -1e-6):
                    moved = [x, w, b]
                    moved[n] = array.copy()
                    moved[n][index] += step
                    ends.append((own.forward(*moved) * dy).sum())
                quotient[index] = (ends[0] - ends[1]) / 2e-6
            where = "×".join(map(str, shape))
            same(f"{name} for x of {where}", gradients[n], quotient, 1e-6)


def without_a_loop(own: ModuleType) -> None:
    """There is no loop"""
    kinds = (ast.For, ast.While, ast.comprehension)
    for node in ast.walk(ast.parse(Path(str(own.__file__)).read_text(encoding="utf-8"))):
        if isinstance(node, kinds):
            line = getattr(node, "lineno", None) or node.target.lineno  # type: ignore[union-attr]
            raise AssertionError(f"line {line} loops; a matrix product does it at once")


def rows_add_up(own: ModuleType) -> None:
    """Probabilities: every row adds up to 1, and larger scores get more"""
    p = own.softmax(Z)
    same("sums of the rows", p.sum(axis=1), np.ones(3))
    same("p for equal scores", p[1], np.full(3, 1 / 3))
    same("p[0, 0] / p[0, 1]", p[0, 0] / p[0, 1], np.e)


def quiet_for_any_score(own: ModuleType) -> None:
    """Scores of ±1000: right, and without a warning"""
    z = np.array([[1000.0, 0.0], [-1000.0, 0.0]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        same("softmax", own.softmax(z), [[1, 0], [0, 1]])
        same("loss of what is right", own.loss(z, [0, 1]), 0)
        same("loss of what is wrong", own.loss(z, [1, 0]), 1000)
        same("gradient", own.gradient(z, [1, 0]), [[0.5, -0.5], [-0.5, 0.5]])


def value_of_the_lesson(own: ModuleType) -> None:
    """Scores 60, 0, 0 and label 1: the loss is 60"""
    same("loss", own.loss(np.array([[60.0, 0.0, 0.0]]), [1]), 60)


def measured(z: Any, labels: Any) -> tuple[float, Any]:
    measure = SoftmaxCrossEntropy()
    return measure(z, labels), measure.backward().data[:, :, 0, 0]


def as_the_loss(own: ModuleType) -> None:
    """A batch: value and gradient as SoftmaxCrossEntropy has them"""
    value, gradient = measured(Z, LABELS)
    same("loss", own.loss(Z, LABELS), value)
    same("gradient", own.gradient(Z, LABELS), gradient)


def leaves_scores_alone(own: ModuleType) -> None:
    """The scores are not changed"""
    z = Z.copy()
    own.softmax(z)
    own.loss(z, LABELS)
    own.gradient(z, LABELS)
    same("z afterwards", z, Z)


def yes_or_no(own: ModuleType) -> None:
    """A yes-or-no question: as two classes with the scores z and 0"""
    z, answers = np.array([2.0, -1.0, 0.0, 3.0]), np.array([1, 1, 0, 0])
    value, gradient = measured(np.stack([z, np.zeros(4)], axis=1), 1 - answers)
    same("yes_no_loss", own.yes_no_loss(z, answers), value)
    same("yes_no_gradient", own.yes_no_gradient(z, answers), gradient[:, 0])


def quiet_yes_or_no(own: ModuleType) -> None:
    """… and for scores of ±1000, without a warning"""
    z = np.array([1000.0, -1000.0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        same("yes_no_loss of what is right", own.yes_no_loss(z, np.array([1, 0])), 0)
        same("yes_no_loss of what is wrong", own.yes_no_loss(z, np.array([0, 1])), 1000)
        same("yes_no_gradient", own.yes_no_gradient(z, np.array([0, 1])), [0.5, -0.5])


def one_picture(own: ModuleType) -> None:
    """A batch of one, as before"""
    value, gradient = measured(Z[:1], LABELS[:1])
    got, dz = own.loss_and_gradient(Z[:1], LABELS[:1])
    same("loss", got, value)
    same("gradient", dz, gradient)


def more_pictures(own: ModuleType) -> None:
    """The loss of a batch of three"""
    same("loss", own.loss_and_gradient(Z, LABELS)[0], measured(Z, LABELS)[0])


def gradient_of_more(own: ModuleType) -> None:
    """… and its gradient"""
    same("gradient", own.loss_and_gradient(Z, LABELS)[1], measured(Z, LABELS)[1])


EXERCISES = (
    Exercise(
        "linear",
        "Write the linear layer, forward and backward.",
        (sums_of_the_lesson, gradients_of_the_lesson, adjoint, without_a_loop),
    ),
    Exercise(
        "cross_entropy",
        "Write softmax, cross-entropy and its gradient, and the same for yes or no.",
        (
            rows_add_up,
            value_of_the_lesson,
            as_the_loss,
            quiet_for_any_score,
            leaves_scores_alone,
            yes_or_no,
            quiet_yes_or_no,
        ),
    ),
    Exercise(
        "planted_bug",
        "Mend two mistakes in a loss.",
        (one_picture, more_pictures, gradient_of_more),
    ),
)
