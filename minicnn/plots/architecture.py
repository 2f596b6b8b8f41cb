"""A net as a diagram: a box for each layer, from the picture above to the scores below."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import ShapeError, describe
from ..layers import (
    AvgPool2D,
    BatchNorm2D,
    Concat,
    Conv2D,
    Dropout,
    GlobalAvgPool2D,
    Layer,
    LeakyReLU,
    Linear,
    MaxPool2D,
    ReLU,
    Residual,
    Sequential,
    Sigmoid,
    Tanh,
)
from ._style import SMALL, TEXT, axes_or_new

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Shape = tuple[int, int, int, int]
Point = tuple[float, float]

LETTER, ROW = 0.067, 0.56  # inches: of a title, and from box to box
WIDE, HIGH = 0.92, 0.7  # of a column and a row: the box in it
ASIDE = 0.3  # of a column: the way around a block
EDGE = "#888888"
FAMILIES: tuple[tuple[tuple[type[Layer], ...], str], ...] = (
    ((Conv2D, Linear), "#0072B2"),
    ((MaxPool2D, AvgPool2D, GlobalAvgPool2D), "#E69F00"),
    ((ReLU, LeakyReLU, Sigmoid, Tanh), "#009E73"),
    ((BatchNorm2D, Dropout), "#CC79A7"),
)
USUAL = {"stride": (1, 1), "padding": (0, 0), "dilation": (1, 1), "groups": 1}


def architecture(net: Layer, input_shape: tuple[int, ...], ax: Axes | None = None) -> Axes:
    """The layers of a net as boxes, from top to bottom, with what each makes of one picture.

    A box says the layer's name, its kind, the window and what of it is unusual; below, C×H×W of
    its output and how many numbers it learns. Branches stand side by side: the way around the block
    of a `Residual` to its right, those of a `Concat` in their order. The bar at a box's left tells
    layers with weights, pooling, activations, and normalisation and dropout apart.

    Args:
        net: Any layer; usually a Sequential.
        input_shape: (C, H, W) of a picture, or (B, C, H, W).
        ax: Where to draw; None makes a figure with one Axes.

    Raises:
        TypeError: net is no layer.
        ShapeError: the net cannot take such a picture.
    """
    if not isinstance(net, Layer):
        raise TypeError(f"net must be a minicnn layer, got {describe(net)}")
    if not isinstance(input_shape, (tuple, list)) or len(input_shape) not in (3, 4):
        raise ShapeError(
            f"input_shape must be (C, H, W) or (B, C, H, W), got {describe(input_shape)}"
        )
    C, H, W = input_shape[-3:]
    columns, rows = _size(net)
    leaves = [layer for layer in net.named_layers().values() if not layer.children()]
    column = LETTER * max(24, *(len(_title(layer)) for layer in leaves)) / WIDE + 0.2
    ax = axes_or_new(ax, (column * columns + 0.2, ROW * (rows + 1.2)))
    diagram = _Diagram(ax, ROW / column)
    middle = _middle(net)
    ax.text(middle, 0.35, f"{C}×{H}×{W}", ha="center", va="center", fontsize=SMALL, color=TEXT)
    end, _ = diagram.draw(net, (1, C, H, W), (middle, 0.55), 0.0, 0.8)
    diagram.line([end, (end[0], rows + 1.05)], arrow=True)
    ax.set(xlim=(-0.05, columns + 0.05), ylim=(rows + 1.2, 0))
    ax.set_axis_off()
    return ax


def _size(layer: Layer) -> tuple[float, float]:
    """Columns and rows that a layer takes."""
    if isinstance(layer, Residual):
        columns, rows = _chain_size(list(layer.body))
        past = (ASIDE, 0.0) if layer.shortcut is None else _size(layer.shortcut)
        return columns + past[0], max(rows, past[1]) + 1
    if isinstance(layer, Concat):
        sizes = [_size(branch) for branch in layer.layers]
        return sum(size[0] for size in sizes), max(size[1] for size in sizes) + 1
    if isinstance(layer, Sequential):
        return _chain_size(list(layer))
    return 1.0, 1.0


def _chain_size(layers: list[Layer]) -> tuple[float, float]:
    sizes = [_size(layer) for layer in layers]
    return max((size[0] for size in sizes), default=ASIDE), sum(size[1] for size in sizes)


def _middle(layer: Layer) -> float:
    """Where, from its left edge, the line into a layer goes: the middle of a block's own column."""
    if isinstance(layer, Residual):
        return _chain_middle(list(layer.body))
    if isinstance(layer, Concat):
        return _size(layer)[0] / 2
    if isinstance(layer, Sequential):
        return _chain_middle(list(layer))
    return 0.5


def _chain_middle(layers: list[Layer]) -> float:
    return max((_middle(layer) for layer in layers), default=ASIDE / 2)


class _Diagram:
    """Draws layers below each other; y grows downwards, a unit is a column or a row."""

    def __init__(self, ax: Axes, ratio: float) -> None:
        self.ax = ax
        self.ratio = ratio  # of a row's height to a column's width

    def draw(
        self, layer: Layer, shape: Shape, start: Point, left: float, top: float
    ) -> tuple[Point, Shape]:
        """Draw a layer in the place whose upper left is (left, top); the line in begins at start.

        Returns:
            Where the line out begins, and the shape of the output.
        """
        if isinstance(layer, Residual):
            return self.residual(layer, shape, start, left, top)
        if isinstance(layer, Concat):
            return self.concat(layer, shape, start, left, top)
        if isinstance(layer, Sequential):
            return self.chain(list(layer), shape, start, left, top)
        return self.box(layer, shape, start, left, top)

    def chain(
        self, layers: list[Layer], shape: Shape, start: Point, left: float, top: float
    ) -> tuple[Point, Shape]:
        middle = left + _chain_middle(layers)
        for layer in layers:
            start, shape = self.draw(layer, shape, start, middle - _middle(layer), top)
            top += _size(layer)[1]
        return start, shape

    def box(
        self, layer: Layer, shape: Shape, start: Point, left: float, top: float
    ) -> tuple[Point, Shape]:
        from matplotlib.patches import Rectangle

        after: Shape = layer.output_shape(shape)
        x, y = left + (1 - WIDE) / 2, top + (1 - HIGH) / 2
        self.line([start, (left + 0.5, start[1]), (left + 0.5, y)], arrow=True)
        colour = next((c for kinds, c in FAMILIES if isinstance(layer, kinds)), EDGE)
        self.ax.add_patch(Rectangle((x, y), WIDE, HIGH, facecolor="white", edgecolor=EDGE))
        self.ax.add_patch(Rectangle((x, y), 0.03, HIGH, facecolor=colour, edgecolor="none"))
        look: dict[str, Any] = {"ha": "left", "va": "center", "color": TEXT, "parse_math": False}
        self.ax.text(x + 0.06, y + 0.32 * HIGH, _title(layer), fontsize=SMALL, **look)
        learnt = sum(parameter.size for parameter in layer.parameters())
        made = "×".join(map(str, after[1:])) + (f"   learns {learnt:,}" if learnt else "")
        self.ax.text(x + 0.06, y + 0.7 * HIGH, made, fontsize=SMALL - 1, **look)
        return (left + 0.5, y + HIGH), after

    def residual(
        self, layer: Residual, shape: Shape, start: Point, left: float, top: float
    ) -> tuple[Point, Shape]:
        columns, _ = _chain_size(list(layer.body))
        bottom = top + _size(layer)[1] - 0.5
        fork = (start[0], top + 0.02)
        self.line([start, fork])
        end, after = self.chain(list(layer.body), shape, fork, left, top)
        aside = left + columns
        if layer.shortcut is None:
            past: Point = (aside + ASIDE / 3, fork[1])
            self.line([fork, past])
        else:
            past, _ = self.draw(layer.shortcut, shape, fork, aside, top)
        self.line([end, (end[0], bottom - 0.18)], arrow=True)
        self.line([past, (past[0], bottom), (end[0] + 0.06, bottom)], arrow=True)
        return self.joint("+", end[0], bottom), after

    def concat(
        self, layer: Concat, shape: Shape, start: Point, left: float, top: float
    ) -> tuple[Point, Shape]:
        middle = left + _middle(layer)
        bottom = top + _size(layer)[1] - 0.5
        fork = (start[0], top + 0.02)
        self.line([start, fork])
        for branch in layer.layers:
            end, _ = self.draw(branch, shape, fork, left, top)
            if end == fork:  # a branch that passes x itself on
                end = (left + _middle(branch), fork[1])
                self.line([fork, end])
            side = end[0] - middle
            if abs(side) < 0.06:
                self.line([end, (end[0], bottom - 0.18)], arrow=True)
            else:
                edge = middle + (0.06 if side > 0 else -0.06)
                self.line([end, (end[0], bottom), (edge, bottom)], arrow=True)
            left += _size(branch)[0]
        after = layer.output_shape(shape)
        made = "side by side: " + "×".join(map(str, after[1:]))
        self.ax.text(middle + 0.08, bottom + 0.3, made, fontsize=SMALL - 1, color=TEXT, va="center")
        return self.joint("∥", middle, bottom), after

    def joint(self, sign: str, x: float, y: float) -> Point:
        """A little circle in which lines come together; returns where the line out begins."""
        from matplotlib.patches import Ellipse

        circle = Ellipse((x, y), 0.36 * self.ratio, 0.36, facecolor="white", edgecolor=EDGE)
        self.ax.add_patch(circle)
        self.ax.text(x, y, sign, ha="center", va="center_baseline", fontsize=SMALL, color=TEXT)
        return x, y + 0.18

    def line(self, points: list[Point], arrow: bool = False) -> None:
        """A line through points, with an arrow's head at its end."""
        xs, ys = zip(*points, strict=True)
        self.ax.plot(xs, ys, color=EDGE, linewidth=0.9, zorder=0, solid_joinstyle="miter")
        if arrow:
            look: dict[str, Any] = {"arrowstyle": "-|>", "color": EDGE, "linewidth": 0.9}
            look.update(shrinkA=0, shrinkB=0, mutation_scale=7)
            self.ax.annotate("", points[-1], points[-2], arrowprops=look, annotation_clip=False)


def _title(layer: Layer) -> str:
    """The name, the kind, the window, and what is not as usual."""
    args = layer.args()
    words = [type(layer).__name__]
    kernel = args.get("kernel_size")
    if kernel is not None:
        words[0] += f" {_sizes(kernel, always=True)}"
    usual = {**USUAL, "stride": kernel} if isinstance(layer, (MaxPool2D, AvgPool2D)) else USUAL
    for name, common in usual.items():
        if name in args and args[name] != common:
            words.append(f"{name} {_sizes(args[name])}")
    if "p" in args:
        words.append(f"p {args['p']:g}")
    return f"{layer.name}: {', '.join(words)}" if layer.name else ", ".join(words)


def _sizes(value: Any, always: bool = False) -> str:
    """2 or 2×3."""
    if not isinstance(value, (tuple, list)):
        return str(value)
    return str(value[0]) if value[0] == value[1] and not always else "×".join(map(str, value))
