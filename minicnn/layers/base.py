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
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np
import numpy.typing as npt

from ..errors import ShapeError
from ..tensor import FloatArray, Parameter, Tensor, float_dtype, is_recording

if TYPE_CHECKING:
    from .summary import Summary

Shape = tuple[int, int, int, int]
Self = TypeVar("Self", bound="Layer")

_inside_container: ContextVar[bool] = ContextVar("minicnn_inside_container", default=False)

_LAYERS: dict[str, type[Layer]] = {}


class reusing_buffers:  # noqa: N801 (reads as a statement: with reusing_buffers():)
    """In this block `Layer.buffer` gives memory that the layer keeps and will use again."""

    __slots__ = ("_token",)

    def __enter__(self) -> None:
        self._token = _inside_container.set(True)

    def __exit__(self, *_: object) -> None:
        _inside_container.reset(self._token)


class Layer:
    """The base of all layers; see the module's text for what a subclass writes.

    Attributes:
        name: For messages and for looking a layer up in its container; a container names those that
            have no name ("conv1", "conv2", …).
        training: True after ``train()`` (the start), False after ``eval()``; BatchNorm2D and
            Dropout act on it.
    """

    kind: ClassVar[str] = "layer"
    """What a container calls this kind of layer, before the number."""
    parameter_names: ClassVar[tuple[str, ...]] = ()
    """Attributes that hold a Parameter, or None, in the order of the state dict."""
    state_names: ClassVar[tuple[str, ...]] = ()
    """Attributes that hold arrays which belong to the state but are not learnt by gradient."""
    makes_new_output: ClassVar[bool] = True
    """False where ``_forward`` or ``_backward`` may return its argument, or memory of a child."""
    chains_children: ClassVar[bool] = True
    """Whether each child takes what the child before it made (else all take the layer's input)."""

    def __init__(self) -> None:
        self.name: str | None = None
        self.training = True
        self._buffers: dict[str, npt.NDArray[Any]] = {}
        self._saved: tuple[Any, ...] | None = None
        self._in_shape: tuple[int, ...] | None = None
        self._out_shape: tuple[int, ...] = ()
        self._dtype: np.dtype[Any] | None = None
        self._input: Tensor | None = None

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
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

    def children(self) -> dict[str, Layer]:
        """The layers inside this one, by the key that prefixes their parameters' names."""
        return {}

    # --- the doors ----------------------------------------------------------------------------

    def forward(self, x: Tensor | npt.ArrayLike) -> Tensor:
        """Apply the layer.

        Args:
            x: B×C×H×W, a Tensor or an array-like that makes one.

        Returns:
            A Tensor that belongs to the caller: later passes do not change it.

        Raises:
            ShapeError: x is not 4-D, or its sizes do not fit.
            TypeError: x is float64 and the weights are float32.
        """
        tensor = x if isinstance(x, Tensor) else Tensor(x)
        y = self._run(tensor.data)
        self._input = tensor if is_recording() else None
        return Tensor._wrap(y if self.makes_new_output else y.copy())

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
            RuntimeError: there was no forward pass before, or it ran under `no_grad`.
            ShapeError: dy has another shape than forward's result.
        """
        if not isinstance(dy, Tensor):
            dy = Tensor(dy)
        dx = self._run_back(dy.data, need_dx)
        if not need_dx or dx is None:
            return None
        if not self.makes_new_output:
            dx = dx.copy()
        if self._input is not None:
            self._input.grad = dx
        return Tensor._wrap(dx)

    def _run(self, x: FloatArray) -> FloatArray:
        """Forward on arrays, for containers: check, then compute."""
        x = self._match_dtype(x)
        self._out_shape = self.output_shape(x.shape)
        self._in_shape = x.shape
        self._dtype = x.dtype
        self._saved = None
        return self._forward(x)

    def _run_back(self, dy: FloatArray, need_dx: bool = True) -> FloatArray | None:
        """Backward on arrays, for containers: check, then compute."""
        if self._in_shape is None:
            raise RuntimeError(f"{self.label}: backward() needs a forward() before it")
        if self._saved is None:
            raise RuntimeError(
                f"{self.label}: backward() cannot follow a forward() under no_grad(), "
                f"which keeps nothing for it"
            )
        if dy.shape != self._out_shape:
            raise ShapeError(
                f"{self.label}: dy must have the shape of forward's result, {self._out_shape}, "
                f"got {dy.shape}"
            )
        if dy.dtype != self._dtype:
            dy = dy.astype(self._dtype)
        return self._backward(dy, need_dx)

    def _match_dtype(self, x: FloatArray) -> FloatArray:
        """x in the dtype of the weights: float32 becomes float64 exactly, float64 is refused."""
        for attribute in self.parameter_names:
            parameter = getattr(self, attribute)
            if parameter is not None and parameter.dtype != x.dtype:
                if parameter.dtype.itemsize < x.dtype.itemsize:
                    raise TypeError(
                        f"{self.label}: x is {x.dtype} but the weights are {parameter.dtype}; pass "
                        f"Tensor(x, dtype='{parameter.dtype}'), or make the net {x.dtype} with "
                        f".astype('{x.dtype}')"
                    )
                return x.astype(parameter.dtype)
        return x

    # --- help for subclasses ------------------------------------------------------------------

    @property
    def label(self) -> str:
        """The layer in an error message: its class and, in quotes, its name if it has one."""
        return f"{type(self).__name__} {self.name!r}" if self.name else type(self).__name__

    def buffer(self, key: str, shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """Memory for a result, its values undefined, of just the shape asked for.

        Inside a container it is the layer's own from step to step, under ``key``, grown when a
        bigger batch comes. Otherwise it is new, since the caller is going to have it.
        """
        if not _inside_container.get():
            return np.empty(shape, dtype)
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

    def save(self, *values: Any) -> None:
        """Keep values for ``_backward``, unless recording is off."""
        self._saved = values if is_recording() else None

    @property
    def saved(self) -> tuple[Any, ...]:
        """What ``save`` kept in the last forward pass."""
        assert self._saved is not None  # _run_back has checked
        return self._saved

    # --- parameters and state -----------------------------------------------------------------

    def named_layers(self) -> dict[str, Layer]:
        """This layer under "" and all layers inside it under their paths, depth first."""
        found: dict[str, Layer] = {"": self}
        for key, child in self.children().items():
            for path, layer in child.named_layers().items():
                found[f"{key}.{path}" if path else key] = layer
        return found

    def _named(self, attributes: str) -> Iterator[tuple[str, Layer, str]]:
        """(full name, layer, attribute) for all that ``attributes`` lists and that is not None."""
        for path, layer in self.named_layers().items():
            for attribute in getattr(layer, attributes):
                if getattr(layer, attribute) is not None:
                    yield f"{path}.{attribute}" if path else attribute, layer, attribute

    def named_parameters(self) -> dict[str, Parameter]:
        """All parameters by name, such as "0.weight": PyTorch's names and order."""
        return {name: getattr(layer, key) for name, layer, key in self._named("parameter_names")}

    def parameters(self) -> list[Parameter]:
        """All parameters, in the order of `named_parameters`."""
        return list(self.named_parameters().values())

    @property
    def dtype(self) -> np.dtype[Any] | None:
        """The dtype of the weights; None without any."""
        return next((parameter.dtype for parameter in self.parameters()), None)

    def astype(self: Self, dtype: npt.DTypeLike) -> Self:
        """Change all parameters and statistics to float32 or float64, in place; returns self."""
        target = float_dtype(dtype)
        for parameter in self.parameters():
            parameter.convert(target)
        for _, layer, key in self._named("state_names"):
            if getattr(layer, key).dtype.kind == "f":
                setattr(layer, key, getattr(layer, key).astype(target))
        for layer in self.named_layers().values():
            layer._buffers.clear()
            layer._saved = layer._in_shape = None
        return self

    def state_dict(self) -> dict[str, npt.NDArray[Any]]:
        """Copies of all parameters and running statistics, by PyTorch's names."""
        state: dict[str, npt.NDArray[Any]] = {}
        for path, layer in self.named_layers().items():
            for attribute in (*layer.parameter_names, *layer.state_names):
                value = getattr(layer, attribute)
                if value is not None:
                    state[f"{path}.{attribute}" if path else attribute] = np.array(value)
        return state

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> None:
        """Copy a state dict's arrays into this net; either all of them or, on error, none.

        Args:
            state: Arrays (or PyTorch tensors in main memory) by name.
            strict: Whether every name of the net must be there and no other.

        Raises:
            KeyError: with ``strict``, names are missing or too many.
            ShapeError: an array has another shape than its place in the net.
        """
        own = self.state_dict()
        missing = [name for name in own if name not in state]
        unexpected = [name for name in state if name not in own]
        if strict and (missing or unexpected):
            raise KeyError(
                f"{self.label}: the state dict does not fit this net; "
                f"missing: {', '.join(missing) or 'none'}; "
                f"unexpected: {', '.join(unexpected) or 'none'}"
            )
        arrays = {name: np.asarray(state[name]) for name in own if name in state}
        for name, array in arrays.items():
            if array.shape != own[name].shape:
                raise ShapeError(
                    f"{self.label}: {name} must have shape {own[name].shape}, got {array.shape}"
                )
            if not np.can_cast(array.dtype, own[name].dtype, casting="same_kind"):
                raise TypeError(
                    f"{self.label}: {name} must be {own[name].dtype}, got dtype {array.dtype}"
                )
        for attributes in ("parameter_names", "state_names"):
            for name, layer, key in self._named(attributes):
                if name in arrays:
                    value = getattr(layer, key)
                    target = value.data if isinstance(value, Parameter) else value
                    target[...] = arrays[name]

    def zero_grad(self) -> None:
        """Void the gradients of all parameters."""
        for parameter in self.parameters():
            parameter.zero_grad()

    def train(self: Self, mode: bool = True) -> Self:
        """Training mode (or, with False, evaluation mode) for this layer and all inside it."""
        for layer in self.named_layers().values():
            layer.training = mode
        return self

    def eval(self: Self) -> Self:
        """Evaluation mode: BatchNorm2D uses its running statistics, Dropout does nothing."""
        return self.train(False)

    def rng_state(self) -> dict[str, Any]:
        """The states of all generators inside (Dropout has one), by path; JSON-able."""
        layers = self.named_layers().items()
        return {
            path: layer.rng.bit_generator.state for path, layer in layers if hasattr(layer, "rng")
        }

    def set_rng_state(self, state: Mapping[str, Any]) -> None:
        """Put back what `rng_state` gave.

        Raises:
            KeyError: the net has a generator that ``state`` lacks, or the other way round.
        """
        layers = {
            path: layer for path, layer in self.named_layers().items() if hasattr(layer, "rng")
        }
        if layers.keys() != state.keys():
            raise KeyError(
                f"{self.label}: generators at {sorted(layers)}, states for {sorted(state)}"
            )
        for path, layer in layers.items():
            layer.rng.bit_generator.state = state[path]

    # --- architecture -------------------------------------------------------------------------

    @classmethod
    def config_name(cls) -> str:
        """The name of this class in a saved architecture; with its module if not minicnn's own."""
        own = cls.__module__.startswith(__name__.partition(".")[0] + ".")
        return cls.__qualname__ if own else f"{cls.__module__}.{cls.__qualname__}"

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
            x: Pictures: B×C×H×W floats, or 8-bit H×W, N×H×W or N×H×W×C (then divided by 255).
            batch_size: How many pictures go through at a time.

        Returns:
            The net's output for all of them; of a classifier, the logits B×K×1×1.
        """
        from .using import predict

        return predict(self, x, batch_size)

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
        raise ValueError(
            f"the architecture has a layer {kind!r} that is not known here; define or import its "
            f"class first (known: {', '.join(sorted(_LAYERS))})"
        )
    try:
        layer = _LAYERS[kind]._from_args(args)
    except TypeError as error:
        raise ValueError(f"the architecture's {kind} has wrong arguments: {error}") from error
    layer.name = name
    return layer
