"""One training step of the toy net, minicnn beside PyTorch.

    python -m benchmarks.toy_step [--repetitions 51] [--threads 1 2]

The step is forward, softmax cross-entropy, backward and SGD with momentum 0.9 on a batch of 64
embedded digits. Both start from the same weights, and it is checked that the losses of five steps
agree before anything is timed. The two sides then take turns, and medians are compared: on a busy
machine the ratio means something, a single time does not. PyTorch runs as people write it (eager,
NCHW).
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np

import minicnn as mc

try:
    import torch
except ImportError:
    torch = None  # type: ignore[assignment]

BATCH = 64


def ours(net: mc.Sequential, x: mc.Tensor, labels: np.ndarray) -> Callable[[], float]:
    """A training step of minicnn; returns the loss."""
    loss = mc.SoftmaxCrossEntropy()
    optimizer = mc.SGD(net.parameters(), lr=0.05, momentum=0.9)

    def step() -> float:
        value = loss(net(x), labels)
        optimizer.zero_grad()
        net.backward(loss.backward(), need_dx=False)
        optimizer.step()
        return value

    return step


def theirs(net: mc.Sequential, x: mc.Tensor, labels: np.ndarray) -> Callable[[], float]:
    """The same step in PyTorch, from the same weights."""
    nn = torch.nn
    twin = nn.Sequential(
        nn.Conv2d(1, 8, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(400, 10),
    )
    twin.load_state_dict({k: torch.from_numpy(v) for k, v in net.state_dict().items()})
    optimizer = torch.optim.SGD(twin.parameters(), lr=0.05, momentum=0.9)
    pictures, targets = torch.from_numpy(x.numpy()), torch.from_numpy(labels)

    def step() -> float:
        loss = nn.functional.cross_entropy(twin(pictures), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def compare(threads: int, repetitions: int) -> None:
    """Check, then time, and print a line."""
    mc.set_num_threads(threads)
    digits = mc.data.digits("train")
    pictures, labels = digits.batch(np.arange(BATCH))
    x = mc.Tensor(pictures)
    net = mc.models.toy(rng=0)
    if torch is None:
        step = ours(net, x, labels)
        print(f"threads {threads}   minicnn {median_ms([step], repetitions)[0]:7.3f} ms")
        return
    torch.set_num_threads(threads)
    sides = [ours(net, x, labels), theirs(net, x, labels)]
    for _ in range(5):
        mine, other = (side() for side in sides)
        if abs(mine - other) > 1e-3 * max(1.0, abs(other)):
            raise SystemExit(f"the two sides disagree: losses {mine} and {other}")
    mine, other = median_ms(sides, repetitions)
    print(
        f"threads {threads}   minicnn {mine:7.3f} ms   PyTorch {other:7.3f} ms   "
        f"PyTorch / minicnn {other / mine:5.2f}"
    )


def median_ms(sides: list[Callable[[], float]], repetitions: int) -> list[float]:
    """Median milliseconds of each side, the sides taking turns."""
    times: list[list[float]] = [[] for _ in sides]
    for round_ in range(repetitions + 5):
        for side, record in zip(sides, times, strict=True):
            start = time.perf_counter()
            side()
            if round_ >= 5:
                record.append((time.perf_counter() - start) * 1e3)
    return [statistics.median(record) for record in times]


def main() -> None:
    """Compare for each number of threads."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.toy_step", description=__doc__)
    parser.add_argument("--repetitions", type=int, default=51)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    args = parser.parse_args()
    for threads in args.threads:
        compare(threads, args.repetitions)


if __name__ == "__main__":
    main()
