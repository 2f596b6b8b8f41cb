"""``minicnn viz``: every kind of picture is written, and says what it shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minicnn as mc
from minicnn import explain, plots
from minicnn.cli import main

pytest.importorskip("matplotlib")

Capture = pytest.CaptureFixture[str]
KINDS = ("filters", "features", "routing", "gradcam", "confusion", "mistakes", "arch")
CLASSES = [str(k) for k in range(10)]


@pytest.fixture
def net(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> mc.Layer:
    """A net in the file net.npz of the current folder."""
    monkeypatch.chdir(tmp_path)
    net = mc.models.toy(rng=0)
    mc.save("net.npz", net, meta={"input_shape": [1, 28, 28], "classes": CLASSES})
    return net


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The Axes that were written."""
    found: list[Any] = []
    save = plots.save_figure

    def keep(ax: Any, path: Any) -> None:
        found.append(ax)
        save(ax, path)

    monkeypatch.setattr(plots, "save_figure", keep)
    return found


def viz(*words: str) -> int:
    return main(["viz", words[0], "net.npz", *words[1:], "--data", "digits"])


@pytest.mark.usefixtures("net")
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_written_beside_the_net_and_named(kind: str, capsys: Capture) -> None:
    assert viz(kind) == 0
    assert capsys.readouterr().out == f"{kind}.png\n"
    assert Path(f"{kind}.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.usefixtures("net")
@pytest.mark.parametrize("words", [("filters",), ("gradcam",), ("filters", "--out", "mine.gif")])
def test_no_figure_is_left_where_pyplot_is_in_use(words: tuple[str, ...]) -> None:
    from matplotlib import pyplot

    mine = pyplot.figure().number
    assert viz(*words) == int("mine.gif" in words)
    assert pyplot.get_fignums() == [mine] and pyplot.gcf().number == mine


@pytest.mark.usefixtures("net")
def test_out_tells_file_and_format() -> None:
    assert viz("filters", "--out", "mine.svg") == 0
    assert b"<svg" in Path("mine.svg").read_bytes()
    assert not Path("filters.png").exists()
    assert viz("filters", "--out", "mine.gif") == 1


def test_a_run_folder_gets_the_picture(net: mc.Layer, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    Path("net.npz").rename("run/best.npz")
    assert main(["viz", "arch", "run"]) == 0
    assert (tmp_path / "run" / "arch.png").is_file()


def test_a_model_by_name_has_an_architecture_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["viz", "arch", "lenet5"]) == 0
    assert Path("lenet5-arch.png").is_file()
    assert main(["viz", "filters", "lenet5"]) == 1
    assert "lenet5" in capsys.readouterr().err


def test_routing_shows_the_gradients_of_the_class_that_was_asked_about(
    net: mc.Layer, drawn: list[Any]
) -> None:
    assert viz("routing", "--layer", "pool2", "--class", "4", "--channel", "3", "--test", "7") == 0
    (ax,) = drawn
    assert ax.get_title(loc="left") == "pool2, channel 3: gradient of the score of 4"
    digit = mc.data.digits("test").images[7:8]
    dy = explain.flow(net, digit, 4)["pool2"].dy[0, 3]
    payments = [t.get_text().split("): ") for t in ax.texts if "): " in t.get_text()]
    assert len(payments) > 3
    for place, paid in payments:
        i, j = map(int, place.rpartition("(")[2].split(","))
        assert float(paid) == pytest.approx(dy[i, j], abs=6e-4)


def test_a_picture_file_is_prepared_as_predict_does(
    net: mc.Layer, drawn: list[Any], tmp_path: Path
) -> None:
    image = pytest.importorskip("PIL.Image")
    pixels = np.random.default_rng(0).integers(0, 256, (28, 28), np.uint8)
    image.fromarray(pixels).save(tmp_path / "noise.png")
    assert viz("gradcam", "noise.png", "--class", "2", "--method", "occlusion") == 0
    (ax,) = drawn
    x = pixels[None, None].astype(np.float32) / np.float32(255)
    heat = explain.occlusion(net, x, 2).heat[0]
    alpha = np.asarray(ax.images[1].get_array())[..., 3]
    np.testing.assert_allclose(alpha, 0.85 * np.abs(heat) / np.abs(heat).max(), atol=1e-6)
    assert ax.get_title(loc="left").startswith("2 (") and "occlusion" in ax.get_title(loc="left")


def test_mistakes_are_those_of_the_test_pictures(net: mc.Layer, drawn: list[Any]) -> None:
    assert viz("mistakes") == 0
    test = mc.data.digits("test")
    wrong = int((net.predict(test.images).argmax() != test.labels).sum())
    assert drawn[0].get_title(loc="left") == f"{wrong:,} of 2,000 wrong, the 12 it was surest of"


@pytest.mark.usefixtures("net")
@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("filters", "--layer", "pool1"), 2, "--layer must be a Conv2D: conv1, conv2; got 'pool1'"),
        (("features", "--layer", "conv9"), 2, "--layer must be one of conv1, relu1, pool1"),
        (("gradcam", "--class", "ten"), 2, "--class must be one of 0, 1"),
        (("gradcam", "--test", "2000"), 2, "--test must be below 2000, got 2000"),
        (("gradcam", "--method", "saliency", "--layer", "conv1"), 2, "--layer is for --method"),
        (("gradcam", "--layer", "fc1"), 1, "a single place"),
        (("routing", "--channel", "8"), 2, "--channel must be below 8, got 8"),
        (("gradcam", "none.png"), 1, "none.png"),
    ],
)
def test_wrong_usage_is_one_line_and_writes_nothing(
    words: tuple[str, ...], code: int, message: str, capsys: Capture
) -> None:
    assert viz(*words) == code
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert [path.name for path in Path().iterdir()] == ["net.npz"]


def test_a_net_without_the_layer(tmp_path: Path, capsys: Capture) -> None:
    file = str(tmp_path / "net.npz")
    mc.save(file, mc.Sequential(mc.Flatten(), mc.Linear(4, 2)), meta={"input_shape": [1, 2, 2]})
    assert main(["viz", "routing", file]) == 1
    assert "the net has no MaxPool2D" in capsys.readouterr().err
