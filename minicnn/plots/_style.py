"""What all pictures share: colours, sizes, figures without pyplot, and how they are written."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import describe
from ..files import atomic_write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe & Ito, "Color universal design", 2008: blue and vermilion, of different lightness too.
TRAIN = {"color": "#0072B2", "linestyle": "--", "marker": "o", "markerfacecolor": "white"}
VALID = {"color": "#D55E00", "linestyle": "-", "marker": "s"}
SERIES = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#333333")
TEXT = "#333333"
GRID = "#DDDDDD"
FRAME = "#888888"
SMALL, NORMAL = 8, 10  # points
TICKS = {"labelsize": SMALL, "color": FRAME, "labelcolor": TEXT}
FORMATS = ("png", "svg", "pdf")
LONGEST, LONGER = 20, 40  # letters of a name, and of one that has a line of its own

# From below 0 to above: the ends differ in lightness, so that they do in a grey print too.
SIGNED = ("#08306B", "#4393C3", "#F7F7F7", "#F4A582", "#E0653F")
BEHIND_NUMBERS = ("#86AFDA", "#FFFFFF", "#FFDCC8")


def save_figure(ax_or_figure: Axes | Figure, path: str | os.PathLike[str], dpi: int = 150) -> None:
    """Write a figure, or the figure that an Axes belongs to, to a PNG, SVG or PDF file.

    The file appears whole or not at all, and the same picture gives the same bytes.

    Args:
        ax_or_figure: What one of the functions above gave.
        path: The file; its suffix tells the format.
        dpi: Dots an inch, for PNG.

    Raises:
        ValueError: another suffix.
        FileNotFoundError: the folder does not exist.
    """
    kind = Path(path).suffix.lower().lstrip(".")
    if kind not in FORMATS:
        raise ValueError(f"path must end in .{', .'.join(FORMATS)}, got {describe(str(path))}")
    import matplotlib
    from matplotlib.figure import Figure

    figure: Any = ax_or_figure
    while figure is not None and not isinstance(figure, Figure):
        if not hasattr(figure, "figure"):
            raise TypeError(
                f"ax_or_figure must be a matplotlib Axes or Figure, got {describe(ax_or_figure)}"
            )
        figure = figure.figure  # of an Axes its figure or subfigure, of a subfigure the whole
    if figure is None:
        raise ValueError("the Axes belongs to no figure any more")
    # A date, or a random name for a clipping path, would change the file from run to run.
    metadata = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}[kind]
    with matplotlib.rc_context({"svg.hashsalt": "minicnn"}), atomic_write(path) as temporary:
        options: dict[str, Any] = {"bbox_inches": "tight", "pad_inches": 0.08, "facecolor": "white"}
        figure.savefig(temporary, format=kind, dpi=dpi, metadata=metadata, **options)


def use_style() -> None:
    """Let figures of your own look like these: for the first cell of a notebook.

    Lines take turns in colours that everybody can tell apart, and in dashes, for print.
    """
    import matplotlib
    from cycler import cycler

    dashes = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)))
    lines = cycler(color=SERIES) + cycler(linestyle=dashes)
    look: dict[Any, Any] = {
        "axes.prop_cycle": lines,
        "axes.edgecolor": FRAME,
        "axes.axisbelow": True,
    }
    look |= {"axes.titlelocation": "left", "axes.titlesize": NORMAL, "axes.labelsize": NORMAL}
    look |= dict.fromkeys(("axes.labelcolor", "axes.titlecolor", "text.color"), TEXT)
    look |= {f"{axis}tick.{part}": value for axis in "xy" for part, value in TICKS.items()}
    look |= {"legend.fontsize": SMALL, "legend.frameon": False, "grid.color": GRID}
    matplotlib.rcParams.update(look)


def new_figure(size: tuple[float, float]) -> Figure:
    """An empty figure of ``size`` inches, with a canvas of its own."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("drawing needs matplotlib: pip install matplotlib") from error
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def axes_or_new(ax: Axes | None, size: tuple[float, float]) -> Axes:
    """``ax``, or the Axes of a new figure of ``size`` inches.

    Where pyplot is in use, as in a notebook, the figure is one of its own, so that it is shown.
    """
    if ax is not None:
        return ax
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is None:
        return new_figure(size).add_subplot()
    axes: Axes = pyplot.figure(figsize=size, layout="constrained").add_subplot()
    return axes


def colour_map(colours: Sequence[str]) -> Any:
    """A map through these colours; what is no number is grey."""
    from matplotlib.colors import LinearSegmentedColormap

    from ._marks import BROKEN

    made = LinearSegmentedColormap.from_list("minicnn", list(colours))
    return made.with_extremes(bad=BROKEN)


def drawable(text: str) -> str:
    """``text`` with "?" for each letter that the font does not have."""
    known = _letters()
    return "".join(letter if letter == "\n" or ord(letter) in known else "?" for letter in text)


def short_names(names: Sequence[object], kind: str = "class", longest: int = LONGEST) -> list[str]:
    """Names as pictures write them: at most ``longest`` letters each, and still all different.

    A name with a letter that the font does not have is replaced by its kind and number. Texts that
    show them must be made with ``parse_math=False``: a class may be called "$\\alpha$".
    """
    known = _letters()
    short = []
    for k, given in enumerate(names):
        name = " ".join(str(given).split())
        if any(ord(letter) not in known for letter in name):
            name = f"{kind} {k}"
        short.append(name if len(name) <= longest else f"{name[: longest - 8]}…{name[-7:]}")
    if len(set(short)) < len(short):
        short = [f"{name[: longest - 6]} [{k}]" for k, name in enumerate(short)]
    return short


def _letters() -> dict[int, int]:
    """The letters that the font has."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    return dict(get_font(findfont(FontProperties())).get_charmap())


def add_legend(ax: Axes, handles: Sequence[Any], names: Sequence[str], **look: Any) -> Any:
    """A legend whose entries are shown as they are: no maths, no name left out for its "_"."""
    shared: dict[str, Any] = {"frameon": False, "fontsize": SMALL, "labelcolor": TEXT}
    legend = ax.legend(list(handles), ["-"] * len(handles), **(shared | look))
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set_parse_math(False)
        text.set_text(name)
    return legend


def grey_look() -> dict[str, Any]:
    """How `imshow` draws values from 0, black, to 1, white; what is no number in `BROKEN` grey."""
    from matplotlib import colormaps

    from ._marks import BROKEN

    return {"cmap": colormaps["gray"].with_extremes(bad=BROKEN), "vmin": 0, "vmax": 1}


def bare_axes(ax: Axes) -> None:
    """No frame and no ticks: for pictures, whose pixels nobody counts."""
    plain_axes(ax, frame=False)
    ax.set_xticks([])
    ax.set_yticks([])


def plain_axes(ax: Axes, *, frame: bool = True) -> None:
    """What all pictures share: no box, thin grey axes, small ticks, the grid behind the data."""
    for name, spine in ax.spines.items():
        spine.set_visible(frame and name in ("left", "bottom"))
        spine.set_color(FRAME)
    ax.tick_params(labelsize=SMALL, colors=TEXT, length=3 if frame else 0)
    ax.set_axisbelow(True)
