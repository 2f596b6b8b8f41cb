"""The diagram of a net: every layer has its box, in order, and branches are joined."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minicnn as mc
from minicnn import plots
from minicnn.errors import ShapeError

pytest.importorskip("matplotlib")


def said(net: Any, shape: tuple[int, ...]) -> list[str]:
    return [text.get_text() for text in plots.architecture(net, shape).texts if text.get_text()]


def test_every_layer_has_a_box_with_its_output_and_what_it_learns() -> None:
    texts = said(mc.models.toy(), (1, 28, 28))
    assert texts[:7] == [
        "1×28×28",
        "conv1: Conv2D 3×3",
        "8×26×26   learns 80",
        "relu1: ReLU",
        "8×26×26",
        "pool1: MaxPool2D 2×2",
        "8×13×13",
    ]
    assert texts[-2:] == ["fc1: Linear", "10×1×1   learns 4,010"]
    ax: Any = plots.architecture(mc.models.toy(), (1, 28, 28))
    assert ax.get_title(loc="left") == "5,258 parameters in all"


def test_what_is_not_as_usual_is_said() -> None:
    net = mc.Sequential(
        mc.Conv2D(4, 8, (3, 1), stride=2, padding=(1, 0), groups=2),
        mc.MaxPool2D(3, 2),
        mc.Dropout(0.25),
    )
    titles = said(net, (5, 4, 16, 16))[1::2]
    assert titles == [
        "conv1: Conv2D 3×1, stride 2, padding 1×0, groups 2",
        "pool1: MaxPool2D 3×3, stride 2",
        "dropout1: Dropout, p 0.25",
    ]


@pytest.mark.parametrize(
    ("net", "shape", "joints"),
    [
        (mc.models.resnet(), (3, 32, 32), ["+", "+", "+"]),
        (
            mc.Concat(mc.Conv2D(2, 3, 1), mc.Sequential(), mc.Residual(mc.Conv2D(2, 2, 1))),
            (2, 5, 5),
            ["+", "∥"],
        ),
    ],
    ids=["resnet", "concat"],
)
def test_boxes_never_meet_and_branches_are_joined(
    net: mc.Layer, shape: tuple[int, ...], joints: list[str]
) -> None:
    from matplotlib.patches import Rectangle

    ax: Any = plots.architecture(net, shape)
    boxes = [patch for patch in ax.patches if isinstance(patch, Rectangle)][::2]
    leaves = [layer for layer in net.named_layers().values() if not layer.children()]
    assert len(boxes) == len([leaf for leaf in leaves if not isinstance(leaf, mc.Sequential)])
    corners = np.array([box.get_xy() for box in boxes])
    for n, corner in enumerate(corners):
        far = np.abs(corners[n + 1 :] - corner)
        assert ((far[:, 0] >= boxes[0].get_width()) | (far[:, 1] >= boxes[0].get_height())).all()
    assert [
        text.get_text() for text in ax.texts if text.get_text() in "+∥" and text.get_text()
    ] == joints
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    assert (corners[:, 0] >= left).all() and (corners[:, 0] + 0.92 <= right).all()
    assert (corners[:, 1] >= top).all() and (corners[:, 1] <= bottom).all()


def test_titles_fit_their_boxes() -> None:
    ax: Any = plots.architecture(mc.models.resnet(), (3, 32, 32))
    figure = ax.figure
    figure.draw_without_rendering()
    boxes = [patch.get_window_extent() for patch in ax.patches if patch.get_width() > 0.5]
    for text in ax.texts:
        if ":" in text.get_text():
            words = text.get_window_extent()
            assert any(
                box.x0 <= words.x0 and words.x1 <= box.x1 and box.y0 <= words.y0 <= box.y1
                for box in boxes
            ), text.get_text()


def test_draws_into_the_axes_given() -> None:
    from matplotlib.figure import Figure

    ax = Figure().add_subplot()
    assert plots.architecture(mc.models.lenet5(), (1, 28, 28), ax) is ax


def test_what_is_refused() -> None:
    with pytest.raises(TypeError, match="net must be a minicnn layer"):
        plots.architecture("net", (1, 28, 28))  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match="input_shape must be"):
        plots.architecture(mc.ReLU(), (28, 28))
    for shape in (("a", "b", "c"), (1, -28, 28), (1, 28, 0), (1.0, 28, 28), "abc"):
        with pytest.raises(ShapeError, match=r"input_shape must be .*integers of at least 1, got"):
            plots.architecture(mc.models.toy(), shape)  # type: ignore[arg-type]
    with pytest.raises(ShapeError):
        plots.architecture(mc.models.toy(), (3, 28, 28))
