"""Trainer: the training loop, and what belongs around it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from .. import checkpoint as checkpoints
from ..errors import NonFiniteError, describe, finite_float, positive_int
from ..history import History, Row
from ..layers.base import Layer
from ..losses import Loss
from ..optim import Optimizer, clip_grad_norm
from . import resume as resuming
from .bar import Bar, is_wanted
from .callbacks import Callback
from .diagnosis import IN_BATCH, Rewind, find_not_finite, in_state
from .interrupt import Interrupt, Interrupted
from .position import Position
from .scores import Batches, Scores, evaluate, opened


class Trainer:
    """Trains a net.

    Args:
        net: The net.
        loss: Compares its outputs with the targets.
        optimizer: Improves its parameters.
        schedule: The learning rate of each step, counted from 0 over the whole run; None leaves
            the optimizer's own.
        clip_norm: Longest gradient, all parameters taken together; None for no limit.
        patience: Stop after this many epochs in a row without a better result; None: never.
        callbacks: See `Callback`.
        checkpoint: Where to save the whole training after each epoch, and at Ctrl-C.
        checkpoint_every: Save it also every so many steps.
        best: Where to save the best net as soon as there is one.
        progress: Whether to show a progress bar; None: in a terminal or notebook.
        meta: Goes into all these files, for whoever loads the net (class names, …); JSON-able.

    The best epoch is the one with the highest validation accuracy, and of those the lowest
    validation loss; where targets are no class labels, the loss alone decides; without validation
    data, the training loss. Of equal ones the first counts.

    Attributes:
        history: What was recorded; see `History`.
        best_state: The state dict of the best epoch; `restore_best` puts it into the net.
        position: Where training stands; see `Position`.
        last_loss: The loss of the last step.
        first_lr: The optimizer's learning rate when the trainer was made.

    Raises:
        TypeError, ValueError: an argument that cannot be.
    """

    def __init__(
        self,
        net: Layer,
        loss: Loss,
        optimizer: Optimizer,
        *,
        schedule: Callable[[int], float] | None = None,
        clip_norm: float | None = None,
        patience: int | None = None,
        callbacks: Iterable[Callback] = (),
        checkpoint: checkpoints.Path | None = None,
        checkpoint_every: int | None = None,
        best: checkpoints.Path | None = None,
        progress: bool | None = None,
        meta: Mapping[str, Any] | None = None,
    ) -> None:
        if not isinstance(net, Layer):
            raise TypeError(f"net must be a minicnn layer or net, got {describe(net)}")
        for what, name, needed in (
            (loss, "loss", ("backward", "__call__")),
            (optimizer, "optimizer", ("step", "params")),
        ):
            if not all(hasattr(what, attribute) for attribute in needed):
                raise TypeError(f"{name} must be a minicnn {name}, got {describe(what)}")
        if schedule is not None and not callable(schedule):
            raise TypeError(f"schedule must be a function of the step, got {describe(schedule)}")
        own = {id(parameter) for parameter in net.parameters()}
        if not any(id(parameter) in own for parameter in optimizer.params):
            raise ValueError("optimizer holds no parameter of net: make it with net.parameters()")
        if checkpoint_every is not None and checkpoint is None:
            raise ValueError("checkpoint_every needs checkpoint, the path to save to")
        self.net = net
        self.loss = loss
        self.optimizer = optimizer
        self.schedule = schedule
        self.clip_norm = clip_norm
        if clip_norm is not None:
            self.clip_norm = finite_float(clip_norm, "clip_norm", above=0)
        self.patience = None if patience is None else positive_int(patience, "patience")
        self.callbacks = list(callbacks)
        for callback in self.callbacks:
            if not isinstance(callback, Callback):
                raise TypeError(f"callbacks must be of class Callback, got {describe(callback)}")
        self.checkpoint = checkpoint
        self.checkpoint_every = (
            None if checkpoint_every is None else positive_int(checkpoint_every, "checkpoint_every")
        )
        self.best = best
        self.meta = meta
        self.first_lr = optimizer.lr
        self.history = History()
        self.best_state: dict[str, npt.NDArray[Any]] | None = None
        self.position = Position()
        self.last_loss = math.nan
        self._shown = is_wanted(progress)
        self._stop_asked = False
        self._interrupt = Interrupt()
        self._left: tuple[Batches, Any] | None = None
        self._train: Batches = ()
        self._valid: Batches | None = None
        self._clock = 0.0

    @property
    def epoch(self) -> int:
        """The number of epochs that are done."""
        return self.position.epoch

    @property
    def step(self) -> int:
        """The number of optimizer steps that are done."""
        return self.position.step

    def stop(self) -> None:
        """End training after the step at hand; from ``on_epoch_end``, after the epoch."""
        self._stop_asked = True

    def restore_best(self) -> None:
        """Put the weights and statistics of the best epoch into the net.

        Raises:
            RuntimeError: no epoch is done yet.
        """
        if self.best_state is None:
            raise RuntimeError("restore_best: no epoch is done yet")
        self.net.load_state_dict(self.best_state)

    def fit(
        self,
        train: Batches,
        valid: Batches | None = None,
        epochs: int = 10,
        resume: checkpoints.Path | None = None,
    ) -> History:
        """Train for some epochs; a further call trains for more.

        With ``resume``, goes on where the checkpoint was written, in the middle of an epoch if
        need be, up to the end that the interrupted ``fit`` was to have: repeat its call and add
        ``resume``. The result is the same, bit for bit, as without the interruption.

        Ctrl-C (or SIGTERM) finishes the step, saves the checkpoint and raises `Interrupted`, a
        KeyboardInterrupt; a second one acts at once. The modes of the layers (training or
        evaluation) are restored at the end.

        Args:
            train: Batches to learn from: a `DataLoader`, or a list of (pictures, targets) pairs.
            valid: Batches to measure each epoch with; None: none.
            epochs: How many.
            resume: A checkpoint to go on from.

        Returns:
            The history of the run, from its first epoch.

        Raises:
            FileNotFoundError: a file is to be saved in a folder that does not exist.
            NonFiniteError: a loss, a gradient or a weight is NaN or infinite, or the validation
                loss NaN. The message names the epoch, the step, and where it arose; the last
                checkpoint is left as it was.
            CheckpointError: ``resume`` is damaged or does not fit.
            Interrupted: see above.
        """
        epochs = positive_int(epochs, "epochs")
        for what, name in ((train, "train"), (valid, "valid")):
            if what is not None and not (hasattr(what, "__len__") and hasattr(what, "__iter__")):
                raise TypeError(
                    f"{name} must be a DataLoader or a list of batches, got {describe(what)}"
                )
        if len(train) == 0:
            raise ValueError("train must have at least one batch, got none")
        self._check_files()
        self._train, self._valid = train, valid
        layers = list(self.net.named_layers().values())
        modes = [layer.training for layer in layers]
        self._begin(resume)
        try:
            # What is not finite is reported by an error that says where, not by NumPy's warnings.
            with Interrupt() as self._interrupt, np.errstate(all="ignore"):
                self._run(self.position.start + epochs)
        finally:
            for layer, mode in zip(layers, modes, strict=True):
                layer.training = mode
        if self._interrupt.signum is not None:
            raise Interrupted(self._farewell(), self.history, self._interrupt.signum)
        return self.history

    def _train_pass(self, bar: Bar) -> None:
        """One pass over the data, or what is left of it. This is the training loop."""
        here, rewind = self.position, Rewind(self.net)
        with opened(self._train, here.batch) as batches:
            for x, targets in batches:
                rewind.mark()
                outputs = self.net.forward(x)
                self.last_loss = self.loss(outputs, targets)
                self.optimizer.zero_grad()
                self.net.backward(self.loss.backward(), need_dx=False)
                norm = self._clip()
                if not math.isfinite(self.last_loss + norm):
                    self._refuse(find_not_finite(self.net, self.loss, x, targets, rewind))
                if self.schedule is not None:
                    self.optimizer.lr = self.schedule(here.step)
                self.optimizer.step()
                here.count(self.last_loss, outputs, targets)
                self._after_step(bar)
                if self._must_stop and here.batch < here.batches:
                    return
        here.passed = True

    # --- a run -----------------------------------------------------------------------------------

    def _begin(self, resume: checkpoints.Path | None) -> None:
        """Set up for a new fit: go on from a checkpoint, from a fit that was left, or afresh."""
        here = self.position
        left, self._left = self._left, None
        if resume is not None:
            resuming.restore(self, resume, self._train, self._valid)
        elif here.is_mid_epoch and left is not None and left[0] is self._train:
            resuming.load_loader("train", self._train, left[1])
            here.start, here.stale = here.epoch, 0
        else:
            here.begin_epoch()
            here.start, here.stale = here.epoch, 0
        self.position.batches = len(self._train)
        self.history.stopped = None
        self._stop_asked = False

    def _run(self, target: int) -> None:
        """Epoch after epoch, until there is a reason to end."""
        self._call("on_train_begin")
        while (reason := self._reason_to_end(target)) is None:
            self._run_epoch(target)
        self.history.stopped = reason
        if self.position.is_mid_epoch:
            self._left = self._train, resuming.loader_state(self._train)
        if self.position.is_mid_epoch or reason == "interrupt":
            self._save()
        self._call("on_train_end")

    def _reason_to_end(self, target: int) -> str | None:
        here = self.position
        if self._interrupt.signum is not None:
            return "interrupt"
        if self._stop_asked:
            return "callback"
        if self.patience is not None and here.stale >= self.patience:
            return "patience"
        return "epochs" if here.epoch >= target else None

    @property
    def _must_stop(self) -> bool:
        return self._stop_asked or self._interrupt.signum is not None

    def _run_epoch(self, target: int) -> None:
        """One epoch: a pass, validation, the records; or less, if it is to stop before its end."""
        here = self.position
        title = f"epoch {here.epoch + 1}/{target}"
        with Bar(self._shown, title, here.batches, here.batch) as bar:
            if not here.passed:
                self.net.train()
                self._clock = time.perf_counter()
                self._train_pass(bar)
            if not here.passed:
                return
            self._check_weights()
            scores = None if self._valid is None else self._validate(self._valid)
            if self._valid is not None and scores is None:
                return
            if scores is not None and math.isnan(scores.loss):
                self._refuse_validation()
            bar.finish(here.scores, here.seconds, scores)
        row = self._row(scores)
        self.history.rows.append(row)
        self._rank(row)
        here.epoch += 1
        here.begin_epoch()
        self._call("on_epoch_end", row)
        self._save()

    def _validate(self, valid: Batches) -> Scores | None:
        """The scores of the validation data; None if Ctrl-C came before they were complete."""
        state = resuming.loader_state(valid)
        scores = evaluate(self.net, self.loss, valid, lambda: self._interrupt.signum is not None)
        if self._interrupt.signum is None:
            return scores
        resuming.load_loader("valid", valid, state)
        return None

    def _clip(self) -> float:
        """Shorten the gradients, if it is asked for; not finite if one of them is not."""
        longest = math.inf if self.clip_norm is None else self.clip_norm
        return clip_grad_norm(self.optimizer.params, longest)

    def _after_step(self, bar: Bar) -> None:
        here, now = self.position, time.perf_counter()
        here.seconds += now - self._clock
        self._clock = now
        bar.step(here.scores, here.seconds)
        self._call("on_step_end")
        due = self.checkpoint_every is not None and here.step % self.checkpoint_every == 0
        if due and here.batch < here.batches:  # the end of an epoch is saved after its validation
            self._save()

    def _call(self, moment: str, *values: Any) -> None:
        for callback in self.callbacks:
            getattr(callback, moment)(self, *values)

    # --- records ---------------------------------------------------------------------------------

    def _row(self, valid: Scores | None) -> Row:
        here = self.position
        return {
            "epoch": here.epoch + 1,
            "step": here.step,
            "train_loss": here.scores.loss,
            "train_accuracy": here.scores.accuracy,
            "valid_loss": None if valid is None else valid.loss,
            "valid_accuracy": None if valid is None else valid.accuracy,
            "lr": self.optimizer.lr,
            "seconds": here.seconds,
            "images_per_second": here.scores.images / max(here.seconds, 1e-9),
        }

    def _rank(self, row: Row) -> None:
        """Keep the net if it is the best so far."""
        here = self.position
        score = [-(row["train_loss"] if row["valid_loss"] is None else row["valid_loss"])]
        if row["valid_accuracy"] is not None:
            score.insert(0, row["valid_accuracy"])
        here.stale += 1
        if not math.isfinite(score[0]) or (here.best is not None and score <= here.best):
            return
        here.best, here.best_epoch, here.stale = score, row["epoch"], 0
        self.history.best_epoch = row["epoch"]
        self.best_state = self.net.state_dict()
        if self.best is not None:
            checkpoints.save(self.best, self.net, meta={"epoch": row["epoch"], **(self.meta or {})})

    def _save(self) -> None:
        """Write the checkpoint, if there is to be one, and never over a good one with NaN."""
        if self.checkpoint is not None:
            self._check_weights()
            training = resuming.collect(self, self._train, self._valid)
            checkpoints.save_training(self.checkpoint, training, meta=self.meta)

    def _check_files(self) -> None:
        """Refuse at once what would be found out when the first epoch is to be saved."""
        for path in (self.checkpoint, self.best):
            if path is not None:
                folder = Path(path).parent
                if not folder.is_dir():
                    raise FileNotFoundError(f"cannot save {path}: there is no folder {folder}")
                checkpoints.check_savable(self.net, self.meta)

    def _check_weights(self) -> None:
        fault = in_state(self.net)
        if fault is not None:
            self._refuse(fault)

    # --- words -----------------------------------------------------------------------------------

    @property
    def _kept(self) -> str:
        """What a message about numbers that are not finite says of the checkpoint."""
        there = self.checkpoint is not None and Path(self.checkpoint).exists()
        return f" {self.checkpoint} is as it was last saved." if there else ""

    def _refuse_validation(self) -> NoReturn:
        raise NonFiniteError(
            f"training stopped after the pass of epoch {self.position.epoch + 1}: its validation "
            f"loss is NaN, while the weights are finite. Look for pictures in the validation "
            f"data that are not.{self._kept}"
        )

    def _refuse(self, found: str) -> NoReturn:
        here = self.position
        advice = (
            f"Often a smaller learning rate helps (it is {self.optimizer.lr:g}), or clip_norm=1."
        )
        if found.startswith(IN_BATCH):
            advice = "Look at the data."
        raise NonFiniteError(
            f"training stopped in epoch {here.epoch + 1}, at step {here.batch + 1} of "
            f"{here.batches} (step {here.step + 1} of the run), with a loss of "
            f"{self.last_loss:g}. The first number that is not finite is in "
            f"{found}.{self._kept} {advice}"
        )

    def _farewell(self) -> str:
        here = self.position
        if here.is_mid_epoch:
            place = f"in epoch {here.epoch + 1}, after {here.batch} of {here.batches} batches"
        else:
            place = f"after epoch {here.epoch}"
        if self.checkpoint is None:
            return (
                f"training stopped {place}; it was not saved, for the trainer has no checkpoint "
                f"path, but this trainer's fit() goes on from here"
            )
        return (
            f"training stopped {place} and was saved; repeat the call of fit() with "
            f"resume={str(self.checkpoint)!r} to go on"
        )
