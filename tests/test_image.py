from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minicnn.data import digits
from minicnn.errors import DataError, ShapeError
from minicnn.image import like_mnist, load_image

Image: Any = pytest.importorskip("PIL.Image")
ImageDraw: Any = pytest.importorskip("PIL.ImageDraw")

# Digits as lines on a unit square, (x, y), y downwards.
ROUND = [(0.5 + 0.3 * np.cos(t), 0.5 + 0.45 * np.sin(t)) for t in np.linspace(0, 2 * np.pi, 40)]
LINES = {
    "0": [ROUND],
    "1": [[(0.5, 0.05), (0.5, 0.95)]],
    "4": [[(0.6, 0.05), (0.2, 0.6), (0.8, 0.6)], [(0.6, 0.3), (0.6, 0.95)]],
    "7": [[(0.2, 0.05), (0.8, 0.05), (0.4, 0.95)]],
}


def drawing(
    digit: str = "4",
    size: tuple[int, int] = (200, 240),
    *,
    at: tuple[float, float] = (0.3, 0.2),
    height: float = 0.5,
    stroke: float = 0.06,
    ink: int = 0,
    paper: int = 255,
) -> Any:
    """A picture of (width, height) ``size`` with a digit; sizes are parts of the height."""
    picture = Image.new("L", size, paper)
    draw = ImageDraw.Draw(picture)
    scale = height * size[1]
    for line in LINES[digit]:
        points = [(at[0] * size[0] + scale * x, at[1] * size[1] + scale * y) for x, y in line]
        draw.line(points, fill=ink, width=max(1, round(stroke * size[1])), joint="curve")
    return picture


def saved(folder: Path, picture: Any, name: str = "digit.png", **options: Any) -> Path:
    path = folder / name
    picture.save(path, **options)
    return path


def photograph(picture: Any, *, noise: float, slope: float, seed: int = 0) -> Any:
    """The drawing in grey ink on grey paper, with noise, and light that falls from one side."""
    drawn = 1 - np.asarray(picture, np.float32) / 255
    rows, columns = np.indices(drawn.shape)
    light = 190 + slope * (rows / drawn.shape[0] - columns / drawn.shape[1])
    noisy = light - 110 * drawn + np.random.default_rng(seed).normal(0, noise, drawn.shape)
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).convert("RGB")


def assert_looks_like_mnist(plane: Any) -> None:
    """What holds for the digits of MNIST, or for all but a few in a thousand."""
    H, W = plane.shape
    assert plane.dtype == np.float32
    assert plane.min() == 0 and plane.max() == pytest.approx(1)
    ink = plane > 0.03
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    box = max(np.ptp(rows) + 1, np.ptp(columns) + 1) * 28 / H
    assert 18 <= box <= 21
    mass = plane.sum(dtype=np.float64)
    for axis, side in ((1, H), (0, W)):
        centre = float(plane.sum(axis=axis, dtype=np.float64) @ np.arange(side) / mass)
        assert abs(centre - side // 2) <= 0.5 + 1e-6
    frame = np.concatenate([plane[0], plane[-1], plane[:, 0], plane[:, -1]])
    assert frame.mean() < 0.05
    assert 0.02 < plane.mean() < 0.35
    assert np.mean(plane[ink] > 0.7) > 0.25  # strokes are white, not grey


STYLES: dict[str, dict[str, Any]] = {
    "black on white": {},
    "white on black": {"ink": 255, "paper": 0},
    "chalk": {"ink": 220, "paper": 40},
    "pencil": {"ink": 150, "paper": 235},
    "thick": {"stroke": 0.09},
    "hairline": {"stroke": 0.001},
    "in a corner": {"at": (0.02, 0.03), "height": 0.3, "stroke": 0.03},
    "small picture": {"size": (40, 40)},
    "wide picture": {"size": (900, 150)},
    "large picture": {"size": (2000, 1500)},
}


class TestDigits:
    @pytest.mark.parametrize("digit", LINES)
    @pytest.mark.parametrize("style", STYLES.values(), ids=STYLES.keys())
    def test_drawings_come_out_like_mnist(
        self, tmp_path: Path, digit: str, style: dict[str, Any]
    ) -> None:
        x = load_image(saved(tmp_path, drawing(digit, **style)))
        assert x.shape == (1, 28, 28) and x.flags.c_contiguous
        assert_looks_like_mnist(x[0])

    @pytest.mark.parametrize("digit", LINES)
    @pytest.mark.parametrize("slope", [0, 60])
    def test_photographs_come_out_like_their_drawing(
        self, tmp_path: Path, digit: str, slope: float
    ) -> None:
        picture = drawing(digit, (480, 640))
        clean = load_image(saved(tmp_path, picture))
        photo = photograph(picture, noise=6, slope=slope)
        x = load_image(saved(tmp_path, photo, "photo.jpg", quality=85))
        assert_looks_like_mnist(x[0])
        assert np.abs(x - clean).mean() < 0.04

    def test_mnist_itself_comes_back(self, tmp_path: Path) -> None:
        images, _ = digits("test").batch(np.arange(60))
        for image in images[:, 0]:
            for picture in (image, 1 - image):
                pixels = Image.fromarray(np.rint(255 * picture).astype(np.uint8))
                x = load_image(saved(tmp_path, pixels))
                assert_looks_like_mnist(x[0])
                assert np.abs(x[0] - image).mean() < 0.02

    def test_mnist_enlarged_and_moved_comes_back(self, tmp_path: Path) -> None:
        images, _ = digits("test").batch(np.arange(20))
        for n, image in enumerate(images[:, 0]):
            large = Image.fromarray(np.rint(255 - 255 * image).astype(np.uint8))
            page = Image.new("L", (400, 500), 255)
            page.paste(large.resize((224, 224), Image.Resampling.BICUBIC), (8 * n, 270 - 13 * n))
            x = load_image(saved(tmp_path, page))
            assert np.abs(x[0] - image).mean() < 0.06

    @pytest.mark.parametrize("size", [(14, 14), (32, 32), (56, 56), (40, 28), (1, 1), (5, 3)])
    def test_other_sizes_keep_the_proportions(self, tmp_path: Path, size: tuple[int, int]) -> None:
        plane = load_image(saved(tmp_path, drawing("0")), (1, *size))[0]
        assert plane.shape == size and plane.max() == 1
        if size[0] == size[1] > 1:
            assert_looks_like_mnist(plane)

    def test_three_channels_are_alike(self, tmp_path: Path) -> None:
        path = saved(tmp_path, drawing())
        x = load_image(path, (3, 28, 28))
        assert x.shape == (3, 28, 28)
        for channel in x:
            np.testing.assert_array_equal(channel, load_image(path)[0])

    def test_inversion_can_be_told(self, tmp_path: Path) -> None:
        dark, light = drawing(), drawing(ink=255, paper=0)
        expected = load_image(saved(tmp_path, dark))
        for picture, right in ((dark, True), (light, False)):
            path = saved(tmp_path, picture)
            np.testing.assert_array_equal(load_image(path, invert=right), expected)
            named = rf"digit\.png: there is no .* ink .* which invert={not right} asks for"
            with pytest.raises(DataError, match=named):
                load_image(path, invert=not right)

    @pytest.mark.parametrize("level", [0, 128, 255])
    def test_an_empty_page_is_refused(self, tmp_path: Path, level: int) -> None:
        path = saved(tmp_path, Image.new("L", (50, 60), level))
        with pytest.raises(DataError, match=r"digit\.png: no digit stands out"):
            load_image(path)

    def test_arrays_are_checked(self) -> None:
        with pytest.raises(ShapeError, match=r"grey must have shape \(H, W\), .*got \(2, 3, 4\)"):
            like_mnist(np.zeros((2, 3, 4)))
        with pytest.raises(ShapeError, match="at least 1×1"):
            like_mnist(np.zeros((0, 4)))
        with pytest.raises(DataError, match="not finite"):
            like_mnist([[0.0, np.nan]])
        with pytest.raises(DataError, match="no digit stands out"):
            like_mnist([[1.0]])


def transparent(picture: Any, colour: tuple[int, int, int]) -> Any:
    """The drawing (black on white) in a colour on nothing."""
    result = Image.new("RGBA", picture.size, (*colour, 0))
    result.putalpha(picture.point(lambda value: 255 - value))
    return result


def deep(picture: Any) -> Any:
    return Image.fromarray(np.asarray(picture, np.uint16) * 257)


MODES: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "grey": ("png", lambda picture: picture),
    "1 bit": ("png", lambda picture: picture.convert("1")),
    "palette": ("png", lambda picture: picture.convert("P")),
    "palette gif": ("gif", lambda picture: picture.convert("P")),
    "rgb": ("bmp", lambda picture: picture.convert("RGB")),
    "16 bit": ("png", deep),
    "16 bit tiff": ("tiff", deep),
    "cmyk": ("tiff", lambda picture: picture.convert("CMYK")),
    "jpeg": ("jpg", lambda picture: picture),
    "grey and alpha": ("png", lambda picture: picture.convert("LA")),
    "black on nothing": ("png", lambda picture: transparent(picture, (0, 0, 0))),
    "white on nothing": ("png", lambda picture: transparent(picture, (255, 255, 255))),
    "blue on nothing": ("png", lambda picture: transparent(picture, (0, 0, 200))),
}


class TestModes:
    @pytest.mark.parametrize(("suffix", "convert"), MODES.values(), ids=MODES.keys())
    def test_every_mode_shows_the_same_digit(
        self, tmp_path: Path, suffix: str, convert: Callable[[Any], Any]
    ) -> None:
        picture = drawing()
        expected = load_image(saved(tmp_path, picture))
        x = load_image(saved(tmp_path, convert(picture), f"converted.{suffix}"))
        assert np.abs(x - expected).mean() < 0.03

    def test_a_turned_photograph_is_set_upright(self, tmp_path: Path) -> None:
        upright = drawing("7", (240, 240))
        expected = load_image(saved(tmp_path, upright))
        lying = upright.transpose(Image.Transpose.ROTATE_90)
        exif = Image.Exif()
        exif[0x0112] = 6  # turn clockwise to see it right
        x = load_image(saved(tmp_path, lying, exif=exif))
        assert np.abs(x - expected).mean() < 0.02
        assert np.abs(load_image(saved(tmp_path, lying)) - expected).mean() > 0.05

    def test_huge_pictures_are_read_without_a_warning(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = saved(tmp_path, drawing(size=(300, 400)))
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100_000)
        assert_looks_like_mnist(load_image(path)[0])
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 50_000)
        with pytest.raises(
            DataError, match=r"cannot read the picture .*digit\.png: .*exceeds limit"
        ):
            load_image(path)


class TestOtherPictures:
    def test_pictures_are_stretched_and_stay_as_they_are(self, tmp_path: Path) -> None:
        pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
        path = saved(tmp_path, Image.fromarray(pixels))
        same = load_image(path, (3, 20, 30), digits=False)
        np.testing.assert_allclose(same, np.moveaxis(pixels, 2, 0) / 255, rtol=1e-6)
        assert same.dtype == np.float32 and same.flags.c_contiguous
        assert load_image(path, (3, 7, 9), digits=False).shape == (3, 7, 9)
        assert load_image(path, (1, 7, 9), digits=False).shape == (1, 7, 9)
        inverted = load_image(path, (3, 20, 30), digits=False, invert=True)
        np.testing.assert_allclose(inverted, 1 - same, atol=1e-6)

    def test_they_are_what_the_folder_of_pictures_gives(self, tmp_path: Path) -> None:
        from minicnn.data import ImageFolder

        (tmp_path / "cat").mkdir()
        pixels = np.random.default_rng(0).integers(0, 256, (64, 48, 3), dtype=np.uint8)
        path = saved(tmp_path / "cat", Image.fromarray(pixels), "one.jpg")
        for grayscale in (False, True):
            images, _ = ImageFolder(tmp_path, 16, grayscale=grayscale).batch([0])
            x = load_image(path, images.shape[1:], digits=False)
            np.testing.assert_array_equal(x, images[0])

    def test_an_empty_page_is_a_picture_too(self, tmp_path: Path) -> None:
        path = saved(tmp_path, Image.new("L", (5, 6), 255))
        assert load_image(path, (1, 4, 4), digits=False).tolist() == [[[1.0] * 4] * 4]


def truncated(folder: Path) -> Path:
    noise = np.random.default_rng(0).integers(0, 256, (50, 50), dtype=np.uint8)
    path = saved(folder, Image.fromarray(noise), "bad.png")
    path.write_bytes(path.read_bytes()[:-900])
    return path


def truncated_jpeg(folder: Path) -> Path:
    path = saved(folder, drawing(), "bad.jpg")
    path.write_bytes(path.read_bytes()[:-400])
    return path


def text(folder: Path) -> Path:
    (folder / "bad.png").write_text("this is no picture")
    return folder / "bad.png"


def empty(folder: Path) -> Path:
    (folder / "bad.png").write_bytes(b"")
    return folder / "bad.png"


def without_pixels(folder: Path) -> Path:
    (folder / "bad.pgm").write_bytes(b"P5 0 5 255\n")
    return folder / "bad.pgm"


@pytest.mark.parametrize("digits", [True, False])
@pytest.mark.parametrize(
    "make",
    [
        lambda folder: folder / "bad.png",
        lambda folder: folder,
        truncated,
        truncated_jpeg,
        text,
        empty,
        without_pixels,
    ],
    ids=["missing", "folder", "truncated", "truncated jpeg", "text", "empty", "without pixels"],
)
def test_files_that_are_no_pictures_are_named(
    tmp_path: Path, make: Callable[[Path], Path], digits: bool
) -> None:
    path = make(tmp_path)
    with pytest.raises(DataError) as caught:
        load_image(path, digits=digits)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


load: Any = load_image


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda path: load(path, (28, 28)),
            ShapeError,
            r"shape must be \(C, H, W\), got \(28, 28\)",
        ),
        (
            lambda path: load(path, (2, 28, 28)),
            ShapeError,
            "shape must have 1 or 3 channels.*got 2",
        ),
        (lambda path: load(path, (1, 0, 28)), ValueError, "shape must be an integer of at least 1"),
        (lambda path: load(path, (1, 28.0, 28)), TypeError, "shape must be an integer"),
        (lambda path: load(path, invert="yes"), ValueError, 'invert must be True, False or "auto"'),
        (lambda path: load(path, invert=None), ValueError, "invert must be .*got None"),
    ],
)
def test_bad_arguments_are_named(
    tmp_path: Path, call: Callable[[Path], Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        call(saved(tmp_path, drawing()))


def test_without_pillow_the_message_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(tmp_path, drawing())
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImportError, match=r'needs Pillow: pip install "minicnn\[images\]"'):
        load_image(path)


def test_white_ink_on_a_transparent_16_bit_grey(tmp_path: Path) -> None:
    """The grey that is transparent says where there is no ink."""
    grey = np.full((60, 60), 30_000, np.uint16)
    grey[10:50, 26:34] = 65_535
    path = saved(tmp_path, Image.fromarray(grey), transparency=30_000)
    with Image.open(path) as image:
        if "transparency" not in image.info:
            pytest.skip("this Pillow does not read it")
    plane = load_image(path)[0]
    assert plane[14, 14] == 1
    assert plane[14, 4] == 0
