"""Run folders: where a training keeps its files, and how to find a net in one."""

from __future__ import annotations

import importlib
import itertools
import sys
from pathlib import Path
from typing import Any

from .. import checkpoint
from ..data.base import Dataset
from ..errors import CheckpointError, DataError, UnknownLayerError
from ..history import History
from ..layers import Layer

CHECKPOINT = "checkpoint.npz"
BEST = "best.npz"
METRICS = "metrics.csv"
HISTORY = "history.json"
CURVES = "learning_curves.png"
CONFUSION = "confusion_matrix.png"


def new_run(out: str | None, data: str, model: str) -> Path:
    """A new, empty folder: ``out``, or runs/DATA-MODEL with a number after it from 2 on.

    Raises:
        FileExistsError: ``out`` exists and is not an empty folder: nothing is ever overwritten.
    """
    if out is not None:
        path = Path(out)
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            way = f", or go on with that run with --resume {path}" if is_run(path) else ""
            raise FileExistsError(f"{path} exists already; name another folder with --out{way}")
        path.mkdir(parents=True, exist_ok=True)
        return path
    name = f"{Path(data).name}-{model}"
    for number in itertools.count(1):
        path = Path("runs", name if number == 1 else f"{name}-{number}")
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            continue
        return path
    raise AssertionError("unreachable")


def is_run(path: Path) -> bool:
    """Whether a folder holds a run."""
    return any((path / name).is_file() for name in (BEST, CHECKPOINT))


def is_finished(path: Path) -> bool:
    """Whether a run was trained, tested and written up: that is what its last file says."""
    try:
        return "test_accuracy" in History.from_json(path / HISTORY).extra
    except (OSError, ValueError):
        return False


def net_file(run: str | Path) -> Path:
    """The file of a trained net: ``run`` itself, or the best net of a run folder.

    Raises:
        DataError: there is none.
    """
    path = Path(run)
    if path.is_dir():
        for name in (BEST, CHECKPOINT):
            if (path / name).is_file():
                return path / name
        raise DataError(f"{path} is no run folder: it has neither {BEST} nor {CHECKPOINT}")
    if not path.is_file():
        raise DataError(f"there is no run folder or net file {path}")
    return path


def load_net(run: str | Path) -> tuple[Layer, dict[str, Any]]:
    """A trained net in evaluation mode, and what was kept with it.

    Raises:
        CheckpointError: the file is damaged, or has a layer that nobody has imported.
        DataError: there is no such file.
    """
    try:
        net, meta = checkpoint.load_with_meta(net_file(run))
    except CheckpointError as error:
        cause = error.__cause__
        if not isinstance(cause, UnknownLayerError):
            raise
        way = f"give --import {cause.kind.rpartition('.')[0] or 'MODULE'}"
        if cause.kind.startswith("__main__."):
            way = "its class is of a script or notebook: move it to a file, and save the net again"
        raise CheckpointError(str(error).replace(cause.remedy, way)) from None
    return net.eval(), meta


def import_named(module: str) -> None:
    """Import a module by its name, or by its file (``code/mylayers.py``), as itself.

    A module is looked for in the current folder first, and what a file imports beside it.

    Raises:
        ImportError: there is none, or another one has the file's name.
    """
    file = Path(module).resolve() if module.endswith(".py") else None
    if file is not None and not file.is_file():
        raise ImportError(f"--import: there is no file {module}")
    name = module if file is None else file.stem
    folder = str(Path.cwd() if file is None else file.parent)
    sys.path.insert(0, folder)
    try:
        importlib.invalidate_caches()  # the file may be newer than this process
        found = importlib.import_module(name)
    finally:
        sys.path.remove(folder)
    own = getattr(found, "__file__", None)
    if file is not None and (own is None or Path(own).resolve() != file):
        raise ImportError(
            f"--import {module}: another module has the name {name}; give the file another one, "
            f"and save the net with it"
        )


def describe_data(
    train: Dataset, valid: Dataset | None, test: Dataset, data: str, picture: tuple[int, ...]
) -> str:
    """One line about the data."""
    held = f"{len(valid):,} to validate" if valid is not None else "none to validate"
    return (
        f"data    {data}: {len(train):,} pictures {'×'.join(map(str, picture))} to train, {held}, "
        f"{len(test):,} to test; {len(train.classes)} classes"
    )
