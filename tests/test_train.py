"""Trainer: it trains as one would by hand, keeps books, and stops in good order."""

from __future__ import annotations

import math
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minicnn as mc
from minicnn import NonFiniteError, checkpoint
from minicnn.optim import clip_grad_norm
from minicnn.train import Callback, Interrupted, evaluate

from . import small_training as small
from .small_training import BATCHES


def plain(**options: Any) -> mc.Trainer:
    """A trainer of `small_net` without schedule or clipping."""
    net = small.small_net()
    optimizer = mc.SGD(net.parameters(), lr=0.1, momentum=0.9)
    return mc.Trainer(net, mc.SoftmaxCrossEntropy(), optimizer, **{"progress": False, **options})


def same(first: dict[str, Any], second: dict[str, Any]) -> bool:
    return all(first[key].tobytes() == second[key].tobytes() for key in first)


# --- the loop ------------------------------------------------------------------------------------


def test_it_does_what_one_would_do_by_hand() -> None:
    trainer = small.trainer()
    train, valid = small.loaders()
    history = trainer.fit(train, valid, 2)

    net = small.small_net()
    loss = mc.SoftmaxCrossEntropy(label_smoothing=0.1)
    optimizer = mc.SGD(net.parameters(), 0.1, momentum=0.9, nesterov=True, weight_decay=1e-3)
    train, valid = small.loaders()
    assert trainer.schedule is not None
    step = 0
    for epoch in range(2):
        net.train()
        losses, right, count = 0.0, 0, 0
        for x, labels in train:
            y = net(x)
            value = loss(y, labels)
            losses, count = losses + value * len(labels), count + len(labels)
            right += int((y.argmax() == labels).sum())
            optimizer.zero_grad()
            net.backward(loss.backward())
            clip_grad_norm(net.parameters(), 1.0)
            optimizer.lr = trainer.schedule(step)
            optimizer.step()
            step += 1
        row = history[epoch]
        assert count == 50, "the last batch has two pictures"
        assert row["train_loss"] == losses / count
        assert row["train_accuracy"] == right / count
        assert (row["epoch"], row["step"], row["lr"]) == (epoch + 1, step, optimizer.lr)

        images, labels = valid.dataset.batch(np.arange(20))
        logits = net.predict(images)
        assert row["valid_loss"] == pytest.approx(loss(logits, labels), rel=1e-6)
        assert row["valid_accuracy"] == (logits.argmax() == labels).mean()
    assert same(net.state_dict(), trainer.net.state_dict())


def test_it_learns() -> None:
    history = plain().fit(*small.loaders(), 8)
    assert history["valid_accuracy"][-1] >= 0.9
    assert history["train_loss"][-1] < history["train_loss"][0] / 2


def test_rows() -> None:
    history = plain().fit(*small.loaders(), 2)
    assert history.columns == [
        *("epoch", "step", "train_loss", "train_accuracy", "valid_loss", "valid_accuracy"),
        *("lr", "seconds", "images_per_second"),
    ]
    for row in history:
        assert row["seconds"] > 0
        assert row["images_per_second"] == pytest.approx(50 / row["seconds"])
    assert history.stopped == "epochs"


def test_modes_are_restored_and_validation_changes_nothing() -> None:
    trainer = plain()
    trainer.net.eval()
    trainer.net.layers[0].train()
    trainer.fit(*small.loaders(), 1)
    assert [layer.training for layer in trainer.net.named_layers().values()] == [
        path == "0" for path in trainer.net.named_layers()
    ]
    before = trainer.net.state_dict(), trainer.net.rng_state()
    scores = evaluate(trainer.net, trainer.loss, small.loaders()[1])
    assert scores.images == 20
    assert scores.loss == trainer.history["valid_loss"][-1]
    assert scores.accuracy == trainer.history["valid_accuracy"][-1]
    assert same(before[0], trainer.net.state_dict())
    assert before[1] == trainer.net.rng_state()


def test_without_validation() -> None:
    history = plain().fit(small.loaders()[0], epochs=2)
    assert history["valid_loss"] == [None, None]
    assert history["valid_accuracy"] == [None, None]
    assert history.best_epoch == 1 + int(np.argmin(history["train_loss"]))


def test_lists_of_arrays_and_a_loss_without_classes() -> None:
    rng = np.random.default_rng(0)
    batches = [
        (rng.random((n, 1, 4, 4), dtype=np.float32), rng.random((n, 2), dtype=np.float32))
        for n in (5, 5, 1)
    ]
    net = mc.Sequential(mc.Flatten(), mc.Linear(16, 2, rng=0))
    trainer = mc.Trainer(net, mc.MSELoss(), mc.SGD(net.parameters(), 0.05), progress=False)
    history = trainer.fit(batches, batches, epochs=5)
    assert history["train_accuracy"] == [None] * 5
    assert history["valid_accuracy"] == [None] * 5
    assert history["valid_loss"][-1] < history["valid_loss"][0]
    assert history.best_epoch == 5


def test_arguments() -> None:
    net, loss = small.small_net(), mc.SoftmaxCrossEntropy()
    with pytest.raises(ValueError, match="optimizer holds no parameter of net"):
        mc.Trainer(net, loss, mc.SGD(small.small_net().parameters(), 0.1))
    with pytest.raises(ValueError, match="checkpoint_every needs checkpoint"):
        plain(checkpoint_every=3)
    for name, value in {"patience": 0, "clip_norm": 0.0}.items():
        with pytest.raises(ValueError, match=name):
            plain(**{name: value})
    with pytest.raises(ValueError, match="epochs"):
        plain().fit(small.loaders()[0], epochs=0)
    with pytest.raises(ValueError, match="at least one batch"):
        plain().fit([], epochs=1)
    with pytest.raises(RuntimeError, match="no epoch is done"):
        plain().restore_best()


def test_what_cannot_be_saved_is_found_before_the_first_step(tmp_path: Path) -> None:
    for name in ("checkpoint", "best"):
        trainer = plain(**{name: tmp_path / "none" / "a.npz"})
        with pytest.raises(FileNotFoundError, match="there is no folder"):
            trainer.fit(small.loaders()[0], epochs=1)
        trainer = plain(**{name: tmp_path / "a.npz"}, meta={"classes": {"a", "b"}})
        with pytest.raises(TypeError, match="JSON"):
            trainer.fit(small.loaders()[0], epochs=1)
        assert trainer.step == 0


# --- best, patience, callbacks -------------------------------------------------------------------


class Scripted(Callback):
    """Sets the bias of the last layer, so that one class wins and the accuracy is known."""

    def __init__(self, winners: list[int]) -> None:
        self.winners = winners

    def on_step_end(self, trainer: mc.Trainer) -> None:
        layer = trainer.net.layers[-1]
        layer.weight.data[...] = 0
        layer.bias.data[...] = 0
        layer.bias.data[self.winners[trainer.epoch]] = 1


def scripted(winners: list[int], **options: Any) -> tuple[mc.Trainer, list[tuple[Any, Any]]]:
    """Class 0 has 1 of 6 pictures, class 1 has 2 and class 2 has 3."""
    x = np.zeros((6, 1, 8, 8), np.float32)
    trainer = plain(callbacks=[Scripted(winners)], **options)
    trainer.optimizer.lr = 0.0
    return trainer, [(x, np.array([0, 1, 1, 2, 2, 2]))]


def test_best_epoch_ties_go_to_the_first(tmp_path: Path) -> None:
    trainer, data = scripted([0, 2, 1, 2], best=tmp_path / "best.npz", meta={"classes": [*"abc"]})
    history = trainer.fit(data, data, 4)
    assert history["valid_accuracy"] == pytest.approx([1 / 6, 1 / 2, 1 / 3, 1 / 2])
    assert history.best_epoch == 2
    assert history.best is history[1]
    trainer.net[6].bias.data[...] = 5
    trainer.restore_best()
    np.testing.assert_array_equal(trainer.net[6].bias.data, [0, 0, 1])
    best = mc.load(tmp_path / "best.npz")
    assert same(best.state_dict(), trainer.net.state_dict())
    assert checkpoint.load_meta(tmp_path / "best.npz") == {"classes": ["a", "b", "c"], "epoch": 2}


def test_patience() -> None:
    trainer, data = scripted([0, 1, 1, 0, 2, 2], patience=2)
    history = trainer.fit(data, data, 6)
    assert history.stopped == "patience"
    assert len(history) == 4
    trainer.fit(data, data, 2)
    assert len(history) == 6, "a further fit begins with new patience"
    assert history.best_epoch == 5


class Recorder(Callback):
    def __init__(self) -> None:
        self.calls: list[str] = []

    def on_train_begin(self, trainer: mc.Trainer) -> None:
        self.calls.append("begin")

    def on_step_end(self, trainer: mc.Trainer) -> None:
        assert math.isfinite(trainer.last_loss)
        self.calls.append(f"step {trainer.step}")

    def on_epoch_end(self, trainer: mc.Trainer, row: dict[str, Any]) -> None:
        assert trainer.history[-1] is row
        assert trainer.epoch == row["epoch"]
        row["mine"] = trainer.epoch * 2
        self.calls.append(f"epoch {trainer.epoch}")
        if trainer.epoch == 2:
            trainer.stop()

    def on_train_end(self, trainer: mc.Trainer) -> None:
        self.calls.append("end")


def test_callbacks(tmp_path: Path) -> None:
    recorder = Recorder()
    trainer, data = scripted([0] * 9, checkpoint=tmp_path / "a.npz")
    trainer.callbacks.append(recorder)
    history = trainer.fit(data, data, 9)
    assert recorder.calls == ["begin", "step 1", "epoch 1", "step 2", "epoch 2", "end"]
    assert history.stopped == "callback"
    assert history["mine"] == [2, 4]
    assert checkpoint.load_training(tmp_path / "a.npz").rows[-1]["mine"] == 4


# --- the progress bar ----------------------------------------------------------------------------


def test_silent_where_nobody_looks(capfd: pytest.CaptureFixture[str]) -> None:
    plain(progress=None).fit(*small.loaders(), 1)
    plain(progress=False).fit(*small.loaders(), 1)
    assert capfd.readouterr() == ("", "")


def test_progress_bar(capfd: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("tqdm")
    plain(progress=True).fit(*small.loaders(), 2)
    out, err = capfd.readouterr()
    assert out == ""
    last = err.strip().splitlines()[-1].split("\r")[-1]
    assert last.startswith("epoch 2/2 |")
    for word in ("loss ", "acc ", "img/s", "valid "):
        assert word in last
    assert len(last) - 10 <= 76, "beside the bar it fits a terminal of 80 columns"


def test_progress_without_tqdm(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    plain(progress=True).fit(*small.loaders(), 2)
    lines = capfd.readouterr().err.splitlines()
    assert [line[:11] for line in lines] == ["epoch 1/2: ", "epoch 2/2: "]


# --- numbers that are not finite -----------------------------------------------------------------


class SquareRoot(mc.Layer):
    """√x, whose derivative is infinite at 0."""

    def output_shape(self, in_shape: Any) -> Any:
        return in_shape

    def _forward(self, x: Any) -> Any:
        y = np.sqrt(x)
        self.save(y)
        return y

    def _backward(self, dy: Any, need_dx: bool) -> Any:
        return dy / (2 * self.saved[0])


def failing(net: mc.Layer, data: Any, loss: Any = None, **options: Any) -> tuple[str, mc.Trainer]:
    options = {"progress": False, **options}
    lr = options.pop("lr", 0.1)
    trainer = mc.Trainer(
        net, loss or mc.SoftmaxCrossEntropy(), mc.SGD(net.parameters(), lr), **options
    )
    with pytest.raises(mc.NonFiniteError) as caught:
        trainer.fit(data, epochs=3)
    return str(caught.value), trainer


def pictures(count: int = 4) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    return rng.random((count, 1, 8, 8), dtype=np.float32), rng.integers(0, 3, count)


def test_nan_in_the_pictures() -> None:
    x, labels = pictures()
    bad = x.copy()
    bad[2, 0, 3, 4] = np.nan
    message, _ = failing(small.small_net(), [(x, labels), (bad, labels)])
    assert "training stopped in epoch 1, at step 2 of 2 (step 2 of the run)" in message
    assert "the batch itself: its pictures hold nan at (2, 0, 3, 4) (1 of 256 values" in message


def test_the_first_layer_whose_output_is_not_finite() -> None:
    net = small.small_net()
    net.layers[6].weight.data[1] = 1e38
    net.layers[1].bias.data[:] = 1e3
    message, _ = failing(net, [pictures()])
    assert "epoch 1, at step 1 of 1" in message
    assert "is in the output of layer 6 (Linear 'fc1'), which holds " in message


def test_the_innermost_layer_is_named() -> None:
    inner = mc.Conv2D(3, 3, 1, rng=0)
    inner.weight.data[...] = 3e38
    net = mc.Sequential(
        mc.Conv2D(1, 3, 3, rng=0),
        mc.Residual(mc.ReLU(), mc.Sequential(inner), shortcut=mc.Conv2D(3, 3, 1, rng=1)),
        mc.GlobalAvgPool2D(),
    )
    net.layers[0].bias.data[...] = 100
    message, _ = failing(net, [pictures()])
    assert "the output of layer 1.1.0 (Conv2D " in message


def test_a_gradient_that_is_not_finite_while_the_loss_is() -> None:
    x, labels = pictures()
    net = mc.Sequential(mc.Conv2D(1, 3, 8, rng=0), SquareRoot())
    net.layers[0].weight.data[...] = 0
    net.layers[0].bias.data[...] = 0
    before = net.state_dict()
    message, trainer = failing(net, [(x, labels)])
    assert "with a loss of 1.09861" in message
    assert "the gradient that layer 1 (SquareRoot" in message
    assert same(before, trainer.net.state_dict()), "no step was taken"


def test_a_loss_that_is_not_finite_of_outputs_that_are() -> None:
    x, _ = pictures()
    net = mc.Sequential(mc.Flatten(), mc.Linear(64, 2, rng=0)).astype("float64")
    targets = np.full((4, 2), 1e200)
    message, _ = failing(net, [(x, targets)], loss=mc.MSELoss())
    assert "is in the loss itself, inf, of outputs that are all finite" in message


def test_gradients_that_are_large_but_finite_are_not_refused() -> None:
    """Their squares overflow float32, whose largest number is 3.4e38."""
    net = mc.Sequential(mc.Flatten(), mc.Linear(64, 2, rng=0))
    trainer = mc.Trainer(net, mc.MSELoss(), mc.SGD(net.parameters(), 1e-30), progress=False)
    x, _ = pictures()
    before = net.state_dict()
    trainer.fit([(x, np.full((4, 2), 1e25, np.float32))], epochs=1)
    assert not same(before, net.state_dict())


def test_weights_that_are_not_finite() -> None:
    net = small.small_net()
    net.layers[6].bias.data[2] = np.inf
    message, _ = failing(net, [pictures()])
    assert "bias of layer 6 (Linear 'fc1'), which holds inf at (2) (1 of 3 values" in message


def test_a_learning_rate_that_is_far_too_high() -> None:
    message, _ = failing(small.small_net(), [pictures()] * 9, lr=1e38)
    assert "a smaller learning rate helps (it is 1e+38)" in message


def test_the_net_is_as_it_was_before_the_bad_batch(tmp_path: Path) -> None:
    """Weights, running statistics and generators; and the checkpoint is the last good one."""
    path = tmp_path / "a.npz"
    x, labels = pictures()
    bad = x.copy()
    bad[0] = np.inf
    good = plain()
    good.fit([(x, labels)] * 3, epochs=1)
    net = small.small_net()
    trainer = mc.Trainer(
        net,
        mc.SoftmaxCrossEntropy(),
        mc.SGD(net.parameters(), lr=0.1, momentum=0.9),
        checkpoint=path,
        checkpoint_every=1,
        progress=False,
    )
    with pytest.raises(mc.NonFiniteError, match=r"a\.npz is as it was last saved"):
        trainer.fit([(x, labels)] * 3 + [(bad, labels)], epochs=1)
    assert same(good.net.state_dict(), net.state_dict())
    assert good.net.rng_state() == net.rng_state()
    assert same(checkpoint.load_training(path).weights, net.state_dict())


def test_weights_that_a_callback_spoils_are_never_saved(tmp_path: Path) -> None:
    class Spoil(Callback):
        def on_epoch_end(self, trainer: mc.Trainer, row: dict[str, Any]) -> None:
            if trainer.epoch == 2:
                trainer.net.layers[0].bias.data[0] = np.nan

    path = tmp_path / "a.npz"
    with pytest.raises(mc.NonFiniteError, match=r"bias of layer 0 \(Conv2D 'conv1'\)"):
        plain(checkpoint=path, callbacks=[Spoil()]).fit(*small.loaders(), 3)
    assert checkpoint.load_training(path).position["epoch"] == 1


def test_a_validation_loss_that_is_no_number_ends_training() -> None:
    x, labels = pictures()
    trainer = plain()
    with pytest.raises(NonFiniteError, match=r"after the pass of epoch 1: its validation loss is"):
        trainer.fit([(x, labels)], [(np.full_like(x, np.inf), labels)], 2)
    assert trainer.best_state is None


def test_data_that_are_not_finite_are_not_blamed_on_the_learning_rate() -> None:
    x, labels = pictures()
    with pytest.raises(NonFiniteError, match="Look at the data") as caught:
        plain().fit([(np.full_like(x, np.nan), labels)], None, 1)
    assert "learning rate" not in str(caught.value)


def test_of_equal_accuracies_the_lower_validation_loss_is_best() -> None:
    x, labels = pictures()
    trainer = plain(patience=3)
    history = trainer.fit([(x, labels)], [(x, labels)], 5)
    accuracies, losses = history["valid_accuracy"], history["valid_loss"]
    best = max(range(len(history)), key=lambda k: (accuracies[k], -losses[k]))
    assert history.best_epoch == best + 1
    trainer = plain()
    trainer._rank({"epoch": 1, "train_loss": 1, "valid_loss": 0.9, "valid_accuracy": 1.0})
    trainer._rank({"epoch": 2, "train_loss": 1, "valid_loss": 0.5, "valid_accuracy": 1.0})
    trainer._rank({"epoch": 3, "train_loss": 1, "valid_loss": 0.1, "valid_accuracy": 0.9})
    trainer._rank({"epoch": 4, "train_loss": 1, "valid_loss": 0.5, "valid_accuracy": 1.0})
    assert (trainer.history.best_epoch, trainer.position.stale) == (2, 2)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: mc.Trainer(3, None, None), "net must be a minicnn layer or net, got 3"),
        (lambda: small_parts(loss=3), "loss must be a minicnn loss, got 3"),
        (lambda: small_parts(optimizer=3), "optimizer must be a minicnn optimizer, got 3"),
        (lambda: small_parts(schedule=3), "schedule must be a function of the step, got 3"),
        (lambda: small_parts(callbacks=[3]), "callbacks must be of class Callback, got 3"),
        (lambda: plain().fit(3), "train must be a DataLoader or a list of batches, got 3"),
        (lambda: plain().fit([pictures()], 3), "valid must be a DataLoader or a list of batches"),
    ],
)
def test_parts_of_the_wrong_kind_are_named(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        make()


def small_parts(**changed: Any) -> mc.Trainer:
    net = mc.models.toy(rng=0)
    parts = {
        "loss": mc.SoftmaxCrossEntropy(),
        "optimizer": mc.SGD(net.parameters(), 0.1),
        **changed,
    }
    return mc.Trainer(net, parts.pop("loss"), parts.pop("optimizer"), **parts)


@pytest.mark.parametrize("moment", ["on_train_begin", "on_epoch_end"])
def test_what_is_said_to_be_saved_is_saved(moment: str, tmp_path: Path) -> None:
    """Also where Ctrl-C comes before the first step."""

    def press(*_: Any) -> None:
        signal.raise_signal(signal.SIGINT)

    callback = type("Press", (Callback,), {moment: press})()
    trainer = plain(checkpoint=tmp_path / "c.npz", callbacks=[callback])
    with pytest.raises(Interrupted, match="and was saved"):
        trainer.fit([pictures()], None, 2)
    assert plain().fit([pictures()], None, 2, resume=tmp_path / "c.npz").stopped == "epochs"


# --- Ctrl-C --------------------------------------------------------------------------------------


class Press(Callback):
    """Presses Ctrl-C in a step, as often as it is told to."""

    def __init__(self, step: int, times: int = 1, signum: int = signal.SIGINT) -> None:
        self.step = step
        self.times = times
        self.signum = signum
        self.ended = 0

    def on_step_end(self, trainer: mc.Trainer) -> None:
        if trainer.step == self.step:
            for _ in range(self.times):
                signal.raise_signal(self.signum)

    def on_train_end(self, trainer: mc.Trainer) -> None:
        self.ended += 1


@pytest.fixture(autouse=True)
def _handlers_are_restored() -> Iterator[None]:
    names = signal.SIGINT, signal.SIGTERM
    before = [signal.getsignal(name) for name in names]
    yield
    assert [signal.getsignal(name) for name in names] == before


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("step", [1, 10, 2 * BATCHES, 3 * BATCHES])
def test_ctrl_c_saves_and_a_resume_goes_on(step: int, signum: int, tmp_path: Path) -> None:
    whole = small.trainer(checkpoint=tmp_path / "whole.npz")
    whole.fit(*small.loaders(), 3)

    path = tmp_path / "part.npz"
    press = Press(step, signum=signum)
    trainer = small.trainer(checkpoint=path, callbacks=[press])
    with pytest.raises(Interrupted) as caught:
        trainer.fit(*small.loaders(prefetch=1), 3)
    assert isinstance(caught.value, KeyboardInterrupt)
    assert caught.value.signum == signum
    assert caught.value.history is trainer.history
    assert trainer.history.interrupted
    assert press.ended == 1
    message = str(caught.value)
    epoch, batch = divmod(step, BATCHES)
    place = f"after epoch {epoch}"
    if batch:
        place = f"in epoch {epoch + 1}, after {batch} of 7 batches"
    if batch == 0:  # the last batch of an epoch: its validation had not begun
        place = f"in epoch {epoch}, after 7 of 7 batches"
    assert f"training stopped {place} and was saved" in message
    assert f"resume={str(path)!r}" in message

    again = small.trainer(seed=4, checkpoint=path)
    again.fit(*small.loaders(), 3, resume=path)
    assert small.lasting(path) == small.lasting(tmp_path / "whole.npz")


def test_ctrl_c_without_a_checkpoint_and_on_in_the_same_trainer() -> None:
    whole = small.trainer()
    whole.fit(*small.loaders(), 2)
    trainer = small.trainer(callbacks=[Press(3)])
    train, valid = small.loaders()
    with pytest.raises(Interrupted, match=r"not saved.*fit\(\) goes on from here"):
        trainer.fit(train, valid, 2)
    trainer.fit(train, valid, 2)
    assert same(whole.net.state_dict(), trainer.net.state_dict())
    assert whole.history["train_loss"] == trainer.history["train_loss"]


class PressedWhileRead(list[Any]):
    """Batches in whose middle Ctrl-C is pressed, once."""

    pressed = False

    def __iter__(self) -> Iterator[Any]:
        yield self[0]
        if not self.pressed:
            self.pressed = True
            signal.raise_signal(signal.SIGINT)
        yield from self[1:]


def test_ctrl_c_during_validation(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    batches = list(small.loaders()[1])
    whole = small.trainer(checkpoint=tmp_path / "whole.npz")
    whole.fit(small.loaders()[0], batches, 2)
    trainer = small.trainer(checkpoint=path)
    with pytest.raises(Interrupted, match="in epoch 1, after 7 of 7 batches"):
        trainer.fit(small.loaders()[0], PressedWhileRead(batches), 2)
    assert len(trainer.history) == 0
    small.trainer(seed=2, checkpoint=path).fit(small.loaders()[0], batches, 2, resume=path)
    assert small.lasting(path) == small.lasting(tmp_path / "whole.npz")


def test_a_second_ctrl_c_acts_at_once(tmp_path: Path) -> None:
    press = Press(3, times=2)
    with pytest.raises(KeyboardInterrupt) as caught:
        small.trainer(checkpoint=tmp_path / "a.npz", callbacks=[press]).fit(*small.loaders(), 1)
    assert not isinstance(caught.value, Interrupted)
    assert not (tmp_path / "a.npz").exists()
    assert press.ended == 0


def test_the_programs_own_handlers_are_respected() -> None:
    came: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda signum, frame: came.append(signum))
    ignored = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        small.trainer(callbacks=[Press(1, signum=signal.SIGTERM), Press(2)]).fit(
            *small.loaders(), 1
        )
    finally:
        signal.signal(signal.SIGTERM, before)
        signal.signal(signal.SIGINT, ignored)
    assert came == [signal.SIGTERM]


def test_in_another_thread() -> None:
    results: list[mc.History] = []
    thread = threading.Thread(target=lambda: results.append(plain().fit(*small.loaders(), 1)))
    thread.start()
    thread.join()
    assert len(results[0]) == 1


def test_an_error_ends_the_loaders_thread() -> None:
    class Fail(Callback):
        def on_step_end(self, trainer: mc.Trainer) -> None:
            raise RuntimeError("mine")

    train, _ = small.loaders(prefetch=1)
    with pytest.raises(RuntimeError, match="mine") as caught:  # whose traceback holds the frames
        plain(callbacks=[Fail()]).fit(train, epochs=1)
    assert not [t for t in threading.enumerate() if t.name == "minicnn-prefetch"]
    assert caught.tb is not None
