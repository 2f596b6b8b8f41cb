"""Time to 98.8 % on MNIST: LeNet-5, the same recipe on both sides, from the files to the result.

Batches of 64 in a new random order each epoch, SGD with momentum 0.9, one cycle of the learning
rate over three epochs. After each epoch the 10,000 test pictures are classified, and the clock
stops when 98.8 % of them are right. It starts after the imports and before the files are read, by
the same function on both sides. Each run has a process of its own; the sides take turns, seed by
seed, from the same weights and with the same order of pictures, so that none is luckier.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

import minicnn as mc
from minicnn.data import ArrayDataset

from .goals import ACCURACY
from .nets import MOMENTUM, NETS, Array
from .peers import MINICNN, PEERS
from .settings import Settings
from .workers import alone

TARGET = 0.988
NET = next(net for net in NETS if net.name == "LeNet-5")
BATCH, EPOCHS, MAX_LR, TEST_BATCH = 64, 3, 0.05, 250
SEEDS = (0, 1, 2)


class Result(NamedTuple):
    """A run: its seconds until the target, or None, and the accuracy after each epoch."""

    seconds: float | None
    accuracies: list[float]


def run(settings: Settings) -> dict[str, Any]:
    """Measure, print; without MNIST say why not."""
    try:
        mc.data.mnist(split="test")
    except FileNotFoundError as error:
        print(f"\ntime to {TARGET:.1%}: skipped. {error}")
        return {"skipped": str(error)}
    sides = {name: side for name, side in SIDES.items() if PEERS[PEER_OF[name]].installed}
    seeds = SEEDS[:1] if settings.quick else SEEDS
    results: list[dict[str, Any]] = []
    for threads in settings.threads:
        print(f"\ntime to {TARGET:.1%} on MNIST, {NET.name}; threads: {threads}")
        runs: dict[str, list[Result]] = {name: [] for name in sides}
        for seed in seeds:
            for name, side in sides.items():
                result = alone(PEER_OF[name], side, seed, threads, threads=threads)
                runs[name].append(result)
                print(line(name, seed, result), flush=True)
        medians = {name: median(found) for name, found in runs.items()}
        print("\n".join(verdicts(medians)))
        records = {name: [r._asdict() for r in found] for name, found in runs.items()}
        results.append({"threads": threads, "runs": records, "median_seconds": medians})
    return {"net": NET.name, "target": TARGET, "seeds": seeds, "results": results}


def line(name: str, seed: int, result: Result) -> str:
    """A run in text."""
    epochs = ", ".join(f"{accuracy:.2%}" for accuracy in result.accuracies)
    seconds = "not reached" if result.seconds is None else f"{result.seconds:.2f} s"
    return f"{name:<28}seed {seed}{seconds:>13}   {epochs}"


def median(results: list[Result]) -> float | None:
    """Of the seconds; None where a run has not got there, for then a median would flatter."""
    seconds = [result.seconds for result in results if result.seconds is not None]
    return statistics.median(seconds) if len(seconds) == len(results) else None


def verdicts(medians: dict[str, float | None]) -> Iterator[str]:
    """The ratio of each side's median to minicnn's, held against the goal."""
    mine = medians[MINICNN]
    for name, seconds in medians.items():
        if name == MINICNN:
            continue
        if mine is None or seconds is None:
            yield f"{name} / minicnn: a run did not reach the target; no ratio"
            continue
        ratio = seconds / mine
        short = "  short" if ratio < ACCURACY.at_least else ""
        yield (
            f"{name} / minicnn, medians: {seconds:.2f} s / {mine:.2f} s = {ratio:.2f}"
            f" (asked: {ACCURACY.at_least:g}){short}"
        )


def until_target(start: float, epoch: Callable[[int], float]) -> Result:
    """Epoch after epoch until the target; ``epoch`` trains one and gives the accuracy."""
    accuracies = []
    for number in range(EPOCHS):
        accuracies.append(epoch(number))
        if accuracies[-1] >= TARGET:
            return Result(time.perf_counter() - start, accuracies)
    return Result(None, accuracies)


def minicnn_run(seed: int, threads: int) -> Result:
    """minicnn, its DataLoader a batch ahead where there is a thread for it."""
    mc.set_num_threads(threads)
    start = time.perf_counter()
    train, test = mc.data.mnist(split="train"), mc.data.mnist(split="test")
    ahead = 2 if threads > 1 else 0
    loader = mc.DataLoader(train, BATCH, shuffle=True, seed=seed, prefetch=ahead)
    net, loss = NET.minicnn(seed), mc.SoftmaxCrossEntropy()
    schedule = mc.OneCycle(MAX_LR, EPOCHS * len(loader))
    optimizer = mc.SGD(net.parameters(), schedule(0), momentum=MOMENTUM)

    def epoch(number: int) -> float:
        for step, (x, labels) in enumerate(loader, start=number * len(loader)):
            optimizer.lr = schedule(step)
            loss(net(x), labels)
            optimizer.zero_grad()
            net.backward(loss.backward(), need_dx=False)
            optimizer.step()
        right = 0
        for x, labels in mc.DataLoader(test, TEST_BATCH):
            right += int((net.predict(x, batch_size=TEST_BATCH).argmax() == labels).sum())
        return right / len(test)

    return until_target(start, epoch)


def pytorch_run(seed: int, threads: int, indexed: bool) -> Result:
    """PyTorch: with a DataLoader as people write it, or its tensors indexed by a permutation."""
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    torch.set_num_threads(threads)
    start = time.perf_counter()
    train, test = mc.data.mnist(split="train"), mc.data.mnist(split="test")
    order = mc.DataLoader(train, BATCH, shuffle=True, seed=seed).order  # the same on all sides
    x, labels = (torch.from_numpy(array) for array in arrays(train))
    tests = TensorDataset(*(torch.from_numpy(array) for array in arrays(test)))
    module = NET.pytorch(NET.minicnn(seed))
    optimizer = torch.optim.SGD(module.parameters(), MAX_LR, momentum=MOMENTUM)
    steps = EPOCHS * -(-len(x) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, MAX_LR, total_steps=steps, cycle_momentum=False
    )

    def batches(number: int) -> Iterator[Any]:
        if not indexed:
            sampler = order(number).tolist()
            yield from DataLoader(TensorDataset(x, labels), BATCH, sampler=sampler)
            return
        chosen: Any = torch.from_numpy(order(number))
        for indices in chosen.split(BATCH):
            yield x[indices], labels[indices]

    def test_batches() -> Iterator[Any]:
        if not indexed:
            yield from DataLoader(tests, TEST_BATCH)
            return
        tensors: Any = tests.tensors
        parts = [t.split(TEST_BATCH) for t in tensors]
        yield from zip(*parts, strict=True)

    def epoch(number: int) -> float:
        module.train()
        for pictures, numbers in batches(number):
            loss: Any = torch.nn.functional.cross_entropy(module(pictures), numbers)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        module.eval()
        with torch.no_grad():
            right = sum(int((module(a).argmax(1) == b).sum()) for a, b in test_batches())
        return right / len(tests)

    return until_target(start, epoch)


def pytorch_as_written(seed: int, threads: int) -> Result:
    """TensorDataset and DataLoader."""
    return pytorch_run(seed, threads, indexed=False)


def pytorch_at_its_best(seed: int, threads: int) -> Result:
    """Without the DataLoader, which costs more than the training of a small net."""
    return pytorch_run(seed, threads, indexed=True)


def arrays(dataset: ArrayDataset) -> tuple[Array, Array]:
    """Pictures N×1×H×W from 0 to 1, and labels."""
    return dataset.images.astype(np.float32) / np.float32(255), dataset.labels


SIDES: dict[str, Callable[[int, int], Result]] = {
    MINICNN: minicnn_run,
    "PyTorch, DataLoader": pytorch_as_written,
    "PyTorch, tensors indexed": pytorch_at_its_best,
}
PEER_OF = {name: MINICNN if name == MINICNN else "PyTorch" for name in SIDES}
