"""minicnn: a CNN framework as readable as a textbook, with Cython loops faster than PyTorch's.

Training a net takes a dozen lines (`Trainer` does the same with a progress bar and checkpoints):

    import minicnn as mc

    net = mc.models.toy()
    loss = mc.SoftmaxCrossEntropy()
    optimizer = mc.SGD(net.parameters(), lr=0.1, momentum=0.9)
    for x, labels in mc.DataLoader(mc.data.digits("train"), batch_size=64, shuffle=True):
        loss(net(x), labels)
        optimizer.zero_grad()
        net.backward(loss.backward())
        optimizer.step()
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

try:
    from . import kernels
except (ImportError, ValueError):  # not compiled, or the environment asks for what cannot be
    from ._missing import leave_if_command

    leave_if_command()
    raise

from . import data, init, metrics, models
from ._version import __version__
from .data import DataLoader
from .errors import CheckpointError, DataError, NonFiniteError, ShapeError
from .gradcheck import GradcheckReport, gradcheck
from .kernels import get_num_threads, set_num_threads, set_winograd, use_backend
from .layers import (
    AvgPool2D,
    BatchNorm2D,
    Concat,
    Conv2D,
    Dropout,
    Flatten,
    GlobalAvgPool2D,
    Layer,
    LeakyReLU,
    Linear,
    MaxPool2D,
    ReLU,
    Residual,
    Sequential,
    Sigmoid,
    Tanh,
)
from .losses import MSELoss, SoftmaxCrossEntropy
from .optim import SGD, Adam, AdamW
from .tensor import Parameter, Tensor, no_grad

if TYPE_CHECKING:
    from . import checkpoint, explain, image, learn, museum, plots, schedules, train
    from .checkpoint import load, save
    from .schedules import Cosine, OneCycle, StepDecay
    from .train import Callback, History, Trainer
    from .xrays import xray

# What building and running a net does not need is imported when it is first asked for.
_MODULES_LATER = (
    "checkpoint",
    "explain",
    "image",
    "learn",
    "museum",
    "plots",
    "schedules",
    "train",
)
_LATER = {
    "Callback": "train",
    "Cosine": "schedules",
    "History": "history",
    "OneCycle": "schedules",
    "StepDecay": "schedules",
    "Trainer": "train",
    "load": "checkpoint",
    "save": "checkpoint",
    "xray": "xrays",
}

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "AvgPool2D",
    "BatchNorm2D",
    "Callback",
    "CheckpointError",
    "Concat",
    "Conv2D",
    "Cosine",
    "DataError",
    "DataLoader",
    "Dropout",
    "Flatten",
    "GlobalAvgPool2D",
    "GradcheckReport",
    "History",
    "Layer",
    "LeakyReLU",
    "Linear",
    "MSELoss",
    "MaxPool2D",
    "NonFiniteError",
    "OneCycle",
    "Parameter",
    "ReLU",
    "Residual",
    "Sequential",
    "ShapeError",
    "Sigmoid",
    "SoftmaxCrossEntropy",
    "StepDecay",
    "Tanh",
    "Tensor",
    "Trainer",
    "__version__",
    "checkpoint",
    "data",
    "explain",
    "get_num_threads",
    "gradcheck",
    "image",
    "init",
    "kernels",
    "learn",
    "load",
    "metrics",
    "models",
    "museum",
    "no_grad",
    "plots",
    "save",
    "schedules",
    "set_num_threads",
    "set_winograd",
    "train",
    "use_backend",
    "xray",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES_LATER:
        return import_module(f".{name}", __name__)  # which also makes it an attribute
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_LATER[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
