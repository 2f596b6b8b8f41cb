"""Tensor: a batch of pictures or feature maps, B×C×H×W. Parameter: what a layer learns.

B counts the pictures of the batch, C their channels, H rows and W columns. The data lie in memory
in just this order (C-contiguous): a row's W values are neighbours, then come the next row, the next
channel, the next picture, so that element (b, c, h, w) stands at ((b·C + c)·H + h)·W + w.
"""

from __future__ import annotations

import contextlib
from contextvars import ContextVar
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import ShapeError, describe

FloatArray = npt.NDArray[Any]
"""A float32 or float64 array."""

CHANNELS = (1, 3, 4)
"""Channels that pictures have: grey, colour, colour with transparency."""

FLOAT_DTYPES: tuple[np.dtype[Any], ...] = (np.dtype(np.float32), np.dtype(np.float64))

_recording: ContextVar[bool] = ContextVar("minicnn_recording", default=True)


def is_recording() -> bool:
    """Whether ``forward`` keeps what ``backward`` will need; False inside `no_grad`."""
    return _recording.get()


class no_grad(contextlib.ContextDecorator):  # noqa: N801 (PyTorch's name)
    """Forward passes in this block keep nothing for ``backward``: less memory, less work.

    This does *not* switch to evaluation mode; ``net.eval()`` does, and the two are independent.
    Works as a context manager, ``with no_grad():``, and as a decorator, ``@no_grad()``; it holds
    for the thread (or asynchronous task) that enters it.
    """

    def __init__(self) -> None:
        self._tokens: list[Any] = []

    def _recreate_cm(self) -> no_grad:
        return no_grad()  # for each call of a decorated function: two threads may be in one

    def __enter__(self) -> None:
        self._tokens.append(_recording.set(False))

    def __exit__(self, *_: object) -> None:
        _recording.reset(self._tokens.pop())


def float_dtype(dtype: npt.DTypeLike, name: str = "dtype") -> np.dtype[Any]:
    """``dtype`` as NumPy's float32 or float64, in native byte order.

    Raises:
        TypeError: it is any other dtype.
    """
    try:
        resolved = np.dtype(dtype).newbyteorder("=")
    except TypeError:
        resolved = None
    if resolved is None or resolved not in FLOAT_DTYPES:  # NumPy holds None equal to float64
        raise TypeError(f"{name} must be float32 or float64, got {describe(dtype)}")
    return resolved


def as_float_array(data: Any, name: str = "data", dtype: npt.DTypeLike | None = None) -> FloatArray:
    """``data`` as a C-contiguous float32 or float64 array, converted exactly or refused.

    Without ``dtype``, float64 arrays stay float64, and everything else becomes float32: Python
    lists (whose numbers are rounded to float32), bool, float16, and integers, which must fit
    float32 exactly (every whole number up to 2²⁴ does). Byte order is made native. Memory is shared
    with ``data`` where nothing has to change.

    Raises:
        TypeError: complex, object, string or extended-precision data.
        ValueError: an integer that the float type cannot hold exactly.
        ShapeError: nested lists of unequal lengths.
    """
    if isinstance(data, Tensor):
        data = data.data
    try:
        array = np.asarray(data)
    except ValueError as error:
        raise ShapeError(f"{name} must be a rectangular array: {error}") from None
    if (
        not isinstance(data, np.ndarray)
        and array.dtype == np.float64
        and isinstance(data, (list, tuple))
    ):
        target = FLOAT_DTYPES[0]
    else:
        target = FLOAT_DTYPES[array.dtype.kind == "f" and array.dtype.itemsize == 8]
    if dtype is not None:
        target = float_dtype(dtype)
    kind = array.dtype.kind
    if kind not in "fbiu" or (kind == "f" and array.dtype.itemsize > 8):
        raise TypeError(
            f"{name} must hold real numbers of at most 64 bits, got dtype {array.dtype}"
        )
    result = np.ascontiguousarray(array, dtype=target).reshape(array.shape)
    if kind in "iu" and array.dtype.itemsize > 2 and not _holds(result, array):
        raise ValueError(
            f"{name} holds integers that {target} cannot represent exactly; "
            f"convert it yourself, for example data.astype('float64')"
        )
    return result


def _holds(floats: FloatArray, integers: npt.NDArray[Any]) -> bool:
    """Whether the floats are the integers exactly. NumPy would compare the two as floats."""
    info = np.iinfo(integers.dtype)
    inside = (floats >= float(info.min)) & (floats < float(info.max))  # the limit is rounded up
    return bool(inside.all()) and np.array_equal(floats.astype(integers.dtype), integers)


def _to_numpy(
    data: FloatArray, dtype: npt.DTypeLike | None, copy: bool | None, what: str
) -> FloatArray:
    """What `__array__` returns: by hand, because NumPy 1.26 knows no copy=None."""
    if dtype is not None and np.dtype(dtype) != data.dtype:
        if copy is False:
            raise ValueError(f"a {data.dtype} {what} as {np.dtype(dtype)} needs a copy")
        return data.astype(dtype)
    return data.copy() if copy else data


class Tensor:
    """A batch of B pictures or feature maps with C channels of H×W values each.

    Args:
        data: A 4-D array-like, B×C×H×W; converted as `as_float_array` says. An array that is
            already C-contiguous float32 or float64 is shared, not copied.
        dtype: float32 or float64, to convert to it; None keeps float64 and makes the rest float32.

    Attributes:
        data: The values, a C-contiguous float32 or float64 array.
        grad: After ``backward`` of the layer or net that this tensor was given to: the gradient of
            the loss with respect to it, an array of the same shape. None before.

    Raises:
        ShapeError: the data are not 4-D.
        TypeError, ValueError: see `as_float_array`.
    """

    __slots__ = ("__weakref__", "data", "grad")

    def __init__(self, data: npt.ArrayLike | Tensor, dtype: npt.DTypeLike | None = None) -> None:
        array = as_float_array(data, "data", dtype)
        if array.ndim != 4:
            raise ShapeError(
                f"Tensor: data must have shape (B, C, H, W), got {array.shape}; for 8-bit pictures "
                f"use Tensor.from_images (N×H×W or N×H×W×C), for feature vectors "
                f"Tensor.from_features (B×F)"
            )
        self.data: FloatArray = array
        self.grad: FloatArray | None = None

    @classmethod
    def _wrap(cls, array: FloatArray) -> Tensor:
        """A Tensor around an array that is known to be right: no checks."""
        tensor = cls.__new__(cls)
        tensor.data = array
        tensor.grad = None
        return tensor

    @classmethod
    def zeros(cls, B: int, C: int, H: int, W: int, dtype: npt.DTypeLike = np.float32) -> Tensor:
        """A tensor of zeros, B×C×H×W."""
        return cls(np.zeros((B, C, H, W), dtype=float_dtype(dtype)))

    @classmethod
    def from_images(cls, images: npt.ArrayLike) -> Tensor:
        """8-bit pictures as a float32 tensor with values from 0 to 1.

        Args:
            images: uint8, N×H×W (grey) or N×H×W×C (colour, channels last as picture files have
                them).

        Returns:
            N×1×H×W or N×C×H×W, each value divided by 255.

        Raises:
            TypeError: the array is not uint8.
            ShapeError: it has another number of axes than 3 or 4, or its channels come first.
        """
        array = np.asarray(images)
        if array.dtype != np.uint8:
            raise TypeError(f"Tensor.from_images: images must be uint8, got dtype {array.dtype}")
        if array.ndim not in (3, 4):
            raise ShapeError(
                f"Tensor.from_images: images must have shape (N, H, W) or (N, H, W, C), "
                f"got {array.shape}"
            )
        if array.ndim == 4 and array.shape[3] > max(CHANNELS) >= array.shape[1]:
            raise ShapeError(
                f"Tensor.from_images: images must have their channels last, (N, H, W, C), got "
                f"{array.shape}; pass np.moveaxis(images, 1, 3)"
            )
        planes = array[:, np.newaxis] if array.ndim == 3 else np.moveaxis(array, 3, 1)
        return cls(np.divide(planes, np.float32(255), dtype=np.float32))

    @classmethod
    def from_features(cls, features: npt.ArrayLike, dtype: npt.DTypeLike | None = None) -> Tensor:
        """Feature vectors B×F as a tensor B×F×1×1.

        Raises:
            ShapeError: the array is not 2-D.
        """
        array = as_float_array(features, "features", dtype)
        if array.ndim != 2:
            raise ShapeError(
                f"Tensor.from_features: features must have shape (B, F), got {array.shape}"
            )
        return cls(array.reshape(*array.shape, 1, 1))

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(B, C, H, W)."""
        B, C, H, W = self.data.shape
        return B, C, H, W

    @property
    def B(self) -> int:
        """Number of pictures in the batch."""
        return int(self.data.shape[0])

    @property
    def C(self) -> int:
        """Number of channels."""
        return int(self.data.shape[1])

    @property
    def H(self) -> int:
        """Number of rows."""
        return int(self.data.shape[2])

    @property
    def W(self) -> int:
        """Number of columns."""
        return int(self.data.shape[3])

    @property
    def dtype(self) -> np.dtype[Any]:
        """float32 or float64."""
        return self.data.dtype

    @property
    def size(self) -> int:
        """Number of values, B·C·H·W."""
        return self.data.size

    def numpy(self) -> FloatArray:
        """The values as an ndarray that shares this tensor's memory."""
        return self.data

    def copy(self) -> Tensor:
        """A tensor with its own memory and no gradient."""
        return Tensor._wrap(self.data.copy())

    def astype(self, dtype: npt.DTypeLike) -> Tensor:
        """A copy in float32 or float64."""
        return Tensor._wrap(self.data.astype(float_dtype(dtype)))

    def argmax(self) -> npt.NDArray[np.int64]:
        """For each picture the index of its largest value within C×H×W: of logits, the class.

        Returns:
            int64, shape (B,); the first index where several values tie.

        Raises:
            ValueError: there is nothing to compare (C, H or W is zero).
        """
        if 0 in self.shape[1:]:
            raise ValueError(f"argmax of an empty tensor, shape {self.shape}")
        rows = self.data.reshape(self.B, self.C * self.H * self.W)
        winners: npt.NDArray[np.int64] = rows.argmax(axis=1).astype(np.int64)
        return winners

    def show(self, b: int = 0, c: int = 0, precision: int = 3) -> None:
        """Print channel ``c`` of picture ``b`` as a table with ``precision`` decimals.

        Raises:
            IndexError: there is no such picture or channel.
        """
        for index, count, what in ((b, self.B, "picture b"), (c, self.C, "channel c")):
            if not -count <= index < count:
                raise IndexError(f"show: {what} must be below {count}, got {index}")
        cells = [[f"{value:.{precision}f}" for value in row] for row in self.data[b, c]]
        width = max((len(cell) for row in cells for cell in row), default=0)
        print("\n".join(" ".join(cell.rjust(width) for cell in row) for row in cells))

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> FloatArray:
        return _to_numpy(self.data, dtype, copy, "Tensor")

    def __dlpack__(self, **options: Any) -> Any:
        return self.data.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.data.__dlpack_device__()

    def __len__(self) -> int:
        return self.B

    def __repr__(self) -> str:
        grad = "" if self.grad is None else ", grad"
        return f"Tensor({'×'.join(map(str, self.shape))} {self.dtype}{grad})"


class Parameter:
    """An array that a layer learns, with the gradient of the loss with respect to it.

    Gradients add up from one ``backward`` to the next until `zero_grad`. Clearing costs no pass
    over memory: it only marks the gradient as void, and the next ``backward`` overwrites it.

    Args:
        data: float32 or float64, any shape; copied.
    """

    __slots__ = ("_data", "_filled", "_grad", "name")

    def __init__(self, data: npt.ArrayLike) -> None:
        self._data: FloatArray = np.array(as_float_array(data), copy=True)
        self._grad: FloatArray | None = None
        self._filled = False
        self.name: str | None = None

    @property
    def data(self) -> FloatArray:
        """The values; assigning copies into them and must match their shape."""
        return self._data

    @data.setter
    def data(self, value: npt.ArrayLike) -> None:
        array = np.asarray(value)
        if array.shape != self._data.shape:
            raise ShapeError(
                f"parameter {self.name or ''}: data must have shape {self._data.shape}, "
                f"got {array.shape}"
            )
        self._data[...] = array

    @property
    def grad(self) -> FloatArray | None:
        """dL/dθ, of the shape of the data; None when nothing has come in since `zero_grad`."""
        return self._grad if self._filled else None

    @grad.setter
    def grad(self, value: npt.ArrayLike | None) -> None:
        self._filled = False
        if value is not None:
            array = np.asarray(value)
            if array.shape != self._data.shape:
                raise ShapeError(
                    f"parameter {self.name or ''}: grad must have shape {self._data.shape}, "
                    f"got {array.shape}"
                )
            self.open_grad()[0][...] = array

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the data."""
        return self._data.shape

    @property
    def size(self) -> int:
        """The number of values."""
        return self._data.size

    @property
    def dtype(self) -> np.dtype[Any]:
        """float32 or float64."""
        return self._data.dtype

    def zero_grad(self) -> None:
        """Mark the gradient as void."""
        self._filled = False

    def open_grad(self) -> tuple[FloatArray, bool]:
        """For a layer's backward: where to write dL/dθ, and whether to add to what stands there.

        Returns:
            (grad, accumulate): the gradient's array; True to add to it, False to overwrite it.
        """
        accumulate = self._filled
        if self._grad is None:
            self._grad = np.empty_like(self._data)
        self._filled = True
        return self._grad, accumulate

    def add_grad(self, grad: FloatArray) -> None:
        """Add ``grad`` (the shape of the data) to the gradient."""
        target, accumulate = self.open_grad()
        if accumulate:
            target += grad
        else:
            target[...] = grad

    def convert(self, dtype: npt.DTypeLike) -> None:
        """Change the data to float32 or float64 in place; the gradient is void afterwards."""
        self._data = self._data.astype(float_dtype(dtype))
        self._grad = None
        self._filled = False

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> FloatArray:
        return _to_numpy(self._data, dtype, copy, "Parameter")

    def __repr__(self) -> str:
        return f"Parameter({'×'.join(map(str, self.shape))} {self.dtype})"
