"""Pictures of what was measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .goals import BEST, ONNX_RUNTIME, PYTORCH
from .peers import CHANNELS_LAST, COMPILED, JAX, MINICNN
from .rows import Row

# Okabe and Ito's colours, which nobody confuses.
COLOURS = {
    MINICNN: "#E69F00",
    PYTORCH: "#0072B2",
    CHANNELS_LAST: "#56B4E9",
    COMPILED: "#CC79A7",
    BEST: "#333333",
    ONNX_RUNTIME: "#D55E00",
    JAX: "#009E73",
}
Record = Mapping[str, Any]


def new_figure(width: float, height: float) -> Any:
    """A figure that needs no display."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def plain_numbers(ax: Any) -> None:
    """Ticks of logarithmic axes as 0.1, 1, 10 rather than as powers of ten."""
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter("")


def ratios(rows: list[Row], path: Path) -> None:
    """The ratios as bars; a line at 1, a tick at what is asked for."""
    figure = new_figure(9, 1.2 + 0.17 * len(rows))
    ax = figure.add_subplot()
    places = np.arange(len(rows))[::-1]
    values = [row.ratio.median for row in rows]
    ax.barh(places, values, color=[COLOURS[row.peer] for row in rows])
    goals = [(p, row.goal.at_least) for p, row in zip(places, rows, strict=True) if row.goal]
    ax.plot([goal for _, goal in goals], [p for p, _ in goals], "|", color="#000000", ms=8)
    ax.axvline(1, color="#333333", linewidth=0.8)
    ax.set_xscale("log")
    ticks = [0.25, 0.5, 1, 2, 4, 8, 16, 32, 64]
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.minorticks_off()
    ax.set_xlim(min(0.25, *values), max(4, 1.2 * max(values)))
    labels = [f"{row.name} · {row.peer} · {row.threads} thr." for row in rows]
    ax.set_yticks(places, labels, fontsize=6)
    ax.set_ylim(-1, len(rows))
    ax.set_xlabel("time of the peer / time of minicnn (a tick: what is asked for)")
    figure.savefig(path, dpi=110)


def roofline(rows: Iterable[Row], limits: Iterable[Record], path: Path) -> None:
    """Rates over intensities, under the roofs of memory and of a cache; one picture a thread count.

    Each operator is held against a copy of its own size, which lies between the two slopes.
    """
    limits, rows = list(limits), [row for row in rows if row.share]
    figure = new_figure(7.5 * len(limits), 5.5)
    intensities = np.geomspace(0.05, 1000, 200)
    for place, limit in enumerate(limits, start=1):
        ax = figure.add_subplot(1, len(limits), place)
        for name, style in (("copy_memory_gb_s", "-"), ("copy_l2_gb_s", "--")):
            roof = np.minimum(limit["peak_gflops"], intensities * limit[name])
            label = f"{limit[name]:.0f} GB/s {'in memory' if style == '-' else 'in a cache'}"
            ax.plot(intensities, roof, style, color="#333333", linewidth=1, label=label)
        for number, (family, members) in enumerate(_families(rows, limit["threads"]).items()):
            points = [row.share for row in members if row.share]
            xs, ys = [p.intensity for p in points], [p.gflops for p in points]
            ax.plot(xs, ys, "osv^D<>ph"[number % 9], ms=5, alpha=0.8, label=family)
        ax.set(xscale="log", yscale="log", xlabel="operations a byte", ylabel="GFLOP/s")
        plain_numbers(ax)
        ax.set_title(f"{limit['threads']} thread(s), peak {limit['peak_gflops']:.0f} GFLOP/s")
        ax.legend(fontsize=7)
    figure.savefig(path, dpi=110)


def _families(rows: list[Row], threads: int) -> dict[str, list[Row]]:
    """Operators of one kind, by the first word of their names."""
    result: dict[str, list[Row]] = {}
    for row in rows:
        if row.threads == threads:
            name = "convolutions" if " conv" in row.name else row.name.split(" ")[0]
            result.setdefault(name, []).append(row)
    return result


def scaling(points: Sequence[Record], path: Path) -> None:
    """For each series, the ms a picture of both sides."""
    series = list(dict.fromkeys(point["series"] for point in points))
    figure = new_figure(5 * len(series), 4.2)
    for place, name in enumerate(series, start=1):
        ax = figure.add_subplot(1, len(series), place)
        chosen = [point for point in points if point["series"] == name]
        for number, net in enumerate(dict.fromkeys(point["task"] for point in chosen)):
            own = [point for point in chosen if point["task"] == net]
            for peer in (MINICNN, PYTORCH):
                known = [point for point in own if peer in point["ms"]]
                xs = [point["value"] for point in known]
                ys = [point["ms"][peer] / point["batch"] for point in known]
                style = {"color": COLOURS[peer], "linestyle": ["-", "--", ":", "-.", "-"][number]}
                ax.plot(xs, ys, marker="osv^D"[number], ms=4, label=f"{peer}, {net}", **style)
        ax.set(xscale="log", yscale="log", xlabel=name, ylabel="ms a picture")
        plain_numbers(ax)
        values = sorted({point["value"] for point in chosen})
        ax.set_xticks(values, [str(value) for value in values], fontsize=7)
        ax.minorticks_off()
        ax.legend(fontsize=6)
    figure.savefig(path, dpi=110)


def grouped(groups: Mapping[str, Mapping[str, float]], unit: str, path: Path) -> None:
    """A group of bars for each name, a bar for each peer."""
    figure = new_figure(9, 1.2 + 0.45 * len(groups))
    ax = figure.add_subplot()
    peers = list(dict.fromkeys(peer for group in groups.values() for peer in group))
    height = 0.8 / len(peers)
    places = np.arange(len(groups))[::-1]
    for number, peer in enumerate(peers):
        values = [group.get(peer, 0.0) for group in groups.values()]
        ax.barh(places - number * height, values, height, label=peer, color=COLOURS.get(peer))
    ax.set_yticks(places - height * (len(peers) - 1) / 2, list(groups), fontsize=7)
    ax.set_xlabel(unit)
    ax.legend(fontsize=7)
    figure.savefig(path, dpi=110)
