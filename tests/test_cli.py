"""The command line: what it prints, what it leaves behind, and how it fails."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

import minicnn
from minicnn import archive, checkpoint, data, metrics, models
from minicnn.cli import build_parser, main
from minicnn.commands import sources
from minicnn.commands.say import short_warnings
from minicnn.commands.sources import Source
from minicnn.commands.train import DEFAULTS, warn_of_few_steps
from minicnn.data.augment import Compose

PARTS: tuple[Literal["train", "test"], ...] = ("train", "test")
SMALL = dict(zip(PARTS, (2000, 300), strict=True))

FILES = {
    "best.npz",
    "checkpoint.npz",
    "metrics.csv",
    "history.json",
    "learning_curves.png",
    "confusion_matrix.png",
}
Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a folder of 30 small pictures for each of two classes."""
    image = pytest.importorskip("PIL.Image")
    root = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for name, level in (("dark", 40), ("light", 200)):
        (root / name).mkdir()
        for k in range(30):
            pixels = rng.integers(level - 30, level + 30, (20, 24, 3)).astype(np.uint8)
            image.fromarray(pixels).save(root / name / f"{k}.png")
    return root


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No data set is on this machine."""
    monkeypatch.delenv("MINICNN_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def train(*options: str) -> int:
    return main(["train", "--batch-size", "8", *options])


def test_train_leaves_a_run_folder_and_says_the_accuracy_last(
    pictures: Path, capsys: Capture
) -> None:
    assert train("--data", str(pictures), "--epochs", "2", "--out", "run") == 0
    lines = capsys.readouterr().out.strip().splitlines()
    assert re.fullmatch(r"test accuracy \d+\.\d\d %", lines[-1])
    assert {path.name for path in Path("run").iterdir()} == FILES
    history = json.loads(Path("run/history.json").read_text(encoding="utf-8"))
    assert f"test accuracy {100 * history['test_accuracy']:.2f} %" == lines[-1]
    with open("run/metrics.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    for name in ("learning_curves.png", "confusion_matrix.png"):
        assert Path("run", name).read_bytes().startswith(b"\x89PNG")
    assert any(line.startswith("epoch 2/2") for line in lines)


def test_runs_are_numbered_and_never_overwritten(pictures: Path, capsys: Capture) -> None:
    for _ in range(2):
        assert train("--data", str(pictures), "--epochs", "1", "--quiet") == 0
    name = f"{pictures.name}-toy"
    assert {path.name for path in Path("runs").iterdir()} == {name, f"{name}-2"}
    assert "epoch" not in capsys.readouterr().out
    assert train("--data", str(pictures), "--out", f"runs/{name}") == 1
    assert f"--resume runs/{name}" in capsys.readouterr().err


def test_a_finished_run_goes_on_with_more_epochs(pictures: Path, capsys: Capture) -> None:
    constant = ("--data", str(pictures), "--schedule", "constant", "--quiet")
    assert train(*constant, "--epochs", "3", "--out", "whole") == 0
    assert train(*constant, "--epochs", "2", "--out", "parts") == 0
    assert main(["train", "--resume", "parts"]) == 1
    assert "has done its 2 epochs; to go on, give more: --epochs" in capsys.readouterr().err
    assert main(["train", "--resume", "parts", "--epochs", "3"]) == 0
    whole, parts = (checkpoint.load_training(f"{run}/checkpoint.npz") for run in ("whole", "parts"))
    for name, array in whole.weights.items():
        np.testing.assert_array_equal(array, parts.weights[name])


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--lr", "0.5"], "--lr 0.5 contradicts the run in run, which has 0.1"),
        (["--batch-size", "9"], "--batch-size 9 contradicts"),
        (["--out", "elsewhere"], "--out elsewhere contradicts --resume run"),
    ],
)
def test_resume_refuses_contradictions(
    pictures: Path, capsys: Capture, options: list[str], text: str
) -> None:
    assert train("--data", str(pictures), "--epochs", "1", "--out", "run") == 0
    assert main(["train", "--resume", "run", "--epochs", "2", *options]) == 2
    assert text in capsys.readouterr().err


def test_options_reach_the_training(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every option that the trainer, the loss, the optimizer or the loader is made of."""
    seen: dict[str, Any] = {}

    def fit(trainer: minicnn.Trainer, batches: Any, valid: Any, epochs: int, **_: Any) -> Any:
        seen.update(trainer=trainer, train=batches, valid=valid, epochs=epochs)
        raise RuntimeError("seen enough")

    monkeypatch.setattr(minicnn.Trainer, "fit", fit)
    options = {
        "--clip-norm": "2.5",
        "--patience": "4",
        "--augment": "rotate",
        "--fill": "0.75",
        "--label-smoothing": "0.25",
        "--weight-decay": "0.125",
        "--optimizer": "adamw",
        "--lr": "0.0625",
        "--schedule": "cosine",
        "--epochs": "7",
        "--seed": "3",
        "--valid": "0.2",
        "--size": "32",
    }
    flat = [word for pair in options.items() for word in pair]
    assert train("--data", str(pictures), "--grayscale", *flat) == 1
    trainer, loader = seen["trainer"], seen["train"]
    assert (trainer.clip_norm, trainer.patience, seen["epochs"]) == (2.5, 4, 7)
    assert trainer.loss.label_smoothing == 0.25
    assert isinstance(trainer.optimizer, minicnn.AdamW)
    assert (trainer.optimizer.weight_decay, trainer.optimizer.lr) == (0.125, 0.0625)
    assert isinstance(trainer.schedule, minicnn.Cosine)
    assert isinstance(loader.augment, Compose)
    assert [vars(step)["fill"] for step in loader.augment.steps] == [0.75, 0.75]
    assert (loader.batch_size, loader.shuffle, loader.seed) == (8, True, 3)
    assert loader.dataset.image_shape == (1, 32, 32)
    assert (len(loader.dataset), len(seen["valid"].dataset)) == (43, 11)


@pytest.fixture(scope="module")
def sketches(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 80 dark drawings on light grey, of two classes."""
    image = pytest.importorskip("PIL.Image")
    root = tmp_path_factory.mktemp("sketches")
    rng = np.random.default_rng(0)
    for name in ("bar", "dot"):
        (root / name).mkdir()
        for k in range(40):
            pixels = np.full((28, 28), 230, np.uint8)
            row, column = rng.integers(6, 20, 2)
            pixels[row : row + 3, column - 5 if name == "bar" else column : column + 3] = 20
            image.fromarray(pixels).save(root / name / f"{k:02}.png")
    return root


@pytest.mark.parametrize("augment", ["shift", "rotate", "flip"])
def test_what_comes_in_from_outside_is_as_the_edge(sketches: Path, augment: str) -> None:
    """Of light drawings light; kept with the run, and the same after a stop."""
    constant = ["--data", str(sketches), "--grayscale", "--augment", augment, "--quiet"]
    constant += ["--schedule", "constant", "--lr", "0.01"]
    assert train(*constant, "--epochs", "2", "--out", "whole") == 0
    assert train(*constant, "--epochs", "1", "--out", "parts") == 0
    assert main(["train", "--resume", "parts", "--epochs", "2", "--quiet"]) == 0
    whole, parts = (checkpoint.load_training(f"{run}/checkpoint.npz") for run in ("whole", "parts"))
    for name, array in whole.weights.items():
        np.testing.assert_array_equal(array, parts.weights[name])
    options = checkpoint.load_meta("parts/best.npz")["options"]
    assert options["fill"] == 0.902  # 230 of 255
    grey = np.full((50, 1, 28, 28), np.float32(0.902))
    changed = sources.AUGMENTATIONS[augment](options["fill"])(grey, np.random.default_rng(0))
    np.testing.assert_allclose(changed, grey, atol=1e-6)
    assert sources.AUGMENTATIONS[augment]()(grey, np.random.default_rng(0)).min() == 0


def test_the_fill_of_digits_is_black_and_of_a_folder_may_be_chosen(
    sketches: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = {part: data.digits(part).subset(range(200)) for part in PARTS}
    monkeypatch.setattr(sources, "digits", lambda part: small[part])
    assert train("--epochs", "1", "--out", "digits") == 0
    assert "filled" not in capsys.readouterr().out
    folder = ("--data", str(sketches), "--epochs", "1")
    assert train(*folder, "--out", "chosen", "--fill", "0.5") == 0
    assert "augment shift, filled with grey 0.5 from outside" in capsys.readouterr().out
    assert train(*folder, "--out", "plain", "--augment", "none") == 0
    assert train(*folder, "--out", "turned", "--invert") == 0
    found = {run: run_options(run)["fill"] for run in ("digits", "chosen", "plain", "turned")}
    assert found == {"digits": 0, "chosen": 0.5, "plain": 0, "turned": 0.098}
    assert main(["train", "--resume", "chosen", "--epochs", "2", "--fill", "0"]) == 2
    assert "--fill 0.0 contradicts the run in chosen, which has 0.5" in capsys.readouterr().err


def run_options(run: str) -> dict[str, Any]:
    options: dict[str, Any] = checkpoint.load_meta(f"{run}/best.npz")["options"]
    return options


@pytest.mark.parametrize("memory", [1 << 29, 0])
def test_the_edge_is_the_median_of_a_few_pictures(
    sketches: Path, monkeypatch: pytest.MonkeyPatch, memory: int
) -> None:
    monkeypatch.setattr(sources, "_IN_MEMORY", memory)
    folder, _, _ = Source(str(sketches), None, 28, True, 0.1, 0).for_training()
    turned, _, _ = Source(str(sketches), None, 28, True, 0.1, 0, invert=True).for_training()
    assert sources.edge(folder) == 0.902
    assert sources.edge(turned) == 0.098
    x, labels = folder.batch([0, 5])
    y, same = turned.batch([0, 5])
    np.testing.assert_array_equal(y, 1 - x)
    np.testing.assert_array_equal(labels, same)
    assert turned.classes == folder.classes and turned.image_shape == folder.image_shape
    monkeypatch.setattr(sources, "LOOKED_AT", 3)
    asked: list[list[int]] = []
    batch = type(folder).batch

    def note(part: Any, indices: Any) -> Any:
        asked.append(list(indices))
        return batch(part, indices)

    monkeypatch.setattr(type(folder), "batch", note)
    sources.edge(folder)
    assert asked[0] == [0, (len(folder) - 1) // 2, len(folder) - 1]


def test_a_run_older_than_an_option_goes_on_as_it_was(sketches: Path) -> None:
    """Black from outside, whatever the pictures, and no picture turned."""
    constant = ("--data", str(sketches), "--quiet", "--schedule", "constant", "--lr", "0.01")
    assert train(*constant, "--fill", "0", "--epochs", "2", "--out", "whole") == 0
    assert train(*constant, "--fill", "0", "--epochs", "1", "--out", "old") == 0
    for name in ("checkpoint.npz", "best.npz"):
        header, arrays, timing = archive.read(f"old/{name}")
        for option in ("fill", "invert"):
            del header["meta"]["options"][option]
        archive.write(f"old/{name}", header, arrays, timing)
    assert main(["evaluate", "old"]) == 0
    assert main(["predict", "old", str(sketches / "bar" / "00.png")]) == 0
    assert main(["train", "--resume", "old", "--epochs", "2", "--quiet"]) == 0
    whole, old = (checkpoint.load_training(f"{run}/checkpoint.npz") for run in ("whole", "old"))
    for name, array in whole.weights.items():
        np.testing.assert_array_equal(array, old.weights[name])


def test_pictures_are_turned_wherever_a_run_that_was_trained_so_is_used(
    sketches: Path, capsys: Capture
) -> None:
    image = pytest.importorskip("PIL.Image")
    options = ("--data", str(sketches), "--grayscale", "--epochs", "3", "--lr", "0.05")
    assert train(*options, "--invert", "--out", "run") == 0
    shutil.copytree(sketches, "turned")
    for path in Path("turned").glob("*/*.png"):
        image.fromarray(255 - np.asarray(image.open(path))).save(path)
    options = ("--data", "turned", *options[2:])
    assert train(*options, "--fill", "0.098", "--out", "same") == 0
    net, same = minicnn.load("run/best.npz"), minicnn.load("same/best.npz")
    for name, array in net.state_dict().items():
        np.testing.assert_allclose(array, same.state_dict()[name], atol=1e-3)
    capsys.readouterr()
    results = []
    for words in (["run"], ["run", "--data", str(sketches)], ["same"]):
        assert main(["evaluate", *words, "--json"]) == 0
        results.append(json.loads(capsys.readouterr().out))
    assert results[0] == results[1]
    assert results[0]["loss"] == pytest.approx(results[2]["loss"], abs=1e-2)
    shutil.copytree(sketches, "copy")  # other pictures, and as dark on light as the run's own
    assert main(["evaluate", "run", "--data", "copy", "--json"]) == 0
    copied = json.loads(capsys.readouterr().out)
    pixels = np.asarray(image.open(sketches / "dot" / "00.png"), np.float32) / np.float32(255)
    expected = net.eval().predict((1 - pixels)[None, None])
    p = minicnn.losses.softmax(expected)[0]
    for words in (["predict", "run"], ["predict", "run", "--invert", "yes"]):
        assert main([*words, "--json", str(sketches / "dot" / "00.png")]) == 0
        (said,) = json.loads(capsys.readouterr().out)
        assert list(said["probabilities"].values()) == pytest.approx(p.tolist(), abs=1e-6)
    assert main(["predict", "run", "--invert", "no", "--json", "turned/dot/00.png"]) == 0
    (said,) = json.loads(capsys.readouterr().out)
    assert list(said["probabilities"].values()) == pytest.approx(p.tolist(), abs=1e-2)
    folder = data.ImageFolder("copy", 28, grayscale=True)
    images, labels = folder.batch(range(len(folder)))
    assert copied["accuracy"] == metrics.accuracy(net.predict(1 - images), labels)


def test_few_steps_are_warned_of(pictures: Path, capsys: Capture) -> None:
    folder = ("--data", str(pictures), "--epochs", "1", "--quiet")
    assert main(["train", *folder, "--out", "run"]) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("minicnn: warning: few steps: 1 an epoch, 1 in all, in batches of 64;")
    assert "try --batch-size 16" in line
    assert main(["train", *folder, "--batch-size", "64", "--out", "own"]) == 0
    warn_of_few_steps(1, {"epochs": 300, "batch_size": 64})  # warnings are errors here
    assert main(["train", "--resume", "run", "--epochs", "2", "--quiet"]) == 0
    err = capsys.readouterr().err
    assert "few steps" not in err


LAYERS = """
import minicnn as mc

class Twice(mc.Layer):
    def _forward(self, x):
        from beside import FACTOR
        self.save()
        return FACTOR * x
"""

SAVE = """
net = mc.Sequential(Twice(), mc.Conv2D(1, 2, 3, rng=0), mc.Flatten(), mc.Linear(1352, 10, rng=0))
mc.save('net.npz', net, meta={'input_shape': [1, 28, 28]})
"""


@pytest.mark.parametrize(
    ("module", "command"),
    [
        ("first", "viz arch net.npz"),
        ("code/second.py", "evaluate net.npz --data digits"),
        ("./third.py", "summary net.npz"),
        ("package.fourth", "predict net.npz picture.png"),
    ],
)
def test_a_net_with_layers_of_ones_own_is_used_at_the_shell(
    module: str, command: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = pytest.importorskip("PIL.Image")
    image.new("L", (28, 28), 99).save("picture.png")
    file = Path(module if module.endswith(".py") else f"{module.replace('.', '/')}.py")
    file.parent.mkdir(exist_ok=True)
    own = file.stem if module.endswith(".py") else module
    layers = LAYERS.replace("from beside", f"from beside_{file.stem}")
    file.write_text(f"from beside_{file.stem} import FACTOR\n{layers}", encoding="utf-8")
    home = file.parent if module.endswith(".py") else Path()
    (home / f"beside_{file.stem}.py").write_text("FACTOR = 2", encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(home), *sys.path])}
    code = f"import minicnn as mc\nfrom {own} import Twice\n{SAVE}"
    subprocess.run([sys.executable, "-c", code], check=True, env=environment, timeout=60)
    words, path = command.split(), list(sys.path)
    assert main(words) == 1
    error = capsys.readouterr().err
    assert f"'{own}.Twice' that is not known here; give --import {own} (known" in error
    assert error.count("\n") == 1
    assert main([*words, "--import", module]) == 0
    assert sys.path == path


def test_what_cannot_be_imported(capsys: Capture) -> None:
    before = list(sys.path)
    for module, text in (
        ("nowhere", "No module named 'nowhere'"),
        ("no/where.py", "--import: there is no file no/where.py"),
        ("json.py", "--import json.py: another module has the name json"),
    ):
        Path("json.py").write_text("", encoding="utf-8")
        assert main(["summary", "toy", "--import", module]) == 1
        error = capsys.readouterr().err
        assert text in error and error.count("\n") == 1
    assert sys.path == before
    Path("json.py").unlink()
    code = "FACTOR = 2\n" + LAYERS.replace("        from beside import FACTOR\n", "") + SAVE
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    assert main(["summary", "net.npz"]) == 1
    assert "its class is of a script or notebook: move it to a file" in capsys.readouterr().err


def test_the_accuracy_is_that_of_the_best_epoch_on_the_test_pictures(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the embedded digits, and a net that is spoilt in the last epoch."""
    small = {part: data.digits(part).subset(range(n)) for part, n in SMALL.items()}
    monkeypatch.setattr(sources, "digits", lambda part: small[part])
    rank = minicnn.Trainer._rank

    def spoil(trainer: minicnn.Trainer, row: dict[str, Any]) -> None:
        if row["epoch"] == 3:
            row["valid_accuracy"] = 0.0
            for parameter in trainer.net.parameters():
                parameter.data *= -1
        rank(trainer, row)

    monkeypatch.setattr(minicnn.Trainer, "_rank", spoil)
    assert main(["train", "--epochs", "3", "--out", "run", "--quiet"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    net = minicnn.load("run/best.npz")
    test = small["test"]
    images, labels = test.batch(range(len(test)))
    right = metrics.accuracy(net.predict(images), labels)
    assert line == f"test accuracy {100 * right:.2f} %"
    assert right > 0.5
    assert json.loads(Path("run/history.json").read_text())["test_pictures"] == SMALL["test"]
    assert main(["evaluate", "run", "--part", "valid", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["pictures"] == SMALL["train"] // 10


def test_a_run_that_was_killed_before_it_was_written_up_is_finished(
    pictures: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("minicnn.plots.confusion_matrix", fail)
        assert train("--data", str(pictures), "--epochs", "2", "--out", "run") == 1
    assert Path("run/metrics.csv").exists()  # of every epoch
    assert not Path("run/confusion_matrix.png").exists()
    capsys.readouterr()
    assert main(["train", "--resume", "run"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("test accuracy")
    assert {path.name for path in Path("run").iterdir()} == FILES
    assert main(["train", "--resume", "run"]) == 1
    assert "has done its 2 epochs" in capsys.readouterr().err


@pytest.mark.parametrize("valid", ["0", "0.3"])
def test_no_run_trains_on_what_is_tested(pictures: Path, valid: str) -> None:
    parts = [
        Source(str(pictures), None, 28, False, float(valid), seed).for_training() for seed in (0, 1)
    ]
    tests = {test.indices.tobytes() for _, _, test in parts}  # type: ignore[attr-defined]
    assert len(tests) == 1
    reference = Source(str(pictures), None, 28, False, 0.1, 9).part("test")
    assert tests == {reference.indices.tobytes()}  # type: ignore[attr-defined]
    for learnt, _, test in parts:
        inner = learnt.dataset if valid != "0" else learnt  # type: ignore[attr-defined]
        assert not set(inner.indices) & set(test.indices)  # type: ignore[attr-defined]


def test_a_foreign_folder_is_measured_whole(pictures: Path, capsys: Capture) -> None:
    assert train("--data", str(pictures), "--epochs", "1", "--out", "run", "--quiet") == 0
    shutil.copytree(pictures, "copy")
    capsys.readouterr()
    for folder, count in ((str(pictures), 6), ("copy", 60)):
        assert main(["evaluate", "run", "--data", folder, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["pictures"] == count
    assert main(["evaluate", "run", "--data", "copy", "--part", "train"]) == 2
    Path("copy/dark").rename("copy/black")
    assert main(["evaluate", "run", "--data", "copy"]) == 1
    assert "to tell apart dark, light; the data has black, light" in capsys.readouterr().err


def test_a_run_on_a_folder_can_be_used_from_anywhere(
    pictures: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shutil.copytree(pictures, "own")
    assert train("--data", "own", "--epochs", "1", "--out", "run", "--quiet") == 0
    Path("elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    assert main(["evaluate", "../run"]) == 0
    Path(tmp_path, "own").rename("moved")
    again = ["train", "--resume", "../run", "--data", "moved", "--schedule", "onecycle"]
    assert main([*again, "--epochs", "2"]) == 0  # whatever the filter is: pytest's says "error"
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("minicnn: warning: resuming with other settings than before: schedule")
    assert main([*again, "--epochs", "3", "--data", "digits"]) == 2


def test_other_warnings_pass_through_the_filters_as_ever(capsys: Capture) -> None:
    with short_warnings(), pytest.raises(RuntimeWarning):
        warnings.warn("of somebody else", RuntimeWarning, stacklevel=1)
    with short_warnings(), pytest.raises(UserWarning):
        warnings.warn("of somebody else", stacklevel=1)
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        with short_warnings():
            warnings.warn("of\nsomebody else", RuntimeWarning, stacklevel=1)
    assert capsys.readouterr().err == "minicnn: warning: of somebody else\n"


def test_no_figure_is_left_where_pyplot_is_in_use(pictures: Path) -> None:
    pyplot = pytest.importorskip("matplotlib.pyplot")
    mine = pyplot.figure().number
    assert train("--data", str(pictures), "--epochs", "1", "--out", "run", "--quiet") == 0
    assert pyplot.get_fignums() == [mine] and pyplot.gcf().number == mine


def test_json_has_null_where_there_is_no_number(pictures: Path, capsys: Capture) -> None:
    net = models.build("toy", classes=2, channels=3, rng=0)
    for parameter in net.parameters():
        parameter.data[...] = 0  # which takes everything for the first class
    options = {**DEFAULTS, "data": str(pictures), "size": 28}
    minicnn.save("net.npz", net, meta={"options": options, "input_shape": [3, 28, 28]})
    assert main(["evaluate", "net.npz", "--json"]) == 0
    result = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert None in result["precision"]


def test_mnist_is_looked_for_where_root_says(capsys: Capture, nowhere: None) -> None:
    minicnn.save("net.npz", models.toy(rng=0), meta={"input_shape": [1, 28, 28]})
    assert main(["evaluate", "net.npz", "--data", "mnist", "--root", "some-root"]) == 1
    error = capsys.readouterr().err
    assert "some-root" in error
    assert "fetch it with --download" in error


def test_one_bad_picture_does_not_spoil_the_others(pictures: Path, capsys: Capture) -> None:
    assert train("--data", str(pictures), "--epochs", "1", "--out", "run", "--quiet") == 0
    good = sorted(str(path) for path in pictures.glob("light/*.png"))[:2]
    Path("text.png").write_text("no picture")
    capsys.readouterr()
    files = [good[0], "missing.png", "text.png", good[1]]
    assert main(["predict", "run", *files]) == 1
    captured = capsys.readouterr()
    assert all(file in captured.out for file in good)
    assert [line.split(":")[0] for line in captured.err.splitlines()] == ["minicnn predict"] * 2
    assert main(["predict", "run", "--json", *files]) == 1
    results = json.loads(capsys.readouterr().out)
    assert {result["file"] for result in results if "error" in result} == {files[1], files[2]}
    assert main(["predict", "run", "missing.png"]) == 1


def run_shell(command: str, **environ: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        command.replace("minicnn", f"{sys.executable} -m minicnn"),
        shell=True,
        capture_output=True,
        timeout=120,
        check=False,
        env={**os.environ, **environ},
    )


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX shell")
def test_training_goes_on_when_the_reader_leaves(pictures: Path) -> None:
    options = f"--data {pictures} --epochs 3 --batch-size 8 --out run"
    done = run_shell(f"minicnn train {options} | head -n 1")
    assert done.stderr == b""
    assert {path.name for path in Path("run").iterdir()} == FILES


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX shell")
def test_any_terminal_will_do() -> None:
    ascii_only = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = run_shell("minicnn summary toy", **ascii_only)
    assert done.returncode == 0, done.stderr
    assert b"1x8x26x26" in done.stdout
    closed = run_shell("minicnn summary toy >&-")
    assert closed.returncode == 0, closed.stderr
    assert b"Traceback" not in closed.stderr


def test_data_that_cannot_be_divided_are_refused(pictures: Path, capsys: Capture) -> None:
    shutil.copytree(pictures / "dark", "one/dark")
    assert main(["train", "--data", "one"]) == 1
    assert "one class folder, dark; there is nothing to tell apart" in capsys.readouterr().err
    for name in ("dark", "light"):
        Path("few", name).mkdir(parents=True)
        shutil.copy(pictures / name / "0.png", Path("few", name))
    assert main(["train", "--data", "few"]) == 1
    assert "has 2 pictures; it takes 20" in capsys.readouterr().err


def test_what_does_not_go_together_is_wrong_usage(capsys: Capture) -> None:
    assert main(["train", "--size", "32"]) == 2
    assert "--size is for a folder of pictures, not digits" in capsys.readouterr().err
    assert main(["train", "--invert"]) == 2
    assert "--invert is for a folder of pictures, not digits" in capsys.readouterr().err
    assert main(["train", "--augment", "none", "--fill", "1"]) == 2
    assert "--fill is for --augment" in capsys.readouterr().err
    assert main(["train", "--model", "animal"]) == 1
    assert "--model animal needs larger pictures than these of 28×28" in capsys.readouterr().err


def test_names_may_have_underscores(tmp_path: Path, capsys: Capture, nowhere: None) -> None:
    assert main(["train", "--data", "fashion_mnist", "--root", str(tmp_path)]) == 1
    assert "there is no folder" not in capsys.readouterr().err


def test_resume_of_nothing(capsys: Capture) -> None:
    assert main(["train", "--resume", "nowhere"]) == 1
    assert "there is nothing to resume in nowhere" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_ctrl_c_saves_and_says_how_to_go_on(pictures: Path) -> None:
    options = ["--data", str(pictures), "--epochs", "2000", "--schedule", "constant"]
    process = subprocess.Popen(
        [sys.executable, "-m", "minicnn", "train", *options, "--out", "run"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Ctrl-C is ignored in what a shell runs in the background, and that is inherited.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        deadline = time.monotonic() + 60
        while not Path("run/checkpoint.npz").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 1
    assert error.count("\n") == 1
    assert "was saved; go on with: minicnn train --resume run" in error
    done = len(checkpoint.load_training("run/checkpoint.npz").rows)
    assert main(["train", "--resume", "run", "--epochs", str(done + 1), "--quiet"]) == 0


def test_evaluate(pictures: Path, capsys: Capture) -> None:
    train("--data", str(pictures), "--epochs", "3", "--out", "run")
    tested = capsys.readouterr().out.strip().splitlines()[-1]
    assert main(["evaluate", "run"]) == 0
    out = capsys.readouterr().out
    assert f"test {out.strip().splitlines()[-1]}" == tested
    assert "precision" in out
    assert main(["evaluate", "run/best.npz", "--json", "--part", "train"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["pictures"] == 49  # of 60: 6 to test, 5 to validate
    assert 0 <= result["accuracy"] <= 1
    assert result["classes"] == ["dark", "light"]
    assert main(["evaluate", "run", "--data", "digits"]) == 1
    assert main(["evaluate", "nowhere"]) == 1
    assert "there is no run folder or net file nowhere" in capsys.readouterr().err


def test_predict(pictures: Path, capsys: Capture) -> None:
    train("--data", str(pictures), "--epochs", "4", "--out", "run")
    capsys.readouterr()
    files = [str(pictures / "dark" / "0.png"), str(pictures / "light" / "0.png")]
    assert main(["predict", "run", *files]) == 0
    out = capsys.readouterr().out
    assert f"{files[0]}: dark" in out
    assert f"{files[1]}: light" in out
    assert main(["predict", "run", *files, "--json"]) == 0
    results = json.loads(capsys.readouterr().out)
    assert [result["class"] for result in results] == ["dark", "light"]
    for result in results:
        assert sum(result["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert main(["predict", "run", "missing.png"]) == 1
    assert "missing.png" in capsys.readouterr().err


def test_summary_of_models_runs_and_files(capsys: Capture) -> None:
    assert main(["summary", "lenet5"]) == 0
    assert "61,706" in capsys.readouterr().out
    assert main(["summary", "vgg", "--input-shape", "1x16x16", "--classes", "4"]) == 0
    assert "1×4×1×1" in capsys.readouterr().out
    minicnn.save("net.npz", models.toy(rng=0))
    assert main(["summary", "net.npz"]) == 1
    assert "give --input-shape" in capsys.readouterr().err
    assert main(["summary", "net.npz", "--input-shape", "1,28,28"]) == 0
    assert main(["summary", "net.npz", "--input-shape", "3,28,28"]) == 1
    assert "x must have shape (B, 1, H, W)" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["fly"],
        ["train", "--epochs", "0"],
        ["train", "--lr", "-1"],
        ["train", "--lr", "nan"],
        ["train", "--valid", "0.9"],
        ["train", "--fill", "1.5"],
        ["train", "--fill", "white"],
        ["train", "--model", "alexnet"],
        ["predict", "run"],
        ["summary", "toy", "--input-shape", "28"],
        ["summary", "toy", "--input-shape", "1,0,28"],
    ],
)
def test_wrong_usage_exits_with_2(arguments: list[str], capsys: Capture) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: minicnn" in capsys.readouterr().err


def test_failures_are_one_line_and_exit_with_1(capsys: Capture) -> None:
    assert main(["train", "--data", "no-such-folder"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("minicnn train: data must be one of digits, mnist, fashion-mnist or")
    assert error.count("\n") == 1
    with pytest.raises(ValueError, match="data must be one of"):
        main(["train", "--data", "no-such-folder", "--debug"])
    assert not Path("runs").exists()
    Path("broken.npz").write_bytes(b"nothing like it")
    assert main(["evaluate", "broken.npz"]) == 1
    assert "broken.npz" in capsys.readouterr().err


def test_every_help_has_an_example(capsys: Capture) -> None:
    for name in ("train", "evaluate", "predict", "summary", "doctor"):
        with pytest.raises(SystemExit) as caught:
            build_parser().parse_args([name, "--help"])
        assert caught.value.code == 0
        assert f"example:\n  minicnn {name}" in capsys.readouterr().out


def test_version(capsys: Capture) -> None:
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"minicnn {minicnn.__version__}\n"


def test_threads_are_set(capsys: Capture) -> None:
    assert main(["evaluate", "nowhere", "--threads", "1"]) == 1
    assert minicnn.get_num_threads() == 1


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX pipes")
def test_a_reader_that_leaves_is_no_traceback() -> None:
    command = f"{sys.executable} -m minicnn summary vgg | head -n 1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""


def test_bars_without_unicode(monkeypatch: pytest.MonkeyPatch) -> None:
    from minicnn.commands import use

    class Ascii:
        encoding = "ascii"

    monkeypatch.setattr(use.sys, "stdout", Ascii())
    assert use.bar_characters() == ("#", ".")
