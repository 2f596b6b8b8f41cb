"""The five nets that are measured, in one description from which every peer builds its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

import minicnn as mc

Array = npt.NDArray[Any]


class Conv(NamedTuple):
    """A convolution."""

    inputs: int
    outputs: int
    size: int
    stride: int = 1
    padding: int = 0


class Norm(NamedTuple):
    """Batch normalisation."""

    channels: int


class Full(NamedTuple):
    """A fully connected layer; what comes in is flattened."""

    inputs: int
    outputs: int


LR, MOMENTUM = 0.01, 0.9  # of every training
WEIGHTS = ("weight", "bias", "running_mean", "running_var")  # of any layer, in ONNX's order

RELU, POOL = "relu", "pool"  # maximum pooling 2×2
Part = Conv | Norm | Full | str


@dataclass(frozen=True)
class Net:
    """A net: its name, the pictures it takes, the batch it is trained with, its layers."""

    name: str
    picture: tuple[int, int, int]
    batch: int
    parts: tuple[Part, ...]

    @property
    def classes(self) -> int:
        """Outputs of the last layer."""
        last = self.parts[-1]
        assert isinstance(last, Full)
        return last.outputs

    @property
    def convolutions(self) -> Iterator[tuple[Conv, tuple[int, int]]]:
        """Each convolution with the height and width of what it gets."""
        _, H, W = self.picture
        for part in self.parts:
            if isinstance(part, Conv):
                yield part, (H, W)
                H, W = ((n + 2 * part.padding - part.size) // part.stride + 1 for n in (H, W))
            elif part == POOL:
                H, W = H // 2, W // 2

    def minicnn(self, seed: int = 0) -> mc.Sequential:
        """The net in minicnn; one seed gives the same weights in every process."""
        layers: list[mc.Layer] = []
        for part in self.parts:
            if isinstance(part, Full) and not any(isinstance(x, mc.Linear) for x in layers):
                layers.append(mc.Flatten())
            layers.append(_layer(part, 100 * seed + len(layers)))
        return mc.Sequential(*layers)

    def pytorch(self, net: mc.Sequential) -> Any:
        """The net in PyTorch, with the weights of ``net``."""
        import torch

        layers: list[Any] = []
        nn = torch.nn
        for part in self.parts:
            if isinstance(part, Conv):
                layers.append(nn.Conv2d(*part[:3], stride=part.stride, padding=part.padding))
            elif isinstance(part, Norm):
                layers.append(nn.BatchNorm2d(part.channels))
            elif isinstance(part, Full):
                if not any(isinstance(layer, nn.Linear) for layer in layers):
                    layers.append(nn.Flatten())
                layers.append(nn.Linear(part.inputs, part.outputs))
            else:
                layers.append(nn.ReLU() if part == RELU else nn.MaxPool2d(2))
        twin = nn.Sequential(*layers)
        twin.load_state_dict({k: torch.from_numpy(v) for k, v in net.state_dict().items()})
        return twin


class Task(NamedTuple):
    """What all sides do: train a net, a step at a time, or infer with it, on so many pictures."""

    net: Net
    work: Literal["train", "infer"]
    batch: int

    @property
    def name(self) -> str:
        """As rows are named."""
        if self.work == "train" and self.batch == self.net.batch:
            return f"train {self.net.name}"
        return f"{self.work} {self.net.name}, batch {self.batch}"

    def data(self) -> tuple[Array, Array]:
        """Pictures and labels: the same in every process."""
        rng = np.random.default_rng(0)
        x = rng.standard_normal((self.batch, *self.net.picture), dtype=np.float32)
        return x, rng.integers(0, self.net.classes, self.batch)


def _layer(part: Part, seed: int) -> mc.Layer:
    if isinstance(part, Conv):
        return mc.Conv2D(*part[:3], stride=part.stride, padding=part.padding, rng=seed)
    if isinstance(part, Norm):
        return mc.BatchNorm2D(part.channels)
    if isinstance(part, Full):
        return mc.Linear(part.inputs, part.outputs, rng=seed)
    return mc.ReLU() if part == RELU else mc.MaxPool2D(2)


def _block(inputs: int, outputs: int) -> tuple[Part, ...]:
    return Conv(inputs, outputs, 3, padding=1), Norm(outputs), RELU


NETS = (
    Net(
        "toy",
        (1, 28, 28),
        64,
        (Conv(1, 8, 3), RELU, POOL, Conv(8, 16, 3), RELU, POOL, Full(400, 10)),
    ),
    Net(
        "LeNet-5",
        (1, 28, 28),
        64,
        (
            *(Conv(1, 6, 5, padding=2), RELU, POOL, Conv(6, 16, 5), RELU, POOL),
            *(Full(400, 120), RELU, Full(120, 84), RELU, Full(84, 10)),
        ),
    ),
    Net(
        "conv32-64",
        (1, 28, 28),
        64,
        (Conv(1, 32, 3), RELU, Conv(32, 64, 3), RELU, POOL, Full(9216, 128), RELU, Full(128, 10)),
    ),
    Net(
        "animal",
        (3, 224, 224),
        4,
        (
            *(Conv(3, 16, 3, 2), RELU, POOL, Conv(16, 32, 3, 2), RELU),
            *(Conv(32, 64, 3, 2), RELU, Conv(64, 128, 3, 2), RELU, Full(4608, 3)),
        ),
    ),
    Net(
        "small VGG",
        (3, 32, 32),
        64,
        (
            *(*_block(3, 32), *_block(32, 32), POOL),
            *(*_block(32, 64), *_block(64, 64), POOL, Full(4096, 10)),
        ),
    ),
)
