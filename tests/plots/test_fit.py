"""Text stays in its place, in figures of its own and in Axes of any size; colours stay apart in
grey; and any name can be drawn."""

from __future__ import annotations

import itertools
import pickle
from typing import Any

import numpy as np
import pytest

import minicnn as mc
from minicnn import explain, plots, schedules

pytest.importorskip("matplotlib")

rng = np.random.default_rng(0)
NAMES = [f"a rather long name {k}" for k in range(10)]
DIGITS = rng.integers(0, 256, (40, 1, 28, 28), np.uint8)
SCORES = rng.normal(size=(40, 10)) * 3

BOARDS: dict[str, Any] = {
    "routing": lambda ax: plots.pooling_routing(
        rng.normal(size=(6, 6)), mc.MaxPool2D(2), rng.normal(size=(3, 3)), ax
    ),
    "overlap": lambda ax: plots.pooling_routing(
        rng.normal(size=(5, 5)), mc.MaxPool2D(3, 1), None, ax
    ),
    "window": lambda ax: plots.window_at_work(
        rng.normal(size=(5, 5)), mc.Conv2D(1, 1, 3, rng=0), (1, 1), ax
    ),
    "grid": lambda ax: plots.number_grid(100 * rng.normal(size=(9, 9)), ax),
    "confusion": lambda ax: plots.confusion_matrix(rng.integers(0, 9999, (10, 10)), NAMES, ax),
}
PANELS: list[Any] = [
    *BOARDS.values(),
    lambda ax: plots.architecture(mc.models.lenet5(), (1, 28, 28), ax),
    lambda ax: plots.filters(mc.Conv2D(1, 8, 5, rng=0), ax),
    lambda ax: plots.mistakes(DIGITS, SCORES, np.zeros(40, int), NAMES, ax),
    lambda ax: plots.heat_map(DIGITS[0], rng.normal(size=(28, 28)), ax, title="why? " * 12),
]


def shown(ax: Any) -> list[Any]:
    return [text for text in ax.texts if text.get_visible() and text.get_text()]


def side(ax: Any) -> list[Any]:
    return list(ax.get_yticklabels()) if ax.axison else []


def box_of(ax: Any, x: float, y: float, wide: float, high: float) -> Any:
    from matplotlib.transforms import Bbox

    ends = ax.transData.transform([(x, y), (x + wide, y + high)])
    return Bbox([ends.min(axis=0) - 0.5, ends.max(axis=0) + 0.5])


def holds(outer: Any, inner: Any) -> bool:
    return bool(
        outer.x0 <= inner.x0
        and inner.x1 <= outer.x1
        and outer.y0 <= inner.y0
        and inner.y1 <= outer.y1
    )


def panel(rows: int, columns: int, size: tuple[float, float]) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size)
    FigureCanvasAgg(figure)
    return figure.subplots(rows, columns, squeeze=False).ravel()[0]


AXES: list[Any] = [None, (1, 3, (12, 4)), (2, 2, (8, 6)), (3, 4, (8, 6))]


def given(where: Any) -> Any:
    return None if where is None else panel(*where)


@pytest.mark.parametrize("where", AXES, ids=str)
@pytest.mark.parametrize("draw", BOARDS.values(), ids=BOARDS)
def test_numbers_lie_in_their_cells(draw: Any, where: Any) -> None:
    ax = draw(given(where))
    ax.figure.draw_without_rendering()
    for text in shown(ax):
        x, y = text.get_position()
        assert holds(box_of(ax, x - 0.5, y - 0.5, 1, 1), text.get_window_extent()), text
        assert text.get_fontsize() >= 4
    if where in (None, (1, 3, (12, 4))):
        assert shown(ax)


def test_what_could_not_be_read_is_left_out_the_least_important_first() -> None:
    ax = BOARDS["routing"](panel(2, 2, (6, 6)))
    ax.figure.draw_without_rendering()
    assert shown(ax) and not any("\n" in text.get_text() for text in shown(ax))
    ax.figure.set_size_inches(1, 1)
    ax.figure.draw_without_rendering()
    assert not shown(ax)
    ax.figure.set_size_inches(16, 16)
    ax.figure.draw_without_rendering()
    assert any("\n" in text.get_text() for text in shown(ax))


@pytest.mark.parametrize("where", AXES, ids=str)
@pytest.mark.parametrize(("net", "shape"), [("lenet5", (1, 28, 28)), ("resnet", (3, 32, 32))])
def test_words_lie_in_the_boxes_of_a_diagram(net: str, shape: Any, where: Any) -> None:
    ax: Any = plots.architecture(getattr(mc.models, net)(), shape, given(where))
    ax.figure.draw_without_rendering()
    wide = [patch for patch in ax.patches if patch.get_width() > 0.5]
    boxes = [patch.get_window_extent().padded(0.5) for patch in wide]
    said = [text.get_window_extent() for text in shown(ax)]
    for text, extent in zip(shown(ax), said, strict=True):
        if ":" in text.get_text() or "learns" in text.get_text():
            assert any(holds(box, extent) for box in boxes), text
    assert not any(a.overlaps(b) for a, b in itertools.combinations(said, 2))
    if where is None:
        assert len(said) == sum(bool(text.get_text()) for text in ax.texts)


@pytest.mark.parametrize("where", AXES, ids=str)
def test_words_lie_above_their_pictures(where: Any) -> None:
    ax: Any = plots.mistakes(DIGITS, SCORES, np.zeros(40, int), NAMES, given(where))
    ax.figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in shown(ax)]
    pictures = [image.get_window_extent() for image in ax.images]
    assert not any(a.overlaps(b) for a, b in itertools.combinations([*boxes, *pictures], 2))
    ax = plots.filters(mc.Conv2D(1, 24, 3, rng=0), given(where))
    ax.figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in shown(ax)]
    pictures = [image.get_window_extent() for image in ax.images]
    assert not any(a.overlaps(b) for a, b in itertools.product(boxes, pictures))


@pytest.mark.parametrize("layout", [None, "constrained"])
@pytest.mark.parametrize("draw", PANELS)
def test_nothing_runs_into_the_next_axes(draw: Any, layout: str | None) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure: Any = Figure(figsize=(7, 6), layout=layout)
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, 2).ravel()
    for ax in axes:
        draw(ax)
        ax.set_title(ax.get_title(loc="left") or "a title that is written later", loc="left")
    figure.draw_without_rendering()
    for ax, other in itertools.permutations(axes, 2):
        for text in (ax._left_title, ax.title, ax.xaxis.label, *shown(ax), *side(ax)):
            if text.get_text():
                box = text.get_window_extent()
                assert not box.overlaps(other.get_window_extent()), text
    for ax in axes:
        box = ax._left_title.get_window_extent()
        assert box.x1 <= figure.bbox.x1


def test_titles_are_broken_then_shrunk_then_cut_and_come_back() -> None:
    words = "a title of many words that has no room in one line"
    ax: Any = plots.number_grid(np.eye(3), panel(1, 3, (9, 3)), title=words)
    ax.figure.draw_without_rendering()
    assert ax.get_title(loc="left").replace("\n", " ") == words
    assert "\n" in ax.get_title(loc="left")
    ax.figure.set_size_inches(2, 1)
    ax.figure.draw_without_rendering()
    assert ax.get_title(loc="left").endswith("…")
    ax.figure.set_size_inches(30, 10)
    ax.figure.draw_without_rendering()
    assert ax.get_title(loc="left") == words
    ax.set_title("mine", loc="left", fontsize=9)
    ax.figure.draw_without_rendering()
    assert ax.get_title(loc="left") == "mine" and ax._left_title.get_fontsize() == 9


def test_few_numbers_stand_at_the_side_of_many_cells() -> None:
    ax: Any = plots.number_grid(np.zeros((25, 25)), panel(2, 2, (3, 3)))
    ax.figure.draw_without_rendering()
    for labels in (ax.get_xticklabels(), ax.get_yticklabels()):
        boxes = [label.get_window_extent() for label in labels]
        assert 1 < len(boxes) < 25
        assert not any(a.overlaps(b) for a, b in itertools.pairwise(boxes))


def test_a_figure_can_be_kept() -> None:
    ax: Any = plots.number_grid(np.eye(2))
    again = pickle.loads(pickle.dumps(ax.figure))
    again.canvas.draw()
    assert len(again.axes[0].texts) == 4


# Colours in print.


def lightness(colour: Any) -> float:
    """L* of CIE 1976, from 0 to 100."""
    from matplotlib.colors import to_rgb

    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    Y = float(linear @ [0.2126, 0.7152, 0.0722])
    return 116 * np.cbrt(Y) - 16 if Y > 0.008856 else 903.3 * Y


@pytest.mark.parametrize(
    ("draw", "least"),
    [
        (lambda: plots.filters(mc.Conv2D(1, 1, 3, rng=0)), 30),
        (lambda: plots.number_grid([[1, -1]]), 12),
    ],
)
def test_the_ends_of_a_scale_differ_in_lightness(draw: Any, least: float) -> None:
    image = draw().images[0]
    low, high = image.get_clim()
    ends = [lightness(image.to_rgba(value)[:3]) for value in (low, high)]
    assert ends[1] - ends[0] > least


def test_for_and_against_differ_in_lightness_and_against_has_dashes() -> None:
    heat = np.zeros((4, 4))
    heat[0, 0], heat[3, 2] = 1, -1
    ax: Any = plots.heat_map(np.zeros((4, 4)), heat)
    layer = np.asarray(ax.images[1].get_array())
    assert lightness(layer[0, 0, :3]) - lightness(layer[3, 2, :3]) > 25
    (dash,) = ax.collections[0].get_segments()
    np.testing.assert_allclose(dash.mean(axis=0), [2, 3])


def test_weights_below_0_have_dashes() -> None:
    layer = mc.Conv2D(1, 2, 2, rng=0)
    layer.weight.data[:, 0] = [[[1, -1], [0, 0.5]], [[0, 0], [0, -0.5]]]
    ax: Any = plots.filters(layer)
    assert len(ax.collections[0].get_segments()) == 2


def test_families_and_frames_differ_without_colour() -> None:
    net = mc.Sequential(mc.Conv2D(1, 1, 1), mc.BatchNorm2D(1), mc.ReLU(), mc.MaxPool2D(1))
    ax: Any = plots.architecture(net, (1, 4, 4))
    assert len({bar.get_hatch() for bar in ax.patches[1::2]}) == 4
    (key,) = ax.child_axes
    words = [text.get_text() for text in key.texts]
    assert words == ["weights", "pooling", "activation", "norm, dropout"]
    assert len({(bar.get_hatch(), bar.get_facecolor()) for bar in key.patches}) == 4
    ax = plots.pooling_routing(np.eye(4), mc.MaxPool2D(2))
    frames = [patch for patch in ax.patches if not patch.get_fill()]
    assert len({str(frame.get_linestyle()) + str(frame._dash_pattern) for frame in frames}) == 4


def test_winners_side_by_side_stay_apart() -> None:
    ax: Any = plots.pooling_routing([[0, 1, 1, 0]], mc.MaxPool2D((1, 2)))
    fills = [patch.get_bbox() for patch in ax.patches if patch.get_fill()]
    assert len(fills) == 2
    assert not fills[0].overlaps(fills[1])


# Names.

WILD = [r"$\x$", "猫", "_x^2", "two\nlines", "an extraordinarily long name of something"]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", WILD)
def test_any_name_can_be_drawn(name: str) -> None:
    half, two = {name: {"a": 2.0, name: 1.0}, "b": {"a": 1.0}}, [name, "other"]
    for ax in (
        plots.heat_map(np.zeros((4, 4)), -np.eye(4), title=f"{name} (90 %)"),
        plots.number_grid(np.eye(2), title=name),
        plots.pooling_routing(np.eye(2), mc.MaxPool2D(2), title=name),
        plots.feature_maps(np.eye(2)[None], title=name),
        plots.histograms({name: [1.0]}, title=name),
        plots.learning_rates({name: schedules.Cosine(0.1, total_steps=9), "b": lambda _: 1}, 9),
        plots.ladder(half),
        plots.roofline({name: (1e9, 1e9)}, {name: [(1, 1e8, name)]}),
        plots.confusion_matrix(np.eye(2), two),
        plots.mistakes(np.zeros((1, 1, 4, 4)), [[1.0, 0]], [1], two),
    ):
        ax.figure.draw_without_rendering()  # type: ignore[union-attr]


def test_legends_show_every_name_as_it_is() -> None:
    ax: Any = plots.learning_rates(dict.fromkeys([r"$\x$", "_a", "猫"], lambda _: 0.1), 3)
    texts = ax.get_legend().get_texts()
    assert [text.get_text() for text in texts] == [r"$\x$", "_a", "schedule 2"]
    assert not any(text.get_parse_math() for text in texts)


def test_full_names_are_those_of_explain() -> None:
    net = mc.models.resnet()
    said = [text.get_text() for text in plots.architecture(net, (3, 32, 32)).texts]
    named = {text.partition(":")[0] for text in said if ":" in text}
    names = explain.layer_names(net)
    assert named == {name for name, layer in names.items() if not layer.children()}
    assert {"residual1", "residual2", "residual3"} <= {*said}
