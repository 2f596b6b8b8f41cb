"""What went through a net: each layer's output, and the gradient that came back to it."""

from __future__ import annotations

import copy
from typing import NamedTuple

import numpy.typing as npt

from ..layers import Layer
from ..losses import Loss
from ..tensor import FloatArray, Tensor
from .twin import Twin, pictures_of


def activations(net: Layer, x: Tensor | npt.ArrayLike) -> dict[str, FloatArray]:
    """What each layer makes of x in evaluation mode, in order, by its name: B×C×H×W each.

    Args:
        net: Any net.
        x: A picture C×H×W, or several, B×C×H×W.
    """
    pictures = pictures_of(net, x)
    twin = Twin(net)
    twin.watch_all()
    twin.net.forward(pictures)
    return {twin.names[path]: y for path, y in twin.outputs.items()}


def gradients(
    net: Layer, x: Tensor | npt.ArrayLike, loss: Loss, labels: npt.ArrayLike
) -> dict[str, FloatArray]:
    """dL/dy of each layer's output y in training mode, in the order of `activations`, by its name.

    Args:
        net: Any net.
        x: B×C×H×W.
        loss: What is derived.
        labels: What the loss compares with.
    """
    pictures = pictures_of(net, x)
    twin = Twin(net, training=True)
    twin.watch_all()
    measure = copy.deepcopy(loss)
    measure(twin.net.forward(pictures), labels)
    twin.net.backward(measure.backward())
    return {twin.names[path]: twin.gradients[path] for path in twin.outputs}


class Flow(NamedTuple):
    """What went through a layer: its input x, its output y, and what came back to it, dy."""

    x: FloatArray
    y: FloatArray
    dy: FloatArray


def flow(
    net: Layer, x: Tensor | npt.ArrayLike, target: int | npt.ArrayLike | None = None
) -> dict[str, Flow]:
    """What went through each layer in evaluation mode, with the gradients of a class's score.

    Args:
        net: A classifier, B×C×H×W to B×K×1×1.
        x: A picture C×H×W, or several, B×C×H×W.
        target: The class, or one for each picture; None: the one with the highest score.

    Raises:
        ShapeError: x or the output has another shape.
        ValueError: target is no class.
    """
    pictures = pictures_of(net, x)
    twin = Twin(net)
    twin.watch_all()
    twin.score(pictures, target)
    return {
        twin.names[path]: Flow(twin.inputs[path], twin.outputs[path], twin.gradients[path])
        for path in twin.outputs
    }


def layer_names(net: Layer) -> dict[str, Layer]:
    """The layers of a net by the names that `activations` and `gradcam` know them by."""
    twin = Twin(net)
    return {twin.names[path]: twin.original[path] for path in twin.inner}
