"""Module: a tree of layers with its parameters, running statistics, modes and generators.

All that a net *has*, as opposed to what it does: names and order are PyTorch's, so that a state
dict fits the same ``torch.nn.Sequential``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

import numpy as np
import numpy.typing as npt

from ..errors import ShapeError, describe
from ..tensor import Parameter, float_dtype

if TYPE_CHECKING:
    from .base import Layer

Self = TypeVar("Self", bound="Module")


class Unset:
    """In the class, in place of what ``__init__`` sets: the error says that it was not called."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, module: object, owner: type) -> Unset:
        if module is None:
            return self
        raise AttributeError(
            f"{type(module).__name__} has no {self.name!r} yet: its __init__ must call "
            f"super().__init__() first"
        )

    @classmethod
    def attribute(cls) -> Any:
        """One, of whatever type the attribute has."""
        return cls()


class Module:
    """A node of the tree: it may have parameters, state and children.

    Attributes:
        name: For messages and for looking a layer up in its container; a container names those that
            have no name ("conv1", "conv2", …).
        training: True after ``train()`` (the start), False after ``eval()``; BatchNorm2D and
            Dropout act on it.
    """

    parameter_names: ClassVar[tuple[str, ...]] = ()
    """Attributes that hold a Parameter, or None, in the order of the state dict."""
    state_names: ClassVar[tuple[str, ...]] = ()
    """Attributes that hold arrays which belong to the state but are not learnt by gradient."""
    name: str | None = Unset.attribute()
    training: bool = Unset.attribute()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for attribute in ("parameter_names", "state_names"):
            names = getattr(cls, attribute)
            if isinstance(names, str):
                raise TypeError(
                    f"{cls.__name__}: {attribute} must be a tuple of names, got the text "
                    f"{names!r}; a comma makes it one: ({names!r},)"
                )

    def __init__(self) -> None:
        self.name = None
        self.training = True

    def children(self) -> dict[str, Layer]:
        """The layers inside this one, by the key that prefixes their parameters' names."""
        return {}

    def forget(self) -> None:
        """Drop buffers and what the last forward pass kept."""

    @property
    def label(self) -> str:
        """The layer in an error message: its class and, in quotes, its name if it has one."""
        return f"{type(self).__name__} {self.name!r}" if self.name else type(self).__name__

    def named_layers(self) -> dict[str, Layer]:
        """This layer under "" and all layers inside it under their paths, depth first.

        Raises:
            ValueError: the same layer stands in it twice: put in by way of an inner container.
        """
        found: dict[str, Layer] = {"": cast("Layer", self)}
        for key, child in self.children().items():
            for path, layer in child.named_layers().items():
                found[f"{key}.{path}" if path else key] = layer
        if len({id(layer) for layer in found.values()}) < len(found):
            raise ValueError(
                f"{self.label}: one layer stands in it twice; a layer remembers one forward pass, "
                f"so make a second one"
            )
        return found

    def _named(self, attributes: str) -> Iterator[tuple[str, Layer, str]]:
        """(full name, layer, attribute) for all that ``attributes`` lists and that is not None."""
        for path, layer in self.named_layers().items():
            for attribute in getattr(layer, attributes):
                if getattr(layer, attribute) is not None:
                    yield f"{path}.{attribute}" if path else attribute, layer, attribute

    def named_parameters(self) -> dict[str, Parameter]:
        """All parameters by name, such as "0.weight": PyTorch's names and order.

        Raises:
            TypeError: one of ``parameter_names`` is something else than a Parameter.
        """
        found: dict[str, Parameter] = {}
        for name, layer, key in self._named("parameter_names"):
            found[name] = getattr(layer, key)
            if not isinstance(found[name], Parameter):
                layer.check_parameters()
        return found

    def check_parameters(self) -> None:
        """Refuse what is listed in ``parameter_names`` and is no Parameter.

        Raises:
            TypeError: it names layer and attribute.
        """
        for attribute in self.parameter_names:
            value = getattr(self, attribute)
            if not isinstance(value, (Parameter, type(None))):
                what = "a plain array" if isinstance(value, np.ndarray) else describe(value)
                raise TypeError(
                    f"{self.label}: {attribute} is in parameter_names, so it must be a Parameter "
                    f"(or None), got {what}; make it with Parameter(...)"
                )

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
            layer.forget()
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
            TypeError: ``state`` is no mapping, or an array of another kind of numbers.
            KeyError: with ``strict``, names are missing or too many.
            ShapeError: an array has another shape than its place in the net.
        """
        if not isinstance(state, Mapping):
            raise TypeError(f"state must be a dict of arrays by name, got {describe(state)}")
        own = self.state_dict()
        missing = [name for name in own if name not in state]
        unexpected = [name for name in state if name not in own]
        if strict and (missing or unexpected):
            raise KeyError(
                f"{self.label}: the state dict does not fit this net; "
                f"missing: {', '.join(missing) or 'none'}; "
                f"unexpected: {', '.join(unexpected) or 'none'}"
            )
        arrays = {name: _as_array(state[name]) for name in own if name in state}
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


def _as_array(value: Any) -> npt.NDArray[Any]:
    """An entry of a state dict as an array; PyTorch's parameters must be detached to become one."""
    return np.asarray(value.detach() if hasattr(value, "detach") else value)
