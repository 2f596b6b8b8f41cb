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
        if axis.get_scale() == "log":
            axis.set_major_formatter("{x:g}")
            axis.set_minor_formatter("")


def ratios(rows: Sequence[Row], path: Path) -> None:
    """The ratios as bars from 1 on, a tick at what is asked for; a column for each thread count."""
    threads = list(dict.fromkeys(row.threads for row in rows))
    labels = list(dict.fromkeys((row.name, row.peer) for row in rows))[::-1]  # bars go upwards
    figure = new_figure(4 + 4.5 * len(threads), 1.2 + 0.17 * len(labels))
    axes = figure.subplots(1, len(threads), sharey=True, squeeze=False)[0]
    for ax, count in zip(axes, threads, strict=True):
        own = [row for row in rows if row.threads == count]
        _bars(ax, own, [labels.index((row.name, row.peer)) for row in own])
        ax.set_title(f"{count} thread{'s' if count > 1 else ''}")
        ax.set_xlabel("time of the peer / time of minicnn")
    axes[0].set_yticks(range(len(labels)), [f"{name} · {peer}" for name, peer in labels], size=6)
    axes[0].set_ylim(-1, len(labels))
    figure.savefig(path, dpi=110)


def _bars(ax: Any, rows: list[Row], places: list[int]) -> None:
    values = np.array([row.ratio.median for row in rows])
    ax.barh(places, values - 1, left=1, color=[COLOURS[row.peer] for row in rows])
    goals = [(p, row.goal.at_least) for p, row in zip(places, rows, strict=True) if row.goal]
    ax.plot([goal for _, goal in goals], [p for p, _ in goals], "|", color="#000000", ms=7)
    ax.axvline(1, color="#333333", linewidth=0.8)
    ax.set_xscale("log", base=2)
    plain_numbers(ax)
    ax.grid(axis="x", linewidth=0.3)


def roofline(rows: Iterable[Row], limits: Iterable[Record], path: Path) -> None:
    """Rates over intensities, under the roofs of memory and of a cache; one picture a thread count.

    Each operator is held against a copy of its own size, which lies between the two slopes.
    """
    limits, rows = list(limits), [row for row in rows if row.share]
    figure = new_figure(7.5 * len(limits), 5.5)
    intensities = np.geomspace(0.02, 1000, 200)
    for place, limit in enumerate(limits, start=1):
        ax = figure.add_subplot(1, len(limits), place)
        for name, style in (("copy_memory_gb_s", "-"), ("copy_l2_gb_s", "--")):
            roof = np.minimum(limit["peak_gflops"], intensities * limit[name])
            label = f"{limit[name]:.0f} GB/s {'in memory' if style == '-' else 'in a cache'}"
            ax.plot(intensities, roof, style, color="#333333", linewidth=1, label=label)
        families = _families(rows, limit["threads"])
        for number, (family, members) in enumerate(families.items()):
            points = [row.share for row in members if row.share]
            xs, ys = [p.intensity for p in points], [p.gflops for p in points]
            ax.plot(xs, ys, "osv^D<>ph"[number % 9], ms=5, alpha=0.8, label=family)
        ax.set(xscale="log", yscale="log", xlabel="operations a byte", ylabel="GFLOP/s")
        plain_numbers(ax)
        ax.set_title(f"{limit['threads']} thread(s), peak {limit['peak_gflops']:.0f} GFLOP/s")
        ax.legend(fontsize=7)
    figure.savefig(path, dpi=110)


def _families(rows: list[Row], threads: int) -> dict[str, list[Row]]:
    """Operators of one kind, by their names without the direction."""
    result: dict[str, list[Row]] = {}
    for row in rows:
        if row.threads == threads:
            kind = row.name.removesuffix(" forward").removesuffix(" backward")
            name = "convolutions" if " conv" in kind else kind
            result.setdefault(name, []).append(row)
    return result


def scaling(points: Sequence[Record], path: Path) -> None:
    """For each series, the ms a picture of both sides."""
    series = list(dict.fromkeys(point["series"] for point in points))
    figure = new_figure(5 * len(series), 5)
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
        ax.legend(fontsize=7, ncols=2, loc="upper center", bbox_to_anchor=(0.5, -0.17))
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
    ax.margins(y=0.02)
    ax.legend(fontsize=7)
    figure.savefig(path, dpi=110)
