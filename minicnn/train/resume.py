"""From a trainer to a checkpoint and back."""

from __future__ import annotations

import json
import warnings
from typing import TYPE_CHECKING, Any

from .. import checkpoint
from ..archive import to_json
from ..errors import CheckpointError
from ..history import TIMING, any_numbers, strict_numbers
from .position import Position

if TYPE_CHECKING:
    from .scores import Batches
    from .trainer import Trainer


def collect(trainer: Trainer, train: Batches, valid: Batches | None) -> checkpoint.Training:
    """All that a checkpoint of this trainer holds, as it stands between two steps."""
    rows = [strict_numbers(row) for row in trainer.history.rows]
    return checkpoint.Training(
        architecture=trainer.net.config(),
        weights=trainer.net.state_dict(),
        rng=trainer.net.rng_state(),
        optimizer=trainer.optimizer.config(),
        optimizer_state=trainer.optimizer.state_dict(),
        loss=_config(trainer.loss),
        schedule=_config(trainer.schedule),
        settings=_settings(trainer),
        loaders={"train": loader_state(train), "valid": loader_state(valid)},
        position=trainer.position.to_json(),
        rows=[{key: row[key] for key in row if key not in TIMING} for row in rows],
        best=trainer.best_state,
        timing={
            "seconds": trainer.position.seconds,
            "rows": [{key: row[key] for key in row if key in TIMING} for row in rows],
        },
    )


def restore(trainer: Trainer, path: checkpoint.Path, train: Batches, valid: Batches | None) -> None:
    """Put a trainer, its net, optimizer and data loaders where the checkpoint says.

    What can be refused is refused before anything is changed. The learning rate goes on from where
    it was, unless there is no schedule and the optimizer was made with another one than before.

    Raises:
        CheckpointError: the file is damaged, or of another net, optimizer or data; it says which.
    """
    saved = checkpoint.load_training(path)
    net = trainer.net
    checkpoint.check_architecture(path, saved.architecture, net)
    for state in (saved.weights, saved.best):
        if state is not None:
            checkpoint.check_state(path, state, net)
    own = trainer.optimizer.config()["type"]
    if saved.optimizer.get("type") != own:
        raise CheckpointError(
            f"{path} is of a training with {saved.optimizer.get('type')}, this trainer has {own}"
        )
    if saved.rng.keys() != net.rng_state().keys():
        raise CheckpointError(f"{path} has generators for {sorted(saved.rng)}, this net for others")
    try:
        position = Position.from_json(saved.position)
        timing = saved.timing["rows"]
        rows = [{**row, **clock} for row, clock in zip(saved.rows, timing, strict=True)]
        position.seconds = float(saved.timing["seconds"])
    except (TypeError, KeyError, ValueError) as error:
        raise CheckpointError(f"{path} is corrupt: {error}") from error
    _check_data(path, position, saved.loaders, train)
    lr = trainer.optimizer.lr
    keeps_lr = trainer.schedule is not None or lr == saved.settings.get("first_lr")
    _warn_of_changes(saved, trainer, {"train": train, "valid": valid})

    for batches, state in (
        (train, saved.loaders.get("train")),
        (valid, saved.loaders.get("valid")),
    ):
        load_loader(path, batches, state)
    try:
        trainer.optimizer.load_state_dict(saved.optimizer_state)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error
    if not keeps_lr:
        trainer.optimizer.lr = lr
    net.load_state_dict(saved.weights)
    net.set_rng_state(saved.rng)
    trainer.position, trainer.best_state = position, saved.best
    trainer.history.rows = [any_numbers(row) for row in rows]
    trainer.history.best_epoch = position.best_epoch


def loader_state(batches: Any) -> dict[str, Any] | None:
    """Where a data loader stands; None for a list and the like, which cannot tell."""
    state_dict = getattr(batches, "state_dict", None)
    return None if state_dict is None else state_dict()


def load_loader(path: checkpoint.Path, batches: Any, state: dict[str, Any] | None) -> None:
    """Put a data loader where it stood, if both it and the checkpoint know of such a thing."""
    load_state_dict = getattr(batches, "load_state_dict", None)
    if load_state_dict is None or state is None:
        return
    try:
        load_state_dict(state)
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: the data do not fit: {error}") from error


def _check_data(
    path: checkpoint.Path, position: Position, loaders: dict[str, Any], train: Batches
) -> None:
    """Refuse to go on in the middle of an epoch that is not the one that was left."""
    if not position.is_mid_epoch or position.passed:
        return
    if len(train) != position.batches:
        raise CheckpointError(
            f"{path} was saved after {position.batch} of {position.batches} batches of an epoch, "
            f"but here an epoch has {len(train)}: use the same data and batch size"
        )
    if (loaders.get("train") is None) == hasattr(train, "load_state_dict"):
        raise CheckpointError(
            f"{path} was saved in the middle of an epoch, of data of another kind: one of them is "
            f"a DataLoader and the other is not"
        )


def _settings(trainer: Trainer) -> dict[str, Any]:
    """The settings of the trainer itself that a resume is compared with."""
    return {
        "first_lr": trainer.first_lr,
        "clip_norm": trainer.clip_norm,
        "patience": trainer.patience,
    }


def _warn_of_changes(saved: checkpoint.Training, trainer: Trainer, loaders: dict[str, Any]) -> None:
    """Settings may be changed at a resume, but not without a word."""
    pairs = {
        "optimizer": (saved.optimizer, trainer.optimizer.config()),
        "loss": (saved.loss, _config(trainer.loss)),
        "schedule": (saved.schedule, _config(trainer.schedule)),
        "trainer": (saved.settings, _settings(trainer)),
    }
    scheduled = trainer.schedule is not None
    changes = []
    for name, (old, new) in pairs.items():
        before, after = dict(old or {}), json.loads(to_json(new or {}))
        for key in sorted(before.keys() | after.keys()):
            # The optimizer's rate is where the run has left it. What it was made with counts, and
            # only where no schedule sets it.
            silent = key == "lr" if name == "optimizer" else key == "first_lr" and scheduled
            if before.get(key) != after.get(key) and not silent:
                changes.append(f"{name} {key} {before.get(key)!r} → {after.get(key)!r}")
    for part, batches in loaders.items():
        state = saved.loaders.get(part)
        if state is not None and hasattr(batches, "differences"):
            changes += [f"{part} {difference}" for difference in batches.differences(state)]
    if changes:
        warnings.warn(
            f"resuming with other settings than before: {'; '.join(changes)}", stacklevel=5
        )


def _config(part: Any) -> dict[str, Any] | None:
    """The settings of a loss or schedule; None of a plain function, which cannot tell."""
    config = getattr(part, "config", None)
    return None if config is None else config()
