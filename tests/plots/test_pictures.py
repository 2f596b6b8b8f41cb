"""Heat maps over pictures, and the mistakes that a net was surest of."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from minicnn import plots
from minicnn.errors import ShapeError

pytest.importorskip("matplotlib")


class TestHeatMap:
    def test_the_hottest_place_is_the_most_opaque_and_signs_have_colours(self) -> None:
        heat = np.zeros((4, 5))
        heat[1, 2], heat[3, 0] = 2.0, -1.0
        ax: Any = plots.heat_map(np.zeros((1, 4, 5)), heat, title="of a 3")
        layer = np.asarray(ax.images[1].get_array())
        alpha = layer[..., 3]
        assert alpha.argmax() == 1 * 5 + 2
        assert alpha[3, 0] == pytest.approx(alpha[1, 2] / 2)
        assert np.count_nonzero(alpha) == 2
        assert layer[1, 2, 0] > layer[1, 2, 2] and layer[3, 0, 0] < layer[3, 0, 2]
        assert ax.get_title(loc="left") == "of a 3"

    def test_one_channel_is_ink_on_paper_and_three_are_grey(self) -> None:
        ink = np.zeros((1, 2, 2), np.uint8)
        ink[0, 0, 0] = 255
        ax: Any = plots.heat_map(ink, np.zeros((2, 2)))
        shown = np.asarray(ax.images[0].get_array())
        assert shown[0, 0] < shown[1, 1]
        colour = np.zeros((3, 2, 2))
        colour[:, 0, 0] = 1
        ax = plots.heat_map(colour, np.zeros((2, 2)), ax)
        shown = np.asarray(ax.images[2].get_array())
        assert shown[0, 0] > shown[1, 1]

    def test_what_is_refused(self) -> None:
        with pytest.raises(ShapeError, match=r"heat must have the picture's shape \(4, 5\)"):
            plots.heat_map(np.zeros((1, 4, 5)), np.zeros((5, 4)))
        with pytest.raises(ShapeError, match="picture must be 1×H×W"):
            plots.heat_map(np.zeros((2, 4, 5)), np.zeros((4, 5)))


class TestMistakes:
    pictures = np.zeros((4, 1, 3, 3))
    scores = np.array([[5.0, 0], [0, 2.0], [3.0, 0], [0, 9.0]])  # sure: 3, 0, 2, 1

    def test_surest_first_and_only_what_is_wrong(self) -> None:
        ax: Any = plots.mistakes(self.pictures, self.scores, [1, 0, 0, 0], ["cat", "dog"])
        words = [text.get_text() for text in ax.texts]
        assert words == [
            "dog, 100 %", "is cat", "cat, 99 %", "is dog", "dog, 88 %", "is cat"
        ]  # fmt: skip
        assert len(ax.images) == 3
        assert ax.get_title(loc="left") == "3 of 4 wrong"

    def test_no_more_than_count(self) -> None:
        ax: Any = plots.mistakes(self.pictures, self.scores, [1, 0, 1, 0], count=2)
        assert len(ax.images) == 2
        assert ax.get_title(loc="left") == "4 of 4 wrong, the 2 it was surest of"

    def test_a_net_without_mistakes(self) -> None:
        ax: Any = plots.mistakes(self.pictures, self.scores, [0, 1, 0, 1])
        assert ax.get_title(loc="left") == "0 of 4 wrong"
        assert not ax.images

    def test_what_is_refused(self) -> None:
        with pytest.raises(ShapeError, match=r"pictures must have shape \(4, C, H, W\)"):
            plots.mistakes(self.pictures[:3], self.scores, [0, 0, 0, 0])
        with pytest.raises(ValueError, match="labels must be from 0 to 1"):
            plots.mistakes(self.pictures, self.scores, [0, 2, 0, 0])
        with pytest.raises(ShapeError, match="classes must hold 2 names"):
            plots.mistakes(self.pictures, self.scores, [0, 0, 0, 0], ["one"])
        with pytest.raises(ValueError, match="count"):
            plots.mistakes(self.pictures, self.scores, [0, 0, 0, 0], count=0)
