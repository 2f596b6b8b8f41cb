"""An x-ray of batch normalisation: are the statistics that evaluation uses those of the data?

    report = xray(net, DataLoader(train, 64), DataLoader(test, 256))
    print(report)

A net with batch norm that is good in training and bad at test time has one of two illnesses, which
look alike. Either its running statistics are not those of the data (never saved, never updated, of
other pictures): a **mode bug**. Or they are, and it has learnt its pictures by heart:
**overfitting**. The x-ray measures the statistics of all the data, the population's, and compares.

The population's statistics are those of a net whose every layer normalises by its batch, as in
training, pooled over all batches (Wu & Johnson, "Rethinking 'batch' in BatchNorm", 2021,
section 3, "PreciseBN").
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .errors import describe, finite_float
from .layers import BatchNorm2D, Layer
from .layers.using import in_evaluation
from .tensor import FloatArray, Tensor

Batches = Iterable[tuple[Tensor, npt.NDArray[np.int64]]]
Statistics = tuple[FloatArray, FloatArray]
"""Mean and variance of each channel, float64."""

GAP = 0.05  # of the accuracy, from where on it is a symptom


@dataclass(frozen=True)
class LayerXray:
    """What was found in one batch normalisation.

    Attributes:
        name: Where it is in the net.
        batch, running, population: (mean, variance) of each channel: of the first batch, of what
            evaluation uses, and of all the data.
        noise: How far the batch's are from the population's: see `distance`.
        error: How far the running ones are.
        ok: Whether that is within the tolerance.
    """

    name: str
    batch: Statistics
    running: Statistics
    population: Statistics
    noise: float
    error: float
    ok: bool


@dataclass(frozen=True)
class Xray:
    """What was found in a net; ``str`` of it is a table with the verdict.

    Attributes:
        layers: One entry for each batch normalisation.
        accuracy: On the data, with the running statistics, as evaluation has it.
        own_accuracy: The same with each batch's own statistics.
        test_accuracy: On the other data, with the running statistics; None: there were none.
        verdict: "mode bug", "overfitting" or "fine".
    """

    layers: tuple[LayerXray, ...]
    accuracy: float
    own_accuracy: float
    test_accuracy: float | None
    verdict: str

    def __str__(self) -> str:
        width = max(len(layer.name) for layer in self.layers)
        lines = [f"{'layer':<{width}}  batch off by  running off by"]
        for layer in self.layers:
            mark = "" if layer.ok else "  not those of the data"
            lines.append(f"{layer.name:<{width}}  {layer.noise:12.2f}  {layer.error:14.2f}{mark}")
        lines.append(
            f"accuracy {100 * self.accuracy:.1f} % with the running statistics, "
            f"{100 * self.own_accuracy:.1f} % with each batch's own"
        )
        if self.test_accuracy is not None:
            lines.append(f"accuracy {100 * self.test_accuracy:.1f} % on the other data")
        return "\n".join([*lines, self.verdict])


def xray(net: Layer, data: Batches, test: Batches | None = None, tolerance: float = 0.5) -> Xray:
    """Compare the statistics of all batch normalisations of a net, and say what is wrong.

    The net is left as it was: mode, statistics and all.

    Args:
        net: A classifier with at least one BatchNorm2D.
        data: What it was trained on, in batches (x, labels): a `DataLoader`, say. It is gone
            through twice, and its batches should be mixed as they were in training.
        test: Other data; without them overfitting cannot be seen.
        tolerance: The largest `distance` that running statistics may have.

    Raises:
        ValueError: there is no BatchNorm2D in the net, or no batch in the data.
        TypeError: data can be gone through only once.
    """
    norms = {
        name: layer for name, layer in net.named_layers().items() if isinstance(layer, BatchNorm2D)
    }
    if not norms:
        raise ValueError("xray: there is no BatchNorm2D in the net")
    if isinstance(data, Iterator):
        raise TypeError(
            f"xray: data must be a DataLoader or a list of batches, for it is gone through twice; "
            f"got {describe(data)}"
        )
    tolerance = finite_float(tolerance, "tolerance", above=0)
    running = {name: _statistics(norm) for name, norm in norms.items()}
    accuracy = _accuracy(net.predict, data)
    seen: dict[str, list[tuple[int, Statistics]]] = {name: [] for name in norms}

    def answer(x: Tensor) -> Tensor:
        y = net(x)
        for name, norm in norms.items():
            seen[name].append(_seen(norm))
        return y

    with _own_statistics(net, norms.values()):
        own_accuracy = _accuracy(answer, data)
    layers = tuple(_layer(name, running[name], seen[name], tolerance) for name in norms)
    test_accuracy = None if test is None else _accuracy(net.predict, test)
    ill = not all(layer.ok for layer in layers) or own_accuracy - accuracy > GAP
    if ill:
        verdict = "mode bug: evaluation does not use the statistics of the data"
    elif test_accuracy is not None and accuracy - test_accuracy > GAP:
        verdict = "overfitting: the statistics are right, and other data are not recognised"
    else:
        verdict = "fine: nothing wrong was found"
    return Xray(layers, accuracy, own_accuracy, test_accuracy, verdict)


def distance(got: Statistics, right: Statistics) -> float:
    """How far statistics are off, of the worst channel: 0 is right, 1 a standard deviation.

    The larger of ``|mean − right mean|`` in standard deviations, and ``|log₂|`` of the quotient of
    the standard deviations: 1 for twice or half.
    """
    (mean, variance), (right_mean, right_variance) = got, right
    floor = 1e-5
    shift = np.abs(mean - right_mean) / np.sqrt(right_variance + floor)
    stretch = np.abs(np.log2((variance + floor) / (right_variance + floor))) / 2
    return float(max(shift.max(), stretch.max()))


@contextlib.contextmanager
def _own_statistics(net: Layer, norms: Iterable[BatchNorm2D]) -> Iterator[None]:
    """In this block batch normalisations take their batch's statistics, and show them.

    With a momentum of 1 the running statistics are those of the last batch. Everything else, such
    as dropout, is in evaluation mode.
    """
    kept = [(norm, norm.momentum, copy.deepcopy(norm.state_dict())) for norm in norms]
    with in_evaluation(net):
        try:
            for norm, _, _ in kept:
                norm.training, norm.momentum = True, 1.0
            yield
        finally:
            for norm, momentum, state in kept:
                norm.momentum = momentum
                norm.load_state_dict(state)


def _accuracy(answer: Callable[[Tensor], Tensor], data: Batches) -> float:
    """The share of the data that is right."""
    right = total = 0
    for x, labels in data:
        answers = answer(x).argmax()
        right += int((answers == np.asarray(labels)).sum())
        total += len(answers)
    if not total:
        raise ValueError("xray: there is no batch in the data")
    return right / total


def _seen(norm: BatchNorm2D) -> tuple[int, Statistics]:
    """The last batch: its count, mean, and variance divided by N; running ones have N − 1."""
    assert norm._in_shape is not None
    B, _, H, W = norm._in_shape
    mean, variance = _statistics(norm)
    N = B * H * W
    return N, (mean, variance * (N - 1) / N)


def _statistics(norm: BatchNorm2D) -> Statistics:
    return norm.running_mean.astype(np.float64), norm.running_var.astype(np.float64)


def _layer(
    name: str, running: Statistics, seen: list[tuple[int, Statistics]], tolerance: float
) -> LayerXray:
    """Pool the batches: E[x] and E[x²] of all values, from those of each batch."""
    counts = np.array([[N] for N, _ in seen], np.float64)
    means = np.array([mean for _, (mean, _) in seen])
    squares = np.array([variance + mean**2 for _, (mean, variance) in seen])
    mean = (counts * means).sum(axis=0) / counts.sum()
    variance = np.maximum((counts * squares).sum(axis=0) / counts.sum() - mean**2, 0)
    population = mean, variance
    error = distance(running, population)
    batch = seen[0][1]
    noise = distance(batch, population)
    return LayerXray(name, batch, running, population, noise, error, error <= tolerance)
