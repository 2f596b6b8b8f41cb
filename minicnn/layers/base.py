"""Layer: what every layer and container has in common.

A layer states three things and nothing else: the shape it makes of a shape, its forward maths and
its derivative. They are the methods that a subclass writes:

    output_shape(in_shape)      pure arithmetic on (B, C, H, W), raising ShapeError
    _forward(x)  -> y           arrays in, arrays out; keeps what backward needs with self.save(...)
    _backward(dy, need_dx) -> dx   adds to the parameters' gradients, returns dL/dx

`forward` and `backward` are the doors around them that people call. They check and convert what
comes in and see to it that what goes out belongs to the caller. Inside a container, layers hand
each other their buffers instead, which are reused from step to step, so that a steady training step
allocates nothing large.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np
import numpy.typing as npt

from ..errors import ShapeError, UnknownLayerError
from ..tensor import FloatArray, Parameter, Tensor, is_recording
from . import own
from .memory import Blocks
from .module import Module, Unset

if TYPE_CHECKING:
    from .plan import Plan
    from .summary import Summary

Shape = tuple[int, int, int, int]
Self = TypeVar("Self", bound="Layer")

_lender: ContextVar[Blocks | None] = ContextVar("minicnn_lender", default=None)
"""The blocks of the outermost container that is at work; None outside of all."""

_LAYERS: dict[str, type[Layer]] = {}


class reusing_buffers:  # noqa: N801 (reads as a statement: with reusing_buffers():)
    """In this block layers use memory again: their own, or blocks that all of a net share."""

    __slots__ = ("_blocks", "_token")

    def __init__(self, container: Layer) -> None:
        self._blocks = _lender.get() or container._blocks

    def __enter__(self) -> None:
        self._token = _lender.set(self._blocks)

    def __exit__(self, *_: object) -> None:
        _lender.reset(self._token)


class Layer(Module):
    """The base of all layers. Your own is a subclass that says three things:

        class Square(Layer):
            def output_shape(self, in_shape):   # optional where the shape stays as it is
                return in_shape

            def _forward(self, x):              # arrays in, an array out
                self.save(x)                    # what backward will need
                return x * x

            def _backward(self, dy, need_dx):   # dL/dy in, dL/dx out
                (x,) = self.saved
                return 2 * x * dy

    ``gradcheck(Square(), x)`` tells whether they agree. Parameters are `Parameter` attributes
    listed in ``parameter_names``; ``_backward`` adds to them with ``add_grad``. ``args()`` returns
    the constructor's arguments, so that the layer can be saved.

    Raises:
        TypeError: a subclass defines ``forward`` or ``backward`` themselves, the doors that check
            what goes in and out.
    """

    kind: ClassVar[str] = "layer"
    """What a container calls this kind of layer, before the number."""
    makes_new_output: ClassVar[bool] = True
    """False where ``_forward`` or ``_backward`` may return memory that is used again: a child's."""
    chains_children: ClassVar[bool] = True
    """Whether each child takes what the child before it made (else all take the layer's input)."""
    _foreign: ClassVar[bool] = False
    """Whether the class is not minicnn's: see `own`."""
    _forgot_save = False
    _buffers: dict[str, npt.NDArray[Any]] = Unset.attribute()
    _blocks: Blocks = Unset.attribute()

    def __init__(self) -> None:
        super().__init__()
        self._buffers = {}
        self._blocks = Blocks()
        self._saved: tuple[Any, ...] | None = None
        self._in_shape: tuple[int, ...] | None = None
        self._out_shape: tuple[int, ...] = ()
        self._dtype: np.dtype[Any] | None = None
        self._input: Tensor | None = None

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for door, inner in (("forward", "_forward"), ("backward", "_backward"), ("__call__", "")):
            if door in cls.__dict__:
                raise TypeError(
                    f"{cls.__name__} must not define {door}: containers would pass it by; "
                    f"write {inner or '_forward'}, on arrays"
                )
        cls._foreign = not cls.__module__.startswith(__name__.partition(".")[0] + ".")
        _LAYERS[cls.config_name()] = cls

    # --- what a subclass writes ---------------------------------------------------------------

    def output_shape(self, in_shape: Shape) -> Shape:
        """The shape of ``forward``'s result for an input of ``in_shape``, by arithmetic alone.

        Raises:
            ShapeError: the layer cannot take such an input.
        """
        return in_shape

    def _forward(self, x: FloatArray) -> FloatArray:
        raise NotImplementedError(f"{type(self).__name__} does not define _forward")

    def _backward(self, dy: FloatArray, need_dx: bool) -> FloatArray | None:
        raise NotImplementedError(f"{type(self).__name__} does not define _backward")

    def args(self) -> dict[str, Any]:
        """The constructor's arguments that make this layer again, weights aside; JSON-able."""
        return {}

    def multiply_adds(self, in_shape: Shape) -> int:
        """Multiplications (each with its addition) of one forward pass over ``in_shape``."""
        return 0

    # --- the doors ----------------------------------------------------------------------------

    def forward(self, x: Tensor | npt.ArrayLike) -> Tensor:
        """Apply the layer.

        What backward needs of x is kept by reference: leave x as it is until then.

        Args:
            x: B×C×H×W. A plain array is taken in the dtype of the weights (NumPy makes float64
                where nobody asked for it); a Tensor has the dtype that it was given.

        Returns:
            A Tensor that belongs to the caller: later passes do not change it.

        Raises:
            ShapeError: x is not 4-D, or its sizes do not fit.
            TypeError: x is a float64 Tensor and the weights are float32.
        """
        self._in_shape = None  # if this pass fails, backward has none to follow
        tensor = x if isinstance(x, Tensor) else self._as_input(x)
        y = self._run(tensor.data)
        self._input = tensor if is_recording() else None
        if (
            not self.makes_new_output
            or (self._foreign and (y is tensor.data or y.base is not None))  # a view, of x say
            or any(value is y for value in self._saved or ())
        ):
            y = y.copy()
        return Tensor._wrap(y)

    __call__ = forward

    def backward(self, dy: Tensor | npt.ArrayLike, *, need_dx: bool = True) -> Tensor | None:
        """Send a gradient back through the last forward pass.

        Adds dL/dθ to the gradient of every parameter θ, and writes dL/dx into ``x.grad`` of the
        Tensor that forward was given.

        Args:
            dy: dL/dy, of the shape of forward's result; converted to its dtype.
            need_dx: False to leave out dL/dx: a training loop has no use for the gradient with
                respect to the pictures, and the first convolution's is a good part of the work.

        Returns:
            dL/dx, of the shape of forward's input, or None without ``need_dx``.

        Raises:
            RuntimeError: there was no forward pass before, or it kept nothing: it ran under
                `no_grad`, or ``_forward`` did not call ``save``.
            ShapeError: dy has another shape than forward's result.
        """
        if not isinstance(dy, Tensor):
            dy = Tensor(dy)
        dx = self._run_back(dy.data, need_dx)
        if not need_dx or dx is None:
            dx = None
        elif not self.makes_new_output or (
            self._foreign and (dx is dy.data or dx.base is not None)
        ):
            dx = dx.copy()
        if self._input is not None:
            self._input.grad = None if dx is None else dx.copy()
        return None if dx is None else Tensor._wrap(dx)

    def _as_input(self, x: npt.ArrayLike) -> Tensor:
        tensor = Tensor(x)
        dtype = self.dtype
        return tensor if dtype is None or dtype == tensor.dtype else tensor.astype(dtype)

    def _run(self, x: FloatArray, **fused: bool) -> FloatArray:
        """Forward on arrays, for containers: check, then compute.

        ``fused`` says what this layer may do along with its neighbours: see `pairs.together`.
        """
        self._saved = self._in_shape = None
        if self.parameter_names:
            x = self._match_dtype(x)
        self._out_shape = self.output_shape(x.shape)
        self._dtype = x.dtype
        y = own.forward(self, x, fused) if self._foreign else self._forward(x, **fused)
        self._in_shape = x.shape
        return y

    def _run_back(self, dy: FloatArray, need_dx: bool = True) -> FloatArray | None:
        """Backward on arrays, for containers: check, then compute."""
        if self._in_shape is None:
            raise RuntimeError(f"{self.label}: backward() needs a forward() before it")
        if self._saved is None:
            raise RuntimeError(own.why_nothing_is_saved(self))
        if dy.shape != self._out_shape:
            raise ShapeError(
                f"{self.label}: dy must have the shape of forward's result, {self._out_shape}, "
                f"got {dy.shape}"
            )
        if dy.dtype is not self._dtype:
            dy = dy.astype(self._dtype, copy=False)
        if self._foreign:
            return own.backward(self, dy, need_dx)
        return self._backward(dy, need_dx)

    def _match_dtype(self, x: FloatArray) -> FloatArray:
        """x in the dtype of the weights: float32 becomes float64 exactly, float64 is refused."""
        for attribute in self.parameter_names:
            parameter = getattr(self, attribute)
            if parameter is not None and parameter.dtype is not x.dtype:
                if parameter.dtype.itemsize < x.dtype.itemsize:
                    raise TypeError(
                        f"{self.label}: x is {x.dtype} but the weights are {parameter.dtype}; pass "
                        f"Tensor(x, dtype='{parameter.dtype}'), or make the net {x.dtype} with "
                        f".astype('{x.dtype}')"
                    )
                return x.astype(parameter.dtype, copy=False)
        return x

    # --- help for subclasses ------------------------------------------------------------------

    def values(self, attribute: str, shape: tuple[int, ...]) -> FloatArray:
        """The array of a parameter or statistic, checked: kernels trust the shapes they get.

        Raises:
            ShapeError: somebody put an array of another shape in its place, or changed a size of
                the layer after it was made.
        """
        value = getattr(self, attribute)
        array: FloatArray = value.data if isinstance(value, Parameter) else value
        if array.shape != shape:
            raise ShapeError(
                f"{self.label}: {attribute} must have shape {shape}, got {array.shape}"
            )
        return array

    def forget(self) -> None:
        """Drop the buffers and what the last forward pass kept; the next pass starts afresh."""
        self.__dict__.update(self._fresh())

    @staticmethod
    def _fresh() -> dict[str, Any]:
        """The attributes that hold buffers and the last pass, as they are before the first."""
        return {
            "_buffers": {},
            "_blocks": Blocks(),
            "_saved": None,
            "_in_shape": None,
            "_input": None,
        }

    def __getstate__(self) -> dict[str, Any]:
        """For copies and pickles: the layer without its buffers and its last pass."""
        return {**self.__dict__, **self._fresh()}

    def buffer(self, key: str, shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """Memory for a result, its values undefined, of just the shape asked for.

        Inside a container it is the layer's own from step to step, under ``key``, grown when a
        bigger batch comes; under `no_grad`, where nobody will come back to it, it is borrowed.
        Otherwise it is new, since the caller is going to have it.
        """
        if _lender.get() is None or not is_recording():
            return self.borrow(shape, dtype)
        current = self._buffers.get(key)
        if current is not None and current.shape == shape and current.dtype == dtype:
            return current
        size = math.prod(shape)
        memory = current if current is None or current.base is None else current.base
        if memory is None or memory.dtype != dtype or memory.size < size:
            memory = np.empty(size, dtype)
        result: npt.NDArray[Any] = memory.reshape(-1)[:size].reshape(shape)
        self._buffers[key] = result
        return result

    def borrow(self, shape: tuple[int, ...], dtype: npt.DTypeLike) -> FloatArray:
        """Memory for what is done with once the next layer has read it: a gradient, dL/dx.

        Inside a container all layers share it, and it returns by itself: see `memory`. Otherwise it
        is new.
        """
        blocks = _lender.get()
        return np.empty(shape, dtype) if blocks is None else blocks.borrow(shape, dtype)

    def save(self, *values: Any) -> None:
        """Keep values for ``_backward``, unless recording is off."""
        self._saved = values if is_recording() else None

    @property
    def saved(self) -> tuple[Any, ...]:
        """What ``save`` kept in the last forward pass."""
        assert self._saved is not None  # _run_back has checked
        return self._saved

    # --- architecture -------------------------------------------------------------------------

    @classmethod
    def config_name(cls) -> str:
        """The name of this class in a saved architecture; with its module if not minicnn's own."""
        return f"{cls.__module__}.{cls.__qualname__}" if cls._foreign else cls.__qualname__

    def config(self) -> dict[str, Any]:
        """The architecture as JSON-able data; `from_config` makes the net again, weights aside."""
        config: dict[str, Any] = {"layer": self.config_name(), **self.args()}
        if self.name is not None:
            config["name"] = self.name
        return config

    @classmethod
    def _from_args(cls: type[Self], args: dict[str, Any]) -> Self:
        return cls(**args)

    def predict(self, x: npt.ArrayLike | Tensor, batch_size: int = 256) -> Tensor:
        """Forward in evaluation mode without recording, batch by batch; the mode is then restored.

        Args:
            x: Pictures: B×C×H×W floats, or 8-bit H×W, N×H×W, N×H×W×C or N×C×H×W with 1, 3 or 4
                channels (then divided by 255).
            batch_size: How many pictures go through at a time.

        Returns:
            The net's output for all of them; of a classifier, the logits B×K×1×1.
        """
        from .using import predict

        return predict(self, x, batch_size)

    def compile(self, input_shape: tuple[int, ...]) -> Plan:
        """The net in evaluation mode as one compiled plan, several times as fast on few pictures.

        Batch normalisation is folded into convolutions, ReLU and pooling are done along with them,
        weights are packed and buffers planned; ``repr`` of the plan shows it. Later changes of the
        net do not reach the plan.

        Args:
            input_shape: (C, H, W) of one picture.

        Returns:
            A `Plan`: ``plan(x)`` is ``predict(x)`` to float32 rounding.

        Raises:
            ShapeError: the net cannot take such pictures. TypeError: the net is float64.
        """
        from .plan import Plan

        return Plan(self, input_shape)

    def summary(self, input_shape: tuple[int, ...]) -> Summary:
        """A table of layers, output shapes, parameters, multiply-adds and memory; print it.

        Args:
            input_shape: (C, H, W), or (B, C, H, W).
        """
        from .summary import summarize

        return summarize(self, input_shape)

    def __repr__(self) -> str:
        args = ", ".join(f"{key}={value!r}" for key, value in self.args().items())
        return f"{type(self).__name__}({args})"


def from_config(config: Mapping[str, Any]) -> Layer:
    """The net that ``config()`` described, with newly drawn weights.

    Only classes that are already imported are made: a file cannot bring code of its own.

    Raises:
        ValueError: the description is malformed or names a class that is not known.
    """
    args = dict(config)
    kind = args.pop("layer", None)
    name = args.pop("name", None)
    if not isinstance(kind, str) or kind not in _LAYERS:
        raise UnknownLayerError(kind, ", ".join(sorted(_LAYERS)))
    try:
        layer = _LAYERS[kind]._from_args(args)
    except TypeError as error:
        raise ValueError(f"the architecture's {kind} has wrong arguments: {error}") from error
    layer.name = name
    return layer
