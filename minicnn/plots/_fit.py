"""Text that fits: what stands in a picture gets the size that its room asks for.

Axes can be of any size, and a layout may move them at the last moment. So sizes are found when a
picture is drawn: a `Fitter` puts an artist into the Axes that is not seen, but is drawn before all
others, and measures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ._style import NORMAL, SMALL, TEXT, drawable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Text

FLOOR = 4.0  # points: what would have to be smaller is left out
GAP = 6.0  # points, between a title and the next Axes


@dataclass
class Piece:
    """A text, its room in units of the data, its largest size, and what it may say, at length
    first."""

    text: Text
    room: tuple[float, float]
    size: float
    forms: tuple[str, ...]


@dataclass
class Note:
    """A title or label: what it is to say and its largest size; what was made of it, and for which
    room."""

    text: Text
    says: str
    size: float
    made: tuple[str, float] = ("", 0.0)
    room: tuple[float, float] = (-1.0, -1.0)


class Fitter:
    """Gives the texts of one picture their sizes.

    Args:
        ax: The Axes they are in.
    """

    def __init__(self, ax: Axes) -> None:
        from matplotlib.artist import Artist

        first = Artist()
        first.set_zorder(-1e6)
        first.set_in_layout(False)
        first.__dict__["draw"] = self.measure  # no class of its own, so that it can be pickled
        self.board = ax
        self.scale: tuple[float, ...] = ()  # for which the groups have been fitted
        self.groups: dict[str, list[Piece]] = {}
        self.notes: list[Note] = []
        self.legends: list[tuple[Any, float]] = []
        self.ticks: list[_Ticks] = []
        ax.add_artist(first)
        self.note(ax.title)

    def add(
        self, text: Text, room: tuple[float, float], *shorter: str, group: str = "cells"
    ) -> None:
        """Keep a text within a room (width, height) of the data; all of a group are shrunk alike.

        Args:
            text: As large as it may be.
            room: Width and height in units of the data.
            *shorter: What it may say instead where it would have to be smaller than `FLOOR`.
            group: Which others go with it.
        """
        text.set_in_layout(False)
        piece = Piece(text, room, float(text.get_fontsize()), (text.get_text(), *shorter))
        self.groups.setdefault(group, []).append(piece)

    def note(self, text: Text) -> None:
        """Keep a title or a label from running into the next Axes, whoever writes it."""
        self.notes.append(Note(text, text.get_text(), float(text.get_fontsize())))
        _fit_note(self.board, self.notes[-1], None)  # now too: a layout asks how many lines it has

    def title(self, words: str) -> None:
        """Write the title, at the left."""
        look: dict[str, Any] = {"fontsize": NORMAL, "color": TEXT, "parse_math": False}
        self.note(self.board.set_title(drawable(words), loc="left", **look))

    def legend(self, legend: Any) -> None:
        """Keep a legend within the width of the Axes."""
        if legend is not None:
            self.legends.append((legend, float(legend.get_texts()[0].get_fontsize())))

    def number(
        self, axis: Any, names: Sequence[str], slanted: bool = False, every: int = 1
    ) -> None:
        """Put names at 0, 1, 2, … of an axis: as many as have room.

        Args:
            axis: ``ax.xaxis`` or ``ax.yaxis``.
            names: One for each whole number.
            slanted: Whether they are turned by 45°.
            every: How many to go on by, at least.
        """
        ticks = _Ticks(axis, list(names), slanted, every)
        ticks.put(every, SMALL, max(map(len, names)))
        self.ticks.append(ticks)

    def measure(self, renderer: Any, *_: Any, **__: Any) -> None:
        """Give every text its size; draws nothing."""
        scale = (*_unit(self.board), _points(self.board))
        if scale != self.scale:
            for pieces in self.groups.values():
                _fit(self.board, pieces, renderer)
        self.scale = scale
        for note in self.notes:
            _fit_note(self.board, note, renderer)
        for legend, size in self.legends:
            _fit_legend(self.board, legend, size, renderer)
        for ticks in self.ticks:
            ticks.fit(self.board)


def _points(ax: Axes) -> float:
    """Points in a pixel."""
    return 72.0 / float(ax.get_figure(root=True).dpi)  # type: ignore[union-attr]


def _unit(ax: Axes) -> tuple[float, float]:
    """A unit of the data in pixels, across and down."""
    across, down = np.abs(ax.transData.transform((1, 1)) - ax.transData.transform((0, 0)))
    return float(across), float(down)


def _fit(ax: Axes, pieces: list[Piece], renderer: Any) -> None:
    """The longest form of all texts that they can be read in; none where there is no such."""
    smallest = min(piece.size for piece in pieces)
    for form in range(max(len(piece.forms) for piece in pieces)):
        for piece in pieces:
            piece.text.set_text(piece.forms[min(form, len(piece.forms) - 1)])
            piece.text.set_visible(True)
        factor = _shrink(ax, pieces, renderer, FLOOR / smallest)
        if factor * smallest >= FLOOR:
            return
    for piece in pieces:
        piece.text.set_visible(False)


def _shrink(ax: Axes, pieces: list[Piece], renderer: Any, least: float) -> float:
    """Shrink all alike until each is in its room, or below ``least``; returns by how much."""
    across, down = _unit(ax)
    different = {
        (piece.text.get_text(), piece.text.get_fontweight(), piece.size, piece.room): piece
        for piece in pieces
        if piece.text.get_text()
    }
    factor, tight = 1.0, list(different.values())
    while tight:
        over = []
        for piece in tight:
            piece.text.set_fontsize(factor * piece.size)
            box = piece.text.get_window_extent(renderer)
            wide, high = (max(n, 1e-9) for n in (piece.room[0] * across, piece.room[1] * down))
            over.append(max(box.width / wide, box.height / high))
        most = max(over)
        if most <= 1 or factor < least:
            break
        factor *= min(1 / most, 0.97)  # letters do not shrink quite in proportion
        tight = [piece for piece, n in zip(tight, over, strict=True) if n > 0.8 * most]
    for piece in pieces:
        piece.text.set_fontsize(factor * piece.size)
    return factor


def _fit_note(ax: Axes, note: Note, renderer: Any) -> None:
    text = note.text
    if (text.get_text(), float(text.get_fontsize())) != note.made:  # somebody has written it anew
        note.says, note.size, note.room = text.get_text(), float(text.get_fontsize()), (-1.0, -1.0)
    room = _room(ax, text)
    if not note.says or max(abs(a - b) for a, b in zip(room, note.room, strict=True)) < 0.5:
        return
    words = drawable(note.says)

    def fits(said: str, size: float) -> bool:
        text.set_text(said)
        text.set_fontsize(size)
        box = text.get_window_extent(renderer)
        return bool(box.width <= room[0] and box.height <= room[1])

    sizes = np.arange(note.size, min(note.size, SMALL) - 0.01, -0.5)
    small = np.arange(min(note.size, SMALL), FLOOR + 0.9, -0.5)
    lines = _two_lines(words)
    found = any(fits(words, size) for size in sizes) or any(fits(lines, size) for size in small)
    while not found and len(words) > 1:
        words = words[:-2].rstrip() + "…"
        found = fits(_two_lines(words), float(small[-1]) if len(small) else note.size)
    note.made, note.room = (text.get_text(), float(text.get_fontsize())), room


def _two_lines(words: str) -> str:
    """Broken at the space that makes both lines most alike."""
    spaces = [n for n, letter in enumerate(words) if letter == " "]
    if "\n" in words or not spaces:
        return words
    middle = min(spaces, key=lambda n: max(n, len(words) - n - 1))
    return f"{words[:middle]}\n{words[middle + 1 :]}"


def _room(ax: Axes, text: Text) -> tuple[float, float]:
    """How many pixels wide and high a text above or below an Axes can be without reaching another.

    Where there is a layout, it makes room for as many lines as there are.
    """
    own, gap = ax.get_window_extent(), GAP / _points(ax)
    figure = ax.get_figure()
    assert figure is not None
    left, right, high = float(figure.bbox.x0), float(figure.bbox.x1), 1e9
    begin = float(text.get_window_extent().y0)
    for box in (other.get_window_extent() for other in figure.axes if other is not ax):
        if box.y0 >= own.y1 or box.y1 <= own.y0:  # of another row
            if box.y0 >= own.y1 and box.x0 < own.x1 and box.x1 > own.x0:
                high = min(high, max(float(box.y0) - begin, 1.0))
            continue
        if box.x0 > own.x0 + 1:
            right = min(right, max(float(box.x0) - gap, float(own.x0) + 1))
        if box.x1 < own.x1 - 1:
            left = max(left, min(float(box.x1) + gap, float(own.x1) - 1))
    root = ax.get_figure(root=True)
    if begin < own.y0 or (root is not None and root.get_layout_engine() is not None):
        high = 1e9
    if text.get_horizontalalignment() == "left":
        return right - float(own.x0), high
    middle = float(own.x0 + own.x1) / 2
    return 2 * min(middle - left, right - middle), high


def _fit_legend(ax: Axes, legend: Any, size: float, renderer: Any) -> None:
    room = float(ax.get_window_extent().width)
    while size > FLOOR:
        for text in legend.get_texts():
            text.set_fontsize(size)
        if legend.get_window_extent(renderer).width <= room:
            return
        size *= 0.93


def _aside(ax: Axes, down: bool) -> float:
    """How many points of room names have at the left of an Axes, or below it."""
    figure, own = ax.get_figure(), ax.get_window_extent()
    assert figure is not None
    edge = float(figure.bbox.y0 if down else figure.bbox.x0)
    for box in (other.get_window_extent() for other in figure.axes if other is not ax):
        across = (own.x0, own.x1, box.x0, box.x1) if down else (own.y0, own.y1, box.y0, box.y1)
        near, far = (own.y0, box.y1) if down else (own.x0, box.x1)
        if across[2] < across[1] and across[3] > across[0] and far <= near:
            edge = max(edge, float(far))
    return (float(own.y0 if down else own.x0) - edge) * _points(ax)


def _cut(name: str, letters: int) -> str:
    """At most so many letters; where there is room the end is kept, which may tell names apart."""
    if len(name) <= letters:
        return name
    end = 3 if letters >= 8 else 0
    return f"{name[: letters - 1 - end]}…{name[len(name) - end :]}"


@dataclass
class _Ticks:
    axis: Any
    names: list[str]
    slanted: bool
    every: int
    now: tuple[int, float, int] = (0, 0.0, 0)

    def put(self, every: int, size: float, letters: int) -> None:
        if self.now == (every, size, letters):
            return
        self.now = every, size, letters
        turn = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if self.slanted else {}
        # parse_math: a class may be called "$\\alpha$", or have one dollar in its name.
        look = {"parse_math": False, "fontsize": size, **turn}
        places = list(range(0, len(self.names), every))
        names = [self.names[n] for n in places]
        self.axis.set_ticks(places, [_cut(name, letters) for name in names], **look)

    def fit(self, ax: Axes) -> None:
        """As large as the way from name to name allows, and fewer where that is too small; where
        no layout makes room for them, as small and short as the room is."""
        upright = self.axis.axis_name == "y"
        way = _unit(ax)[1 if upright else 0] * _points(ax)
        longest = max(map(len, self.names))
        line = 1.25 if upright or self.slanted else 0.65 * longest + 0.3  # of its size
        every = self.every
        while every < len(self.names) and way * every / line < FLOOR + 1:
            every += 1
        size, letters = min(SMALL, max(way * every / line, FLOOR)), longest
        figure = ax.get_figure(root=True)
        if longest > 3 and figure is not None and figure.get_layout_engine() is None:
            room = (_aside(ax, down=not upright) - 2.6 * NORMAL) / (0.45 if self.slanted else 0.62)
            size = max(min(size, room / longest), min(size, FLOOR + 1))
            letters = min(longest, max(2, int(room / size)))
        self.put(every, round(size, 1), letters)
