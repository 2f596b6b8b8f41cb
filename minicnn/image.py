"""Picture files as input for a net: any size, any mode, dark on light or light on dark.

A net sees best what looks like the pictures it was trained on. For most nets that means: the same
size and number of channels, values from 0 to 1 (`load_image` with ``digits=False``, which reads a
file as `minicnn.data.ImageFolder` does). A net trained on MNIST asks for more: white ink on black,
the digit fitted into a box and its centre of mass in the middle. `like_mnist` does to any picture
of a digit what LeCun et al., "Gradient-based learning applied to document recognition", 1998,
section III.A, did to theirs.
"""

from __future__ import annotations

import os
import warnings
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from .data.folder import DEEP_GREY, read_picture, shallow
from .errors import DataError, ShapeError, describe, positive_int

Grey = npt.NDArray[np.float32]
Invert = bool | Literal["auto"]

BOX = 20 / 28
"""The part of the side that a digit fills in MNIST: 20 of 28 pixels."""
FAINT = 0.03
"""Differences in grey, of 1 between black and white, that are taken for none."""
LARGEST = 320
"""A digit's picture is shrunk to this many pixels a side first: less work, and less noise."""
THINNEST, STROKE = 1.0, 2.4
"""Strokes thinner than the first, in pixels of a 20-pixel box, are drawn as wide as the second.

In MNIST 95 of 100 digits have strokes from 1.6 to 3.8 pixels wide, the median is 2.5."""


def load_image(
    path: str | os.PathLike[str],
    shape: tuple[int, int, int] = (1, 28, 28),
    *,
    invert: Invert = "auto",
    digits: bool = True,
) -> Grey:
    """A picture file as input for a net.

    The picture is turned as its EXIF orientation says; where it is transparent, white shows through
    (in a digit drawn in white on nothing, the drawing counts as light ink). Palettes, CMYK, 1-bit
    and 16-bit grey are converted; of an animation the first frame counts.

    Args:
        path: The file, in any format that Pillow reads.
        shape: (C, H, W) of the net's input; C is 1 (grey) or 3 (red, green, blue).
        invert: True to turn dark into light; False to leave it; "auto" decides for digits by the
            border (see `like_mnist`) and leaves everything else.
        digits: True for nets trained on MNIST or the like: the picture goes through `like_mnist`,
            and all channels get the same values. False stretches it to H×W.

    Returns:
        float32, (C, H, W), from 0 to 1.

    Raises:
        ImportError: Pillow is not installed.
        DataError: there is no such file, it is no picture, it is damaged, or (for digits) there is
            nothing on it; the message names the file.
        ShapeError, TypeError, ValueError: another argument that cannot be.
    """
    C, H, W = _checked_shape(shape)
    _check_invert(invert)
    if not digits:
        picture = np.moveaxis(_read(path, (H, W), grayscale=C == 1), 2, 0) / np.float32(255)
        return np.ascontiguousarray(1 - picture if invert is True else picture, dtype=np.float32)
    grey = _read(path, None, grayscale=True)[:, :, 0]
    if np.ptp(grey) < 255 * FAINT:  # nothing on white: perhaps drawn in white on transparent
        alpha = _alpha(path)
        grey, invert = (grey, invert) if alpha is None else (alpha, False)
    try:
        plane = like_mnist(grey / np.float32(255), (H, W), invert=invert)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    return np.repeat(plane[np.newaxis], C, axis=0)


def like_mnist(
    grey: npt.ArrayLike, size: tuple[int, int] = (28, 28), *, invert: Invert = "auto"
) -> Grey:
    """The picture of one digit, made to look like those of MNIST.

    1. What lies behind the ink is judged by the border, evened out where the light falls unevenly,
       and becomes 0. The ink becomes 1: dark ink if the border is nearer to the lightest than to
       the darkest grey of the picture, else light ink (or as ``invert`` says).
    2. The digit is cut out and scaled, height and width alike, to fit a box of 20/28 of the size;
       strokes that would nearly vanish are drawn wider first.
    3. Its centre of mass is moved to the pixel in the middle, (H/2, W/2) rounded down, as near as
       whole pixels go and the frame allows: in MNIST itself it never lies more than half a pixel
       from (14, 14).

    Args:
        grey: H×W values, 0 for black and 1 for white; any size.
        size: (height, width) of the result.
        invert: True for dark ink on light, False for light ink on dark, "auto" to judge.

    Returns:
        float32, ``size``, from 0 to 1, 0 around the digit.

    Raises:
        ShapeError: ``grey`` is not 2-D, or empty.
        DataError: no ink stands out.
        ImportError: Pillow is not installed.
    """
    picture = np.asarray(grey, dtype=np.float32)
    if picture.ndim != 2 or picture.size == 0:
        raise ShapeError(f"grey must have shape (H, W), at least 1×1, got {picture.shape}")
    if not np.isfinite(picture).all():
        raise DataError("the picture holds values that are not finite")
    height, width = (positive_int(side, "size") for side in size)
    _check_invert(invert)
    largest, enough = max(picture.shape), max(LARGEST, 4 * height, 4 * width)
    if largest > enough:
        picture = _resize(picture, *(max(1, side * enough // largest) for side in picture.shape))
    digit = _cut_out(_ink(picture, invert))
    return _centre(_fit(digit, height * BOX, width * BOX), height, width)


def _ink(picture: Grey, invert: Invert) -> Grey:
    """Step 1: 0 where there is paper, up to 1 where there is ink."""
    border = _border(picture.shape)
    paper = float(np.median(picture[border]))
    if invert == "auto":
        invert = paper > (float(picture.min()) + float(picture.max())) / 2
    # A drawing has one and the same grey behind it, a photograph noise and light from one side.
    photo = float(np.percentile(np.abs(picture[border] - paper), 90)) > FAINT / 3
    background: Any = paper
    if photo:
        picture = _smooth(picture)
        background = _background(picture, border)
    ink = np.maximum(background - picture if invert else picture - background, 0)
    if ink.max() < FAINT:
        if np.ptp(picture) >= FAINT:
            wrong, right = ("dark ink", "light") if invert else ("light ink", "dark")
            raise DataError(
                f"there is no {wrong} on it, which invert={invert} asks for; its ink seems to be "
                f"{right}: let invert be auto"
            )
        raise DataError("no digit stands out from the background; the picture is of one shade")
    full = float(np.percentile(ink[ink >= max(FAINT, float(ink.max()) / 4)], 90))
    floor = full / 4 if photo else 0.0
    result: Grey = np.clip((ink - floor) / (full - floor), 0, 1).astype(np.float32)
    return result


def _border(shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """True along the four edges, for a 20th of the height and width."""
    border = np.ones(shape, dtype=np.bool_)
    height, width = (max(1, side // 20) for side in shape)
    border[height:-height, width:-width] = False
    return border


def _smooth(picture: Grey) -> Grey:
    """Every pixel as the mean of the 3×3 around it."""
    padded = np.pad(picture, 1, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3))
    result: Grey = windows.mean(axis=(2, 3))
    return result


def _background(picture: Grey, border: npt.NDArray[np.bool_]) -> Grey:
    """The brightness of the paper: a quadratic surface through what is not ink.

    First fitted to the border, and then to all pixels that it comes near to; ink lies far off and
    drops out. A grid of 80×80 pixels is enough to fit six numbers.
    """
    r, c = np.indices(picture.shape, dtype=np.float32) / np.float32(max(picture.shape)) - 0.5
    terms = np.stack([np.ones_like(r), r, c, r * r, r * c, c * c], axis=-1)
    every = max(1, max(picture.shape) // 80)
    x, y, near = (array[::every, ::every] for array in (terms, picture, border))
    x = x.astype(np.float64)
    for _ in range(8):
        # The normal equations: 6×6, and lstsq because a picture of one row leaves some open.
        fitted = np.linalg.lstsq(x[near].T @ x[near], x[near].T @ y[near], rcond=None)[0]
        error = np.abs(x @ fitted - y)
        near = error <= max(3 * float(np.median(error[near])), FAINT / 3)
    result: Grey = terms @ fitted.astype(np.float32)
    return result


def _cut_out(ink: Grey) -> Grey:
    """The smallest rectangle that holds all ink."""
    mask = ink > FAINT
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _fit(digit: Grey, height: float, width: float) -> Grey:
    """Step 2: scaled to fit ``height``×``width``, at least one pixel a side."""
    unit = min(height, width) / 20  # a pixel of MNIST
    scale = min(height / digit.shape[0], width / digit.shape[1])
    if _stroke_width(digit) * scale < THINNEST * unit:
        # Four times the size wanted is fine enough to widen strokes in steps of half a pixel.
        digit = _scale(digit, 4 * scale)
        digit = _widen(digit / max(float(digit.max()), FAINT), round(4 * STROKE * unit))
        scale = min(height / digit.shape[0], width / digit.shape[1])
    digit = _scale(digit, scale)
    result: Grey = digit / max(float(digit.max()), FAINT)
    return result


def _scale(plane: Grey, scale: float) -> Grey:
    size = [max(1, round(scale * side)) for side in plane.shape]
    return plane if tuple(size) == plane.shape else _resize(plane, *size)


def _stroke_width(ink: Grey) -> float:
    """Twice the area over the perimeter: the width of a long thin line, in pixels."""
    padded = np.pad(ink > 0.5, 1)
    edges = sum(int(np.count_nonzero(padded ^ np.roll(padded, 1, axis))) for axis in (0, 1))
    # Counted along pixel edges a perimeter is 4/π too long, on average over all directions.
    return 2 * float(padded.sum()) / max(edges * np.pi / 4, 1)


def _widen(ink: Grey, width: int) -> Grey:
    """Strokes at least ``width`` pixels wide, within a frame that has grown to hold them."""
    for step in range(width):
        if _stroke_width(ink) >= width:
            break
        padded = np.pad(ink, 1)
        shifts = [(0, 1), (0, -1), (1, 0), (-1, 0)]
        if step % 2:  # crosses and squares in turn make nearly round pens
            shifts += [(1, 1), (1, -1), (-1, 1), (-1, -1)]
        ink = np.maximum.reduce([padded, *(np.roll(padded, shift, (0, 1)) for shift in shifts)])
    return ink


def _centre(digit: Grey, height: int, width: int) -> Grey:
    """Step 3: the digit on black, its centre of mass in the middle, nothing of it cut off."""
    result = np.zeros((height, width), dtype=np.float32)
    places = []
    for axis, side in enumerate((height, width)):
        mass = digit.sum(axis=1 - axis, dtype=np.float64)
        centre = float(mass @ np.arange(len(mass)) / mass.sum())
        places.append(min(max(round(side // 2 - centre), 0), side - len(mass)))
    top, left = places
    result[top : top + digit.shape[0], left : left + digit.shape[1]] = digit
    return result


def _resize(plane: Grey, height: int, width: int) -> Grey:
    """Scaled with an antialiasing filter."""
    from PIL import Image

    image = Image.fromarray(np.ascontiguousarray(plane, dtype=np.float32))
    return np.array(image.resize((width, height), Image.Resampling.BILINEAR), dtype=np.float32)


def _read(
    path: str | os.PathLike[str], size: tuple[int, int] | None, *, grayscale: bool
) -> npt.NDArray[np.uint8]:
    """`read_picture`, with every fault of the file a DataError."""
    with warnings.catch_warnings():
        # Pillow warns of pictures beyond 89 megapixels, and refuses them beyond twice as many.
        warnings.filterwarnings("ignore", message="Image size .* exceeds limit")
        try:
            pixels = read_picture(path, size, grayscale=grayscale)
        except FileNotFoundError:
            raise DataError(f"there is no picture {path}") from None
    if pixels.size == 0:
        raise DataError(f"cannot read the picture {path}: it has no pixels")
    return pixels


def _alpha(path: str | os.PathLike[str]) -> npt.NDArray[np.uint8] | None:
    """How opaque the picture is, from 0 to 255; None if all of it is alike."""
    from PIL import Image, ImageOps

    with Image.open(path) as image:
        upright: Any = ImageOps.exif_transpose(image)
        if upright.mode in DEEP_GREY:
            upright = shallow(upright)
        alpha = np.asarray(upright.convert("RGBA").getchannel("A"))
    return alpha if np.ptp(alpha) >= 255 * FAINT else None


def _checked_shape(shape: tuple[int, int, int]) -> tuple[int, int, int]:
    if not isinstance(shape, (tuple, list)) or len(shape) != 3:
        raise ShapeError(f"shape must be (C, H, W), got {describe(shape)}")
    C, H, W = (positive_int(side, "shape") for side in shape)
    if C not in (1, 3):
        raise ShapeError(f"shape must have 1 or 3 channels, as picture files have, got {C}")
    return C, H, W


def _check_invert(invert: Invert) -> None:
    if not isinstance(invert, (bool, np.bool_)) and invert != "auto":
        raise ValueError(f'invert must be True, False or "auto", got {describe(invert)}')
