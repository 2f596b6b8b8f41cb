"""Callbacks: code of your own that a `Trainer` calls at certain moments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .trainer import Trainer


class Callback:
    """Does nothing; override what you need.

    ``trainer.net``, ``.optimizer``, ``.history``, ``.epoch``, ``.step`` and ``.last_loss`` say how
    things stand, and ``trainer.stop()`` ends training: after the step or the epoch at hand. What a
    callback remembers is not part of a checkpoint.
    """

    def on_train_begin(self, trainer: Trainer) -> None:
        """Before the first step of a ``fit``."""

    def on_step_end(self, trainer: Trainer) -> None:
        """After each step of the optimizer."""

    def on_epoch_end(self, trainer: Trainer, row: dict[str, Any]) -> None:
        """After each epoch and its validation, before the checkpoint is written.

        Args:
            trainer: The trainer.
            row: The epoch's row of the history; what is added to it becomes a column.
        """

    def on_train_end(self, trainer: Trainer) -> None:
        """After the last epoch of a ``fit``, also when it was stopped, but not after an error."""
