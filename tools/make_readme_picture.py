"""Draw README's picture: one test digit on its way through a trained toy net.

    python tools/make_readme_picture.py RUN docs/images/digit-through-the-net.png

RUN is what `minicnn train` left. From left to right: the picture, four channels after the first
convolution and ReLU, the same after pooling with a dot at every pixel that won its window, and the
net's verdict.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from minicnn import MaxPool2D, Sequential, load
from minicnn.data import digits
from minicnn.losses import softmax
from minicnn.plots import save_figure

INK, MUTED, BLUE, ORANGE = "#1f2328", "#59636e", "#0072b2", "#d55e00"
CHANNELS = 4


def main() -> None:
    """Load the net, run one digit, draw."""
    run, target = sys.argv[1:]
    net = load(f"{run}/best.npz").eval()
    assert isinstance(net, Sequential)
    test = digits("test")
    index = next(k for k in range(len(test)) if test.labels[k] == 5)
    x, _ = test.batch(np.array([index]))
    relu, pool = net[:2](x).data[0], net[2]
    assert isinstance(pool, MaxPool2D)
    pooled = pool(relu[np.newaxis]).data[0]
    assert pool.mask is not None
    strongest = np.argsort(relu.sum(axis=(1, 2)))[::-1][:CHANNELS]
    draw(
        x[0, 0],
        relu[strongest],
        pool.mask[0][strongest],
        pooled[strongest],
        softmax(net.predict(x))[0],
        target,
    )


def draw(picture: Any, maps: Any, winners: Any, pooled: Any, p: Any, target: str) -> None:
    """Four columns on white."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10.4, 3.5), facecolor="white", layout="constrained")
    grid = figure.add_gridspec(2, 8, width_ratios=[2.3, 1, 1, 0.16, 1, 1, 0.2, 2.2])
    title: dict[str, Any] = {"fontsize": 10.5, "color": INK, "loc": "left", "pad": 7}

    ax = figure.add_subplot(grid[:, 0])
    ax.imshow(picture, cmap="gray_r")
    ax.set_title("one digit, 28×28", **title)
    bare(ax)
    for k in range(CHANNELS):
        ax = figure.add_subplot(grid[k // 2, 1 + k % 2])
        ax.imshow(maps[k], cmap="Blues")
        row, column = np.divmod(winners[k][pooled[k] > 0], maps[k].shape[1])
        ax.plot(column, row, ".", color=ORANGE, markersize=1.7)
        bare(ax)
        if k == 0:
            ax.set_title("Conv2D, ReLU: 26×26", **title)
        ax = figure.add_subplot(grid[k // 2, 4 + k % 2])
        ax.imshow(pooled[k], cmap="Blues")
        bare(ax)
        if k == 0:
            ax.set_title("MaxPool2D: 13×13", **title)
    ax = figure.add_subplot(grid[:, 7])
    colours = [ORANGE if k == p.argmax() else BLUE for k in range(10)]
    ax.barh(range(10), 100 * p, color=colours, height=0.72)
    ax.set_yticks(range(10))
    ax.invert_yaxis()
    ax.set_xlim(0, 100)
    ax.set_xticks([0, 50, 100], ["0", "50", "100 %"])
    ax.tick_params(length=0, labelsize=9, colors=MUTED)
    ax.set_title("Linear, softmax", **title)
    for side in ("top", "right", "left", "bottom"):
        ax.spines[side].set_visible(False)
    figure.supxlabel(
        "orange dots: the pixels that won their pooling window; backward sends gradients there, "
        "and nowhere else",
        fontsize=9,
        color=MUTED,
    )
    save_figure(figure, target, dpi=120)


def bare(ax: Any) -> None:
    """No ticks, and a hairline for a frame."""
    ax.set_xticks([])
    ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set_color("#d1d9e0")


if __name__ == "__main__":
    main()
