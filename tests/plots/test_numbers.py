"""Pictures of numbers: what they say must be what the layers compute."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

import minicnn as mc
from minicnn import plots
from minicnn.errors import ShapeError

pytest.importorskip("matplotlib")


def texts(ax: Any) -> dict[tuple[int, int], str]:
    """What stands in each cell (h, w)."""
    return {
        (round(t.get_position()[1]), round(t.get_position()[0])): t.get_text() for t in ax.texts
    }


class TestRouting:
    def test_every_gradient_stands_under_the_pixel_that_gets_it(self) -> None:
        rng = np.random.default_rng(0)
        x, dy, pool = rng.normal(size=(6, 6)), rng.normal(size=(3, 3)), mc.MaxPool2D(2)
        cells = texts(plots.pooling_routing(x, pool, dy, decimals=6))
        pool(x[None, None])
        dx = pool.backward(dy[None, None].astype(np.float64)).data[0, 0]  # type: ignore[union-attr]
        paid = {place: text for place, text in cells.items() if "(" in text}
        assert set(paid) == {(int(h), int(w)) for h, w in np.argwhere(dx)}
        for place, text in paid.items():
            assert text.splitlines()[0] == f"{x[place]:.6f}"
            assert text.endswith(f": {dx[place]:+.6f}")

    def test_several_payments_are_listed_and_summed(self) -> None:
        x = np.zeros((3, 4))
        x[1, 1] = 1
        cells = texts(plots.pooling_routing(x, mc.MaxPool2D((3, 2), 1), [[2, 3, 5]], decimals=0))
        assert cells[1, 1] == "1\n(0,0): +2\n(0,1): +3\n= 5"
        assert cells[0, 2] == "0\n(0,2): +5"
        assert cells[2, 3] == "0\ntie"
        assert cells[1, 0] == "0"

    def test_many_payments_are_counted(self) -> None:
        x = np.zeros((5, 5))
        x[2, 2] = 1
        cells = texts(plots.pooling_routing(x, mc.MaxPool2D(3, 1), decimals=0))
        assert cells[2, 2] == "1\n9 windows × 1\n= 9"
        cells = texts(plots.pooling_routing(x, mc.MaxPool2D(3, 1), np.eye(3), decimals=0))
        assert cells[2, 2] == "1\n(0,0): +1\n(0,1): +0\n… 9 windows\n= 3"

    def test_a_stride_is_one_number_where_it_can_be(self) -> None:
        for stride, title in (
            (2, "windows 2×2, stride 2: "),
            ((2, 1), "windows 2×2, stride 2×1: "),
        ):
            ax: Any = plots.pooling_routing(np.eye(4), mc.MaxPool2D(2, stride))
            assert ax.get_title(loc="left") == title + "who won what"

    def test_no_frame_runs_through_a_number(self) -> None:
        ax: Any = plots.pooling_routing(np.eye(5), mc.MaxPool2D(3, 2))
        above = max(box.get_zorder() for box in ax.patches)
        for text in ax.texts:
            assert text.get_bbox_patch() is not None
            assert text.get_zorder() > above

    def test_windows_are_framed_padding_included(self) -> None:
        ax: Any = plots.pooling_routing(np.eye(4), mc.MaxPool2D(3, 2, 1))
        corners = {tuple(np.round(box.get_xy())) for box in ax.patches if not box.get_fill()}
        assert len(corners) == 4
        assert (-1, -1) in corners

    def test_draws_into_the_axes_given_and_leaves_the_layer_alone(self) -> None:
        pool, ax = mc.MaxPool2D(2), plots.number_grid(np.eye(2))
        assert plots.pooling_routing(np.eye(2), pool, ax=ax) is ax
        assert pool.mask is None

    def test_wrong_arguments(self) -> None:
        with pytest.raises(TypeError, match="pool must be a MaxPool2D"):
            plots.pooling_routing(np.eye(2), mc.ReLU())  # type: ignore[arg-type]
        with pytest.raises(ShapeError, match=r"dy must have the shape of the output, \(1, 1\)"):
            plots.pooling_routing(np.eye(2), mc.MaxPool2D(2), np.eye(2))
        with pytest.raises(ShapeError, match="x must be a plane"):
            plots.pooling_routing(np.zeros((1, 1, 2, 2)), mc.MaxPool2D(2))


class TestNumberGrid:
    def test_shows_each_number(self) -> None:
        ax: Any = plots.number_grid([[1, -2.5], [np.nan, 0]], decimals=1, marked=[[1, 0], [0, 0]])
        assert texts(ax) == {(0, 0): "1.0", (0, 1): "-2.5", (1, 0): "nan", (1, 1): "0.0"}
        assert len(ax.patches) == 1
        assert [t.get_text() for t in ax.get_xticklabels()] == ["0", "1"]

    def test_zero_has_no_sign(self) -> None:
        tiny = np.array([[-0.001, -0.0], [-0.006, 1.0]])
        cells = texts(plots.number_grid(tiny, decimals=2))
        assert cells == {(0, 0): "0.00", (0, 1): "0.00", (1, 0): "-0.01", (1, 1): "1.00"}
        cells = texts(plots.pooling_routing(tiny, mc.MaxPool2D(2), [[-0.001]], decimals=2))
        assert cells[0, 0] == "0.00"
        assert cells[1, 1] == "1.00\n(0,0): +0.00"
        layer = mc.Conv2D(1, 1, 2, bias=False)
        layer.weight.data = np.full((1, 1, 2, 2), -0.0, np.float32)
        ax: Any = plots.window_at_work(tiny, layer, (0, 0))
        assert texts(ax)[0, 1] == "0\n× 0"
        assert ax.get_title(loc="left") == "y[0, 0] = 0"

    def test_wrong_arguments(self) -> None:
        with pytest.raises(ShapeError, match=r"marked must have shape \(2, 2\), got \(1, 2\)"):
            plots.number_grid(np.eye(2), marked=[[1, 0]])
        with pytest.raises(ShapeError, match="plane of shape"):
            plots.number_grid(np.zeros((0, 3)))
        with pytest.raises(ValueError, match="decimals must be an integer of at least 0, got -1"):
            plots.number_grid(np.eye(2), decimals=-1)

    def test_what_is_no_number_is_crossed_out(self) -> None:
        ax: Any = plots.number_grid([[1, np.nan], [np.inf, 0]])
        assert len(ax.collections[0].get_segments()) == 4
        assert ax.images[0].get_clim() == (-1, 1)


class TestWindowAtWork:
    @pytest.mark.parametrize("options", [{}, {"stride": 2, "padding": 1}, {"dilation": 2}])
    def test_the_sum_is_what_the_layer_computes(self, options: dict[str, int]) -> None:
        x = np.random.default_rng(0).normal(size=(6, 7))
        layer = mc.Conv2D(1, 2, 3, **options, rng=0)  # type: ignore[arg-type]
        y = layer(x[None, None].astype(np.float32)).data[0, 0]
        ax: Any = plots.window_at_work(x, layer, (1, 2))
        name, _, value = ax.get_title(loc="left").partition(" = ")
        assert name == "y[1, 2]"
        assert float(value) == pytest.approx(y[1, 2], abs=1e-4)
        assert sum("×" in text for text in texts(ax).values()) == 9

    def test_wrong_arguments(self) -> None:
        with pytest.raises(IndexError, match="place must be within 2×2"):
            plots.window_at_work(np.eye(4), mc.Conv2D(1, 1, 3), (2, 0))
        with pytest.raises(ShapeError, match="1 input channel"):
            plots.window_at_work(np.eye(4), mc.Conv2D(2, 1, 3), (0, 0))
        with pytest.raises(TypeError, match="must be a Conv2D"):
            plots.window_at_work(np.eye(4), mc.ReLU(), (0, 0))  # type: ignore[arg-type]


class TestGrids:
    def test_a_picture_for_each_filter(self) -> None:
        layer = mc.Conv2D(1, 6, 5, rng=0)
        ax: Any = plots.filters(layer)
        assert len(ax.images) == 6
        np.testing.assert_array_equal(ax.images[4].get_array(), layer.weight.data[4, 0])
        assert ax.images[0].get_clim() == ax.images[5].get_clim()
        assert [t.get_text() for t in ax.texts] == ["0", "1", "2", "3", "4", "5"]

    def test_three_channels_are_colours_unless_one_is_chosen(self) -> None:
        layer = mc.Conv2D(3, 2, 3, rng=0)
        colours: Any = plots.filters(layer)
        assert colours.images[0].get_array().shape == (3, 3, 3)
        one: Any = plots.filters(layer, channel=2)
        np.testing.assert_array_equal(one.images[1].get_array(), layer.weight.data[1, 2])

    def test_feature_maps_have_each_its_own_scale(self) -> None:
        maps = np.stack([np.arange(6.0).reshape(2, 3), np.full((2, 3), 7.0)])
        ax: Any = plots.feature_maps(maps)
        np.testing.assert_allclose(ax.images[0].get_array(), maps[0] / 5)
        np.testing.assert_array_equal(ax.images[1].get_array(), np.zeros((2, 3)))
        assert ax.get_title(loc="left") == "2 feature maps of 2×3, each on its own scale"

    def test_a_map_that_is_the_same_everywhere_says_so(self) -> None:
        maps = np.stack([np.full((2, 3), 7.0), np.zeros((2, 3)), np.arange(6.0).reshape(2, 3)])
        ax: Any = plots.feature_maps(maps)
        words = [text.get_text() for text in ax.texts]
        assert words == ["0", "7\neverywhere", "1", "0\neverywhere", "2"]
        assert len(ax.lines) == 2

    def test_one_pixel_that_is_no_number_blanks_no_map(self) -> None:
        maps = np.arange(12.0).reshape(2, 2, 3)
        maps[0, 0, 0], maps[0, 0, 1] = np.nan, np.inf
        ax: Any = plots.feature_maps(maps)
        shown = ax.images[0].get_array()
        np.testing.assert_allclose(shown[1], [1 / 3, 2 / 3, 1])
        np.testing.assert_allclose(ax.images[1].get_array(), (maps[1] - 6) / 5)
        assert len(ax.collections[0].get_segments()) == 4  # two crosses
        assert ax.get_title(loc="left").replace("\n", " ").endswith("2 not finite (×)")

    @pytest.mark.parametrize("C", [1, 2, 3])
    def test_one_weight_that_is_no_number_blanks_no_filter(self, C: int) -> None:
        layer = mc.Conv2D(C, 2, 3, bias=False)
        layer.weight.data[...] = 0.5
        layer.weight.data[0, 0, 1, 1], layer.weight.data[1, 0, 0, 0] = np.nan, -1
        ax: Any = plots.filters(layer)
        title = ax.get_title(loc="left").replace("\n", " ")
        assert title.endswith(", 1 not finite (×)")
        assert ("±0.5" if C == 2 else "±1") in title
        np.testing.assert_allclose(ax.images[0].get_array()[0, 0], 0.5 if C < 3 else [0.75] * 3)

    def test_the_title_gives_the_scale(self) -> None:
        layer = mc.Conv2D(2, 2, 3, rng=0)
        layer.weight.data[0, 1, 0, 0] = -2
        ax: Any = plots.filters(layer, channel=1)
        title = ax.get_title(loc="left").replace("\n", " ")
        assert title.endswith("channel 1, red: above 0, blue (dash): below, ±2")

    def test_a_picture_of_the_batch(self) -> None:
        batch = np.zeros((2, 1, 2, 2))
        batch[1, 0, 0, 0] = 1
        ax: Any = plots.feature_maps(mc.Tensor(batch), b=1)
        assert ax.images[0].get_array()[0, 0] == 1

    def test_wrong_arguments(self) -> None:
        with pytest.raises(TypeError, match="layer must be a Conv2D"):
            plots.filters(mc.ReLU())  # type: ignore[arg-type]
        with pytest.raises(IndexError, match="channel must be from 0 to 2"):
            plots.filters(mc.Conv2D(3, 1, 3), channel=3)
        with pytest.raises(ShapeError, match=r"got \(2, 2\)"):
            plots.feature_maps(np.eye(2))
        with pytest.raises(IndexError, match="b must be from 0 to 0"):
            plots.feature_maps(np.zeros((1, 1, 2, 2)), b=1)


class TestWhereFiguresComeFrom:
    def test_without_pyplot_nobody_else_holds_the_figure(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delitem(sys.modules, "matplotlib.pyplot", raising=False)
        manager = plots.number_grid(np.eye(2)).figure.canvas.manager  # type: ignore[union-attr]
        assert manager is None

    def test_where_pyplot_is_in_use_it_shows_the_figure(self) -> None:
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot

        ax = plots.number_grid(np.eye(2))
        assert pyplot.get_fignums() == [ax.figure.number]  # type: ignore[union-attr]


class TestPartOfARouting:
    x = np.random.default_rng(1).normal(size=(9, 9))

    @pytest.mark.parametrize("pool", [mc.MaxPool2D(2), mc.MaxPool2D(3, 2, 1), mc.MaxPool2D(3, 1)])
    def test_says_of_its_pixels_what_the_whole_says(self, pool: mc.MaxPool2D) -> None:
        def said(**options: Any) -> dict[tuple[str, str], str]:
            ax: Any = plots.pooling_routing(self.x, pool, **options)
            rows = [label.get_text() for label in ax.get_yticklabels()]
            columns = [label.get_text() for label in ax.get_xticklabels()]
            return {(rows[h], columns[w]): text for (h, w), text in texts(ax).items()}

        whole, part = said(), said(part=np.s_[1:3, 0:2])
        assert 0 < len(part) < len(whole)
        assert {place: whole[place] for place in part} == part

    def test_the_title_says_which(self) -> None:
        ax: Any = plots.pooling_routing(self.x, mc.MaxPool2D(2), part=np.s_[1:3, :])
        words = ax.get_title(loc="left").replace("\n", " ")
        assert words.endswith("who won what; rows 2–5 of 9, columns 0–7 of 9")
        ax = plots.pooling_routing(self.x, mc.MaxPool2D(2), title="mine", part=np.s_[:, :])
        assert ax.get_title(loc="left") == "mine"

    @pytest.mark.parametrize(
        "pool",
        [mc.MaxPool2D(3, 1), mc.MaxPool2D(3, 2, 1), mc.MaxPool2D(2, 3), mc.MaxPool2D(2, 2, 0, 2)],
    )
    def test_looks_at_the_windows_that_see_its_pixels_alone(self, pool: mc.MaxPool2D) -> None:
        from minicnn.plots import routing

        box, outputs = (3, 2, 5, 6), pool.output_shape((1, 1, 9, 9))[2:]
        rows, columns = routing._seeing(pool, outputs, box)
        for i, j in np.ndindex(*outputs):
            (high, wide), (top, left) = routing._window(pool, (i, j))
            sees = top < 5 and top + high > 3 and left < 6 and left + wide > 2
            assert sees == (i in rows and j in columns)

    @pytest.mark.parametrize("part", [(1, 2), slice(3), (slice(1),), "ab"])
    def test_must_be_a_pair_of_slices(self, part: Any) -> None:
        with pytest.raises(TypeError, match="part must be a pair of slices, got"):
            plots.pooling_routing(self.x, mc.MaxPool2D(2), part=part)

    def test_must_hold_a_window(self) -> None:
        with pytest.raises(ShapeError, match="part must hold at least one of 4×4 windows"):
            plots.pooling_routing(self.x, mc.MaxPool2D(2), part=np.s_[4:, :])
