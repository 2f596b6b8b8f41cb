"""History: what a training recorded, one row for each epoch."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, overload

from ._version import __version__
from .files import atomic_write

Row = dict[str, Any]

COLUMNS = (
    "epoch",
    "step",
    "train_loss",
    "train_accuracy",
    "valid_loss",
    "valid_accuracy",
    "lr",
    "seconds",
    "images_per_second",
)
"""What the trainer writes into each row, in this order."""

TIMING = ("seconds", "images_per_second")
"""Columns that a clock measured: all others are equal, bit for bit, between equal runs."""

_NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_QUOTE = "\\"
"""Stands before a text that would else be taken for such a number, or for one so marked."""


@dataclass
class History:
    """The rows of a training, and how it ended.

    ``history["valid_accuracy"]`` is that column as a list, ``history[-1]`` the last row,
    ``len(history)`` the number of epochs.

    Attributes:
        rows: For each epoch a dict of: epoch (from 1), step (optimizer steps so far), train_loss,
            train_accuracy, valid_loss, valid_accuracy (means over all pictures; accuracies from 0
            to 1; None where there is none), lr (of the epoch's last step), seconds (of training,
            validation aside), images_per_second; and what callbacks add.
        best_epoch: The epoch (from 1) with the best result; None before the first.
        stopped: Why training ended: "epochs" (all are done), "patience", "callback", "interrupt";
            None while it runs.
        extra: More to keep at the top level of the JSON file, such as ``test_accuracy``.
    """

    rows: list[Row] = field(default_factory=list)
    best_epoch: int | None = None
    stopped: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C (or SIGTERM) ended it."""
        return self.stopped == "interrupt"

    @property
    def columns(self) -> list[str]:
        """The names that occur in any row: the trainer's in their order, then others by name."""
        found = {name for row in self.rows for name in row}
        own = [name for name in COLUMNS if name in found]
        return own + sorted(found.difference(own))

    @property
    def best(self) -> Row | None:
        """The row of the best epoch; None before the first, and where there is no such row."""
        return next((row for row in self.rows if row.get("epoch") == self.best_epoch), None)

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    @overload
    def __getitem__(self, key: str) -> list[Any]: ...
    @overload
    def __getitem__(self, key: int) -> Row: ...
    def __getitem__(self, key: str | int) -> list[Any] | Row:
        """A column by name (None in rows without it) or a row by number.

        Raises:
            KeyError: no row has such a column.
            IndexError: there is no such row.
        """
        if isinstance(key, int):
            return self.rows[key]
        if key not in self.columns:
            have = ", ".join(self.columns) or "none, for no epoch is finished"
            raise KeyError(f"history has no column {key!r}; columns: {have}")
        return [row.get(key) for row in self.rows]

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write the rows as CSV with a line of names; where there is no value the cell is empty.

        Numbers are written in full, so that they can be read back exactly. The file is replaced as
        a whole or not at all.

        Raises:
            OSError: it cannot be written.
        """
        import csv

        with (
            atomic_write(path) as temporary,
            open(temporary, "w", newline="", encoding="utf-8") as file,
        ):
            writer = csv.DictWriter(file, self.columns, restval="", lineterminator="\n")
            writer.writeheader()
            writer.writerows(self.rows)

    def to_json(self, path: str | os.PathLike[str]) -> None:
        """Write everything as strict JSON: NaN and infinities become "NaN", "Infinity".

        Raises:
            TypeError, ValueError: ``extra`` or a row holds something that JSON cannot say, or
                ``extra`` has a name that the file uses itself.
            OSError: the file cannot be written.
        """
        columns = self.columns
        own = {
            "minicnn": __version__,
            "stopped": self.stopped,
            "best_epoch": self.best_epoch,
            "rows": [
                strict_numbers({name: row[name] for name in columns if name in row})
                for row in self.rows
            ],
        }
        taken = own.keys() & self.extra.keys()
        if taken:
            raise ValueError(f"extra must not hold {', '.join(sorted(taken))}: the file does")
        text = json.dumps({**strict_numbers(self.extra), **own}, indent=1, allow_nan=False)
        with atomic_write(path) as temporary:
            temporary.write_text(text + "\n", encoding="utf-8")

    @classmethod
    def from_json(cls, path: str | os.PathLike[str]) -> History:
        """Read what `to_json` wrote.

        Raises:
            ValueError: it is no such file.
            OSError: it cannot be opened.
        """
        with open(path, encoding="utf-8") as file:
            try:
                content = json.load(file)
            except ValueError as error:
                raise ValueError(f"{path} is not a history: {error}") from None
        rows = content.pop("rows", None) if isinstance(content, dict) else None
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise ValueError(f"{path} is not a history: it has no list of rows")
        content.pop("minicnn", None)
        best_epoch, stopped = content.pop("best_epoch", None), content.pop("stopped", None)
        if not isinstance(best_epoch, (int, type(None))):
            raise ValueError(f"{path} is not a history: its best_epoch is {best_epoch!r:.60}")
        return cls([any_numbers(row) for row in rows], best_epoch, stopped, any_numbers(content))

    def __repr__(self) -> str:
        shown = [column for column in self.columns if column != "step"]
        table = [shown] + [[_cell(row.get(column)) for column in shown] for row in self.rows]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = ["  ".join(map(str.rjust, line, widths)) for line in table if line]
        return "\n".join(lines) or "History(no epoch finished)"


def strict_numbers(value: Any) -> Any:
    """``value`` with its NaN and infinite floats as strings and NumPy's numbers as plain ones.

    A text that reads "NaN" itself becomes "\\NaN", so that `any_numbers` tells the two apart.
    """
    if isinstance(value, dict):
        return {key: strict_numbers(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [strict_numbers(entry) for entry in value]
    if hasattr(value, "tolist"):
        return strict_numbers(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, str) and value.lstrip(_QUOTE) in _NOT_FINITE:
        return _QUOTE + value
    return value


def any_numbers(value: Any) -> Any:
    """What `strict_numbers` was given, tuples and NumPy aside."""
    if isinstance(value, dict):
        return {key: any_numbers(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [any_numbers(entry) for entry in value]
    if not isinstance(value, str) or value.lstrip(_QUOTE) not in _NOT_FINITE:
        return value
    return value[len(_QUOTE) :] if value.startswith(_QUOTE) else _NOT_FINITE[value]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
