"""``minicnn viz``: every kind of picture is written, and says what it shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minicnn as mc
from minicnn import explain, plots
from minicnn.cli import main
from minicnn.commands import viz as command
from minicnn.commands.train import DEFAULTS

pytest.importorskip("matplotlib")

Capture = pytest.CaptureFixture[str]
CLASSES = [str(k) for k in range(10)]


def digits_meta() -> dict[str, Any]:
    options = {**DEFAULTS, "size": 28, "fill": 0.0}
    return {"input_shape": [1, 28, 28], "classes": CLASSES, "options": options}


@pytest.fixture
def net(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> mc.Layer:
    """A net in the file net.npz of the current folder."""
    monkeypatch.chdir(tmp_path)
    net = mc.models.toy(rng=0)
    mc.save("net.npz", net, meta=digits_meta())
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
    return main(["viz", words[0], "net.npz", *words[1:]])


@pytest.mark.usefixtures("net")
@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("filters", "filters-conv1"),
        ("filters --layer conv2", "filters-conv2"),
        ("filters --layer 3 --channel 7", "filters-conv2-channel7"),
        ("features", "features-conv1-test0"),
        ("features --layer pool2 --test 3 --part test", "features-pool2-test3"),
        ("routing --channel 3 --class 7", "routing-pool1-channel3-7-test0"),
        ("gradcam --class 7 --test 3", "gradcam-relu2-7-test3"),
        ("gradcam --class 7 --layer conv1", "gradcam-conv1-7-test0"),
        ("gradcam --class 7 --method saliency", "gradcam-saliency-7-test0"),
        ("confusion", "confusion"),
        ("confusion --part valid", "confusion-valid"),
        ("mistakes", "mistakes"),
        ("mistakes --data digits", "mistakes-digits"),
        ("arch", "arch"),
    ],
)
def test_the_name_beside_the_net_says_what_is_shown(words: str, name: str, capsys: Capture) -> None:
    assert viz(*words.split()) == 0
    assert capsys.readouterr().out == f"net-{name}.png\n"
    assert Path(f"net-{name}.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.usefixtures("net")
@pytest.mark.parametrize("words", [("filters",), ("gradcam",), ("filters", "--out", "mine.gif")])
def test_no_figure_is_left_where_pyplot_is_in_use(words: tuple[str, ...]) -> None:
    from matplotlib import pyplot

    mine = pyplot.figure().number
    assert viz(*words) == int("mine.gif" in words)
    assert pyplot.get_fignums() == [mine] and pyplot.gcf().number == mine


def test_a_name_is_fit_for_a_file(net: mc.Layer, capsys: Capture) -> None:
    image = pytest.importorskip("PIL.Image")
    image.new("L", (28, 28)).save("my dog.png")
    names = ["a/b: c", *CLASSES[1:]]
    mc.save("other.npz", net, meta={"input_shape": [1, 28, 28], "classes": names})
    assert main(["viz", "gradcam", "other.npz", "my dog.png", "--class", "a/b: c"]) == 0
    assert capsys.readouterr().out == "other-gradcam-relu2-a_b_c-my_dog.png\n"


@pytest.mark.usefixtures("net")
def test_out_tells_file_and_format() -> None:
    assert viz("filters", "--out", "mine.svg") == 0
    assert b"<svg" in Path("mine.svg").read_bytes()
    assert not list(Path().glob("*.png"))
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
    assert " ".join(ax.get_title(loc="left").split()) == (
        "pool2, channel 3: gradient of the score of 4; rows 0–7 of 11, columns 0–7 of 11"
    )
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
    mc.save("net.npz", net, meta={"input_shape": [1, 28, 28]})  # of no digits
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
def test_of_the_mistakes_only_those_that_are_shown_are_loaded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[int] = []
    batch = mc.data.ArrayDataset.batch

    def count(data: Any, indices: Any) -> Any:
        asked.append(len(indices))
        return batch(data, indices)

    monkeypatch.setattr(mc.data.ArrayDataset, "batch", count)
    assert viz("mistakes") == 0
    assert sum(asked[:-1]) == 2000 and asked[-1] == 12


@pytest.mark.usefixtures("net")
@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ("filters --layer pool1", 2, "--layer must be a Conv2D: conv1, conv2; pool1 is a MaxPool"),
        ("filters --layer 2", 2, "--layer must be a Conv2D: conv1, conv2; pool1 is a MaxPool2D"),
        ("filters --channel 77", 2, "--channel must be below 1: conv1 has 1 input channel; got 77"),
        ("filters --layer conv2 --channel 8", 2, "below 8: conv2 has 8 input channels; got 8"),
        ("features --layer conv9", 2, "makes a map: conv1, relu1, pool1, conv2, relu2, pool2; got"),
        ("features --layer fc1", 2, "pool2; fc1 makes a single place, which is no map"),
        ("gradcam --layer conv9", 2, "makes a map: conv1, relu1, pool1, conv2, relu2, pool2; got"),
        ("gradcam --layer fc1", 2, "pool2; fc1 makes a single place, which is no map"),
        ("gradcam --class ten", 2, "--class must be one of 0, 1"),
        ("gradcam --test 2000", 2, "--test must be below 2000, got 2000"),
        ("gradcam --method saliency --layer conv1", 2, "--layer is for --method gradcam, not for"),
        ("routing --channel 8", 2, "--channel must be below 8: pool1 has 8 channels; got 8"),
        (
            "routing --layer conv1",
            2,
            "--layer must be a MaxPool2D: pool1, pool2; conv1 is a Conv2D",
        ),
        ("gradcam none.png", 1, "none.png"),
        ("gradcam none.png --test 0", 2, "--test is for a test picture; here IMAGE is none.png"),
        ("features none.png --data digits", 2, "--data is for a test picture; here IMAGE is none"),
    ],
)
def test_wrong_usage_is_one_line_and_writes_nothing(
    words: str, code: int, message: str, capsys: Capture
) -> None:
    assert viz(*words.split()) == code
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert [path.name for path in Path().iterdir()] == ["net.npz"]


GIVEN = {
    "image": ["some.png"],
    "layer": ["--layer", "conv1"],
    "channel": ["--channel", "0"],
    "target": ["--class", "1"],
    "method": ["--method", "gradcam"],
    "test": ["--test", "0"],
    "data": ["--data", "digits"],
    "root": ["--root", "."],
    "download": ["--download"],
    "part": ["--part", "test"],
}


@pytest.mark.usefixtures("net")
@pytest.mark.parametrize("kind", command.APPLIES)
def test_what_would_be_passed_over_is_refused(kind: str, capsys: Capture) -> None:
    assert GIVEN.keys() == {name for names in command.APPLIES.values() for name in names}
    assert command.APPLIES.keys() == command.DRAW.keys()
    for name in GIVEN.keys() - set(command.APPLIES[kind]):
        assert viz(kind, *GIVEN[name]) == 2
        assert f"not for {kind}\n" in capsys.readouterr().err
    assert main(["viz", "arch", "toy", "--layer", "conv1"]) == 2
    assert "--layer is for filters, features, routing and gradcam, not" in capsys.readouterr().err


def test_layers_have_the_same_names_everywhere(
    tmp_path: Path, drawn: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By their names, with those on the way, and by path; titles have the whole name."""
    monkeypatch.chdir(tmp_path)
    mc.save("net.npz", mc.models.resnet(channels=1, size=28, rng=0), meta=digits_meta())
    for kind in ("filters", "features", "gradcam"):
        for name in ("residual2.conv1", "5.0"):
            assert viz(kind, "--layer", name) == 0
            assert "residual2.conv1" in drawn[-1].get_title(loc="left")
            assert "Conv2D" not in drawn[-1].get_title(loc="left")
    assert "channels" in next(ax for ax in drawn).get_title(loc="left")


def test_windows_with_too_many_numbers_are_refused(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    layers: Any = (mc.MaxPool2D(13, 1), mc.MaxPool2D(12, 1), mc.Flatten(), mc.Linear(25, 10, rng=0))
    mc.save("net.npz", mc.Sequential(*layers), meta=digits_meta())
    assert viz("routing", "--layer", "pool1") == 2
    assert "pool2; pool1 has windows of 13×13 pixels, too many to read" in capsys.readouterr().err
    assert viz("routing") == 0
    assert "net-routing-pool2-channel0-" in capsys.readouterr().out
    layers = (mc.MaxPool2D(28), mc.Flatten(), mc.Linear(1, 10, rng=0))
    mc.save("net.npz", mc.Sequential(*layers), meta=digits_meta())
    assert viz("routing") == 1
    assert "the net has no MaxPool2D with windows of at most 12×12" in capsys.readouterr().err
    assert viz("features") == 1


def test_a_net_without_the_layer(tmp_path: Path, capsys: Capture) -> None:
    file = str(tmp_path / "net.npz")
    mc.save(file, mc.Sequential(mc.Flatten(), mc.Linear(4, 2)), meta={"input_shape": [1, 2, 2]})
    assert main(["viz", "routing", file]) == 1
    assert "the net has no MaxPool2D" in capsys.readouterr().err
