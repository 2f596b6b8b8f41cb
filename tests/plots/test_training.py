"""Learning curves, the confusion matrix, and how pictures are written."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minicnn import plots
from minicnn.errors import ShapeError

matplotlib = pytest.importorskip("matplotlib")


curves: Any = plots.learning_curves  # Any: matplotlib's types are wider than what is asked here
table: Any = plots.confusion_matrix


def rows(epochs: int = 6) -> list[dict[str, Any]]:
    return [
        {
            "epoch": epoch,
            "train_loss": 2 / epoch,
            "valid_loss": 2.1 / epoch + 0.05 * epoch,
            "train_accuracy": 1 - 0.5 / epoch,
            "valid_accuracy": 0.98 - 0.5 / epoch,
            "lr": 0.1,
        }
        for epoch in range(1, epochs + 1)
    ]


def legend(ax: Any) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()]


class TestLearningCurves:
    def test_draws_both_curves_and_rings_the_best(self) -> None:
        ax = curves(rows())
        train, valid, ring = ax.get_lines()
        np.testing.assert_array_equal(train.get_xdata(), range(1, 7))
        np.testing.assert_allclose(train.get_ydata(), [row["train_loss"] for row in rows()])
        np.testing.assert_allclose(valid.get_ydata(), [row["valid_loss"] for row in rows()])
        assert ring.get_xdata()[0] == 6
        assert legend(ax) == ["training", "validation", "lowest validation loss: 0.65 (epoch 6)"]
        assert (ax.get_xlabel(), ax.get_ylabel()) == ("epoch", "loss")

    def test_accuracy_is_in_per_cent_and_its_best_is_the_highest(self) -> None:
        ax = curves(rows(), metric="accuracy")
        assert max(ax.get_lines()[1].get_ydata()) == pytest.approx(98 - 50 / 6)
        assert legend(ax)[2] == "highest validation accuracy: 89.67 % (epoch 6)"

    def test_curves_differ_without_colour(self) -> None:
        train, valid, _ = curves(rows()).get_lines()
        assert train.get_linestyle() != valid.get_linestyle()
        assert train.get_marker() != valid.get_marker()
        lightness = [
            np.dot(matplotlib.colors.to_rgb(line.get_color()), [0.299, 0.587, 0.114])
            for line in (train, valid)
        ]
        assert abs(lightness[0] - lightness[1]) > 0.1

    def test_draws_into_the_axes_it_is_given(self) -> None:
        from matplotlib.figure import Figure

        ax = Figure().add_subplot()
        assert curves(rows(), ax) is ax
        assert len(ax.get_lines()) == 3

    def test_what_was_not_measured_is_left_out(self) -> None:
        without = [{"epoch": 1, "train_loss": 1.0, "valid_loss": None}]
        assert legend(curves(without)) == ["training"]
        assert legend(curves(without, best_epoch=1)) == ["training", "best epoch: 1 (epoch 1)"]

    def test_the_best_epoch_that_is_given_is_ringed_if_it_was_measured(self) -> None:
        ax = curves(rows(), best_epoch=2)
        assert ax.get_lines()[2].get_xdata()[0] == 2
        assert legend(ax)[2] == "best epoch: 1.15 (epoch 2)"
        gap = [*rows(3), {"epoch": 4, "train_loss": 1.0, "valid_loss": float("nan")}]
        assert len(curves(gap, best_epoch=4).get_lines()) == 2
        with pytest.raises(ValueError, match=r"best_epoch must be one of .*from 1 to 6, got 9"):
            curves(rows(), best_epoch=9)

    def test_gaps_and_text_of_a_csv_file(self) -> None:
        read = [
            {"epoch": "1", "train_loss": "0.5", "valid_loss": ""},
            {"epoch": "2", "train_loss": "nan", "valid_loss": "0.25"},
            {"epoch": "3", "train_loss": "0.75", "valid_loss": "inf"},
        ]
        train, valid, ring = curves(read).get_lines()
        np.testing.assert_array_equal(train.get_ydata(), [0.5, np.nan, 0.75])
        np.testing.assert_array_equal(valid.get_ydata(), [np.nan, 0.25, np.nan])
        assert ring.get_xdata()[0] == 2

    @pytest.mark.parametrize("epochs", [1, 2, 3, 11, 500])
    def test_ticks_are_whole_epochs(self, epochs: int) -> None:
        ax = curves(rows(epochs))
        ax.figure.draw_without_rendering()
        ticks = [tick for tick in ax.get_xticks() if ax.get_xlim()[0] <= tick <= ax.get_xlim()[1]]
        assert ticks and len(ticks) <= 12
        assert all(tick == round(tick) for tick in ticks)

    def test_the_legend_hides_no_point(self) -> None:
        ax = curves(rows(1))
        ax.figure.draw_without_rendering()
        assert ax.get_legend().get_window_extent().y0 >= ax.get_window_extent().y1 - 1

    def test_both_metrics_side_by_side(self) -> None:
        labels = [ax.get_ylabel() for ax in plots.training_figure(iter(rows())).axes]
        assert labels == ["loss", "accuracy in %"]
        losses = [{"epoch": 1, "train_loss": 1.0}]
        assert [ax.get_ylabel() for ax in plots.training_figure(losses).axes] == ["loss"]

    @pytest.mark.parametrize(
        ("call", "message"),
        [
            (lambda: curves([]), "history_rows must hold at least one epoch"),
            (lambda: plots.training_figure([]), "history_rows must hold at least one epoch"),
            (lambda: curves([{"epoch": 1, "lr": 2}]), "neither .*, but epoch, lr"),
            (lambda: plots.training_figure([{"epoch": 1}]), "neither train_loss nor valid_loss"),
            (
                lambda: curves(rows(), metric="lr"),
                'metric must be "loss" or "accuracy", got \'lr\'',
            ),
        ],
    )
    def test_what_cannot_be_drawn_is_named(self, call: Callable[[], Any], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            call()


def texts(ax: Any) -> list[str]:
    return [text.get_text() for text in ax.texts]


class TestConfusionMatrix:
    def test_shows_counts_shares_and_names(self) -> None:
        ax = table([[3, 1], [0, 6]], ["cat", "dog"])
        assert texts(ax) == ["3", "1", "6"]  # the zero is left out
        np.testing.assert_allclose(ax.images[0].get_array(), [[0.75, 0.25], [0.0, 1.0]])
        assert [label.get_text() for label in ax.get_xticklabels()] == ["cat", "dog"]
        assert [label.get_text() for label in ax.get_yticklabels()] == ["cat", "dog"]
        assert (ax.get_xlabel(), ax.get_ylabel()) == ("predicted", "true")
        assert ax.get_title(loc="left") == "90.00 % of 10 right"

    def test_classes_are_numbered_without_names(self) -> None:
        ax = table(np.eye(3, dtype=int))
        assert [label.get_text() for label in ax.get_xticklabels()] == ["0", "1", "2"]

    def test_a_class_without_samples_and_no_samples_at_all(self) -> None:
        ax = table([[0, 0], [1, 1]])
        np.testing.assert_array_equal(ax.images[0].get_array(), [[0, 0], [0.5, 0.5]])
        assert table(np.zeros((2, 2), int)).get_title(loc="left") == ""

    def test_counts_stand_out_from_their_cells(self) -> None:
        ax = table([[70, 30], [5, 95]])
        for text in ax.texts:
            x, y = (int(place) for place in text.get_position())
            cell = ax.images[0].to_rgba(ax.images[0].get_array())[y, x, :3]
            ink = np.array(matplotlib.colors.to_rgb(text.get_color()))
            lightness = np.array([0.299, 0.587, 0.114])
            assert abs((cell - ink) @ lightness) > 0.4

    @pytest.mark.parametrize(
        ("entry", "shown"), [(-1, "-1"), (0.5, "0.5"), (np.nan, "nan"), (np.inf, "inf")]
    )
    def test_what_is_no_count_is_refused(self, entry: float, shown: str) -> None:
        with pytest.raises(ValueError, match=rf"whole numbers .*got {shown}.* row 1, column 0"):
            table([[1, 0], [entry, 1]])
        with pytest.raises(TypeError, match="matrix must hold counts"):
            table([["a"]])

    def test_counts_fit_their_cells(self) -> None:
        for K, count in ((2, 12345), (10, 60000), (24, 999)):
            ax = table(np.full((K, K), count))
            ax.figure.draw_without_rendering()
            cell = ax.get_window_extent().width / K
            assert max(text.get_window_extent().width for text in ax.texts) < cell

    def test_many_classes_show_no_counts_and_not_every_name(self) -> None:
        ax = table(np.eye(100, dtype=int))
        assert texts(ax) == []
        assert len(ax.get_xticks()) == 50

    def test_long_names_are_slanted_and_cut(self) -> None:
        label = table([[1]], ["a very long name of a class"]).get_xticklabels()[0]
        assert label.get_text() == "a very long …a class"
        assert label.get_rotation() == 45

    def test_short_names_stay_different(self) -> None:
        names = [f"the same beginning {k} and the same end" for k in range(3)]
        shown = [label.get_text() for label in table(np.eye(3), names).get_xticklabels()]
        assert len(set(shown)) == 3

    @pytest.mark.parametrize("name", [r"$\bad$", "a $ b", "猫", "_x^2"])
    def test_any_name_can_be_drawn(self, name: str, tmp_path: Path) -> None:
        ax = table(np.eye(2), [name, "other"])
        plots.save_figure(ax, tmp_path / "table.png")
        text = ax.get_xticklabels()[0].get_text()
        assert text == (name if name.isascii() else "class 0")

    def test_large_counts_of_many_classes_fit_their_cells(self) -> None:
        ax = table(np.full((12, 12), 12345))
        renderer = ax.figure.canvas.get_renderer()  # type: ignore[attr-defined]
        ax.figure.canvas.draw()
        cell = ax.get_window_extent(renderer).width / 12
        assert max(text.get_window_extent(renderer).width for text in ax.texts) < cell

    @pytest.mark.parametrize(
        ("matrix", "classes", "message"),
        [
            (np.zeros((2, 3)), None, r"matrix must have shape \(K, K\).*got \(2, 3\)"),
            (np.zeros((0, 0)), None, "with K of at least 1"),
            (np.zeros(4), None, r"matrix must have shape \(K, K\)"),
            (np.eye(2), ["a"], "classes must hold 2 names, one a row of matrix, got 1"),
        ],
    )
    def test_shapes_are_checked(self, matrix: Any, classes: Any, message: str) -> None:
        with pytest.raises(ShapeError, match=message):
            table(matrix, classes)


class TestSaveFigure:
    @pytest.mark.parametrize(
        ("suffix", "start"),
        [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF"), ("PNG", b"\x89PNG")],
    )
    def test_writes_the_same_bytes_each_time(
        self, tmp_path: Path, suffix: str, start: bytes
    ) -> None:
        contents = []
        for name in ("first", "second"):
            path = tmp_path / f"{name}.{suffix}"
            plots.save_figure(plots.training_figure(rows(3)), path)
            contents.append(path.read_bytes())
        assert contents[0].startswith(start)
        assert contents[0] == contents[1]
        assert sorted(path.name for path in tmp_path.iterdir()) == [
            f"first.{suffix}",
            f"second.{suffix}",
        ]

    def test_takes_axes_and_leaves_nothing_cut_off(self, tmp_path: Path) -> None:
        image = pytest.importorskip("PIL.Image")
        names = [f"a long class name {k}" for k in range(4)]
        path = tmp_path / "matrix.png"
        plots.save_figure(table(np.eye(4, dtype=int), names), str(path))
        pixels = np.asarray(image.open(path).convert("L"))
        for edge in (pixels[:3], pixels[-3:], pixels[:, :3], pixels[:, -3:]):
            assert (edge == 255).all()

    def test_takes_axes_of_a_subfigure_but_not_orphans(self, tmp_path: Path) -> None:
        from matplotlib.figure import Figure

        figure: Any = Figure()
        ax = figure.subfigures(1, 2)[0].add_subplot()
        plots.save_figure(curves(rows(2), ax), tmp_path / "part.svg")
        ax = figure.add_subplot()
        ax.remove()
        with pytest.raises(ValueError, match="belongs to no figure"):
            plots.save_figure(ax, tmp_path / "part.svg")

    def test_another_suffix_or_folder_is_refused(self, tmp_path: Path) -> None:
        ax = curves(rows(2))
        with pytest.raises(
            ValueError, match=r"path must end in \.png, \.svg, \.pdf, got 'curves\.jpg'"
        ):
            plots.save_figure(ax, "curves.jpg")
        with pytest.raises(FileNotFoundError, match="there is no folder"):
            plots.save_figure(ax, tmp_path / "none" / "curves.png")

    def test_an_older_file_survives_a_failure(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "curves.png"
        path.write_bytes(b"old")
        figure = plots.training_figure(rows(2))

        def fail(*_: Any, **__: Any) -> None:
            raise OSError("disk full")

        monkeypatch.setattr(figure, "savefig", fail)
        with pytest.raises(OSError, match="disk full"):
            plots.save_figure(figure, path)
        assert path.read_bytes() == b"old"
        assert list(tmp_path.iterdir()) == [path]


SCRIPT = """
import sys
from minicnn import plots
assert "matplotlib" not in sys.modules
plots.save_figure(plots.learning_curves([{"epoch": 1, "train_loss": 1.0}]), sys.argv[1])
assert "matplotlib.pyplot" not in sys.modules
"""


def test_matplotlib_is_imported_late_and_pyplot_never(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", SCRIPT, str(tmp_path / "curve.png")], check=True)


def test_without_matplotlib_the_message_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "matplotlib.pyplot", raising=False)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match="drawing needs matplotlib: pip install matplotlib"):
        curves(rows())


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda path: plots.save_figure(3, path), "ax_or_figure must be a matplotlib Axes or"),  # type: ignore[arg-type]
        (lambda _: plots.learning_curves(3), "history_rows must hold a mapping.*got 3"),  # type: ignore[arg-type]
        (lambda _: plots.training_figure([1]), "history_rows must hold a mapping.*got 1"),  # type: ignore[list-item]
    ],
)
def test_what_cannot_be_drawn_is_named(draw: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=message):
        draw(tmp_path / "x.png")
