"""A copy of a net, to be watched; and what goes in and comes out of one that is explained."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import ShapeError, describe
from ..layers import AvgPool2D, Layer, LeakyReLU, MaxPool2D, ReLU, Sequential
from ..layers.using import as_pictures
from ..tensor import FloatArray, Tensor

Plane = npt.NDArray[np.float64]


class Twin:
    """A copy of a net whose layers can be watched: neighbours that are watched work apart.

    Attributes:
        net: The copy.
        inner: Its layers by path, the net itself left out.
        names: For each path the names on the way, joined by dots.
        inputs, outputs, gradients: Of the watched layers, x, y and dL/dy, by path, as passes went
            by.
        dx: The gradient with respect to the pictures.
    """

    def __init__(self, net: Layer, training: bool = False) -> None:
        self.original = net.named_layers()
        self.net = copy.deepcopy(net).train(training)
        self.names = dict(_names(net))
        layers = self.net.named_layers()
        self.inner = {p: layer for p, layer in layers.items() if p or len(layers) == 1}
        self.inputs: dict[str, FloatArray] = {}
        self.outputs: dict[str, FloatArray] = {}
        self.gradients: dict[str, FloatArray] = {}
        self.dx: FloatArray | None = None

    def path_of(self, layer: str | Layer) -> str:
        """The path of a layer that is given by name, by path or itself.

        Raises:
            TypeError: it is neither a string nor a layer.
            KeyError: there is no such layer.
        """
        if not isinstance(layer, (str, Layer)):
            raise TypeError(f"layer must be a name, a path or a layer, got {describe(layer)}")
        for path, own in self.original.items():
            if path in self.inner and (layer is own or layer in (path, self.names[path])):
                return path
        known = ", ".join(self.names[path] for path in self.inner)
        raise KeyError(f"no layer is {describe(layer)}; there are {known}")

    def watch(self, path: str) -> None:
        """Note what the layer makes, and the gradient that comes back to it."""
        layer = self.inner[path]
        forward, backward = layer._forward, layer._backward

        def watched_forward(x: FloatArray, **fused: bool) -> FloatArray:
            self.inputs[path] = np.array(x)
            y = forward(x, **fused)
            self.outputs[path] = np.array(y)
            return y

        def watched_backward(dy: FloatArray, need_dx: bool) -> FloatArray | None:
            self.gradients[path] = np.array(dy)
            return backward(dy, need_dx)

        _replace(layer, watched_forward, watched_backward)

    def watch_all(self) -> None:
        """Watch every layer that does more than to chain others."""
        for path, layer in self.inner.items():
            if not isinstance(layer, Sequential):
                self.watch(path)

    def guide(self) -> None:
        """Let every ReLU and LeakyReLU send back only what is positive."""
        for layer in self.inner.values():
            if isinstance(layer, (ReLU, LeakyReLU)):
                _replace(layer, layer._forward, _positive(layer._backward))

    def last_with_places(self, pictures: FloatArray) -> str:
        """The last layer to finish that has several places, and neither pools nor only chains."""
        scout = Twin(self.net)
        scout.watch_all()
        scout.net.forward(pictures[:1])
        found = [
            path
            for path, y in scout.outputs.items()
            if y.shape[2] * y.shape[3] > 1
            and not isinstance(scout.inner[path], (MaxPool2D, AvgPool2D))
        ]
        if not found:
            raise ShapeError("no layer of the net makes a map of more than one place")
        return found[-1]

    def score(
        self, pictures: FloatArray, target: int | npt.ArrayLike | None
    ) -> tuple[npt.NDArray[np.int64], Plane]:
        """Run forward, and back from the score of the target: (classes, their scores)."""
        logits = logits_of(self.net.forward(pictures).data)
        classes = targets(target, logits)
        rows = np.arange(len(pictures))
        dy = np.zeros((*logits.shape, 1, 1), logits.dtype)
        dy[rows, classes] = 1
        dx = self.net.backward(dy)
        assert dx is not None
        self.dx = dx.data
        return classes, logits[rows, classes].astype(np.float64)


def _replace(layer: Any, forward: Callable[..., Any], backward: Callable[..., Any]) -> None:
    """Put functions in the place of a layer's own; `layers.pairs` then leaves it alone."""
    layer._forward, layer._backward = forward, backward


def _positive(backward: Callable[..., Any]) -> Callable[..., Any]:
    def guided(dy: FloatArray, need_dx: bool) -> FloatArray | None:
        dx = backward(dy, need_dx)
        return None if dx is None else np.maximum(dx, 0)

    return guided


def _names(layer: Layer, path: str = "", name: str = "") -> Iterator[tuple[str, str]]:
    """(path, name) of a layer and all inside it: its own name in place of its number."""
    yield path, name or layer.label
    for key, child in layer.children().items():
        own = child.name if key.isdigit() and child.name else key
        inner = f"{path}.{key}" if path else key
        yield from _names(child, inner, f"{name}.{own}" if name else own)


def pictures_of(net: Layer, x: Tensor | npt.ArrayLike) -> FloatArray:
    """One picture or several as B×C×H×W in the dtype of the weights; 8-bit ones as `predict` does.

    Raises:
        TypeError: net is no layer.
        ShapeError: x has another shape.
    """
    if not isinstance(net, Layer):
        raise TypeError(f"net must be a minicnn layer, got {describe(net)}")
    array = np.asarray(x.data if isinstance(x, Tensor) else x)
    if array.dtype == np.uint8:
        array = as_pictures(array)
    if array.ndim == 3:
        array = array[np.newaxis]
    if array.ndim != 4 or array.size == 0:
        raise ShapeError(f"x must have shape (B, C, H, W) or (C, H, W), got {array.shape}")
    return Tensor(array, dtype=net.dtype or array.dtype).data


def logits_of(y: FloatArray) -> FloatArray:
    if y.ndim != 4 or y.shape[2:] != (1, 1):
        raise ShapeError(f"the net must make scores (B, K, 1, 1), it makes {y.shape}")
    return y[:, :, 0, 0]


def targets(target: int | npt.ArrayLike | None, logits: FloatArray) -> npt.NDArray[np.int64]:
    """A class for each picture."""
    B, K = logits.shape
    if target is None:
        return np.asarray(logits.argmax(axis=1), np.int64)
    given = np.asarray(target)
    if given.dtype.kind not in "iu" or given.shape not in ((), (B,)):
        raise ValueError(f"target must be a class, or one for each of {B}, got {describe(target)}")
    classes: npt.NDArray[np.int64] = np.broadcast_to(given, (B,)).astype(np.int64)
    if classes.min() < 0 or classes.max() >= K:
        raise ValueError(f"target must be from 0 to {K - 1}, got {describe(target)}")
    return classes
