"""Folders of pictures: which files count, how they are decoded, and what is refused."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from minicnn.data import DataLoader, ImageFolder, read_picture
from minicnn.errors import DataError

Image = pytest.importorskip("PIL.Image")

RNG = np.random.default_rng(0)
COLOURS = RNG.integers(0, 256, (6, 8, 3), dtype=np.uint8)


def save(
    path: Path, pixels: npt.NDArray[Any] | None = None, mode: str = "", **options: Any
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(COLOURS if pixels is None else pixels)
    (image.convert(mode) if mode else image).save(path, **options)
    return path


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """Two dogs, one of them in a folder of its own, and a cat, among other things."""
    root = tmp_path / "pets"
    save(root / "dog" / "b.png", np.full((4, 4, 3), 51, np.uint8))
    save(root / "dog" / "a" / "deep.PNG", np.full((4, 4, 3), 102, np.uint8))
    save(root / "cat" / "tom.bmp", np.full((4, 4, 3), 255, np.uint8))
    save(root / "cat" / ".hidden.png")
    save(root / ".thumbnails" / "x.png")
    save(root / "__MACOSX" / "x.png")
    save(root / "cat" / ".cache" / "x.png")
    (root / "cat" / "notes.txt").write_text("not a picture")
    (root / "README.md").write_text("not a class")
    return root


def test_a_loader_decodes_ahead_unless_told_otherwise(pets: Path) -> None:
    folder = ImageFolder(pets, 2)
    assert DataLoader(folder, 1).prefetch == 2
    assert DataLoader(folder.subset([0, 2]), 1).prefetch == 2
    assert DataLoader(folder, 1, prefetch=0).prefetch == 0
    assert DataLoader(folder.in_memory(), 1).prefetch == 0


def test_classes_and_files_are_sorted_and_hidden_ones_ignored(pets: Path) -> None:
    folder = ImageFolder(pets, 2)
    assert folder.classes == ["cat", "dog"]
    assert [path.name for path in folder.paths] == ["tom.bmp", "deep.PNG", "b.png"]
    assert folder.labels.tolist() == [0, 1, 1]
    assert folder.labels.dtype == np.int64
    assert folder.image_shape == (3, 2, 2)
    images, labels = folder.batch([2, 0, 1])
    assert images.dtype == np.float32
    assert images.flags.c_contiguous
    expected = np.array([51, 255, 102], np.float32) / np.float32(255)
    np.testing.assert_array_equal(
        images, np.broadcast_to(expected[:, None, None, None], (3, 3, 2, 2))
    )
    assert labels.tolist() == [1, 0, 1]
    assert folder.batch([])[0].shape == (0, 3, 2, 2)


def test_classes_can_be_chosen_and_ordered(pets: Path) -> None:
    folder = ImageFolder(pets, 2, classes=["dog", "cat"])
    assert folder.classes == ["dog", "cat"]
    assert folder.labels.tolist() == [0, 0, 1]
    assert len(ImageFolder(pets, 2, classes=["cat"])) == 1
    with pytest.raises(DataError, match=r"no folder 'bird'; it has \['cat', 'dog'\]"):
        ImageFolder(pets, 2, classes=["cat", "bird"])


def test_it_splits_and_loads_into_memory(tmp_path: Path) -> None:
    for k in range(10):
        for name in ("a", "b"):
            save(tmp_path / name / f"{k}.png", np.full((2, 2, 3), k, np.uint8))
    folder = ImageFolder(tmp_path, (2, 3))
    assert [len(part) for part in folder.split((0.8, 0.1, 0.1), seed=1)] == [16, 2, 2]
    loaded = folder.in_memory()
    assert loaded.images.dtype == np.uint8
    assert loaded.classes == folder.classes
    for got, expected in zip(loaded.batch(range(20)), folder.batch(range(20)), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_values_channels_and_rows_keep_their_places(tmp_path: Path) -> None:
    save(tmp_path / "all" / "one.png")
    images, _ = ImageFolder(tmp_path, (6, 8)).batch([0])
    np.testing.assert_array_equal(images[0], np.moveaxis(COLOURS, 2, 0) / np.float32(255))
    grey, _ = ImageFolder(tmp_path, (6, 8), grayscale=True).batch([0])
    assert grey.shape == (1, 1, 6, 8)
    luma = COLOURS @ np.array([0.299, 0.587, 0.114])
    np.testing.assert_allclose(grey[0, 0] * 255, luma, atol=1)


def test_resizing_is_antialiased(tmp_path: Path) -> None:
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    pixels = read_picture(save(tmp_path / "stripes.png", stripes), 8)
    assert pixels.shape == (8, 8, 3)
    assert abs(pixels.astype(int) - 127).max() < 16
    assert read_picture(tmp_path / "stripes.png").shape == (64, 64, 3)
    assert read_picture(tmp_path / "stripes.png", (3, 5), grayscale=True).shape == (3, 5, 1)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_as_exif_says(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(tmp_path / "photo.png", exif=exif.tobytes())
    turned = {
        1: COLOURS,
        2: COLOURS[:, ::-1],
        3: COLOURS[::-1, ::-1],
        4: COLOURS[::-1],
        5: COLOURS.swapaxes(0, 1),
        6: np.rot90(COLOURS, -1),
        7: COLOURS[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90(COLOURS, 1),
    }
    np.testing.assert_array_equal(read_picture(path), turned[orientation])


@pytest.mark.parametrize(
    "mode", ["1", "L", "P", "RGB", "RGBA", "LA", "CMYK", "YCbCr", "I;16", "HSV"]
)
@pytest.mark.parametrize("grayscale", [False, True])
def test_every_mode_is_understood(tmp_path: Path, mode: str, grayscale: bool) -> None:
    path = tmp_path / ("picture.tif" if mode in {"CMYK", "YCbCr", "I;16"} else "picture.png")
    image = Image.fromarray(COLOURS)
    if mode == "I;16":
        image = Image.fromarray(np.array(image.convert("L")).astype(np.uint16) * 257)
    else:
        image = image.convert(mode)
        if mode == "HSV":  # no format has it
            image = image.convert("RGB")
    image.save(path)
    pixels = read_picture(path, grayscale=grayscale)
    assert pixels.dtype == np.uint8
    assert pixels.shape == (6, 8, 1 if grayscale else 3)
    reference = np.array(image.convert("RGB").convert("L")) if mode != "I;16" else None
    if grayscale and reference is not None and mode != "1":
        np.testing.assert_allclose(pixels[:, :, 0].astype(int), reference, atol=2)
    if mode == "I;16":
        grey = np.array(Image.fromarray(COLOURS).convert("L"))
        np.testing.assert_array_equal(pixels[:, :, 0], grey)


def test_transparency_shows_white(tmp_path: Path) -> None:
    pixels = np.zeros((2, 2, 4), np.uint8)  # black ink
    pixels[0, 0, 3] = 255
    pixels[0, 1, 3] = 51
    path = save(tmp_path / "ink.png", pixels)
    np.testing.assert_array_equal(
        read_picture(path, grayscale=True)[:, :, 0], [[0, 204], [255, 255]]
    )
    palette = Image.fromarray(np.array([[0, 1]], np.uint8), mode=None).convert("P")
    palette.putpalette([10, 10, 10, 20, 20, 20])
    palette.save(tmp_path / "palette.png", transparency=1)
    values = read_picture(tmp_path / "palette.png")[0]
    assert values[1].tolist() == [255, 255, 255]


def test_the_first_frame_of_an_animation_counts(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("white", "black")]
    frames[0].save(tmp_path / "two.gif", save_all=True, append_images=frames[1:])
    assert (read_picture(tmp_path / "two.gif") == 255).all()


def test_large_photographs_are_decoded_small(tmp_path: Path) -> None:
    y, x = np.mgrid[0:512, 0:768]
    smooth = np.stack([x / 3, y / 2, (x + y) / 5], axis=2).astype(np.uint8)
    path = save(tmp_path / "photo.jpg", smooth, quality=95)
    with Image.open(path) as image:
        full = np.asarray(image.convert("RGB").resize((32, 32), Image.Resampling.BILINEAR))
    small = read_picture(path, 32)
    assert abs(small.astype(int) - full.astype(int)).max() <= 4


@pytest.mark.parametrize("size", [128, (128, 16), (16, 128)])
def test_photographs_are_not_decoded_too_small(tmp_path: Path, size: Any) -> None:
    """Stripes that a JPEG's eighth of the size does not show, and twice the size wanted does."""
    stripes = np.zeros((512, 512, 3), np.uint8)
    rows, columns = np.indices((512, 512)) // 4
    stripes[(columns if size == (16, 128) else rows) % 2 == 1] = 255
    path = save(tmp_path / "photo.jpg", stripes, quality=95)
    target = (128, 128) if size == 128 else size
    with Image.open(path) as image:
        whole = image.convert("RGB").resize(target[::-1], Image.Resampling.BILINEAR)
    small = read_picture(path, size)
    assert np.asarray(whole).std() > 40
    assert abs(float(small.std()) / float(np.asarray(whole).std()) - 1) < 0.25


@pytest.mark.parametrize("content", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n" + bytes(40)])
def test_an_unreadable_picture_is_named(tmp_path: Path, content: bytes) -> None:
    save(tmp_path / "all" / "good.png")
    (tmp_path / "all" / "bad.png").write_bytes(content)
    folder = ImageFolder(tmp_path, 4)  # nothing is decoded yet
    folder.batch([1])
    with pytest.raises(DataError, match=r"cannot read the picture .*bad\.png"):
        folder.batch([0, 1])


@pytest.mark.parametrize("extension", ["png", "jpg", "gif", "bmp", "tif", "webp", "ppm"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_truncated_picture_is_refused(tmp_path: Path, extension: str, share: float) -> None:
    noise = RNG.integers(0, 256, (40, 40, 3), dtype=np.uint8)
    path = save(tmp_path / f"cut.{extension}", noise)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(DataError, match=r"cannot read the picture .*cut"):
        read_picture(path)


def test_pixels_of_no_known_range_are_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "floats.tif", np.zeros((2, 2), np.float32))
    with pytest.raises(DataError, match="floating-point"):
        read_picture(path)
    path = save(tmp_path / "deep.tif", np.full((2, 2), 100_000, np.int32))
    with pytest.raises(DataError, match="beyond 16 bits"):
        read_picture(path)


def test_missing_things_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*nowhere"):
        ImageFolder(tmp_path / "nowhere", 4)
    with pytest.raises(DataError, match="holds no class"):
        ImageFolder(tmp_path, 4)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"class folder .*empty holds no picture"):
        ImageFolder(tmp_path, 4)
    with pytest.raises(FileNotFoundError):
        read_picture(tmp_path / "nothing.png")


def test_a_folder_of_parts_is_not_one_of_classes(tmp_path: Path) -> None:
    for part in ("train", "test"):
        save(tmp_path / part / "cat" / "one.png")
    with pytest.raises(DataError, match="test, train, which look like parts"):
        ImageFolder(tmp_path, 4)
    assert len(ImageFolder(tmp_path / "train", 4)) == 1
    assert ImageFolder(tmp_path, 4, classes=["train", "test"]).classes == ["train", "test"]


@pytest.mark.parametrize(("size", "error"), [(0, ValueError), ((4,), ValueError), (2.5, TypeError)])
def test_a_size_that_cannot_be_is_refused(pets: Path, size: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="size must be"):
        ImageFolder(pets, size)


def test_without_pillow_it_says_how_to_get_it(pets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    for function in (lambda: ImageFolder(pets, 4), lambda: read_picture("x.png")):
        with pytest.raises(ImportError, match=r"minicnn\[images\]"):
            function()


@pytest.mark.skipif(sys.platform == "win32", reason="symbolic links")
def test_a_link_to_nothing_is_named(pets: Path) -> None:
    folder = ImageFolder(pets, 8)
    path = folder.paths[0]
    path.unlink()
    path.symlink_to("nowhere.png")
    with pytest.raises(DataError, match=re.escape(str(path))):
        folder.batch([0])


def test_a_transparent_value_of_16_bits_shows_white(tmp_path: Path) -> None:
    pixels = np.array([[30000, 10000]], np.uint16)
    path = tmp_path / "deep.png"
    Image.fromarray(pixels).save(path, transparency=30000)
    with Image.open(path) as image:
        if "transparency" not in image.info:
            pytest.skip("this Pillow does not read it")
    assert read_picture(path, grayscale=True)[0, :, 0].tolist() == [255, 39]
