"""Heat maps over pictures, and the mistakes that a net was surest of."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minicnn as mc
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

    def test_says_what_blue_means_where_there_is_blue(self) -> None:
        heat = np.eye(4)
        ax: Any = plots.heat_map(np.zeros((4, 4)), heat)
        assert ax.get_xlabel() == ""
        ax = plots.heat_map(np.zeros((4, 4)), -heat)
        assert ax.get_xlabel() == "orange speaks for, blue (dashes) against"

    def test_one_place_that_is_no_number_removes_no_heat(self) -> None:
        heat = np.eye(4)
        heat[0, 1], heat[0, 2] = np.nan, np.inf
        ax: Any = plots.heat_map(np.zeros((4, 4)), heat)
        alpha = np.asarray(ax.images[1].get_array())[..., 3]
        np.testing.assert_allclose(alpha, 0.85 * np.eye(4))
        assert ax.get_xlabel() == "2 not finite (×)"
        assert len(ax.collections[0].get_segments()) == 4

    def test_pictures_with_a_dark_border_are_ink_unless_one_says_so(self) -> None:
        photo, heat = np.ones((5, 5)), np.zeros((5, 5))
        photo[2, 2] = 0

        def darker_in_the_middle(picture: Any, ink: bool | None) -> bool:
            ax: Any = plots.heat_map(picture, heat, ink=ink)
            shown = np.asarray(ax.images[0].get_array())
            return bool(shown[2, 2] < shown[0, 0])

        assert darker_in_the_middle(photo, None) and darker_in_the_middle(1 - photo, None)
        assert not darker_in_the_middle(photo, True)
        assert not darker_in_the_middle(1 - photo, False)
        assert not darker_in_the_middle(np.stack([1 - photo] * 3), True)
        with pytest.raises(TypeError, match="ink must be True or False"):
            plots.heat_map(photo, heat, ink=1)  # type: ignore[arg-type]

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

    def test_pictures_can_be_asked_for(self) -> None:
        asked: list[Any] = []

        def give(indices: Any) -> Any:
            asked.append(indices)
            return mc.Tensor(np.ones((len(indices), 1, 3, 3)) * indices[:, None, None, None] / 9)

        ax: Any = plots.mistakes(give, self.scores, [1, 0, 0, 0], count=2, ink=False)
        assert len(asked) == 1
        np.testing.assert_array_equal(asked[0], [3, 0])
        assert ax.images[0].get_array()[0, 0] == pytest.approx(3 / 9)
        plots.mistakes(give, self.scores, [0, 1, 0, 1])
        assert len(asked) == 1  # nothing to show
        with pytest.raises(ShapeError, match=r"pictures must give shape \(1, C, H, W\), got \(4,"):
            plots.mistakes(lambda _: self.pictures, self.scores, [0, 1, 0, 0])

    @pytest.mark.parametrize("bad", [np.nan, np.inf])
    def test_scores_that_are_no_numbers_are_wrong(self, bad: float) -> None:
        scores = self.scores.copy()
        scores[0] = bad
        ax: Any = plots.mistakes(self.pictures, scores, [0, 0, 0, 1], ["cat", "dog"])
        words = [text.get_text() for text in ax.texts]
        assert words == ["dog, 88 %", "is cat", "no number", "is cat"]
        title = ax.get_title(loc="left").replace("\n", " ")
        assert title == "2 of 4 wrong, 1 without a number"

    def test_photographs_stay_as_they_are(self) -> None:
        photos = np.ones((4, 1, 3, 3))
        photos[:, :, 1, 1] = 0
        for pictures, ink in ((photos, None), (photos, False), (1 - photos, True)):
            ax: Any = plots.mistakes(pictures, self.scores, [1, 0, 0, 0], ink=ink)
            assert all(np.array_equal(image.get_array(), photos[0, 0]) for image in ax.images)

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
