"""The tool that made the digits makes them again."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicnn.data.digits import FILE

TOOL = Path(__file__).parents[2] / "tools" / "make_digits.py"


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    if not TOOL.exists():
        pytest.skip("tools/make_digits.py is not here")
    spec = importlib.util.spec_from_file_location("make_digits", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@given(present=st.lists(st.integers(1, 1000), min_size=1, max_size=10), data=st.data())
def test_shares_are_proportional(tool: ModuleType, present: list[int], data: st.DataObject) -> None:
    total = data.draw(st.integers(0, sum(present)))
    counts = tool.largest_remainders(np.array(present), total)
    assert counts.sum() == total
    exact = np.array(present) * total / sum(present)
    assert (abs(counts - exact) < 1).all()
    assert (counts <= present).all()


def test_a_draw_is_repeatable_and_stratified(tool: ModuleType) -> None:
    labels = np.arange(1000) % 10
    chosen = tool.choose(labels, "train", 200)
    np.testing.assert_array_equal(chosen, tool.choose(labels, "train", 200))
    assert (np.diff(chosen) > 0).all()
    assert np.bincount(labels[chosen]).tolist() == [20] * 10
    assert chosen.tolist() != tool.choose(labels, "test", 200).tolist()


def test_the_same_arrays_give_the_same_bytes(tool: ModuleType, tmp_path: Path) -> None:
    arrays = {"a": np.arange(100, dtype=np.uint8), "b": np.zeros((3, 4), "<i4")}
    for name in ("one.npz", "two.npz"):
        tool.write_npz(tmp_path / name, arrays)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    with np.load(tmp_path / "one.npz", allow_pickle=False) as read:
        for name, array in arrays.items():
            np.testing.assert_array_equal(read[name], array)


def test_it_makes_the_same_digits_again(
    tool: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if "MINICNN_DATA" not in os.environ:
        pytest.skip("MINICNN_DATA does not name a folder with MNIST")
    output = tmp_path / "made.npz"
    assert tool.main([os.environ["MINICNN_DATA"], str(output)]) == 0
    # The embedded bytes may come from another zlib; the arrays must be the same.
    with np.load(output) as made, np.load(FILE) as embedded:
        assert made.files == embedded.files
        for name in made.files:
            np.testing.assert_array_equal(made[name], embedded[name])
    assert "train: 10000 of 60000" in capsys.readouterr().out
