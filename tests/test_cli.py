"""The command line: what it prints, what it leaves behind, and how it fails."""

from __future__ import annotations

import csv
import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import minicnn
from minicnn import checkpoint, models
from minicnn.cli import build_parser, main

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
    assert main(["train", "--resume", "run", "--epochs", "2", *options]) == 1
    assert text in capsys.readouterr().err


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
    )
    deadline = time.monotonic() + 60
    while not Path("run/checkpoint.npz").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
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
    assert result["pictures"] == 48
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
