"""Checkpoints: a net, or a whole training, in one self-describing file without pickle.

`save` and `load` keep a net: its architecture, weights and running statistics. `save_training` and
`load_training` keep with it all that a training needs to go on, bit for bit as if it had never been
stopped: the optimizer's state, the generators of the net, where the data loader stands, the sums of
the epoch under way. Both kinds are one format (`minicnn.archive` describes the file), and `load`
reads the net out of either.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeGuard

import numpy as np
import numpy.typing as npt

from . import archive
from .errors import CheckpointError
from .layers.base import Layer, from_config

Path = str | os.PathLike[str]
Arrays = dict[str, npt.NDArray[Any]]
Json = dict[str, Any]


@dataclass
class Training:
    """What a training checkpoint holds beside the file's own description.

    Attributes:
        architecture: ``net.config()``.
        weights: ``net.state_dict()``: weights and running statistics.
        rng: ``net.rng_state()``: the states of Dropout's generators.
        optimizer: ``optimizer.config()``.
        optimizer_state: ``optimizer.state_dict()``.
        loss, schedule: Their ``config()``; None without.
        settings: The trainer's own, to compare with at a resume; JSON-able.
        loaders: ``state_dict()`` of the data loaders, by what they serve ("train", "valid").
        position: Where training stands; JSON-able, the trainer's own.
        rows: What the history holds, clock readings aside; JSON-able.
        best: The best state dict so far; None without.
        timing: The clock readings; JSON-able. They are kept in an entry of their own, so that all
            others are equal between equal runs.
    """

    architecture: Json
    weights: Arrays
    rng: Json
    optimizer: Json
    optimizer_state: dict[str, Any]
    loss: Json | None = None
    schedule: Json | None = None
    settings: Json = field(default_factory=dict)
    loaders: Json = field(default_factory=dict)
    position: Json = field(default_factory=dict)
    rows: list[Json] = field(default_factory=list)
    best: Arrays | None = None
    timing: Any = None


_JSON_FIELDS = ("rng", "optimizer", "loss", "schedule", "settings", "loaders", "position", "rows")
_OPTIONAL = ("loss", "schedule")

_WEIGHTS = {
    "Linear": ("in_features", "out_features"),
    "Conv2D": ("in_channels", "out_channels", "kernel_size"),
    "BatchNorm2D": ("num_features",),
}
"""The layers that have weights, and the arguments whose product is their number."""
_FEW = 1 << 20
"""So many weights more than the file holds take no harm: a later check says it better."""


def save(path: Path, net: Layer, *, meta: Mapping[str, Any] | None = None) -> None:
    """Save a net: its architecture, weights and running statistics.

    The same net gives the same bytes, and a kill at any moment leaves the old file or the new one.

    Args:
        path: Where to; an older file there is replaced.
        net: The net.
        meta: What belongs to it, such as class names, input shape and preprocessing; JSON-able.
            `load_meta` gives it back.

    Raises:
        TypeError, ValueError: the meta data, or the net's configuration, are not JSON-able; or
            `load` could not make a layer again, whose ``args()`` lacks something.
        OSError: the file cannot be written.
    """
    _check_layers(net)
    arrays = {f"net/{name}": array for name, array in net.state_dict().items()}
    archive.write(path, _header("net", net.config(), arrays, meta), arrays)


def load(path: Path) -> Layer:
    """The net that `save` or `save_training` saved, in training mode as a new net is.

    Raises:
        CheckpointError: the file is damaged, foreign or of a newer version, or its net has a layer
            whose class is not known (import the class first).
        OSError: it cannot be opened.
    """
    return load_with_meta(path)[0]


def load_with_meta(path: Path) -> tuple[Layer, Json]:
    """What `load` and `load_meta` give, from one reading of the file.

    Raises:
        CheckpointError, OSError: as `load`.
    """
    header, arrays, _ = archive.read(path, _of("net/"))
    architecture = _entry(path, header, "architecture")
    try:
        _check_size(path, architecture, arrays)
        net = from_config(architecture)
        net.astype(header["dtype"])
    except CheckpointError:
        raise
    except MemoryError as error:
        raise CheckpointError(f"{path}: there is no memory for its net: {error}") from error
    except Exception as error:  # a layer that is given nonsense may raise anything
        raise CheckpointError(f"{path}: {str(error) or repr(error)}") from error
    _load_weights(path, net, _under(arrays, "net/"))
    return net, _entry(path, header, "meta")


def load_weights(path: Path, net: Layer) -> None:
    """Load the weights and statistics of a saved net into ``net``, which must be of its kind.

    Raises:
        CheckpointError: the file is damaged, foreign or newer, or ``net`` has another architecture
            or dtype; the message says where they differ. The net is then left as it was.
        OSError: the file cannot be opened.
    """
    header, arrays, _ = archive.read(path, _of("net/"))
    check_architecture(path, _entry(path, header, "architecture"), net)
    _load_weights(path, net, _under(arrays, "net/"))


def read_header(path: Path) -> Json:
    """What the file says of itself: format, version, kind, architecture, arrays, meta …

    Raises:
        CheckpointError, OSError: as `load`.
    """
    return archive.read(path, _of(()))[0]


def load_meta(path: Path) -> Json:
    """The ``meta`` that was given to `save`; empty if there was none.

    Raises:
        CheckpointError, OSError: as `load`.
    """
    return _entry(path, read_header(path), "meta")


def save_training(path: Path, training: Training, *, meta: Mapping[str, Any] | None = None) -> None:
    """Save a whole training; see `Training` for what that is, and `save` for the file.

    Raises:
        TypeError, ValueError, OSError: as `save`.
    """
    arrays = {f"net/{name}": array for name, array in training.weights.items()}
    arrays.update({f"best/{name}": array for name, array in (training.best or {}).items()})
    numbers = {}
    for name, value in training.optimizer_state.items():
        if isinstance(value, np.ndarray):
            arrays[f"optimizer/{name}"] = value
        else:
            numbers[name] = value
    header = _header("training", training.architecture, arrays, meta)
    header["optimizer_numbers"] = numbers
    header.update({name: getattr(training, name) for name in _JSON_FIELDS})
    archive.write(path, header, arrays, training.timing)


def load_training(path: Path) -> Training:
    """What `save_training` saved. Nothing is changed by it: the trainer puts the parts in place.

    Raises:
        CheckpointError: the file is damaged, foreign or newer, or holds a net and no training.
        OSError: it cannot be opened.
    """
    header, arrays, timing = archive.read(path)
    if header.get("kind") != "training":
        raise CheckpointError(
            f"{path} holds a net without the state of its training: it can be loaded, but not "
            f"resumed"
        )
    missing = [name for name in (*_JSON_FIELDS, "optimizer_numbers") if name not in header]
    if missing:
        raise CheckpointError(f"{path} is corrupt: its header lacks {', '.join(missing)}")
    for name in _JSON_FIELDS:
        if name == "rows":
            good = isinstance(header[name], list) and all(isinstance(r, dict) for r in header[name])
        else:
            good = isinstance(header[name], dict) or (name in _OPTIONAL and header[name] is None)
        if not good:
            raise CheckpointError(f"{path} is corrupt: its {name} is {_short(header[name])}")
    return Training(
        architecture=_entry(path, header, "architecture"),
        weights=_under(arrays, "net/"),
        best=_under(arrays, "best/") or None,
        optimizer_state={
            **_entry(path, header, "optimizer_numbers"),
            **_under(arrays, "optimizer/"),
        },
        timing=timing,
        **{name: header[name] for name in _JSON_FIELDS},
    )


def check_architecture(path: Path, saved: Mapping[str, Any], net: Layer) -> None:
    """Refuse a net of another architecture than the saved one; the layers' names do not count.

    Raises:
        CheckpointError: it names the layers that differ, and how.
    """
    own = json.loads(archive.to_json(net.config()))
    if not _is_layer(saved):
        raise CheckpointError(f"{path} is corrupt: its architecture names no layer")
    found = list(_differences(dict(saved), own, ""))
    if found:
        more = f"; and {len(found) - 3} more" if len(found) > 3 else ""
        raise CheckpointError(
            f"{path} holds another architecture than this net: {'; '.join(found[:3])}{more}"
        )


def check_state(path: Path, state: Mapping[str, npt.NDArray[Any]], net: Layer) -> None:
    """Refuse a state dict that does not fit ``net``: in names, shapes or dtypes.

    Raises:
        CheckpointError: it names the first entry that does not fit.
    """
    own = net.state_dict()
    if state.keys() != own.keys():
        odd = ", ".join(sorted(state.keys() ^ own.keys())[:4])
        raise CheckpointError(f"{path}: only one of checkpoint and net has these entries: {odd}")
    for name, mine in own.items():
        array = state[name]
        if (array.shape, array.dtype) != (mine.shape, mine.dtype):
            raise CheckpointError(
                f"{path}: {name} is {array.dtype} of shape {array.shape} in the checkpoint and "
                f"{mine.dtype} of shape {mine.shape} in this net"
            )


def check_savable(net: Layer, meta: Mapping[str, Any] | None = None) -> None:
    """Raise what `save` would raise if ``net`` or ``meta`` could not be described in the file.

    Raises:
        TypeError, ValueError: they cannot.
    """
    archive.to_json(_header("net", net.config(), {}, meta))
    _check_layers(net)


def _check_layers(net: Layer) -> None:
    """Refuse a layer of one's own that its description in the file would not make again."""
    for layer in reversed(net.named_layers().values()):  # what is inside first: it is to blame
        if layer._foreign:
            config = json.loads(archive.to_json(layer.config()))
            try:
                lost = _lost(layer, from_config(config), config)
            except Exception as error:  # what a constructor is not meant to get may raise anything
                raise ValueError(
                    f"{layer.label} could be saved but not loaded: {str(error) or repr(error)}; "
                    f"its args() must return the constructor's arguments, got {layer.args()}"
                ) from error
            if lost is not None:
                raise ValueError(
                    f"{layer.label} would be loaded with {lost}={getattr(layer, lost)!r} forgotten:"
                    f" its args() must return the constructor's arguments, got {layer.args()}"
                )


def _lost(layer: Layer, again: Layer, config: Json) -> str | None:
    """An argument of the constructor that is not in the file and came out otherwise; or None."""
    from inspect import signature

    plain = (bool, int, float, str, tuple, type(None))
    for name in signature(type(layer)).parameters:
        if name not in config and name not in ("name", "training"):
            value = vars(layer).get(name)
            if isinstance(value, plain) and value != vars(again).get(name, value):
                return name
    return None


def _check_size(path: Path, architecture: Json, arrays: Arrays) -> None:
    """Refuse a net that is far larger than its weights in the file, before it takes memory."""
    needed, held = _least_weights(architecture), sum(array.size for array in arrays.values())
    if needed > held + _FEW:
        raise CheckpointError(
            f"{path} is corrupt: its architecture takes {needed:,} weights, and it holds {held:,}"
        )


def _least_weights(config: Any) -> int:
    """How many weights there are in minicnn's own layers of an architecture, biases aside."""
    if isinstance(config, list):
        return sum(map(_least_weights, config))
    if not isinstance(config, dict):
        return 0
    own, keys = 0, _WEIGHTS.get(str(config.get("layer")))
    if keys:
        sizes: list[Any] = [config.get(key) for key in keys]
        if isinstance(sizes[-1], int) and keys[-1] == "kernel_size":
            sizes.append(sizes[-1])  # a square
        flat = [n for size in sizes for n in (size if isinstance(size, list) else [size])]
        groups = config.get("groups", 1)
        if all(isinstance(n, int) and n > 0 for n in (*flat, groups)):  # else it is refused anyway
            own = math.prod(flat) // groups
    return own + sum(map(_least_weights, config.values()))


def _load_weights(path: Path, net: Layer, state: Arrays) -> None:
    check_state(path, state, net)
    net.load_state_dict(state)


def _header(kind: str, architecture: Json, arrays: Arrays, meta: Mapping[str, Any] | None) -> Json:
    dtypes = [array.dtype for name, array in arrays.items() if name.startswith("net/")]
    dtype = next((dtype.name for dtype in dtypes if dtype.kind == "f"), "float32")
    header = {"kind": kind, "architecture": architecture, "dtype": dtype}
    return {**header, "meta": {} if meta is None else dict(meta)}


def _entry(path: Path, header: Json, name: str) -> Json:
    """An entry of the header that must be a JSON object; ``meta`` may be missing."""
    value = header.get(name, {} if name == "meta" else None)
    if not isinstance(value, dict):
        raise CheckpointError(f"{path} is corrupt: its {name} is {value!r:.60}, not an object")
    return value


def _of(prefix: str | tuple[str, ...]) -> Any:
    return lambda name: name.startswith(prefix)


def _under(arrays: Arrays, prefix: str) -> Arrays:
    return {name[len(prefix) :]: a for name, a in arrays.items() if name.startswith(prefix)}


def _differences(saved: Json, own: Json, path: str) -> Iterator[str]:
    """Each difference between two layers' configurations, in words."""
    if saved["layer"] != own["layer"]:
        where = f"layer {path}" if path else "it"
        yield f"{where} is {saved['layer']} in the checkpoint and {own['layer']} here"
        return
    where = f"layer {path} ({own['layer']})" if path else own["layer"]
    for key in sorted((saved.keys() | own.keys()) - {"layer", "name"}):
        theirs, mine = saved.get(key), own.get(key)
        if _is_layer(theirs) and _is_layer(mine):
            yield from _differences(theirs, mine, _join(path, key))
        elif _are_layers(theirs) and _are_layers(mine):
            if len(theirs) != len(mine):
                yield f"{where} has {len(theirs)} layers in the checkpoint and {len(mine)} here"
            for index, (one, other) in enumerate(zip(theirs, mine, strict=False)):
                yield from _differences(one, other, _join(path, str(index)))
        elif theirs != mine:
            yield f"{where} has {key}={_short(theirs)} in the checkpoint and {_short(mine)} here"


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _is_layer(value: Any) -> TypeGuard[Json]:
    return isinstance(value, dict) and "layer" in value


def _are_layers(value: Any) -> TypeGuard[list[Json]]:
    return isinstance(value, list) and all(_is_layer(entry) for entry in value)


def _short(value: Any) -> str:
    return str(value["layer"]) if _is_layer(value) else f"{value!r:.60}"
