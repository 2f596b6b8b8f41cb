"""A folder of pictures as a data set: one folder inside it for each class."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..errors import DataError, describe, pair
from .array import ArrayDataset, class_names, to_float
from .base import FloatImages, IntArray, Splittable, check_indices

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

PHOTOGRAPHS = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff")
EXTENSIONS = frozenset((*PHOTOGRAPHS, ".ppm", ".pgm", ".pbm", ".pnm"))
SPLIT_NAMES = frozenset(("train", "training", "valid", "validation", "val", "test", "testing"))
DEEP_GREY = {"I;16", "I;16L", "I;16B", "I;16N", "I"}


class ImageFolder(Splittable):
    """Labelled pictures from a folder: ``root/cat/*.jpg``, ``root/dog/*.png`` and so on.

    Each folder in ``root`` is a class, and the pictures in it, however deep, belong to it. Classes
    and files are sorted by name. Files whose names do not end as a picture's does (.jpg, .png,
    .bmp, .gif, .webp, .tif, .ppm …) are left alone, as is everything hidden (".something").

    Pictures are decoded when ``batch`` asks for them, each time anew: memory holds a batch only,
    and a `DataLoader` decodes in a thread while the net computes. For small data sets,
    `in_memory` decodes them once. See `read_picture` for what becomes of a picture.

    Args:
        root: The folder.
        size: What every picture is resized to: an int for a square, or (height, width).
        classes: The class folders to use, in this order; None takes all of them, sorted.
        grayscale: True gives one channel instead of three.

    Raises:
        ImportError: Pillow is not installed.
        FileNotFoundError: there is no such folder.
        DataError: there is no class in it, or a class without a picture.
        TypeError, ValueError: size or classes cannot be.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        size: int | tuple[int, int],
        *,
        classes: Sequence[str] | None = None,
        grayscale: bool = False,
    ) -> None:
        _pillow()
        self.root = Path(root)
        self.size = pair(size, "size")
        self.grayscale = grayscale
        self.classes: list[str] = _find_classes(self.root, classes)
        found = [_find_pictures(self.root / name) for name in self.classes]
        self.paths: list[Path] = [path for paths in found for path in paths]
        self.labels: IntArray = np.repeat(np.arange(len(found)), [len(paths) for paths in found])

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def decodes(self) -> bool:
        """True: ``batch`` decodes pictures from files."""
        return True

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W): C is 3, or 1 in grayscale."""
        return (1 if self.grayscale else 3, *self.size)

    def batch(self, indices: npt.ArrayLike) -> tuple[FloatImages, IntArray]:
        """See `Dataset.batch`.

        Raises:
            DataError: a picture cannot be read; the message names its file.
        """
        chosen = check_indices(indices, len(self))
        return to_float(np.moveaxis(self._decode(chosen), 3, 1)), self.labels[chosen]

    def in_memory(self) -> ArrayDataset:
        """All pictures decoded once, into an `ArrayDataset` of 8-bit values."""
        return ArrayDataset(
            self._decode(np.arange(len(self))), self.labels, self.classes, channels_last=True
        )

    def _decode(self, indices: IntArray) -> npt.NDArray[np.uint8]:
        """The pictures at ``indices``, B×H×W×C."""
        C, H, W = self.image_shape
        images = np.empty((len(indices), H, W, C), dtype=np.uint8)
        for row, index in enumerate(indices):
            path = self.paths[index]
            try:
                images[row] = read_picture(path, self.size, grayscale=self.grayscale)
            except FileNotFoundError:
                raise DataError(f"the picture {path} has gone, or links to nothing") from None
        return images

    def __repr__(self) -> str:
        C, H, W = self.image_shape
        return f"ImageFolder({str(self.root)!r}: {len(self)} pictures {C}×{H}×{W}, {self.classes})"


def read_picture(
    path: str | os.PathLike[str],
    size: int | tuple[int, int] | None = None,
    *,
    grayscale: bool = False,
) -> npt.NDArray[np.uint8]:
    """A picture file as 8-bit RGB or grey values.

    The picture is turned as its EXIF orientation says, laid on white where it is transparent,
    brought from whatever mode it has (palette, CMYK, 16-bit grey …) to RGB or grey (luma, ITU-R
    601), and stretched to ``size`` with an antialiased bilinear filter. Of an animation the first
    frame counts.

    Args:
        path: The file; any format that Pillow reads.
        size: An int for a square, or (height, width); None keeps the picture's own.
        grayscale: True gives one channel instead of three.

    Returns:
        uint8, H×W×3, or H×W×1 in grayscale.

    Raises:
        ImportError: Pillow is not installed.
        FileNotFoundError: there is no such file.
        DataError: it is damaged, or not a picture; the message names it.
    """
    pillow = _pillow()
    target = None if size is None else pair(size, "size")
    try:
        with pillow.open(path) as image:
            if target is not None and image.format == "JPEG":
                # Decode large photographs at a half, a quarter … of their size, though never
                # below twice the size wanted: several times faster and hardly a difference.
                image.draft(None, (2 * max(target), 2 * max(target)))
            picture = _flatten(image, "L" if grayscale else "RGB")
        if target is not None and picture.size != target[::-1]:
            picture = picture.resize(target[::-1], pillow.Resampling.BILINEAR)
    except FileNotFoundError:
        raise
    except (OSError, ValueError, SyntaxError, EOFError, pillow.DecompressionBombError) as error:
        # Pillow raises all of these for damaged files, depending on the format.
        raise DataError(f"cannot read the picture {path}: {error}") from error
    pixels = np.asarray(picture, dtype=np.uint8)
    return pixels.reshape(*pixels.shape[:2], -1)


def _flatten(image: Picture, mode: str) -> Picture:
    """The first frame of ``image``, upright, opaque and in ``mode`` ("RGB" or "L")."""
    from PIL import Image, ImageOps

    upright: Any = ImageOps.exif_transpose(image)
    if upright.mode in DEEP_GREY:
        upright = shallow(upright)
    elif upright.mode == "F":
        raise ValueError("its pixels are floating-point numbers of no known range")
    if upright.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in upright.info:
        coloured = upright.convert("RGBA")
        upright = Image.new("RGBA", coloured.size, "white")
        upright.alpha_composite(coloured)
    elif upright.mode == "LAB":
        upright = upright.convert("RGB")
    result: Picture = upright.convert(mode)
    return result


def shallow(image: Any) -> Picture:
    """A 16-bit grey picture with 8 bits, and its transparent value, if it has one, as alpha."""
    from PIL import Image

    pixels = np.asarray(image)
    grey: Picture = Image.fromarray(_deep_grey(pixels))
    if not isinstance(image.info.get("transparency"), int):
        return grey
    opaque = np.where(pixels == image.info["transparency"], 0, 255).astype(np.uint8)
    return Image.merge("LA", (grey, Image.fromarray(opaque)))


def _deep_grey(pixels: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """16-bit grey values as 8-bit ones (Pillow's own conversion clips them at 255)."""
    if pixels.min(initial=0) < 0 or pixels.max(initial=0) > 0xFFFF:
        raise ValueError("its pixels are integers beyond 16 bits")
    return np.rint(pixels / 257.0).astype(np.uint8)


def _find_classes(root: Path, chosen: Sequence[str] | None) -> list[str]:
    if not root.is_dir():
        raise FileNotFoundError(f"there is no folder {root}")
    present = sorted(entry.name for entry in root.iterdir() if entry.is_dir() and _visible(entry))
    if chosen is not None:
        missing = sorted(set(class_names(chosen)) - set(present))
        if missing:
            raise DataError(f"{root} has no folder {missing[0]!r}; it has {describe(present)}")
        present = list(chosen)
    elif present and SPLIT_NAMES.issuperset(name.lower() for name in present):
        raise DataError(
            f"the folders in {root} are {', '.join(present)}, which look like parts of a data set "
            f"rather than classes; open one of them, as {root / present[0]}"
        )
    if not present:
        raise DataError(
            f"{root} holds no class: expected one folder of pictures for each, as {root / 'cat'}"
        )
    return present


def _find_pictures(folder: Path) -> list[Path]:
    """All picture files in ``folder`` and below, sorted, hidden ones left out."""
    paths = []
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if _visible(Path(name))]
        paths += [Path(parent, name) for name in files if _visible(Path(name))]
    pictures = sorted(path for path in paths if path.suffix.lower() in EXTENSIONS)
    if not pictures:
        raise DataError(
            f"the class folder {folder} holds no picture (a file named "
            f"{', '.join(sorted(EXTENSIONS))})"
        )
    return pictures


def _visible(path: Path) -> bool:
    return not path.name.startswith((".", "__"))


def _pillow() -> ModuleType:
    """The module PIL.Image, or an error that says how to get it."""
    try:
        from PIL import Image
    except ImportError:
        raise ImportError(
            'reading pictures needs Pillow: pip install "minicnn[images]" (or pip install pillow)'
        ) from None
    return Image
