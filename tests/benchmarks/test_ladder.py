"""The performance ladder: rungs that agree, checks that refuse, a picture that is labelled."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.patches import Rectangle

from benchmarks import ladder, ladder_picture, roofline_limits
from benchmarks.roofline_limits import Limits
from benchmarks.timing import Timing
from minicnn import kernels
from minicnn.kernels import reference

pytestmark = pytest.mark.skipif(
    kernels.info()["level"] is None, reason="the ladder needs the compiled kernels"
)

Rung = Callable[..., None]
LIMITS = {"small": {1: Limits(1e11, 5e10), 2: Limits(2e11, 6e10)}}
LIMITS["large"] = LIMITS["small"]
DOCS = Path(__file__).resolve().parents[2] / "docs" / "ladder.md"


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work of a few thousand operations, and limits that are measured in no time."""
    for size in ladder.FIRST:
        monkeypatch.setitem(ladder.CONVOLUTIONS, size, (2, 3, 5, 7))
        monkeypatch.setitem(ladder.POOLINGS, size, (2, 3, 7))
    monkeypatch.setattr(roofline_limits, "TRIAL_SECONDS", 1e-4)


def names(rungs: Any) -> list[str]:
    return [rung.__name__ for rung in rungs]


@pytest.mark.parametrize("rung", ladder.CONV, ids=names(ladder.CONV))
@pytest.mark.parametrize("shape", [(2, 3, 7, 9), (1, 1, 3, 3), (3, 2, 4, 8)])
def test_every_convolution_is_the_reference(rung: Rung, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal(shape).astype(np.float32)
    weight = rng.standard_normal((5, shape[1], 3, 3)).astype(np.float32)
    bias = rng.standard_normal(5).astype(np.float32)
    y = np.full((shape[0], 5, shape[2] - 2, shape[3] - 2), np.nan, np.float32)
    expected = np.empty_like(y)
    rung(x, weight, bias, y)
    reference.conv2d_forward(x, weight, bias, expected, (1, 1), (0, 0), (1, 1), 1, False, False, 1)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("rung", ladder.POOL, ids=names(ladder.POOL))
@pytest.mark.parametrize("kind", ["normal", "ties", "nan"])
@pytest.mark.parametrize("shape", [(2, 3, 6, 8), (2, 3, 7, 9), (1, 1, 2, 2)])
def test_every_pooling_is_the_reference(rung: Rung, kind: str, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal(shape).astype(np.float32)
    if kind == "ties":
        x = rng.integers(0, 2, shape).astype(np.float32)
    elif kind == "nan":
        x[:, :, 1::2, ::4] = np.nan  # one in a window: of several, NumPy's argmax takes the first
    y = np.full((*shape[:2], shape[2] // 2, shape[3] // 2), -7, np.float32)
    mask = np.full(y.shape, -7, np.int32)
    expected, places = np.empty_like(y), np.empty_like(mask)
    rung(x, y, mask)
    reference.maxpool2d_forward(x, expected, places, (2, 2), (2, 2), (0, 0), (1, 1), 1)
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(mask, places)


@pytest.mark.parametrize("make", [ladder.convolution, ladder.pooling])
@pytest.mark.parametrize("size", ladder.FIRST)
def test_the_works_pass_their_own_check(make: Callable[[str], ladder.Work], size: str) -> None:
    work = make(size)
    assert list(work.sides()) == list(ladder.NAMES[ladder.FIRST[size] - 1 :])
    ladder.check(work)


def wrong_convolution(x: Any, weight: Any, bias: Any, y: Any) -> None:
    ladder.conv_im2col(x, weight, bias, y)
    y[0, 0, 0, 0] += 0.01


def not_a_number(x: Any, weight: Any, bias: Any, y: Any) -> None:
    y.fill(np.nan)


def nothing(*arrays: Any) -> None:
    pass


def wrong_mask(x: Any, y: Any, mask: Any) -> None:
    ladder.pool_argmax(x, y, mask)
    mask[0, 0, 0, 0] += 1


@pytest.mark.parametrize(
    ("make", "rung"),
    [
        (ladder.convolution, wrong_convolution),
        (ladder.convolution, not_a_number),
        (ladder.convolution, nothing),
        (ladder.pooling, wrong_mask),
        (ladder.pooling, nothing),
    ],
)
def test_a_rung_that_is_wrong_stops_the_measurement(make: Any, rung: Rung) -> None:
    work = make("small")
    broken = replace(work, rungs=(*work.rungs[:3], rung, *work.rungs[4:]))
    with pytest.raises(SystemExit, match=f"{work.name}, {ladder.NAMES[3]}: off by .*; nothing"):
        ladder.check(broken)


def test_operations_and_traffic_are_those_of_the_formulas() -> None:
    conv, pool = ladder.convolution("small"), ladder.pooling("small")
    assert conv.operations == 2 * (2 * 5 * 5 * 5) * (3 * 3 * 3)
    assert conv.traffic == 4 * (2 * 3 * 7 * 7 + 5 * 3 * 3 * 3 + 5 + 2 * 5 * 5 * 5)
    assert pool.operations == 3 * (2 * 3 * 3 * 3)
    assert pool.traffic == 4 * (2 * 3 * 7 * 7 + 2 * (2 * 3 * 3 * 3))


def rows_of_both(size: str) -> list[ladder.Row]:
    kernels.set_num_threads(2)
    works = ladder.convolution(size), ladder.pooling(size)
    return [row for work in works for row in ladder.climb(work, LIMITS[size], 1)]


def test_rows_follow_from_the_times() -> None:
    rows = rows_of_both("small")
    assert [row.rung for row in rows] == [1, 2, 3, 4, 5, 6] * 2
    assert rows[5].name == "threaded, 2 threads"
    work = ladder.convolution("small")
    for row in rows[:6]:
        rate = work.operations / row.seconds.median
        limit = LIMITS["small"][2 if row.rung == 6 else 1]
        assert row.gflops == pytest.approx(rate / 1e9)
        assert row.faster == pytest.approx(rows[0].seconds.median / row.seconds.median)
        assert row.intensity == pytest.approx(work.operations / work.traffic)
        assert row.share == pytest.approx(rate / min(limit.peak, row.intensity * limit.bandwidth))


def test_the_roof_is_the_lower_of_the_two_limits() -> None:
    limits = Limits(peak=100.0, bandwidth=10.0)
    assert [limits.roof(x) for x in (0.1, 1, 10, 100)] == [1, 10, 100, 100]


@pytest.mark.parametrize("threads", [1, 2])
def test_every_thread_does_its_part(threads: int) -> None:
    calls: list[tuple[int, int]] = []

    def task(k: int, repetitions: int) -> int:
        calls.append((k, repetitions))
        sum(range(1000 * repetitions))
        return repetitions

    assert roofline_limits.best_rate(task, threads) > 0
    trials = [k for k, _ in calls[-roofline_limits.TRIALS * threads :]]
    assert sorted(trials) == sorted(list(range(threads)) * roofline_limits.TRIALS)
    peak, bandwidth = Limits.measured(threads, 1000)
    assert peak > 0 and bandwidth > 0


@pytest.mark.parametrize("size", [1, 4095, 4096, 4097, 393216])
def test_what_is_copied_lies_half_a_page_apart(size: int) -> None:
    a, b = roofline_limits.apart(size)
    assert a.size == b.size == size
    assert not np.shares_memory(a, b)
    assert (b.ctypes.data - a.ctypes.data) % 4096 == 2048


def test_without_compiled_kernels_it_says_what_to_do() -> None:
    with (
        kernels.use_backend("reference"),
        pytest.raises(RuntimeError, match="unset MINICNN_BACKEND"),
    ):
        roofline_limits.plain()


def invented_row(work: str, rung: int, faster: float, gflops: float, size: str) -> ladder.Row:
    seconds = Timing(1.0 / faster, 0.9 / faster, 1.1 / faster)
    intensity = 20.0 if work == "convolution" else 0.125
    return ladder.Row(
        work, size, rung, ladder.NAMES[rung - 1], seconds, faster, gflops, 1, intensity, 0.5
    )


class TestPicture:
    rows = tuple(
        invented_row(work, rung, 10.0 ** (rung - 1), 10.0 ** (rung - 4), "small")
        for work in ladder_picture.WORKS
        for rung in range(1, 7)
    )

    def test_has_two_panels_for_each_size(self) -> None:
        large = [row._replace(size="large") for row in self.rows if row.rung >= 3]
        figure = ladder_picture.draw([*self.rows, *large], LIMITS)
        titles = [ax.get_title(loc="left") for ax in figure.axes]
        assert titles == [
            "small arrays: speed-up",
            "small arrays: roofline",
            "large arrays: speed-up",
            "large arrays: roofline",
        ]
        assert [len(ax.patches) for ax in figure.axes[::2]] == [12, 8]

    def test_bars_start_at_one_and_end_at_the_speed_up(self) -> None:
        figure = ladder_picture.draw(self.rows, {"small": LIMITS["small"]})
        ax = figure.axes[0]
        assert ax.get_xscale() == "log"
        assert ax.get_xlabel() == f"times faster than 1 {ladder.NAMES[0]}"
        assert [label.get_text() for label in ax.get_yticklabels()] == [
            f"{rung} {name}" for rung, name in enumerate(ladder.NAMES, start=1)
        ]
        for bar, row in zip(ax.patches, self.rows, strict=True):
            assert isinstance(bar, Rectangle)
            assert bar.get_x() == 1
            assert bar.get_x() + bar.get_width() == pytest.approx(row.faster)
        assert ax.texts[5].get_text() == "100,000"

    def test_the_roofline_shows_every_rung_by_its_number(self) -> None:
        figure = ladder_picture.draw(self.rows, {"small": LIMITS["small"]})
        ax = figure.axes[1]
        assert [text.get_text() for text in ax.texts] == list("123456" * 2)
        legend = ax.get_legend()
        assert legend is not None
        assert [text.get_text() for text in legend.get_texts()] == [
            "1 thread: 100 GFLOP/s, 50 GB/s",
            "2 threads: 200 GFLOP/s, 60 GB/s",
            "convolution",
            "max pooling",
        ]
        roof = np.asarray(ax.lines[0].get_ydata())
        assert roof.max() == pytest.approx(100)
        assert ax.get_xlabel() and ax.get_ylabel()

    def test_a_limit_for_one_thread_alone_is_one_line(self) -> None:
        figure = ladder_picture.draw(self.rows, {"small": {1: Limits(1e11, 5e10)}})
        assert len(figure.axes[1].lines) == 1 + len(ladder_picture.WORKS)


def test_the_command_prints_and_writes_everything(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for name in ladder.BLAS_THREADS:
        monkeypatch.setenv(name, "1")
    arguments = ["ladder", "--repetitions", "1", "--threads", "2", "--out", str(tmp_path / "out")]
    monkeypatch.setattr(sys, "argv", arguments)
    assert ladder.main() == 0
    printed = capsys.readouterr().out
    for name in ladder.NAMES[2:]:
        assert len(re.findall(rf"^\d {name}", printed, re.MULTILINE)) == 4
    assert "max pooling, large (2×3×7×7; " in printed
    result = json.loads((tmp_path / "out" / "ladder.json").read_text(encoding="utf-8"))
    assert len(result["rows"]) == 2 * (6 + 4)
    assert result["limits"]["small"].keys() == {"1", "2"}
    assert result["kernels"]["level"] == kernels.info()["level"]
    assert (tmp_path / "out" / "ladder.png").read_bytes().startswith(b"\x89PNG")


def test_one_blas_thread_is_had_by_starting_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[dict[str, Any]] = []

    class Done:
        returncode = 3

    def run(command: list[str], **options: Any) -> Done:
        started.append({"command": command, **options})
        return Done()

    monkeypatch.delenv(ladder.BLAS_THREADS[0], raising=False)
    monkeypatch.setattr(sys, "argv", ["ladder", "--quick"])
    monkeypatch.setattr(subprocess, "run", run)
    assert ladder.main() == 3
    (call,) = started
    assert call["command"] == [sys.executable, "-m", "benchmarks.ladder", "--quick"]
    assert all(call["env"][name] == "1" for name in ladder.BLAS_THREADS)


def test_the_page_on_the_ladder_tells_of_every_rung() -> None:
    text = DOCS.read_text(encoding="utf-8")
    for rung in (*ladder.CONV, *ladder.POOL):
        assert f"`{rung.__name__}`" in text
