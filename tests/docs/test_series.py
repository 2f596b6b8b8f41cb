"""What docs/series.md says of minicnn with numbers is so. What it says of the C++ it quotes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minicnn as mc
from minicnn.cli import build_parser
from minicnn.commands import sources, train
from minicnn.data import ArrayDataset
from minicnn.data.augment import Compose, RandomRotation, RandomShift, RandomVerticalFlip

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "series.md").read_text(encoding="utf-8")
PRINTING = re.findall(r"^```python\n((?:(?!```).*\n)+)```\n\n((?:    .*\n)+)", TEXT, re.M)


def says(words: str) -> bool:
    """Whether the page says this, wherever its lines end."""
    return " ".join(words.split()) in " ".join(TEXT.split())


def test_there_are_examples_that_print() -> None:
    assert len(PRINTING) >= 1
    assert any("pool-assigns" in code for code, _ in PRINTING)


@pytest.mark.parametrize(("code", "printed"), PRINTING)
def test_an_example_prints_what_stands_below_it(
    code: str, printed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    exec(compile(code, "series.md", "exec"), {})
    assert capsys.readouterr().out.splitlines() == [line.strip() for line in printed.splitlines()]


@pytest.fixture
def recipe() -> dict[str, Any]:
    """The options of the command line under "The training recipe"."""
    section = TEXT.partition("## The training recipe")[2]
    command = re.search(r"^minicnn (train(?:.*\\\n)*.*)$", section, re.M)
    assert command is not None
    return vars(build_parser().parse_args(command[1].replace("\\\n", " ").split()))


def test_the_recipe_divides_3000_pictures_and_runs_400000_steps(
    recipe: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = ArrayDataset(np.zeros((3000, 1, 1, 1), np.float32), np.repeat(np.arange(3), 1000))
    monkeypatch.setattr(sources.Source, "whole_folder", lambda self: pictures)
    source = sources.Source("animals/", None, 224, False, recipe["valid"], 0)
    parts = source.for_training()
    assert [len(part) for part in parts if part is not None] == [2400, 300, 300]
    assert says("Of 3,000 pictures that makes 2,400, 300 and 300.")
    steps = len(sources.loaders(parts[0], parts[1], recipe["batch_size"], 0, "none", 0.0)[0])
    assert steps == 600 and says("here of 600 steps each")
    assert 0 <= recipe["epochs"] * steps - 400_000 < steps and says("| 400,000 iterations |")


def test_the_recipe_says_what_the_options_do(recipe: dict[str, Any]) -> None:
    net = mc.Sequential(mc.Linear(1, 1))
    sgd = train.make_optimizer(net, {**train.DEFAULTS, "optimizer": "sgd", "lr": recipe["lr"]})
    assert isinstance(sgd, mc.SGD) and sgd.nesterov and sgd.momentum == 0.9
    assert says("SGD has Nesterov momentum 0.9, always")
    assert 1 / (1 - sgd.momentum) == pytest.approx(10) and recipe["lr"] == pytest.approx(1e-3 / 10)
    assert train.DEFAULTS["batch_size"] == 64 and says("The default is 64.")
    steps = {name: list(chain(make())) for name, make in sources.AUGMENTATIONS.items()}
    shifts = [step for step in steps["flip"] if isinstance(step, RandomShift)]
    assert [step.max_shift for step in shifts] == [2] and says("shifts of up to two pixels")
    turns = [step for step in steps["rotate"] if isinstance(step, RandomRotation)]
    assert [step.degrees for step in turns] == [10] and says("turns by up to 10 degrees")
    assert RandomVerticalFlip().p == 0.5 and says("The same; the default is 0.5.")


def chain(augmentation: Any) -> Iterator[Any]:
    """The steps of an augmentation, one after the other."""
    yield from augmentation.steps if isinstance(augmentation, Compose) else [augmentation]


def test_running_statistics_make_the_file_1920_bytes_longer() -> None:
    plain, normed = mc.models.animal(), mc.models.animal(batch_norm=True)
    norms = [layer for layer in normed.layers if isinstance(layer, mc.BatchNorm2D)]
    channels = [norm.running_mean.size for norm in norms]
    assert sum(channels) == 240
    assert says(f"{' + '.join(map(str, channels))} = 240 channels")
    more = sum(n.running_mean.nbytes + n.running_var.nbytes for n in norms)
    assert more == 1920 and says("The 1,920 bytes can be explained")
    assert not any(isinstance(layer, mc.BatchNorm2D) for layer in plain.layers)


def test_defaults_are_as_the_tables_say() -> None:
    assert mc.Conv2D(1, 1, 3).config()["stride"] == (1, 1)
    norm = mc.BatchNorm2D(2)
    assert (norm.eps, norm.momentum) == (1e-5, 0.1)
    assert norm.running_mean.tolist() == [0, 0] and norm.running_var.tolist() == [1, 1]
    assert says("`running_mean` starts at 0, `running_var` at 1")
    assert mc.Dropout().p == 0.5
    linear = mc.Linear(5, 3)
    assert linear.weight.data.shape == (3, 5) and says("`weight` is out×in")
