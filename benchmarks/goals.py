"""What is asked for: the peer's time over minicnn's, for every work that is measured.

One table. A ratio at or past ``at_least`` will do; ``stretch`` is the one to be proud of.
"""

from __future__ import annotations

from typing import NamedTuple

PYTORCH = "PyTorch"  # as people write it: eager, N×C×H×W
BEST = "PyTorch at its best"  # the fastest of eager, channels_last and compiled
ONNX_RUNTIME = "ONNX Runtime"


class Goal(NamedTuple):
    """The ratio that is asked for, and the one that would be finer."""

    at_least: float
    stretch: float | None = None


NET_NAMES = ("toy", "LeNet-5", "conv32-64", "animal", "small VGG")


def _row(at_least: tuple[float, ...], stretch: tuple[float, ...]) -> dict[str, Goal]:
    """A goal for each of the nets, in the order of NET_NAMES."""
    goals = map(Goal, at_least, stretch)
    return dict(zip(NET_NAMES, goals, strict=True))


# "infer" is a batch of 64, "infer 1" a single picture.
NETS: dict[tuple[str, str], dict[str, Goal]] = {
    ("train", PYTORCH): _row((3, 2.2, 1.25, 1.7, 1.3), (4, 3, 1.6, 2.3, 1.8)),
    ("train", BEST): _row((2.5, 1.8, 1.15, 1.2, 1.15), (3.5, 2.6, 1.5, 1.6, 1.5)),
    ("infer", PYTORCH): _row((4.5, 2.8, 1.5, 2.2, 1.5), (6, 4, 2.2, 3, 2.2)),
    ("infer 1", PYTORCH): _row((1.5,) * 5, (3,) * 5),
    ("infer", ONNX_RUNTIME): _row((0.7,) * 5, (1.1,) * 5),
    ("infer 1", ONNX_RUNTIME): _row((0.5,) * 5, (1.1,) * 5),
}

OPERATORS = {
    "MaxPool2D 2×2 s2 forward": Goal(15, 30),
    "MaxPool2D 2×2 s2 backward": Goal(1, 2),
    "MaxPool2D 3×3 s2 forward": Goal(5, 15),
    "MaxPool2D 3×3 s2 backward": Goal(1, 2),
    "ReLU forward": Goal(1),
    "ReLU backward": Goal(1),
    "BatchNorm2D forward": Goal(5, 10),
    "BatchNorm2D backward": Goal(2, 4),
    "cross entropy 64×10": Goal(2, 5),
    "cross entropy 64×1000": Goal(2, 5),
}

# The part of the roofline's limit that an operator should reach; others have no goal there.
ROOFLINE = {"ReLU forward": 0.8, "ReLU backward": 0.8}

ACCURACY = Goal(2.5, 4)  # time to 98.8 % on MNIST
LOADER = Goal(5)  # pictures a second: the loader alone, over what training the toy net takes
MEMORY = Goal(1)  # of a training: the peer's over minicnn's
OVERHEAD = 3.0  # microseconds that a layer may take in a pass, its kernel's call left out
TWO_THREADS = Goal(1.7)  # one thread's time over that of two, on the larger nets
LARGER_NETS = NET_NAMES[2:]


def convolution(inputs: int) -> Goal:
    """Of a convolution alone, with so many input channels."""
    return Goal(1 if inputs >= 32 else 0.8, 1.5)


def of_net(net: str, work: str, batch: int, peer: str) -> Goal | None:
    """The goal of a net's row; None where none is set."""
    kind = "infer 1" if work == "infer" and batch == 1 else work
    return NETS.get((kind, peer), {}).get(net)
