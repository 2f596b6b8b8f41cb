"""A net as a diagram: a box for each layer, from the picture above to the scores below."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import ShapeError, describe, positive_int
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
from ._style import SMALL, TEXT, axes_or_new, drawable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ._fit import Fitter

Shape = tuple[int, int, int, int]
Point = tuple[float, float]

LETTER, ROW = 0.067, 0.56  # inches: of a title, and from box to box
WIDE, HIGH = 0.92, 0.78  # of a column and a row: the box in it
ASIDE = 0.3  # of a column: the way around a block
KEY = 0.9  # rows, for what the colours mean
EDGE, BLOCK = "#888888", "#BBBBBB"
# Kinds of layers, what they are called, and the colour and pattern of their bars.
FAMILIES: tuple[tuple[tuple[type[Layer], ...], str, str, str], ...] = (
    ((Conv2D, Linear), "weights", "#0072B2", ""),
    ((MaxPool2D, AvgPool2D, GlobalAvgPool2D), "pooling", "#E69F00", "-----"),
    ((ReLU, LeakyReLU, Sigmoid, Tanh), "activation", "#009E73", "/////"),
    ((BatchNorm2D, Dropout), "norm, dropout", "#CC79A7", "xxxxx"),
)
OTHER = ("other", EDGE, "")
USUAL = {"stride": (1, 1), "padding": (0, 0), "dilation": (1, 1), "groups": 1}


def architecture(net: Layer, input_shape: tuple[int, ...], ax: Axes | None = None) -> Axes:
    """The layers of a net as boxes, from top to bottom, with what each makes of one picture.

    A box says the layer's full name, as `explain.layer_names` gives it, its kind, the window and
    what of it is unusual; below, C×H×W of its output and how many numbers it learns. Branches stand
    side by side: the way around the block of a `Residual` to its right, those of a `Concat` in
    their order; a dashed frame with the block's name is around both. The bar at a box's left tells
    layers with weights, pooling, activations, and normalisation and dropout apart, as the key at
    the bottom says; it is grey for all others. In small Axes the words are small, then fewer, and
    left out where they could not be read.

    Args:
        net: Any layer; usually a Sequential.
        input_shape: (C, H, W) of a picture, or (B, C, H, W).
        ax: Where to draw; None makes a figure with one Axes.

    Raises:
        TypeError: net is no layer.
        ShapeError: input_shape is none, or the net cannot take such a picture.
    """
    if not isinstance(net, Layer):
        raise TypeError(f"net must be a minicnn layer, got {describe(net)}")
    C, H, W = _picture_shape(input_shape)
    net.output_shape((1, C, H, W))
    names = _names(net)
    columns, rows = _size(net)
    leaves = [layer for layer in net.named_layers().values() if not layer.children()]
    longest = max(24, *(len(_title(layer, names[id(layer)])) for layer in leaves))
    column, high = LETTER * longest / WIDE + 0.2, rows + 1.2 + KEY
    ax = axes_or_new(ax, (column * columns + 0.2, ROW * high + 0.3))
    from ._fit import Fitter

    fitter = Fitter(ax)
    diagram = _Diagram(fitter, ROW / column, names)
    middle = _middle(net)
    ax.set(xlim=(-0.05, columns + 0.05), ylim=(high, 0))
    diagram.words(middle, 0.35, f"{C}×{H}×{W}", 0.9, ha="center")
    end, _ = diagram.draw(net, (1, C, H, W), (middle, 0.55), 0.0, 0.8)
    diagram.line([end, (end[0], rows + 1.05)], arrow=True)
    ax.set_axis_off()
    _key(ax, leaves, KEY / high)
    total = sum(parameter.size for parameter in net.parameters())
    fitter.title(f"{total:,} parameters in all")
    return ax


def _picture_shape(shape: Any) -> tuple[int, int, int]:
    """C, H, W of (C, H, W) or (B, C, H, W)."""
    if isinstance(shape, (tuple, list)) and len(shape) in (3, 4):
        try:
            sizes = [positive_int(size, "input_shape") for size in shape]
            return sizes[-3], sizes[-2], sizes[-1]
        except (TypeError, ValueError):
            pass
    raise ShapeError(
        f"input_shape must be (C, H, W) or (B, C, H, W), integers of at least 1, got "
        f"{describe(shape)}"
    )


def _names(net: Layer) -> dict[int, str]:
    """The full name of each layer by its id, as `explain.layer_names` gives it.

    A net that is one layer has only its own name, or none.
    """
    own = {id(net): net.name or (net.label if net.children() else "")}

    def walk(layer: Layer, name: str) -> None:
        for key, child in layer.children().items():
            last = child.name if key.isdigit() and child.name else key
            own[id(child)] = f"{name}.{last}" if name else last
            walk(child, own[id(child)])

    walk(net, "")
    return own


def _family(layer: Layer) -> tuple[str, str, str]:
    """The name, colour and pattern of a layer's kind."""
    found = (one[1:] for one in FAMILIES if isinstance(layer, one[0]))
    return next(found, OTHER)


def _key(ax: Axes, leaves: list[Layer], share: float) -> None:
    """What the bars mean, as far as they occur, in the lowest ``share`` of ax."""
    from matplotlib.patches import Rectangle

    from ._fit import Fitter

    present = {_family(layer) for layer in leaves}
    entries = [one[1:] for one in FAMILIES if one[1:] in present]
    key = ax.inset_axes((0, 0, 1, 0.9 * share))
    key.set(xlim=(0, 2), ylim=(2, 0))
    key.set_axis_off()
    fitter = Fitter(key)
    for n, (name, colour, hatch) in enumerate(entries):
        x, y = n % 2, n // 2
        look: dict[str, Any] = {"facecolor": colour, "edgecolor": "white", "linewidth": 0}
        key.add_patch(Rectangle((x + 0.04, y + 0.15), 0.08, 0.7, hatch=hatch, **look))
        text = key.text(x + 0.16, y + 0.5, name, va="center", fontsize=SMALL - 1, color=TEXT)
        fitter.add(text, (0.82, 0.95))


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

    def __init__(self, fitter: Fitter, ratio: float, names: dict[int, str]) -> None:
        self.fitter = fitter
        self.ax: Axes = fitter.board
        self.ratio = ratio  # of a row's height to a column's width
        self.names = names
        self.depth = 0  # how many blocks are around what is drawn now

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
        _, colour, hatch = _family(layer)
        self.ax.add_patch(Rectangle((x, y), WIDE, HIGH, facecolor="white", edgecolor=EDGE))
        look: dict[str, Any] = {"facecolor": colour, "edgecolor": "white", "linewidth": 0}
        self.ax.add_patch(Rectangle((x, y), 0.04, HIGH, hatch=hatch, **look))
        name = self.names[id(layer)]
        title, kind = _title(layer, name), type(layer).__name__
        self.words(x + 0.06, y + 0.27 * HIGH, title, WIDE - 0.07, kind)
        learnt = sum(parameter.size for parameter in layer.parameters())
        shape_after = "×".join(map(str, after[1:]))
        made = shape_after + (f"   learns {learnt:,}" if learnt else "")
        self.words(x + 0.06, y + 0.73 * HIGH, made, WIDE - 0.07, shape_after, size=SMALL - 1)
        return (left + 0.5, y + HIGH), after

    def residual(
        self, layer: Residual, shape: Shape, start: Point, left: float, top: float
    ) -> tuple[Point, Shape]:
        columns, _ = _chain_size(list(layer.body))
        bottom = top + _size(layer)[1] - 0.5
        self.frame(layer, left, top)
        self.depth += 1
        fork = (start[0], top + 0.02)
        self.line([start, fork])
        end, after = self.chain(list(layer.body), shape, fork, left, top)
        aside = left + columns
        if layer.shortcut is None:
            past: Point = (aside + ASIDE / 3, fork[1])
            self.line([fork, past])
        else:
            past, _ = self.draw(layer.shortcut, shape, fork, aside, top)
        self.depth -= 1
        self.line([end, (end[0], bottom - 0.18)], arrow=True)
        self.line([past, (past[0], bottom), (end[0] + 0.06, bottom)], arrow=True)
        return self.joint("+", end[0], bottom), after

    def concat(
        self, layer: Concat, shape: Shape, start: Point, left: float, top: float
    ) -> tuple[Point, Shape]:
        middle = left + _middle(layer)
        bottom = top + _size(layer)[1] - 0.5
        self.frame(layer, left, top)
        self.depth += 1
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
        self.depth -= 1
        after: Shape = layer.output_shape(shape)
        made = "side by side: " + "×".join(map(str, after[1:]))
        right = left - 0.02  # where the last branch ends
        self.words(middle + 0.08, bottom + 0.3, made, right - middle - 0.08, size=SMALL - 1)
        return self.joint("∥", middle, bottom), after

    def joint(self, sign: str, x: float, y: float) -> Point:
        """A little circle in which lines come together; returns where the line out begins."""
        from matplotlib.patches import Ellipse

        circle = Ellipse((x, y), 0.36 * self.ratio, 0.36, facecolor="white", edgecolor=EDGE)
        self.ax.add_patch(circle)
        look: dict[str, Any] = {"va": "center_baseline", "fontsize": SMALL, "color": TEXT}
        text = self.ax.text(x, y, sign, ha="center", **look)
        self.fitter.add(text, (0.36 * self.ratio, 0.4), group="joints")
        return x, y + 0.18

    def frame(self, layer: Layer, left: float, top: float) -> None:
        """A light frame about a block, with its name at the lower left."""
        (columns, rows), inset = _size(layer), 0.008 * (1 + self.depth)
        x, y = (left + inset, left + columns - inset), (top + inset, top + rows - inset)
        corners = [x[0], x[1], x[1], x[0], x[0]], [y[0], y[0], y[1], y[1], y[0]]
        self.ax.plot(*corners, color=BLOCK, linewidth=0.8, linestyle=(0, (4, 2)), zorder=-1)
        room = _middle(layer) - 0.12 if columns > 0.5 else columns
        place = left + inset + 0.02, top + rows - 0.2
        self.words(*place, self.names[id(layer)], room, size=SMALL - 1, group="blocks")

    def words(
        self,
        x: float,
        y: float,
        said: str,
        room: float,
        *shorter: str,
        size: float = SMALL,
        ha: Any = "left",
        group: str = "boxes",
    ) -> None:
        """Write in a place that is ``room`` wide and 0.35 of a row high."""
        look: dict[str, Any] = {"va": "center", "color": TEXT, "parse_math": False}
        text = self.ax.text(x, y, drawable(said), ha=ha, fontsize=size, **look)
        self.fitter.add(text, (room, 0.35), *map(drawable, shorter), group=group)

    def line(self, points: list[Point], arrow: bool = False) -> None:
        """A line through points, with an arrow's head at its end."""
        xs, ys = zip(*points, strict=True)
        self.ax.plot(xs, ys, color=EDGE, linewidth=0.9, zorder=0, solid_joinstyle="miter")
        if arrow:
            look: dict[str, Any] = {"arrowstyle": "-|>", "color": EDGE, "linewidth": 0.9}
            look.update(shrinkA=0, shrinkB=0, mutation_scale=7)
            self.ax.annotate("", points[-1], points[-2], arrowprops=look, annotation_clip=False)


def _title(layer: Layer, name: str) -> str:
    """The full name, the kind, the window, and what is not as usual."""
    args = layer.args()
    words = [type(layer).__name__]
    kernel = args.get("kernel_size")
    if kernel is not None:
        words[0] += f" {_sizes(kernel, always=True)}"
    usual = {**USUAL, "stride": kernel} if isinstance(layer, (MaxPool2D, AvgPool2D)) else USUAL
    for option, common in usual.items():
        if option in args and args[option] != common:
            words.append(f"{option} {_sizes(args[option])}")
    if "p" in args:
        words.append(f"p {args['p']:g}")
    return f"{name}: {', '.join(words)}" if name else ", ".join(words)


def _sizes(value: Any, always: bool = False) -> str:
    """2 or 2×3."""
    if not isinstance(value, (tuple, list)):
        return str(value)
    return str(value[0]) if value[0] == value[1] and not always else "×".join(map(str, value))
