"""Whether the trainer waits for data: pictures a second of the loader, and of the toy net.

The loader runs alone, on one thread, over the embedded digits; the toy net's training step is timed
beside it. Augmentation is what the digits can take: a shift by up to two pixels, and a rotation.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from functools import partial
from typing import Any

import minicnn as mc
from minicnn.data import augment

from .goals import LOADER
from .nets import NETS, Task
from .peers import minicnn_side
from .settings import Settings, in_process
from .timing import Timer, sample, summarise, take_turns

STEP = "training step of the toy net"
BATCH = NETS[0].batch
AUGMENTATIONS = {
    "DataLoader": None,
    "DataLoader, shifts": augment.RandomShift(2),
    "DataLoader, shifts and rotations": augment.Compose(
        augment.RandomShift(2), augment.RandomRotation(10)
    ),
}


def run(settings: Settings) -> list[dict[str, Any]]:
    """Measure and print."""
    digits = mc.data.digits("train")
    with in_process(1):
        timers: dict[str, Timer] = {STEP: partial(sample, minicnn_side(training(), 1))}
        for name, augmentation in AUGMENTATIONS.items():
            loader = mc.DataLoader(digits, BATCH, shuffle=True, augment=augmentation)
            timers[name] = Passes(loader)
        samples = take_turns(timers, settings.repetitions)
    rates = {name: BATCH / summarise(values).median for name, values in samples.items()}
    print(f"\n{'loading, one thread':<36}{'pictures/s':>12}{'of what the net takes':>24}")
    for name, rate in rates.items():
        ratio = rate / rates[STEP]
        short = f"  short of {LOADER.at_least:g}" if 1 != ratio < LOADER.at_least else ""
        print(f"{name:<36}{rate:>12,.0f}{ratio:>23.1f}×{short}")
    return [{"name": name, "pictures_per_second": rate} for name, rate in rates.items()]


def training() -> Task:
    """The toy net's training."""
    return Task(NETS[0], "train", BATCH)


class Passes:
    """A `Timer` of a loader: the seconds that a batch takes, over whole passes without end."""

    def __init__(self, loader: Iterable[Any]) -> None:
        self._loader = loader
        self._batches = iter(loader)

    def __call__(self, calls: int) -> float:
        start = time.perf_counter()
        for _ in range(calls):
            if next(self._batches, None) is None:
                self._batches = iter(self._loader)
                next(self._batches)
        return (time.perf_counter() - start) / calls
