"""The layers: one file each, with its shapes, its forward maths and its derivative."""

from __future__ import annotations

from .activations import LeakyReLU, Sigmoid, Tanh
from .avgpool2d import AvgPool2D, GlobalAvgPool2D
from .base import Layer, from_config
from .batchnorm2d import BatchNorm2D
from .concat import Concat
from .conv2d import Conv2D
from .dropout import Dropout
from .flatten import Flatten
from .linear import Linear
from .maxpool2d import MaxPool2D
from .relu import ReLU
from .residual import Residual
from .sequential import Sequential
from .summary import Summary

__all__ = [
    "AvgPool2D",
    "BatchNorm2D",
    "Concat",
    "Conv2D",
    "Dropout",
    "Flatten",
    "GlobalAvgPool2D",
    "Layer",
    "LeakyReLU",
    "Linear",
    "MaxPool2D",
    "ReLU",
    "Residual",
    "Sequential",
    "Sigmoid",
    "Summary",
    "Tanh",
    "from_config",
]
