"""``minicnn train``: data, net, training, pictures, one number at the end."""

from __future__ import annotations

import argparse
import dataclasses
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .. import checkpoint, kernels, models, plots
from ..data import DataLoader
from ..data.base import Dataset
from ..errors import CheckpointError, ShapeError, UsageError
from ..history import History
from ..layers import Layer
from ..layers.using import evaluator
from ..losses import SoftmaxCrossEntropy
from ..metrics import accuracy, confusion_matrix
from ..optim import SGD, Adam, AdamW, Optimizer
from ..schedules import Constant, Cosine, OneCycle, Schedule, StepDecay
from ..train import Callback, Trainer
from ..train.bar import is_wanted
from . import runs
from .say import say
from .sources import NAMES, SIZES, Source, canonical, edge, loaders

Options = dict[str, Any]

DEFAULTS: Options = {
    "data": "digits",
    "root": None,
    "download": False,
    "size": None,
    "grayscale": False,
    "invert": False,
    "valid": 0.1,
    "model": "toy",
    "epochs": 10,
    "batch_size": 64,
    "optimizer": "sgd",
    "lr": None,
    "weight_decay": 0.0,
    "schedule": "onecycle",
    "label_smoothing": 0.0,
    "clip_norm": None,
    "patience": None,
    "augment": "shift",
    "fill": "auto",
    "seed": 0,
}
"""What a run is made of: kept with it, and given back by --resume."""

BEFORE: Options = {"invert": False, "fill": 0.0}
"""What runs were made of that do not say, since they are older than these options."""

FEW_STEPS, ENOUGH_STEPS = 20, 300
"""An epoch of fewer steps is warned of, if the run has fewer than enough and the batch size was not
chosen."""

LEARNING_RATES = {"sgd": 0.1, "adam": 3e-3, "adamw": 3e-3}
"""Peak learning rates that suit the small nets here and batches of 64."""

MAY_CHANGE = ("epochs", "root", "download")
"""Options that may differ when a run is resumed. A folder of pictures may also have been moved."""


def run(args: argparse.Namespace) -> int:
    """Train, and leave everything in a run folder."""
    given = {name: value for name, value in vars(args).items() if name in DEFAULTS}
    if "data" in given:
        given["data"] = canonical(given["data"])
    if args.resume is None:
        options = complete({**DEFAULTS, **given})
        folder = None
    else:
        folder = Path(args.resume)
        options = options_of(folder, given, args.out)
    source = source_of(options)
    for name in ("size", "grayscale", "invert"):
        if not source.is_folder and name in given:
            raise UsageError(f"--{name} is for a folder of pictures, not {source.data}")
    if options["augment"] == "none" and "fill" in given:
        raise UsageError("--fill is for --augment; with none, nothing comes in from outside")
    train, valid, test = source.for_training()
    if options["fill"] == "auto":
        looks = source.is_folder and options["augment"] != "none"
        options["fill"] = edge(train) if looks else 0.0
    net = build_net(options, train)
    folder = folder or runs.new_run(args.out, options["data"], options["model"])
    args.folder = folder  # for the message at Ctrl-C
    if not args.quiet:
        say_start(folder, net, train, valid, test, options)
    trainer, batches = make_trainer(folder, net, train, valid, options, args)
    if args.resume is None and "batch_size" not in given:
        warn_of_few_steps(len(batches[0]), options)
    history = trainer.fit(
        batches[0],
        batches[1],
        options["epochs"],
        resume=folder / runs.CHECKPOINT if args.resume is not None else None,
    )
    trainer.restore_best()
    accuracy = write_up(folder, net, test, history)
    if not args.quiet:
        say_end(folder, history, options)
    say(f"test accuracy {100 * accuracy:.2f} %")
    return 0


def warn_of_few_steps(steps: int, options: Options) -> None:
    """Say so where training is likely to be over before it has begun."""
    total = steps * options["epochs"]
    if steps < FEW_STEPS and total < ENOUGH_STEPS:
        warnings.warn(
            f"few steps: {steps} an epoch, {total} in all, in batches of {options['batch_size']}; "
            f"try --batch-size 16, and more --epochs",
            stacklevel=1,
        )


def complete(options: Options) -> Options:
    """Fill in the defaults that depend on other options."""
    if options["lr"] is None:
        options["lr"] = LEARNING_RATES[options["optimizer"]]
    if options["size"] is None:
        options["size"] = SIZES.get(options["model"], 28)
    return options


def options_of(folder: Path, given: Mapping[str, Any], out: str | None) -> Options:
    """The options of a run that is resumed, the few that may change taken from ``given``.

    Raises:
        CheckpointError: there is nothing to resume, or the run is at its end.
        UsageError: ``given`` contradicts the run.
    """
    file = folder / runs.CHECKPOINT
    if not file.is_file():
        raise CheckpointError(
            f"there is nothing to resume in {folder}: it has no {runs.CHECKPOINT}, which is first "
            f"written after an epoch or at Ctrl-C"
        )
    if out is not None and Path(out) != folder:
        raise UsageError(f"--out {out} contradicts --resume {folder}: a run stays in its folder")
    header = checkpoint.read_header(file)
    kept = header.get("meta", {}).get("options")
    if not isinstance(kept, dict) or not (BEFORE | kept).keys() >= DEFAULTS.keys():
        raise CheckpointError(f"{file} was not written by minicnn train; it cannot be resumed here")
    kept = BEFORE | kept
    for name, value in given.items():
        moved = name == "data" and not {value, kept[name]} & set(NAMES)
        if value != kept[name] and name not in MAY_CHANGE and not moved:
            flag = "--" + name.replace("_", "-")
            raise UsageError(
                f"{flag} {value} contradicts the run in {folder}, which has {kept[name]}; leave it "
                f"out, or start a new run"
            )
    options = {**kept, **given}
    done = len(header.get("rows", ()))
    if options["epochs"] <= done and runs.is_finished(folder):
        raise CheckpointError(
            f"the run in {folder} has done its {done} epochs; to go on, give more: --epochs "
            f"{done + 5}"
        )
    return options


def source_of(options: Mapping[str, Any]) -> Source:
    """Where the pictures of a run come from."""
    names = [field.name for field in dataclasses.fields(Source)]
    known = {**BEFORE, **options}
    return Source(**{name: known[name] for name in names})


def build_net(options: Options, train: Dataset) -> Layer:
    """The model for these pictures and classes."""
    C, H, W = train.image_shape
    if H != W:
        raise ValueError(f"the models take square pictures, the data's are {H}×{W}")
    classes, name = len(train.classes), options["model"]
    try:
        return models.build(name, classes=classes, channels=C, size=H, rng=options["seed"])
    except ShapeError as error:
        raise ShapeError(
            f"--model {name} needs larger pictures than these of {H}×{W} ({error})"
        ) from None


def say_start(
    folder: Path, net: Layer, train: Dataset, valid: Dataset | None, test: Dataset, options: Options
) -> None:
    """What is going to be trained, on what, with what."""
    picture = train.image_shape
    table = net.summary(picture)
    info = kernels.info()
    say(runs.describe_data(train, valid, test, options["data"], picture))
    say(
        f"net     {options['model']}: {table.parameters:,} parameters, "
        f"{table.multiply_adds:,} multiply-adds a picture"
    )
    level = f", CPU level {info['level']}" if info["level"] else ""
    say(f"engine  {info['engine']}{level}, threads: {kernels.threads}")
    if options["fill"]:
        say(f"augment {options['augment']}, filled with grey {options['fill']:g} from outside")
    say(f"run     {folder}")


def make_trainer(
    folder: Path,
    net: Layer,
    train: Dataset,
    valid: Dataset | None,
    options: Options,
    args: argparse.Namespace,
) -> tuple[Trainer, tuple[DataLoader, DataLoader | None]]:
    """The trainer of a run, and the batches to train and to validate with."""
    chosen = (options[name] for name in ("batch_size", "seed", "augment", "fill"))
    batches = loaders(train, valid, *chosen)
    progress = False if args.quiet else None
    callbacks: list[Callback] = [Records(folder)]
    if not args.quiet and not is_wanted(progress):
        callbacks.append(EpochLines(options["epochs"]))
    trainer = Trainer(
        net,
        SoftmaxCrossEntropy(options["label_smoothing"]),
        make_optimizer(net, options),
        schedule=make_schedule(options, len(batches[0])),
        clip_norm=options["clip_norm"],
        patience=options["patience"],
        callbacks=callbacks,
        checkpoint=folder / runs.CHECKPOINT,
        best=folder / runs.BEST,
        progress=progress,
        meta={
            "options": options,
            "classes": list(train.classes),
            "input_shape": list(train.image_shape),
        },
    )
    return trainer, batches


def make_optimizer(net: Layer, options: Options) -> Optimizer:
    """SGD with Nesterov momentum 0.9, Adam or AdamW."""
    params, lr, decay = net.parameters(), options["lr"], options["weight_decay"]
    if options["optimizer"] == "sgd":
        return SGD(params, lr, momentum=0.9, nesterov=True, weight_decay=decay)
    if options["optimizer"] == "adam":
        return Adam(params, lr, weight_decay=decay)
    return AdamW(params, lr, weight_decay=decay)


def make_schedule(options: Options, steps_per_epoch: int) -> Schedule:
    """The learning rate over the run."""
    lr, total = options["lr"], options["epochs"] * steps_per_epoch
    if options["schedule"] == "onecycle":
        return OneCycle(lr, max(total, 2))
    if options["schedule"] == "cosine":
        return Cosine(lr, total, warmup_steps=min(steps_per_epoch, total // 10))
    if options["schedule"] == "step":
        return StepDecay(lr, max(1, total // 3))
    return Constant(lr)


class EpochLines(Callback):
    """A line an epoch, where there is no terminal for a progress bar."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs

    def on_epoch_end(self, trainer: Trainer, row: dict[str, Any]) -> None:
        """Print the row."""
        parts = [f"epoch {row['epoch']:>{len(str(self.epochs))}}/{self.epochs}"]
        for part in ("train", "valid"):
            if row.get(f"{part}_loss") is not None:
                parts.append(
                    f"{part} loss {row[f'{part}_loss']:.4f} accuracy "
                    f"{100 * row[f'{part}_accuracy']:5.2f} %"
                )
        parts.append(f"{row['images_per_second']:,.0f} images/s")
        say("   ".join(parts))


class Records(Callback):
    """Keeps the table of the epochs up to date on disk."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def on_epoch_end(self, trainer: Trainer, row: dict[str, Any]) -> None:
        """Write the history so far."""
        write_history(self.folder, trainer.history)


def write_history(folder: Path, history: History) -> None:
    """The two files that hold numbers."""
    history.to_csv(folder / runs.METRICS)
    history.to_json(folder / runs.HISTORY)


def write_up(folder: Path, net: Layer, test: Dataset, history: History) -> float:
    """Test the best net once and write all files, what says that it is done last."""
    scores, labels = scores_of(net, test)
    plots.save_figure(plots.training_figure(history.rows, history.best_epoch), folder / runs.CURVES)
    matrix = confusion_matrix(scores, labels, len(test.classes))
    plots.save_figure(plots.confusion_matrix(matrix, test.classes), folder / runs.CONFUSION)
    result = accuracy(scores, labels)
    history.extra.update(test_accuracy=result, test_pictures=len(labels))
    write_history(folder, history)
    return result


def say_end(folder: Path, history: History, options: Options) -> None:
    """Why training ended, which epoch counts, and what was written."""
    if history.stopped == "patience":
        say(f"ended   no better epoch in {options['patience']}, which is --patience")
    if history.best_epoch is not None and history.best_epoch != len(history):
        by = "validation" if options["valid"] else "training loss"
        say(f"best    epoch {history.best_epoch}, by {by}; it is the one that is tested")
    files = (runs.BEST, runs.CHECKPOINT, runs.METRICS, runs.HISTORY, runs.CURVES, runs.CONFUSION)
    say(f"files   {folder}: {', '.join(files)}")


def scores_of(net: Layer, data: Dataset, batch_size: int = 256) -> tuple[Any, Any]:
    """The net's outputs N×K for a whole data set, and the labels; batch by batch."""
    import numpy as np

    outputs, labels = [], []
    forward = evaluator(net)
    for x, y in DataLoader(data, batch_size):
        outputs.append(forward(x).reshape(len(y), -1))
        labels.append(y)
    return np.concatenate(outputs), np.concatenate(labels)
