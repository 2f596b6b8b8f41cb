"""A training small enough to be run many times, with everything that a resume has to carry over.

Run as a script it trains into a checkpoint and, if told so, kills itself on the way:

    python small_training.py CHECKPOINT [--kill-after STEPS] [--resume]
"""

from __future__ import annotations

import argparse
import os
import signal
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import minicnn as mc
from minicnn.train import Callback

BATCHES = 7
EPOCHS = 6


class Killed(Exception):  # noqa: N818 (not an error of the program)
    """Stands for a kill, within one process."""


class KillAfter(Callback):
    """Ends the run after a step, before that step can be saved."""

    def __init__(self, step: int, *, really: bool = False) -> None:
        self.step = step
        self.really = really

    def on_step_end(self, trainer: mc.Trainer) -> None:
        if trainer.step == self.step:
            if self.really:
                os.kill(os.getpid(), signal.SIGKILL)
            raise Killed


def noise(images: npt.NDArray[Any], rng: np.random.Generator) -> npt.NDArray[Any]:
    """Augmentation: noise."""
    return images + rng.normal(0, 0.1, images.shape).astype(np.float32)


def dataset(count: int, seed: int) -> mc.data.ArrayDataset:
    """Pictures of noise with a bright row; the class says which."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, count)
    images = rng.random((count, 1, 8, 8), dtype=np.float32)
    images[np.arange(count), 0, 2 * labels + 1] += 1
    return mc.data.ArrayDataset(images, labels, ["a", "b", "c"])


def small_net(seed: int = 0) -> mc.Sequential:
    """Convolution, batch norm, pooling and dropout; 3 classes."""
    rng = np.random.default_rng(seed)
    return mc.Sequential(
        mc.Conv2D(1, 4, 3, rng=rng),
        mc.BatchNorm2D(4),
        mc.ReLU(),
        mc.MaxPool2D(2),
        mc.Dropout(0.3, rng=rng),
        mc.Flatten(),
        mc.Linear(36, 3, rng=rng),
    )


def loaders(prefetch: int = 0, seed: int = 5) -> tuple[mc.DataLoader, mc.DataLoader]:
    """Training data of 6 batches of 8 and one of 2; validation data of 3 batches."""
    train = mc.DataLoader(
        dataset(50, 1), 8, shuffle=True, seed=seed, augment=noise, prefetch=prefetch
    )
    return train, mc.DataLoader(dataset(20, 2), 8, shuffle=True)


def trainer(seed: int = 0, optimizer: str = "sgd", **options: Any) -> mc.Trainer:
    """A trainer of `small_net` with a schedule and clipping."""
    net = small_net(seed)
    schedule: mc.Cosine
    if optimizer == "sgd":
        schedule = mc.Cosine(0.1, total_steps=BATCHES * EPOCHS, warmup_steps=3)
        chosen: Any = mc.SGD(net.parameters(), 0.1, momentum=0.9, nesterov=True, weight_decay=1e-3)
    else:
        schedule = mc.Cosine(0.01, total_steps=BATCHES * EPOCHS, warmup_steps=3)
        chosen = mc.AdamW(net.parameters(), 0.01)
    loss = mc.SoftmaxCrossEntropy(label_smoothing=0.1)
    return mc.Trainer(
        net, loss, chosen, **{"schedule": schedule, "clip_norm": 1.0, "progress": False, **options}
    )


def lasting(path: Path) -> dict[str, bytes]:
    """The entries of a checkpoint, without what a clock measured."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist() if name != "timing.json"}


def main() -> None:
    """The script."""
    parser = argparse.ArgumentParser()
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--kill-after", type=int)
    parser.add_argument("--resume", action="store_true")
    options = parser.parse_args()
    callbacks = [] if options.kill_after is None else [KillAfter(options.kill_after, really=True)]
    this = trainer(
        seed=int(options.resume),  # what a resume finds in memory must not matter
        callbacks=callbacks,
        checkpoint=options.checkpoint,
        checkpoint_every=1,
    )
    train, valid = loaders(prefetch=2)
    this.fit(train, valid, EPOCHS, resume=options.checkpoint if options.resume else None)


if __name__ == "__main__":
    main()
