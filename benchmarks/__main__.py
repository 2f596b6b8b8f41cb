"""minicnn beside its peers: the five nets and their operators.

    python -m benchmarks [--quick] [--threads 1 2] [--only WORD ...] [--out FOLDER]

Every row is a ratio, the peer's time over minicnn's: above 1, minicnn is faster. The sides take
turns in one process, on the same data and from the same weights, and must agree before anything is
timed. Medians; the spread is that of the quartiles. Peers that are not installed are left out.
Writes results.json and results.png.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import minicnn as mc
from minicnn import kernels

from . import operators
from .nets import NETS, Net
from .peers import Minicnn, OnnxRuntime, PyTorch, has, same
from .timing import Side, take_turns

# Per net: the ratio that is asked for, and the one that would be finer.
TRAIN = {
    "toy": (3, 4),
    "LeNet-5": (2.2, 3),
    "conv32-64": (1.25, 1.6),
    "animal": (1.7, 2.3),
    "small VGG": (1.3, 1.8),
}
TRAIN_BEST = {
    "toy": (2.5, 3.5),
    "LeNet-5": (1.8, 2.6),
    "conv32-64": (1.15, 1.5),
    "animal": (1.2, 1.6),
    "small VGG": (1.15, 1.5),
}
INFER = {
    "toy": (4.5, 6),
    "LeNet-5": (2.8, 4),
    "conv32-64": (1.5, 2.2),
    "animal": (2.2, 3),
    "small VGG": (1.5, 2.2),
}
Row = dict[str, Any]


def main() -> int:
    """Measure, print, write."""
    args = parse()
    rows: list[Row] = []
    info = kernels.info()
    print(f"minicnn {mc.__version__}, {info['engine']} {info['level']}; {platform.machine()}")
    for threads in args.threads:
        mc.set_num_threads(threads)
        if has("torch"):
            import torch

            torch.set_num_threads(threads)
        print(f"\nthreads: {threads}\n{'':<36}{'minicnn ms':>12}{'peer ms':>11}   ratio  at least")
        for row in measure(threads, args):
            rows.append(row)
            show(row)
    args.out.mkdir(parents=True, exist_ok=True)
    result = {"machine": machine(), "kernels": dict(info), "rows": rows}
    (args.out / "results.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    draw(rows, args.out / "results.png")
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="5 repetitions, one thread")
    parser.add_argument("--repetitions", type=int, help="samples a side (default: 15)")
    parser.add_argument("--threads", type=int, nargs="+", help="(default: 1 2)")
    parser.add_argument("--only", nargs="+", default=[], help="rows with one of these words")
    parser.add_argument("--out", type=Path, default=Path("benchmark-results"))
    args = parser.parse_args()
    args.threads = args.threads or ([1] if args.quick else [1, 2])
    args.repetitions = args.repetitions or (5 if args.quick else 15)
    return args


def measure(threads: int, args: argparse.Namespace) -> Iterator[Row]:
    """All rows, as they are measured."""
    for net in NETS:
        yield from training(net, threads, args)
        for batch in (net.batch, 1):
            yield from inference(net, batch, threads, args)
    if has("torch"):
        import torch

        for case in operators.cases(threads, torch):
            if wanted(case.name, args):
                sides = {"minicnn": case.mine, "PyTorch": case.theirs}
                yield from rows_of(
                    case.name, sides, {"PyTorch": (case.at_least, case.stretch)}, threads, args
                )


def training(net: Net, threads: int, args: argparse.Namespace) -> Iterator[Row]:
    """A step: forward, cross entropy, backward, SGD with momentum."""
    name = f"train {net.name}"
    if not wanted(name, args):
        return
    rng = np.random.default_rng(0)
    x = rng.standard_normal((net.batch, *net.picture)).astype(np.float32)
    labels = rng.integers(0, net.classes, net.batch)
    ours = Minicnn(net, x, labels)
    peers = {}
    if has("torch"):
        for peer, last in (("PyTorch", False), ("PyTorch channels_last", True)):
            peers[peer] = PyTorch(net, ours.net, x, labels, last)
    losses = [(ours.step(), *(peer.step() for peer in peers.values())) for _ in range(3)]
    for values in losses:
        same(values[1:], [values[0]] * (len(values) - 1), name)
    sides: dict[str, Side] = {"minicnn": ours.step}
    sides.update({peer: side.step for peer, side in peers.items()})
    targets = {"PyTorch": TRAIN[net.name], "PyTorch channels_last": TRAIN_BEST[net.name]}
    yield from rows_of(name, sides, targets, threads, args)


def inference(net: Net, batch: int, threads: int, args: argparse.Namespace) -> Iterator[Row]:
    """Outputs in evaluation mode."""
    name = f"infer {net.name}, batch {batch}"
    if not wanted(name, args):
        return
    rng = np.random.default_rng(0)
    x = rng.standard_normal((batch, *net.picture)).astype(np.float32)
    ours = Minicnn(net, x, np.zeros(batch, np.int64))
    expected = ours.infer(x)
    sides: dict[str, Side] = {"minicnn": lambda: ours.infer(x)}
    if has("torch"):
        for peer, last in (("PyTorch", False), ("PyTorch channels_last", True)):
            side = PyTorch(net, ours.net, x, np.zeros(batch, np.int64), last)
            side.module.eval()
            same(side.infer(side.x), expected, name)
            sides[peer] = lambda side=side: side.infer(side.x)  # type: ignore[misc]
    if has("onnxruntime") and has("onnx"):
        session = OnnxRuntime(net, ours.net, threads)
        same(session.infer(x), expected, name)
        sides["ONNX Runtime"] = lambda: session.infer(x)
    single = batch == 1
    targets = {
        "PyTorch": (1.5, 3) if single else INFER[net.name],
        "ONNX Runtime": (0.5, 1.1) if single else (0.7, 1.1),
    }
    yield from rows_of(name, sides, targets, threads, args)


def wanted(name: str, args: argparse.Namespace) -> bool:
    """Whether --only lets this row through."""
    return not args.only or any(word in name for word in args.only)


def rows_of(
    name: str, sides: dict[str, Side], targets: Any, threads: int, args: argparse.Namespace
) -> Iterator[Row]:
    """A row for each peer."""
    timings = take_turns(sides, args.repetitions)
    mine = timings.pop("minicnn")
    for peer, theirs in timings.items():
        at_least, stretch = targets.get(peer, (None, None))
        yield {
            "name": name,
            "peer": peer,
            "threads": threads,
            "minicnn_ms": [1e3 * value for value in mine],
            "peer_ms": [1e3 * value for value in theirs],
            "ratio": theirs.median / mine.median,
            "at_least": at_least,
            "stretch": stretch,
        }


def show(row: Row) -> None:
    """One line."""
    short = {"PyTorch channels_last": "  ch. last", "ONNX Runtime": "  ONNX RT"}
    first = row["name"] if row["peer"] == "PyTorch" else ""
    goal = "" if row["at_least"] is None else f"{row['at_least']:>8}"
    short_of = "" if row["at_least"] is None or row["ratio"] >= row["at_least"] else "  short"
    print(
        f"{first:<26}{short.get(row['peer'], row['peer']):<10}{row['minicnn_ms'][0]:>12.3f}"
        f"{row['peer_ms'][0]:>11.3f}{row['ratio']:>8.2f}{goal}{short_of}",
        flush=True,
    )


def machine() -> dict[str, str]:
    """What was measured on."""
    versions = {"python": platform.python_version(), "numpy": np.__version__}
    for name in ("torch", "onnxruntime"):
        if has(name):
            versions[name] = __import__(name).__version__
    day = time.strftime("%Y-%m-%d")
    return {"system": platform.system(), "machine": platform.machine(), "date": day, **versions}


def draw(rows: list[Row], path: Path) -> None:
    """The ratios as bars; a line at 1, a tick at what is asked for."""
    from matplotlib.figure import Figure

    labels = [f"{row['name']} · {row['peer']} · {row['threads']} thr." for row in rows]
    figure = Figure(figsize=(9, 1 + 0.19 * len(rows)), layout="constrained")
    ax = figure.add_subplot()
    places = np.arange(len(rows))[::-1]
    colours = {"PyTorch": "#0072B2", "PyTorch channels_last": "#56B4E9", "ONNX Runtime": "#D55E00"}
    ax.barh(places, [row["ratio"] for row in rows], color=[colours[row["peer"]] for row in rows])
    goals = [(place, row["at_least"]) for place, row in zip(places, rows, strict=True)]
    marks = [(place, goal) for place, goal in goals if goal is not None]
    ax.plot([goal for _, goal in marks], [place for place, _ in marks], "|", color="#333333", ms=8)
    ax.axvline(1, color="#333333", linewidth=0.8)
    ax.set_xscale("log")
    ticks = [0.25, 0.5, 1, 2, 4, 8, 16, 32]
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.minorticks_off()
    ax.set_yticks(places, labels, fontsize=6)
    ax.set_ylim(-1, len(rows))
    ax.set_xlabel("time of the peer / time of minicnn (a tick: what is asked for)")
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    raise SystemExit(main())
