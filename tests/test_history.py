"""History: columns, CSV, strict JSON."""

from __future__ import annotations

import csv
import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minicnn as mc


def history() -> mc.History:
    rows: list[dict[str, Any]] = [
        {"epoch": 1, "train_loss": 0.1 + 0.2, "valid_loss": None, "lr": 1e-05},
        {"epoch": 2, "train_loss": 1 / 3, "valid_loss": math.inf, "lr": 0.1, "extra": 7},
        {"epoch": 3, "train_loss": 0.2, "valid_loss": math.nan, "lr": 0.1, "extra": -math.inf},
    ]
    return mc.History(rows, best_epoch=3, stopped="epochs", extra={"test_accuracy": 0.98})


def test_rows_and_columns() -> None:
    h = history()
    assert len(h) == 3
    assert h["epoch"] == [1, 2, 3]
    assert h["extra"] == [None, 7, -math.inf]
    assert h[-1]["epoch"] == 3
    assert [row["lr"] for row in h] == [1e-05, 0.1, 0.1]
    assert h.columns == ["epoch", "train_loss", "valid_loss", "lr", "extra"]
    assert h.best == h.rows[2]
    assert not h.interrupted


def test_a_column_that_is_not_there() -> None:
    with pytest.raises(KeyError, match=r"no column 'loss'; columns: epoch, train_loss"):
        history()["loss"]
    with pytest.raises(KeyError, match="no epoch is finished"):
        mc.History()["loss"]
    assert mc.History().best is None


def test_csv_can_be_read_back_exactly(tmp_path: Path) -> None:
    h = history()
    h.to_csv(tmp_path / "a.csv")
    with open(tmp_path / "a.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == h.columns
    assert [float(row["train_loss"]) for row in rows] == h["train_loss"]
    assert rows[0]["valid_loss"] == ""
    assert rows[0]["extra"] == ""
    assert math.isnan(float(rows[2]["valid_loss"]))
    assert (
        (tmp_path / "a.csv").read_text().startswith("epoch,train_loss,valid_loss,lr,extra\n1,0.3")
    )


def test_csv_without_rows(tmp_path: Path) -> None:
    mc.History().to_csv(tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_text().strip() == ""


BAD_EPOCH = '{"rows": [], "best_epoch": "1"}'


def refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is not JSON")


def test_json_is_strict_and_comes_back(tmp_path: Path) -> None:
    h = history()
    h.to_json(tmp_path / "a.json")
    content = json.loads((tmp_path / "a.json").read_text(), parse_constant=refuse)
    assert content["test_accuracy"] == 0.98
    assert content["minicnn"] == mc.__version__
    assert content["rows"][1]["valid_loss"] == "Infinity"
    again = mc.History.from_json(tmp_path / "a.json")
    assert repr(again.rows) == repr(h.rows)  # NaN is not equal to itself, but looks the same
    assert again.extra == h.extra
    assert (again.best_epoch, again.stopped) == (3, "epochs")


def test_a_text_stays_a_text(tmp_path: Path) -> None:
    texts = ["NaN", "Infinity", "-Infinity", "\\NaN", "\\\\-Infinity", "nan", "\\", ""]
    h = mc.History([{"note": text, "loss": math.nan} for text in texts], extra={"note": "NaN"})
    h.to_json(tmp_path / "a.json")
    again = mc.History.from_json(tmp_path / "a.json")
    assert again["note"] == texts
    assert all(math.isnan(loss) for loss in again["loss"])
    assert again.extra == {"note": "NaN"}


def test_csv_is_utf_8_whatever_the_locale(tmp_path: Path) -> None:
    program = "import minicnn as mc, sys; mc.History([{'n': '\\u9e1f'}]).to_csv(sys.argv[1])"
    environment = {**os.environ, "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    command = [sys.executable, "-c", program, str(tmp_path / "a.csv")]
    subprocess.run(command, env=environment, check=True, timeout=60)
    assert (tmp_path / "a.csv").read_text(encoding="utf-8") == "n\n鸟\n"


def test_rows_come_in_the_order_of_the_columns(tmp_path: Path) -> None:
    """As a resumed run has them: sorted by name. The file must not tell."""
    row = {"epoch": 1, "step": 4, "train_loss": 2.0, "lr": 0.1, "note": 1}
    for name, entries in (("a", row), ("b", dict(sorted(row.items())))):
        mc.History([entries]).to_json(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_json_takes_numpy_numbers(tmp_path: Path) -> None:
    h = mc.History(
        [{"epoch": np.int64(1), "loss": np.float32(0.5), "all": np.array([1.0, np.nan])}]
    )
    h.to_json(tmp_path / "a.json")
    again = mc.History.from_json(tmp_path / "a.json")
    assert again["loss"] == [0.5]
    assert repr(again["all"]) == "[[1.0, nan]]"


def test_extra_must_not_hide_the_files_own_entries(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="must not hold rows"):
        mc.History(extra={"rows": 1}).to_json(tmp_path / "a.json")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"rows": 3}', '{"rows": [3]}', BAD_EPOCH])
def test_what_is_no_history(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(ValueError, match=r"a\.json is not a history"):
        mc.History.from_json(tmp_path / "a.json")


def test_an_error_leaves_the_old_files(tmp_path: Path) -> None:
    h = history()
    h.to_json(tmp_path / "a.json")
    before = (tmp_path / "a.json").read_text()
    h.rows[0]["epoch"] = object()
    with pytest.raises(TypeError):
        h.to_json(tmp_path / "a.json")
    assert (tmp_path / "a.json").read_text() == before


def test_repr_is_a_table() -> None:
    lines = repr(history()).splitlines()
    assert lines[0].split() == ["epoch", "train_loss", "valid_loss", "lr", "extra"]
    assert lines[1].split() == ["1", "0.3", "1e-05"]
    assert len({len(line) for line in lines}) == 1
    assert "no epoch" in repr(mc.History())


def test_columns_have_one_order_however_the_rows_were_made() -> None:
    row = {"note": 1, "lr": 0.1, "epoch": 1, "train_loss": 2.0, "alpha": 3, "step": 4}
    for order in (list(row), sorted(row), sorted(row, reverse=True)):
        history = mc.History([{name: row[name] for name in order}])
        assert history.columns == ["epoch", "step", "train_loss", "lr", "alpha", "note"]


def test_a_best_epoch_that_is_not_there_has_no_row() -> None:
    assert mc.History([{"epoch": 1}], best_epoch=7).best is None
    assert mc.History([{"epoch": 1}], best_epoch=1).best == {"epoch": 1}
    assert mc.History([{"epoch": 1}]).best is None
