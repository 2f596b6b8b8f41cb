"""What neighbours in a Sequential do in one pass over memory. The numbers stay the same.

    Conv2D, ReLU        the convolution stores max(y, 0) at once; the ReLU has nothing left to do
    BatchNorm2D, ReLU   the same; and backward, the normalisation drops what the ReLU would stop
    ReLU, MaxPool2D     backward, the pooling drops the gradients that the ReLU would stop: it knows
                        the winners, and a winner of 0 or less is one that the ReLU had cut off

A layer of another class, a subclass too, is left alone, and so is one whose ``_forward`` somebody
has put a function of their own around, to see what goes in and out. Every layer on its own does its
own work.
"""

from __future__ import annotations

from collections.abc import Sequence

from .base import Layer
from .batchnorm2d import BatchNorm2D
from .conv2d import Conv2D
from .maxpool2d import MaxPool2D
from .relu import ReLU


def together(layers: Sequence[Layer]) -> list[dict[str, bool]]:
    """For each layer the options that its ``_forward`` is to be given."""
    options: list[dict[str, bool]] = [{} for _ in layers]
    for k, layer in enumerate(layers):
        if not plain(layer, ReLU):
            continue
        if k > 0 and plain(layers[k - 1], BatchNorm2D):
            options[k - 1]["relu"] = options[k]["done"] = options[k]["routed"] = True
            continue
        if k > 0 and plain(layers[k - 1], Conv2D):
            options[k - 1]["relu"] = options[k]["done"] = True
        if k + 1 < len(layers) and plain(layers[k + 1], MaxPool2D):
            options[k]["routed"] = options[k + 1]["after_relu"] = True
    return options


def plain(layer: Layer, cls: type[Layer]) -> bool:
    """Whether a layer is of this class itself, and nobody watches its forward pass."""
    return type(layer) is cls and "_forward" not in vars(layer)
