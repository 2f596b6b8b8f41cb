"""Stopped and resumed, a training gives the same bytes as one that was never stopped."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minicnn as mc
from minicnn.checkpoint import load_training
from minicnn.history import TIMING, Row
from minicnn.train import Callback

from . import small_training as small
from .small_training import BATCHES, EPOCHS, KillAfter


def lasting_rows(history: mc.History) -> list[Row]:
    return [{key: row[key] for key in row if key not in TIMING} for row in history]


def run(path: Path, *arguments: str) -> int:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    script = [sys.executable, small.__file__, str(path), *arguments]
    return subprocess.run(script, env=environment, check=False, timeout=120).returncode


class Uninterrupted:
    """A training of six epochs in one go, for each optimizer, run once for all tests."""

    def __init__(self, folder: Path, optimizer: str) -> None:
        self.path = folder / "whole.npz"
        self.trainer = small.trainer(optimizer=optimizer, checkpoint=self.path)
        self.history = self.trainer.fit(*small.loaders(), EPOCHS)


@pytest.fixture(scope="module", params=["sgd", "adamw"])
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return Uninterrupted(tmp_path_factory.mktemp("whole"), request.param)


@pytest.mark.parametrize("prefetch", [0, 2])
@pytest.mark.parametrize(
    "step",
    [1, 3, BATCHES, BATCHES + 1, 3 * BATCHES - 1, 3 * BATCHES, 3 * BATCHES + 1, 26],
)
def test_killed_after_a_step(
    whole: Uninterrupted, tmp_path: Path, step: int, prefetch: int
) -> None:
    path = tmp_path / "part.npz"
    optimizer = "sgd" if isinstance(whole.trainer.optimizer, mc.SGD) else "adamw"
    first = small.trainer(
        optimizer=optimizer,
        checkpoint=path,
        checkpoint_every=2,
        callbacks=[KillAfter(step)],
    )
    with pytest.raises(small.Killed):
        first.fit(*small.loaders(prefetch), EPOCHS)
    # Before anything is saved there is nothing to resume: the run begins again.
    resume = path if path.exists() else None
    assert (resume is None) == (step <= 2)

    second = small.trainer(seed=0 if resume is None else 9, optimizer=optimizer, checkpoint=path)
    history = second.fit(*small.loaders(prefetch, seed=5), EPOCHS, resume=resume)
    assert lasting_rows(history) == lasting_rows(whole.history)
    assert small.lasting(path) == small.lasting(whole.path)
    for name, array in second.net.state_dict().items():
        assert array.tobytes() == whole.trainer.net.state_dict()[name].tobytes(), name


def test_many_kills(whole: Uninterrupted, tmp_path: Path) -> None:
    """Killed every few steps, over and over."""
    path = tmp_path / "part.npz"
    optimizer = "sgd" if isinstance(whole.trainer.optimizer, mc.SGD) else "adamw"
    resume = None
    for step in range(4, BATCHES * EPOCHS + 1, 5):
        part = small.trainer(
            optimizer=optimizer, checkpoint=path, checkpoint_every=1, callbacks=[KillAfter(step)]
        )
        with pytest.raises(small.Killed):
            part.fit(*small.loaders(step % 3), EPOCHS, resume=resume)
        resume = path
    last = small.trainer(optimizer=optimizer, checkpoint=path)
    last.fit(*small.loaders(), EPOCHS, resume=path)
    assert small.lasting(path) == small.lasting(whole.path)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs SIGKILL")
@pytest.mark.parametrize("steps", [3 * BATCHES + 1, 3 * BATCHES + 4])
def test_killed_in_a_process_of_its_own(tmp_path: Path, steps: int) -> None:
    """kill -9, right after the third epoch and in the middle of the fourth."""
    part, whole = tmp_path / "part.npz", tmp_path / "whole.npz"
    assert run(part, "--kill-after", str(steps)) == -9
    assert load_training(part).position["step"] == steps - 1
    assert run(part, "--resume") == 0
    trainer = small.trainer(checkpoint=whole)
    trainer.fit(*small.loaders(), EPOCHS)
    assert small.lasting(part) == small.lasting(whole)


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_do_not_matter(tmp_path: Path, whole: Uninterrupted, threads: int) -> None:
    path = tmp_path / "other.npz"
    optimizer = "sgd" if isinstance(whole.trainer.optimizer, mc.SGD) else "adamw"
    before = mc.get_num_threads()
    mc.set_num_threads(threads)
    try:
        small.trainer(optimizer=optimizer, checkpoint=path).fit(*small.loaders(2), EPOCHS)
    finally:
        mc.set_num_threads(before)
    assert small.lasting(path) == small.lasting(whole.path)


def test_more_epochs_in_a_second_fit(whole: Uninterrupted, tmp_path: Path) -> None:
    path = tmp_path / "twice.npz"
    optimizer = "sgd" if isinstance(whole.trainer.optimizer, mc.SGD) else "adamw"
    trainer = small.trainer(optimizer=optimizer, checkpoint=path)
    train, valid = small.loaders()
    assert len(trainer.fit(train, valid, 2)) == 2
    history = trainer.fit(train, valid, 4)
    assert lasting_rows(history) == lasting_rows(whole.history)
    for name, array in trainer.net.state_dict().items():
        np.testing.assert_array_equal(array, whole.trainer.net.state_dict()[name])


def test_resuming_what_is_done_changes_nothing(whole: Uninterrupted, tmp_path: Path) -> None:
    optimizer = "sgd" if isinstance(whole.trainer.optimizer, mc.SGD) else "adamw"
    again = small.trainer(seed=3, optimizer=optimizer)
    history = again.fit(*small.loaders(), EPOCHS, resume=whole.path)
    assert history.rows == whole.history.rows
    assert again.step == BATCHES * EPOCHS
    np.testing.assert_array_equal(again.net[0].weight.data, whole.trainer.net[0].weight.data)
    again.restore_best()
    for name, array in again.net.state_dict().items():
        np.testing.assert_array_equal(array, whole.trainer.best_state[name])


def test_an_exhausted_patience_stays_exhausted(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    options: dict[str, Any] = {"schedule": lambda step: 0.0, "patience": 2, "checkpoint": path}
    first = small.trainer(**options)
    history = first.fit(*small.loaders(), EPOCHS)
    assert (len(history), history.stopped) == (3, "patience")
    second = small.trainer(**options)
    again = second.fit(*small.loaders(), EPOCHS, resume=path)
    assert (again.rows, again.stopped) == (history.rows, "patience")
    assert len(second.fit(*small.loaders(), 1)) == 4, "a new fit has new patience"


class StopAfter(Callback):
    def __init__(self, step: int) -> None:
        self.step = step

    def on_step_end(self, trainer: mc.Trainer) -> None:
        if trainer.step == self.step:
            trainer.stop()


@pytest.mark.parametrize("step", [10, 2 * BATCHES])
def test_a_stopped_fit_goes_on_in_the_same_trainer(whole: Uninterrupted, step: int) -> None:
    optimizer = "sgd" if isinstance(whole.trainer.optimizer, mc.SGD) else "adamw"
    trainer = small.trainer(optimizer=optimizer, callbacks=[StopAfter(step)])
    train, valid = small.loaders(prefetch=1)
    history = trainer.fit(train, valid, EPOCHS)
    assert history.stopped == "callback"
    assert trainer.step == step
    trainer.fit(train, valid, EPOCHS - len(history))
    assert lasting_rows(history) == lasting_rows(whole.history)
    assert history.stopped == "epochs"


@pytest.mark.parametrize("same_process", [True, False])
def test_a_list_of_batches_goes_on_too(tmp_path: Path, same_process: bool) -> None:
    """It does not know where it stands, but its order is always the same."""
    batches, path = list(small.loaders()[0]), tmp_path / "a.npz"
    whole = small.trainer()
    whole.fit(batches, None, 2)
    trainer = small.trainer(callbacks=[StopAfter(3)], checkpoint=path)
    trainer.fit(batches, None, 2)
    if same_process:
        trainer.fit(batches, None, 2)
    else:
        trainer = small.trainer(seed=4)
        trainer.fit(batches, None, 2, resume=path)
    assert lasting_rows(trainer.history) == lasting_rows(whole.history)
    for name, array in trainer.net.state_dict().items():
        np.testing.assert_array_equal(array, whole.net.state_dict()[name])


# --- what does not fit ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def middle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint after 10 steps: in the middle of the second epoch."""
    path = tmp_path_factory.mktemp("middle") / "middle.npz"
    trainer = small.trainer(checkpoint=path, callbacks=[StopAfter(10)])
    trainer.fit(*small.loaders(), EPOCHS)
    return path


def refused(trainer: mc.Trainer, path: Path, train: Any = None) -> str:
    before = trainer.net.state_dict(), trainer.optimizer.state_dict()
    with pytest.raises(mc.CheckpointError) as caught:
        trainer.fit(train or small.loaders()[0], None, EPOCHS, resume=path)
    after = trainer.net.state_dict(), trainer.optimizer.state_dict()
    for old, new in zip(before, after, strict=True):
        assert all(np.array_equal(old[key], new[key]) for key in old), "it was changed"
    return str(caught.value)


def test_refuses_another_optimizer(middle: Path) -> None:
    message = refused(small.trainer(optimizer="adamw"), middle)
    assert "is of a training with SGD, this trainer has AdamW" in message


def test_refuses_another_net(middle: Path) -> None:
    net = small.small_net()
    net.layers[6] = mc.Linear(36, 5)
    trainer = mc.Trainer(net, mc.SoftmaxCrossEntropy(), mc.SGD(net.parameters(), 0.1))
    message = refused(trainer, middle)
    assert "layer 6 (Linear) has out_features=3 in the checkpoint and 5 here" in message


def test_refuses_another_dtype(middle: Path) -> None:
    trainer = small.trainer()
    trainer.net.astype("float64")
    assert "0.weight is float32 of shape (4, 1, 3, 3) in the checkpoint and float64" in refused(
        trainer, middle
    )


def test_refuses_another_batch_size_in_the_middle_of_an_epoch(middle: Path) -> None:
    train = mc.DataLoader(small.dataset(50, 1), 10, shuffle=True)
    message = refused(small.trainer(), middle, train)
    assert "after 3 of 7 batches" in message
    assert "here an epoch has 5" in message


def test_refuses_data_of_another_kind_in_the_middle_of_an_epoch(middle: Path) -> None:
    train = list(small.loaders()[0])
    assert "one of them is a DataLoader" in refused(small.trainer(), middle, train)


def test_refuses_an_optimizer_of_fewer_parameters(middle: Path) -> None:
    net = small.small_net()
    optimizer = mc.SGD(net.parameters()[:3], 0.1, momentum=0.9, nesterov=True, weight_decay=1e-3)
    loss = mc.SoftmaxCrossEntropy(label_smoothing=0.1)
    schedule = mc.Cosine(0.1, total_steps=BATCHES * EPOCHS, warmup_steps=3)
    again = mc.Trainer(net, loss, optimizer, schedule=schedule, clip_norm=1.0)
    message = refused(again, middle)
    assert str(middle) in message
    assert "velocity" in message


def test_refuses_a_net_without_training(tmp_path: Path) -> None:
    mc.save(tmp_path / "net.npz", small.small_net())
    message = refused(small.trainer(), tmp_path / "net.npz")
    assert "it can be loaded, but not resumed" in message


def test_other_settings_are_taken_with_a_warning(middle: Path) -> None:
    trainer = small.trainer(schedule=mc.Cosine(0.05, total_steps=70))
    trainer.optimizer.weight_decay = 0.0
    with pytest.warns(UserWarning, match="resuming with other settings") as caught:
        trainer.fit(*small.loaders(), 2, resume=middle)
    message = str(caught[0].message)
    assert "optimizer weight_decay 0.001 → 0.0" in message
    assert "schedule lr 0.1 → 0.05" in message
    assert "total_steps 42 → 70" in message
    assert "first_lr" not in message  # the schedule sets it
    assert caught[0].filename == __file__  # it is laid to whoever called fit


def test_a_changed_learning_rate_counts_where_no_schedule_sets_it(tmp_path: Path) -> None:
    data = small.loaders()

    def trainer(lr: float) -> mc.Trainer:
        net = small.small_net()
        return mc.Trainer(
            net,
            mc.SoftmaxCrossEntropy(),
            mc.SGD(net.parameters(), lr),
            checkpoint=tmp_path / "c.npz",
            progress=False,
        )

    first = trainer(0.05)
    first.fit(*data, 1)
    first.optimizer.lr = 0.02  # as a callback might
    first.fit(*data, 1)
    same = trainer(0.05)
    same.fit(*small.loaders(), 1, resume=tmp_path / "c.npz")
    assert same.optimizer.lr == 0.02
    other = trainer(1e-4)
    with pytest.warns(UserWarning, match="trainer first_lr 0.05 → 0.0001"):
        other.fit(*small.loaders(), 1, resume=tmp_path / "c.npz")
    assert other.optimizer.lr == 1e-4


def test_other_data_between_two_epochs_are_taken_with_a_warning(tmp_path: Path) -> None:
    train, valid = small.loaders()
    trainer = small.trainer(checkpoint=tmp_path / "c.npz")
    trainer.fit(train, valid, 1)
    fewer = mc.DataLoader(train.dataset, train.batch_size + 1, shuffle=True)
    with pytest.warns(UserWarning, match="train batch_size") as caught:
        small.trainer(clip_norm=None, patience=3).fit(fewer, None, 2, resume=tmp_path / "c.npz")
    message = str(caught[0].message)
    assert "trainer clip_norm 1.0 → None" in message
    assert "trainer patience None → 3" in message
