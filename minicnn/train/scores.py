"""Loss and accuracy over many batches, each picture counting once whatever its batch's size."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ..layers.base import Layer
from ..layers.using import evaluator
from ..losses import Loss
from ..tensor import Tensor, no_grad


class Batches(Protocol):
    """What training runs over: a `DataLoader`, or a list of (pictures, targets) pairs."""

    def __len__(self) -> int:
        """The number of batches."""
        ...

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        """Batches: B×C×H×W pictures (Tensor or array), and what the loss compares with."""
        ...


@dataclass
class Scores:
    """Sums over the batches so far, and the means that follow from them.

    Attributes:
        loss_sum: Sum of the losses of all pictures.
        images: How many pictures there were.
        correct: How many of them were classified rightly.
        labelled: How many had a class label, without which nothing is right or wrong.
    """

    loss_sum: float = 0.0
    images: int = 0
    correct: int = 0
    labelled: int = 0

    def add(self, loss: float, outputs: Tensor, targets: Any) -> None:
        """Count a batch: its mean loss, the net's outputs, and the targets."""
        self.loss_sum += loss * outputs.B
        self.images += outputs.B
        labels = np.asarray(targets)
        if labels.ndim == 1 and labels.dtype.kind in "iu":
            self.labelled += outputs.B
            self.correct += int(np.count_nonzero(outputs.argmax() == labels))

    @property
    def loss(self) -> float:
        """The mean loss; NaN of no pictures."""
        return self.loss_sum / self.images if self.images else float("nan")

    @property
    def accuracy(self) -> float | None:
        """The share of pictures classified rightly; None where no targets are class labels."""
        return self.correct / self.labelled if self.labelled else None


@contextlib.contextmanager
def opened(batches: Batches, done: int = 0) -> Iterator[Iterator[tuple[Any, Any]]]:
    """A pass over ``batches`` that is closed at the end of the block, with any thread it has.

    With ``done``, the pass goes on after so many batches: a data loader knows where it stands, and
    in a list, or whatever else has no ``load_state_dict``, they are passed over.
    """
    iterator = iter(batches)
    try:
        if not hasattr(batches, "load_state_dict"):
            for _ in range(done):
                next(iterator, None)
        yield iterator
    finally:
        close = getattr(iterator, "close", None)
        if close is not None:
            close()


def evaluate(
    net: Layer,
    loss: Loss,
    batches: Batches,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> Scores:
    """Loss and accuracy of ``net``, in evaluation mode and without recording.

    Args:
        net: The net; its mode stays as it is.
        loss: The loss.
        batches: Pictures and targets.
        is_cancelled: Asked after each batch; True ends it early.

    Returns:
        The sums and means over all pictures.
    """
    scores, forward = Scores(), evaluator(net)
    with no_grad(), opened(batches) as iterator:
        for x, targets in iterator:
            outputs = Tensor(forward(x))
            scores.add(loss(outputs, targets), outputs, targets)
            if is_cancelled():
                break
    return scores
