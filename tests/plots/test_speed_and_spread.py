"""Ladder and roofline; histograms by layer and learning rates by step."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest

import minicnn as mc
from minicnn import plots, schedules

pytest.importorskip("matplotlib")


class TestLadder:
    seconds: ClassVar = {
        "conv": {"Python": 8.0, "NumPy": 0.5, "Cython": 0.0025},
        "pool": {"Python": 4.0, "NumPy": 8.0},
    }

    def test_bars_go_from_one_to_how_many_times_faster(self) -> None:
        ax: Any = plots.ladder(self.seconds)
        ends = [round(bar.get_x() + bar.get_width(), 6) for bar in ax.patches]
        assert ends == [1, 16, 3200, 1, 0.5]
        assert [t.get_text() for t in ax.texts] == ["1", "16", "3,200", "1", "0.5"]
        assert [t.get_text() for t in ax.get_yticklabels()] == ["Python", "NumPy", "Cython"]
        assert [t.get_text() for t in ax.get_legend().get_texts()] == ["conv", "pool"]
        hatches = {bar.get_hatch() for bar in ax.patches}
        assert len(hatches) == 2  # told apart in black and white

    def test_one_kind_of_work_needs_no_legend(self) -> None:
        ax: Any = plots.ladder({"conv": {"a": 2.0, "b": 1.0}})
        assert ax.get_legend() is None
        assert ax.get_xlabel() == "times faster than a"

    @pytest.mark.parametrize(
        "seconds",
        [
            {},
            {"conv": {}},
            {"conv": {"a": 1.0}, "pool": {}},
            {"conv": {"a": 0.0}},
            {"conv": {"a": 1.0, "b": float("nan")}},
            {"conv": {"a": float("inf")}},
        ],
    )
    def test_times_must_be_there(self, seconds: Any) -> None:
        with pytest.raises(ValueError, match="seconds must hold times above 0"):
            plots.ladder(seconds)

    def test_one_mapping_alone_is_refused(self) -> None:
        with pytest.raises(TypeError, match="mapping of mappings"):
            plots.ladder({"a": 2.0})  # type: ignore[dict-item]


class TestRoofline:
    def test_the_roof_is_the_lower_of_the_two_limits(self) -> None:
        ax: Any = plots.roofline({"one": (100e9, 10e9)}, {"relu": [(0.125, 1e9)]})
        roof, dot = ax.get_lines()
        x, y = roof.get_data()
        np.testing.assert_allclose(y, np.minimum(100, 10 * np.asarray(x)))
        assert (dot.get_xdata()[0], dot.get_ydata()[0]) == (0.125, 1)
        labels = [text.get_text() for text in ax.get_legend().get_texts()]
        assert labels == ["one: 100 GFLOP/s, 10 GB/s", "relu"]

    def test_points_may_have_a_word_beside_them(self) -> None:
        ax: Any = plots.roofline({"one": (1e9, 1e9)}, {"conv": [(9, 1e8, "1"), (9, 5e8)]})
        assert [text.get_text() for text in ax.texts] == ["1"]

    def test_what_is_refused(self) -> None:
        with pytest.raises(ValueError, match="at least one"):
            plots.roofline({}, {})
        with pytest.raises(TypeError, match="mappings by name"):
            plots.roofline([], {})  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        ("roof", "point", "message"),
        [
            ((1e9, 1e9), (0, 1e8), r"the intensity of points\['conv'\]\[0\] must be .* above 0"),
            ((1e9, 1e9), (1, float("nan")), "the rate of points"),
            ((-1e9, 1e9), (1, 1e8), r"the peak of roofs\['one'\] must be .* above 0, got -1000"),
            ((1e9, 0), (1, 1e8), "the bandwidth of roofs"),
            ((1e9,), (1, 1e8), r"roofs\['one'\] must be \(peak, bandwidth\)"),
            ((1e9, 1e9), (1,), r"must be \(intensity, rate\) or"),
        ],
    )
    def test_what_no_logarithmic_scale_holds(self, roof: Any, point: Any, message: str) -> None:
        with pytest.raises(ValueError, match=message):
            plots.roofline({"one": roof}, {"conv": [point]})


class TestHistograms:
    def test_a_row_for_each_layer_and_zeros_beside_it(self) -> None:
        values = {"conv": np.linspace(-1, 1, 100), "relu": [0.0, 0, 0, 1], "bad": [np.nan, 1.0]}
        ax: Any = plots.histograms(values, title="now")
        assert [t.get_text() for t in ax.get_yticklabels()] == ["conv", "relu", "bad"]
        assert [t.get_text() for t in ax.texts] == ["", "75 % zero", "50 % not finite"]
        assert len(ax.collections) == 3
        assert ax.get_title(loc="left") == "now"
        low, high = ax.get_xlim()
        assert low < -0.9 and high > 0.9

    def test_magnitudes_on_a_logarithmic_scale(self) -> None:
        ax: Any = plots.histograms({"a": [1e-6, -1e-3], "b": [1.0, 0]}, log=True)
        low, high = ax.get_xlim()
        assert -7 < low < -5 and -0.5 < high < 1

    def test_values_at_the_edges_of_what_there_is(self) -> None:
        ax: Any = plots.histograms({"a": [np.nan, np.inf], "b": np.r_[np.nan, np.zeros(999)]})
        assert [t.get_text() for t in ax.texts] == [
            "100 % not finite",
            "100 % zero  0.1 % not finite",
        ]
        for values in ([1e308, -1e308, 0.5], [5e-324, 1e-310], [-1e-320]):
            for log in (False, True):
                plots.histograms({"a": values}, log=log).figure.draw_without_rendering()  # type: ignore[union-attr]

    def test_ticks_are_whole_powers_of_ten(self) -> None:
        for values in ([0.5, 0.5], [2.0], [3.0, 3.1]):
            ax: Any = plots.histograms({"a": values}, log=True)
            ax.figure.draw_without_rendering()
            low, high = ax.get_xlim()
            ticks = [tick for tick in ax.get_xticks() if low <= tick <= high]
            assert ticks and all(tick == round(tick) for tick in ticks)

    def test_layers_with_nothing_to_show(self) -> None:
        ax: Any = plots.histograms({"dead": np.zeros(5), "none": []})
        assert [t.get_text() for t in ax.texts] == ["100 % zero", "empty"]

    def test_what_is_refused(self) -> None:
        with pytest.raises(TypeError, match="mapping of arrays by layer"):
            plots.histograms([1.0])  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="at least one layer"):
            plots.histograms({})


class TestLearningRates:
    def test_a_line_for_each_schedule_with_its_rates(self) -> None:
        one, cosine = schedules.OneCycle(0.1, total_steps=50), schedules.Cosine(0.2, total_steps=50)
        ax: Any = plots.learning_rates({"one": one, "cosine": cosine}, 50)
        for line, schedule in zip(ax.get_lines(), (one, cosine), strict=True):
            steps, rates = line.get_data()
            assert list(steps) == list(range(50))
            assert list(rates) == [schedule(k) for k in range(50)]
        first, second = ax.get_lines()
        assert first.get_linestyle() != second.get_linestyle()

    def test_what_is_refused(self) -> None:
        with pytest.raises(TypeError, match="mapping by name"):
            plots.learning_rates(schedules.Cosine(0.1, total_steps=9), 9)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="at least one"):
            plots.learning_rates({}, 9)
        with pytest.raises(ValueError, match="steps"):
            plots.learning_rates({"a": lambda step: 0.1}, 0)
        with pytest.raises(ValueError, match=r"schedules\['a'\] at step 2 .*at least 0.*got -0.1"):
            plots.learning_rates({"a": lambda step: 0.1 * (1 - step)}, 9)
        with pytest.raises(TypeError, match=r"schedules\['a'\] at step 0"):
            plots.learning_rates({"a": lambda step: None}, 9)  # type: ignore[arg-type,return-value]


def test_every_function_takes_an_axes_and_returns_it() -> None:
    from matplotlib.figure import Figure

    for draw in (
        lambda ax: plots.ladder({"w": {"a": 1.0}}, ax),
        lambda ax: plots.roofline({"one": (1e9, 1e9)}, {}, ax),
        lambda ax: plots.histograms({"a": [1.0]}, ax),
        lambda ax: plots.learning_rates({"a": lambda step: 0.1}, 3, ax),
        lambda ax: plots.heat_map(np.zeros((1, 2, 2)), np.zeros((2, 2)), ax),
        lambda ax: plots.mistakes(np.zeros((1, 1, 2, 2)), [[1.0, 0]], [1], ax=ax),
        lambda ax: plots.filters(mc.Conv2D(1, 2, 3), ax),
        lambda ax: plots.feature_maps(np.zeros((2, 3, 3)), ax),
    ):
        ax = Figure().add_subplot()
        assert draw(ax) is ax  # type: ignore[no-untyped-call]


def test_figures_of_ones_own_can_have_the_same_look() -> None:
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context():
        plots.use_style()
        ax: Any = Figure().add_subplot()
        lines = [ax.plot([1, 2])[0] for _ in range(7)]
        assert len({line.get_color() for line in lines}) == 7
        assert len({str(line.get_linestyle()) + str(line._dash_pattern) for line in lines}) == 7
        assert ax.plot([1, 2], "o")[0].get_linestyle() == "None"
    assert matplotlib.rcParams["legend.frameon"] == matplotlib.rcParamsDefault["legend.frameon"]
