"""Nets by name: Sequentials that one can read at a glance, train, and take apart.

Each takes the number of classes and what its pictures look like, and one ``rng`` from which all its
layers draw, so that one seed gives one net.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from math import prod
from typing import Any

from .errors import describe, positive_int
from .init import Rng, as_generator
from .layers import (
    BatchNorm2D,
    Conv2D,
    Flatten,
    GlobalAvgPool2D,
    Linear,
    MaxPool2D,
    ReLU,
    Residual,
    Sequential,
)
from .layers.base import Layer, Shape


def toy(classes: int = 10, channels: int = 1, size: int = 28, *, rng: Rng = None) -> Sequential:
    """The series' layers in their smallest useful chain; 98 % on the embedded digits.

    conv 8 – ReLU – pool – conv 16 – ReLU – pool – linear, all convolutions 3×3.

    Args:
        classes: Number of outputs.
        channels: Channels of the pictures.
        size: Height and width of the pictures, at least 10.
        rng: Seed or Generator for the weights.
    """
    _check_sizes(classes=classes, channels=channels, size=size)
    generator = as_generator(rng)
    features = Sequential(
        Conv2D(channels, 8, 3, rng=generator),
        ReLU(),
        MaxPool2D(2),
        Conv2D(8, 16, 3, rng=generator),
        ReLU(),
        MaxPool2D(2),
        Flatten(),
    )
    inputs = _features(features, (1, channels, size, size))
    return features.append(Linear(inputs, classes, rng=generator))


def lenet5(classes: int = 10, channels: int = 1, size: int = 28, *, rng: Rng = None) -> Sequential:
    """LeNet-5 (LeCun et al. 1998, section II.B) with ReLU and maximum pooling, as it is taught now.

    Args:
        classes: Number of outputs.
        channels: Channels of the pictures.
        size: Height and width of the pictures, at least 12.
        rng: Seed or Generator for the weights.
    """
    _check_sizes(classes=classes, channels=channels, size=size)
    generator = as_generator(rng)
    features = Sequential(
        Conv2D(channels, 6, 5, padding=2, rng=generator),
        ReLU(),
        MaxPool2D(2),
        Conv2D(6, 16, 5, rng=generator),
        ReLU(),
        MaxPool2D(2),
        Flatten(),
    )
    inputs = _features(features, (1, channels, size, size))
    for width in (120, 84):
        features.append(Linear(inputs, width, rng=generator)).append(ReLU())
        inputs = width
    return features.append(Linear(inputs, classes, rng=generator))


def animal(
    classes: int = 3,
    channels: int = 3,
    size: int = 224,
    *,
    batch_norm: bool = False,
    rng: Rng = None,
) -> Sequential:
    """The series' own net for pictures of animals: four 3×3 convolutions of stride 2.

    Args:
        classes: Number of outputs.
        channels: Channels of the pictures.
        size: Height and width of the pictures, at least 63.
        batch_norm: Whether a BatchNorm2D follows each convolution.
        rng: Seed or Generator for the weights.
    """
    _check_sizes(classes=classes, channels=channels, size=size)
    generator = as_generator(rng)
    net = Sequential()
    widths = (channels, 16, 32, 64, 128)
    for index, (before, after) in enumerate(itertools.pairwise(widths)):
        net.append(Conv2D(before, after, 3, stride=2, rng=generator))
        if batch_norm:
            net.append(BatchNorm2D(after))
        net.append(ReLU())
        if index == 0:
            net.append(MaxPool2D(2))
    net.append(Flatten())
    return net.append(Linear(_features(net, (1, channels, size, size)), classes, rng=generator))


def vgg(classes: int = 10, channels: int = 3, size: int = 32, *, rng: Rng = None) -> Sequential:
    """A small VGG (Simonyan & Zisserman 2015): pairs of 3×3 convolutions, then pooling.

    Args:
        classes: Number of outputs.
        channels: Channels of the pictures.
        size: Height and width of the pictures, at least 4.
        rng: Seed or Generator for the weights.
    """
    _check_sizes(classes=classes, channels=channels, size=size)
    generator = as_generator(rng)
    net = Sequential()
    for before, after in ((channels, 32), (32, 64)):
        for inputs in (before, after):
            net.append(Conv2D(inputs, after, 3, padding=1, rng=generator))
            net.append(BatchNorm2D(after)).append(ReLU())
        net.append(MaxPool2D(2))
    net.append(Flatten())
    return net.append(Linear(_features(net, (1, channels, size, size)), classes, rng=generator))


def resnet(classes: int = 10, channels: int = 3, size: int = 32, *, rng: Rng = None) -> Sequential:
    """A small residual net (He et al. 2016, section 4.2, one block a stage): 16, 32, 64 channels.

    Args:
        classes: Number of outputs.
        channels: Channels of the pictures.
        size: Height and width of the pictures; any, for the last pooling is global.
        rng: Seed or Generator for the weights.
    """
    _check_sizes(classes=classes, channels=channels, size=size)
    generator = as_generator(rng)
    net = Sequential(
        Conv2D(channels, 16, 3, padding=1, bias=False, rng=generator), BatchNorm2D(16), ReLU()
    )
    for before, after, stride in ((16, 16, 1), (16, 32, 2), (32, 64, 2)):
        net.append(_residual_block(before, after, stride, generator)).append(ReLU())
    net.append(GlobalAvgPool2D()).append(Flatten())
    return net.append(Linear(64, classes, rng=generator))


def _residual_block(before: int, after: int, stride: int, rng: Rng) -> Residual:
    """Two 3×3 convolutions and what goes past them; a 1×1 convolution where the shape changes."""
    shortcut: Layer | None = None
    if stride != 1 or before != after:
        shortcut = Sequential(
            Conv2D(before, after, 1, stride=stride, bias=False, rng=rng), BatchNorm2D(after)
        )
    return Residual(
        Conv2D(before, after, 3, stride=stride, padding=1, bias=False, rng=rng),
        BatchNorm2D(after),
        ReLU(),
        Conv2D(after, after, 3, padding=1, bias=False, rng=rng),
        BatchNorm2D(after),
        shortcut=shortcut,
    )


def _check_sizes(**sizes: Any) -> None:
    """Refuse what a layer inside would refuse under a name that the caller has not used."""
    for name, value in sizes.items():
        positive_int(value, name)


def _features(layers: Sequential, in_shape: Shape) -> int:
    """How many values per picture come out of these layers."""
    return prod(layers.output_shape(in_shape)[1:])


MODELS: dict[str, Callable[..., Sequential]] = {
    "toy": toy,
    "lenet5": lenet5,
    "animal": animal,
    "vgg": vgg,
    "resnet": resnet,
}
"""All nets by name."""


def build(name: str, **options: Any) -> Sequential:
    """A net by name, such as ``build("toy", classes=10, rng=0)``.

    Raises:
        ValueError: there is no such name.
    """
    if name not in MODELS:
        raise ValueError(f"model must be one of {', '.join(MODELS)}, got {describe(name)}")
    return MODELS[name](**options)
