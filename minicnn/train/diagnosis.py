"""Where a NaN comes from: the batch is run again, layer by layer, until the first one is found."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from ..layers.base import Layer
from ..losses import Loss

Array = npt.NDArray[Any]

IN_BATCH = "the batch itself"
"""How `find_not_finite` begins when the data are to blame."""


class Rewind:
    """Takes back what a forward pass in training mode leaves behind in a net.

    That is BatchNorm2D's running statistics and the states of Dropout's generators: with both put
    back, a second pass over the same batch sees the same numbers.

    Args:
        net: The net, whose layers must stay the same.
    """

    def __init__(self, net: Layer) -> None:
        layers = net.named_layers().values()
        self._places = [(layer, name) for layer in layers for name in layer.state_names]
        self._generators = [layer.rng for layer in layers if hasattr(layer, "rng")]
        self._arrays: list[Array] = []
        self._states: list[Any] = []

    def mark(self) -> None:
        """Remember how things are now."""
        self._arrays = [getattr(layer, name).copy() for layer, name in self._places]
        self._states = [generator.bit_generator.state for generator in self._generators]

    def back(self) -> None:
        """Make them as they were at `mark`."""
        for (layer, name), array in zip(self._places, self._arrays, strict=True):
            getattr(layer, name)[...] = array
        for generator, state in zip(self._generators, self._states, strict=True):
            generator.bit_generator.state = state


def find_not_finite(net: Layer, loss: Loss, x: Any, targets: Any, rewind: Rewind) -> str:
    """Say in words which number was the first that is NaN or infinite, for this batch.

    Looks in the order of cause and effect: weights, pictures, the outputs in the order of forward,
    the loss, and the gradients in the order of backward. The net is left as ``rewind`` has marked
    it, its gradients aside.
    """
    rewind.back()
    found = in_state(net)
    if found is None and (fault := _fault(np.asarray(x))):
        found = f"{IN_BATCH}: its pictures hold {fault}"
    if found is None:
        with _watch(net) as seen:
            outputs = net.forward(x)
            value = loss(outputs, targets)
            if not seen and not np.isfinite(value):
                seen.append(f"the loss itself, {value}, of outputs that are all finite")
            if not seen:
                gradient = loss.backward()
                if fault := _fault(gradient.data):
                    seen.append(f"the loss's gradient, which holds {fault}")
            if not seen:
                net.zero_grad()
                net.backward(gradient, need_dx=False)
        found = seen[0] if seen else "not found: a second run of the same batch was all finite"
        rewind.back()
    return found


def in_state(net: Layer) -> str | None:
    """The first parameter or running statistic that is not all finite, in words, or None."""
    for path, layer in net.named_layers().items():
        for name in (*layer.parameter_names, *layer.state_names):
            value = getattr(layer, name)
            if value is not None and (fault := _fault(np.asarray(value))):
                return f"{name} of {_call(path, layer)}, which holds {fault}"
    return None


@contextlib.contextmanager
def _watch(net: Layer) -> Iterator[list[str]]:
    """In this block, every layer's results are looked at as they come; the list says what is bad.

    Layers inside a container finish before it does, so the first entry names the innermost one.
    """
    seen: list[str] = []
    layers = net.named_layers()
    for path, layer in layers.items():
        vars(layer)["_forward"] = _watched_forward(_call(path, layer), layer, seen)
        vars(layer)["_backward"] = _watched_backward(_call(path, layer), layer, seen)
    try:
        yield seen
    finally:
        for layer in layers.values():
            del vars(layer)["_forward"], vars(layer)["_backward"]


def _watched_forward(name: str, layer: Layer, seen: list[str]) -> Callable[[Array], Array]:
    forward = layer._forward

    def run(x: Array) -> Array:
        y = forward(x)
        if not seen and (fault := _fault(y)):
            seen.append(f"the output of {name}, which holds {fault}")
        return y

    return run


def _watched_backward(
    name: str, layer: Layer, seen: list[str]
) -> Callable[[Array, bool], Array | None]:
    backward = layer._backward

    def run(dy: Array, need_dx: bool) -> Array | None:
        dx = backward(dy, need_dx)
        for key in layer.parameter_names:
            grad = getattr(getattr(layer, key), "grad", None)
            if not seen and grad is not None and (fault := _fault(grad)):
                seen.append(f"the gradient of {key} of {name}, which holds {fault}")
        if dx is not None and not seen and (fault := _fault(dx)):
            seen.append(f"the gradient that {name} hands back, which holds {fault}")
        return dx

    return run


def _call(path: str, layer: Layer) -> str:
    return f"layer {path} ({layer.label})" if path else layer.label


def _fault(array: Array) -> str | None:
    """Which values of ``array`` are NaN or infinite, in words; None if all are finite."""
    if array.dtype.kind != "f":
        return None
    finite = np.isfinite(array)
    if finite.all():
        return None
    first = np.unravel_index(int(np.argmin(finite)), array.shape)
    where = ", ".join(map(str, map(int, first)))
    count = array.size - int(np.count_nonzero(finite))
    return f"{array[first]} at ({where}) ({count} of {array.size} values are not finite)"
