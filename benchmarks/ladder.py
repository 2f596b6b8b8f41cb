"""The performance ladder: one convolution and one max pooling, each written six ways.

    python -m benchmarks.ladder [--quick] [--threads N] [--out FOLDER]

Every rung takes the same arrays and fills the same outputs. It must agree with the first one before
anything is timed; then the rungs take turns. At the small size all six run, at the large size the
upper four. Prints a table, writes ladder.json and ladder.png: how many times faster than the first
rung, and how far from the machine's limits (roofline_limits.py). Medians; rungs 1 to 5 run on one
thread. docs/ladder.md says what each rung teaches.

Letters: b picture, o output channel, c input channel, (i, j) pixel of the output, (u, v) place in
the window. The convolution has stride 1 and no padding, the pooling windows of 2×2 side by side:

    y[b,o,i,j] = bias[o] + Σ_cuv weight[o,c,u,v] · x[b,c,i+u,j+v]
    y[b,c,i,j] = max_uv x[b,c,2i+u,2j+v];  mask[b,c,i,j] = h·W + w of the winning pixel (h,w)
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from minicnn import kernels

from .ladder_picture import draw
from .roofline_limits import Limits, plain
from .timing import PLACING, Side, Timing, sample, summarise, take_turns

Array = npt.NDArray[Any]

# --- the convolution, six times ---------------------------------------------------------------


def conv_python(x: Array, weight: Array, bias: Array, y: Array) -> None:
    """Rung 1: the formula, one number at a time."""
    xs, weights, biases = x.tolist(), weight.tolist(), bias.tolist()
    _, C, KH, KW = weight.shape
    for b, o, i, j in np.ndindex(y.shape):
        total = biases[o]
        for c in range(C):
            for u in range(KH):
                for v in range(KW):
                    total += weights[o][c][u][v] * xs[b][c][i + u][j + v]
        y[b, o, i, j] = total


def conv_windows(x: Array, weight: Array, bias: Array, y: Array) -> None:
    """Rung 2: one window at a time, of all pictures and for all output channels."""
    _, _, KH, KW = weight.shape
    for i, j in np.ndindex(y.shape[2:]):
        window = x[:, :, i : i + KH, j : j + KW]
        y[:, :, i, j] = np.einsum("bcuv,ocuv->bo", window, weight) + bias


def conv_im2col(x: Array, weight: Array, bias: Array, y: Array) -> None:
    """Rung 3: all windows copied into the rows of a matrix, and one matrix product."""
    B, OC, OH, OW = y.shape
    windows = sliding_window_view(x, weight.shape[2:], axis=(2, 3))  # b, c, i, j, u, v
    columns = windows.transpose(0, 2, 3, 1, 4, 5).reshape(B * OH * OW, -1)
    product = columns @ weight.reshape(OC, -1).T + bias
    y[...] = product.reshape(B, OH, OW, OC).transpose(0, 3, 1, 2)


def conv_cython(x: Array, weight: Array, bias: Array, y: Array) -> None:
    """Rung 4: the loops of rung 1, compiled (minicnn/kernels/plain.pyx)."""
    plain().conv2d_plain(x, weight, bias, y, 1)


def conv_blocked(x: Array, weight: Array, bias: Array, y: Array, threads: int = 1) -> None:
    """Rung 5: tiles of sums in vector registers, no patch matrix (minicnn/kernels/conv.pyx)."""
    stride, padding, dilation, groups, winograd = (1, 1), (0, 0), (1, 1), 1, False
    kernels.engine.conv2d_forward(
        x, weight, bias, y, stride, padding, dilation, groups, winograd, False, threads
    )


def conv_threaded(x: Array, weight: Array, bias: Array, y: Array) -> None:
    """Rung 6: the same, shared out over the threads."""
    conv_blocked(x, weight, bias, y, kernels.threads)


# --- the max pooling, six times ---------------------------------------------------------------


def pool_python(x: Array, y: Array, mask: Array) -> None:
    """Rung 1: the formula, one number at a time."""
    xs, W = x.tolist(), x.shape[3]
    for b, c, i, j in np.ndindex(y.shape):
        best, place = xs[b][c][2 * i][2 * j], 2 * i * W + 2 * j
        for u in range(2):
            for v in range(2):
                value = xs[b][c][2 * i + u][2 * j + v]
                if value > best or value != value:  # NaN alone differs from itself, and wins
                    best, place = value, (2 * i + u) * W + 2 * j + v
        y[b, c, i, j], mask[b, c, i, j] = best, place


def pool_windows(x: Array, y: Array, mask: Array) -> None:
    """Rung 2: one window at a time, of all pictures and channels."""
    B, C, _, W = x.shape
    for i, j in np.ndindex(y.shape[2:]):
        window = x[:, :, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2].reshape(B, C, 4)
        place = window.argmax(axis=2)
        y[:, :, i, j] = window.max(axis=2)
        mask[:, :, i, j] = (2 * i + place // 2) * W + 2 * j + place % 2


def pool_argmax(x: Array, y: Array, mask: Array) -> None:
    """Rung 3: all windows side by side in one array, and one argmax."""
    (OH, OW), W = y.shape[2:], x.shape[3]
    windows = sliding_window_view(x, (2, 2), axis=(2, 3))[:, :, ::2, ::2].reshape(*y.shape, 4)
    place = windows.argmax(axis=4)
    y[...] = np.take_along_axis(windows, place[..., np.newaxis], axis=4)[..., 0]
    i, j = np.ogrid[:OH, :OW]
    mask[...] = (2 * i + place // 2) * W + 2 * j + place % 2


def pool_cython(x: Array, y: Array, mask: Array) -> None:
    """Rung 4: the loops of rung 1, compiled (minicnn/kernels/plain.pyx)."""
    plain().maxpool2d_plain(x, y, mask, 2, 2)


def pool_blocked(x: Array, y: Array, mask: Array, threads: int = 1) -> None:
    """Rung 5: a vector register full of windows, and no branch (minicnn/kernels/pool.pyx)."""
    size, stride, padding, dilation = (2, 2), (2, 2), (0, 0), (1, 1)
    kernels.engine.maxpool2d_forward(x, y, mask, size, stride, padding, dilation, threads)


def pool_threaded(x: Array, y: Array, mask: Array) -> None:
    """Rung 6: the same, shared out over the threads."""
    pool_blocked(x, y, mask, kernels.threads)


# --- what is climbed ----------------------------------------------------------------------------

NAMES = (
    "plain Python loops",
    "NumPy, window by window",
    "NumPy, all windows at once",
    "Cython, textbook loops",
    "blocked and vectorised",
    "threaded",
)
CONV = (conv_python, conv_windows, conv_im2col, conv_cython, conv_blocked, conv_threaded)
POOL = (pool_python, pool_windows, pool_argmax, pool_cython, pool_blocked, pool_threaded)
THREADED = NAMES[-1]  # the rung that runs on more than one thread

# Pictures, channels, output channels, side. The small sizes are such that plain Python takes about
# half a second, the large ones such that threads have something to share.
CONVOLUTIONS = {"small": (4, 8, 16, 28), "large": (16, 32, 64, 28)}
POOLINGS = {"small": (8, 32, 32), "large": (64, 32, 32)}
# The lowest rung that runs at a size: plain Python would take too long over the large one.
FIRST = {"small": 1, "large": 3}


@dataclass(frozen=True)
class Work:
    """What every rung does: the arrays, and how many operations it takes."""

    name: str
    size: str
    inputs: tuple[Array, ...]
    outputs: tuple[Array, ...]
    operations: int
    rungs: Sequence[Callable[..., None]]

    @property
    def traffic(self) -> int:
        """Bytes that must be moved: everything read once, everything written once."""
        return sum(array.nbytes for array in (*self.inputs, *self.outputs))

    def sides(self) -> dict[str, Side]:
        """The rungs that are run at this size, by name, ready to be called."""
        named = list(zip(NAMES, self.rungs, strict=True))[FIRST[self.size] - 1 :]
        return {name: partial(rung, *self.inputs, *self.outputs) for name, rung in named}


def convolution(size: str) -> Work:
    """3×3, stride 1, no padding. Operations: a multiplication and an addition a tap."""
    B, C, OC, side = CONVOLUTIONS[size]
    rng = np.random.default_rng(0)
    shapes = (B, C, side, side), (OC, C, 3, 3), (OC,)
    inputs = tuple(rng.standard_normal(shape).astype(np.float32) for shape in shapes)
    y = np.empty((B, OC, side - 2, side - 2), np.float32)
    return Work("convolution", size, inputs, (y,), 2 * y.size * inputs[1][0].size, CONV)


def pooling(size: str) -> Work:
    """2×2, stride 2. Operations: the three comparisons that find the largest of four."""
    B, C, side = POOLINGS[size]
    x = np.random.default_rng(0).standard_normal((B, C, side, side)).astype(np.float32)
    y = np.empty((B, C, side // 2, side // 2), np.float32)
    mask = np.empty(y.shape, np.int32)
    return Work("max pooling", size, (x,), (y, mask), 3 * y.size, POOL)


def check(work: Work) -> None:
    """Refuse to time rungs that do not compute what the first of them does."""
    expected: list[Array] = []
    for name, side in work.sides().items():
        for output in work.outputs:
            output.fill(-7)  # what an earlier rung wrote must not speak for this one
        side()
        if not expected:
            expected = [output.copy() for output in work.outputs]
        for output, right in zip(work.outputs, expected, strict=True):
            # Sums in another order round differently; values and places are picked, not computed.
            allowed = 1e-5 * np.abs(right).max() if work.name == "convolution" else 0
            error = np.abs(output - right).max()
            if not error <= allowed:
                raise SystemExit(f"{work.name}, {name}: off by {error}; nothing was timed")


class Row(NamedTuple):
    """One rung, measured."""

    work: str
    size: str
    rung: int  # from 1 to 6
    name: str
    seconds: Timing
    faster: float  # how many times, than the first rung that ran at this size
    gflops: float  # billion operations a second
    gbytes: float  # billion bytes a second
    intensity: float  # operations a byte
    share: float  # of what the roofline allows


def climb(work: Work, limits: Mapping[int, Limits], repetitions: int) -> Iterator[Row]:
    """Check and time every rung; limits by number of threads."""
    check(work)
    timers = {
        name: partial(sample, side, warm_up=PLACING if name == THREADED else 0)
        for name, side in work.sides().items()
    }
    samples = take_turns(timers, repetitions, warm_up=1)
    timings = {name: summarise(times) for name, times in samples.items()}
    first = next(iter(timings.values()))
    intensity = work.operations / work.traffic
    for name, seconds in timings.items():
        threads = kernels.threads if name == THREADED else 1
        rate = work.operations / seconds.median
        yield Row(
            work.name,
            work.size,
            rung=NAMES.index(name) + 1,
            name=f"{name}, {threads} threads" if name == THREADED else name,
            seconds=seconds,
            faster=first.median / seconds.median,
            gflops=rate / 1e9,
            gbytes=work.traffic / seconds.median / 1e9,
            intensity=intensity,
            share=rate / limits[threads].roof(intensity),
        )


# --- the command --------------------------------------------------------------------------------

BLAS_THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
BySize = dict[str, dict[int, Limits]]  # and by number of threads


def main() -> int:
    """Measure, print, write."""
    args = parse()
    if any(os.environ.get(name) != "1" for name in BLAS_THREADS):
        # NumPy's matrix product reads these once, when it is loaded: start anew, on one thread.
        environment = {**os.environ, **dict.fromkeys(BLAS_THREADS, "1")}
        command = [sys.executable, "-m", "benchmarks.ladder", *sys.argv[1:]]
        return subprocess.run(command, env=environment, check=False).returncode
    kernels.set_num_threads(args.threads)
    print(f"level {kernels.info()['level']}, NumPy {np.__version__}, {platform.machine()}")
    rows: list[Row] = []
    limits: BySize = {}
    for size in FIRST:
        works = convolution(size), pooling(size)
        copied = works[1].traffic // 2  # the rest of the traffic is the copy
        counts = sorted({1, kernels.threads})
        limits[size] = {threads: Limits.measured(threads, copied) for threads in counts}
        for work in works:
            climbed = list(climb(work, limits[size], args.repetitions))
            show(work, climbed)
            rows += climbed
        for threads, (peak, bandwidth) in limits[size].items():
            rates = f"{peak / 1e9:.1f} GFLOP/s, {bandwidth / 1e9:.1f} GB/s"
            print(f"limits, {size}, on {threads} thread(s): {rates}")
    write(rows, limits, args.out)
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.ladder",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="3 repetitions")
    parser.add_argument("--repetitions", type=int, help="samples a rung (default: 15)")
    parser.add_argument("--threads", type=int, default=kernels.threads, help="of the last rung")
    parser.add_argument("--out", type=Path, default=Path("benchmark-results"))
    args = parser.parse_args()
    args.repetitions = args.repetitions or (3 if args.quick else 15)
    return args


def show(work: Work, rows: Sequence[Row]) -> None:
    """The table of one climb."""
    shapes = ", ".join("×".join(map(str, array.shape)) for array in work.inputs[:2])
    print(f"\n{work.name}, {work.size} ({shapes}; {rows[0].intensity:.3g} operations a byte)")
    unit = "GFLOP/s" if work.name == "convolution" else "GB/s"
    print(f"{'':<36}{'ms':>10}{'times faster':>14}{unit:>10}{'of the roof':>13}")
    for row in rows:
        rate = row.gflops if work.name == "convolution" else row.gbytes
        print(
            f"{row.rung} {row.name:<34}{1e3 * row.seconds.median:>10.3f}{row.faster:>14.1f}"
            f"{rate:>10.3g}{row.share:>13.2%}"
        )


def write(rows: Sequence[Row], limits: BySize, folder: Path) -> None:
    """ladder.json and ladder.png."""
    result = {
        "machine": {
            "system": platform.system(),
            "machine": platform.machine(),
            "python": platform.python_version(),
            "numpy": np.__version__,
            "date": time.strftime("%Y-%m-%d"),
        },
        "kernels": dict(kernels.info()),
        "limits": {
            size: {threads: limit._asdict() for threads, limit in by_threads.items()}
            for size, by_threads in limits.items()
        },
        "rows": [{**row._asdict(), "seconds": row.seconds._asdict()} for row in rows],
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "ladder.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    draw(rows, limits).savefig(folder / "ladder.png", dpi=150)


if __name__ == "__main__":
    raise SystemExit(main())
