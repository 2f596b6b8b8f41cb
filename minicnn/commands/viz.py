"""``minicnn viz``: pictures of a trained net, as PNG, SVG or PDF files."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from .. import explain, models, plots
from ..data.base import Dataset
from ..errors import UsageError
from ..layers import Conv2D, Layer, MaxPool2D
from ..losses import softmax
from ..metrics import confusion_matrix
from ..tensor import FloatArray
from . import runs
from .sources import canonical
from .train import scores_of
from .use import check_fit, default_picture, evaluation_data, input_shape, load_picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Drawn = tuple["Axes", list[str]]
"""What was drawn, and what the default name of its file says beside what it is."""

SHOWN = 9  # pixels a side, of a plane that is too large for numbers
LARGEST = 12  # pixels a side, of a window that is shown in numbers

DATA = ("data", "root", "download", "part")
PICTURE = ("image", "test", *DATA)
APPLIES: dict[str, tuple[str, ...]] = {
    "filters": ("layer", "channel"),
    "features": ("layer", *PICTURE),
    "routing": ("layer", "channel", "target", *PICTURE),
    "gradcam": ("layer", "target", "method", *PICTURE),
    "confusion": DATA,
    "mistakes": DATA,
    "arch": (),
}
"""What is drawn, and what may be said about it."""

WORDS = {"image": "IMAGE", "target": "--class"}
"""How the command line calls things, where not by their own name."""


@dataclass
class Subject:
    """A net and what it is shown with.

    Attributes:
        args: The command line.
        net: The net, in evaluation mode.
        meta: What was kept with it.
    """

    args: argparse.Namespace
    net: Layer
    meta: dict[str, Any]

    @cached_property
    def data(self) -> Dataset:
        """The test pictures."""
        data = evaluation_data(self.args, self.meta)
        check_fit(self.net, self.meta, data)
        return data

    @cached_property
    def picture(self) -> FloatArray:
        """1×C×H×W: the file that was named, or a test picture."""
        if self.args.image is not None:
            return load_picture(self.args.run, self.meta, self.args.image)[np.newaxis]
        number = self.args.test or 0
        if number >= len(self.data):
            raise UsageError(f"--test must be below {len(self.data)}, got {number}")
        x, _ = self.data.batch(np.array([number]))
        return np.asarray(x)

    @property
    def pictured(self) -> list[str]:
        """The picture, in words for the name of a file."""
        if self.args.image is not None:
            return [Path(self.args.image).stem]
        return [*self._other_data, f"{self.args.part or 'test'}{self.args.test or 0}"]

    @property
    def measured(self) -> list[str]:
        """The data, in words for the name of a file; none for the run's own test pictures."""
        part = self.args.part or "test"
        return self._other_data if part == "test" else [*self._other_data, part]

    @property
    def _other_data(self) -> list[str]:
        return [] if self.args.data is None else [Path(canonical(self.args.data)).name]

    @cached_property
    def classes(self) -> list[str]:
        """The names of the classes."""
        count = self.net.output_shape(self.picture.shape)[1]
        return list(self.meta.get("classes") or map(str, range(count)))

    @cached_property
    def target(self) -> int:
        """The class that is asked about: --class, or what the net says."""
        name = self.args.target
        if name is None:
            return int(np.asarray(self.net.predict(self.picture))[0].argmax())
        if name not in self.classes:
            raise UsageError(f"--class must be one of {', '.join(self.classes)}, got {name!r}")
        return self.classes.index(name)

    def layer(
        self, what: str, suits: Callable[[Layer], str] | Mapping[str, str]
    ) -> tuple[str, Any]:
        """The layer that --layer names, or the first that suits, with its full name.

        Args:
            what: What is looked for, such as "Conv2D".
            suits: Why a layer does not suit, "" where it does: of the layer, or by its full name.
        """
        names = explain.layer_names(self.net)
        faults = suits if isinstance(suits, Mapping) else {n: suits(k) for n, k in names.items()}
        found = [name for name in names if not faults.get(name, "unseen")]
        wanted = self.args.layer
        if wanted is None:
            if not found:
                raise ValueError(f"the net has no {what}")
            return found[0], names[found[0]]
        by_path = self.net.named_layers().get(wanted)
        for name, layer in names.items():
            if wanted == name or layer is by_path:
                if name in found:
                    return name, layer
                self._refuse(what, found, f"{name} {faults.get(name, f'is a {kind_of(layer)}')}")
        self._refuse(what, found, f"got {wanted!r}")

    def _refuse(self, what: str, found: list[str], why: str) -> NoReturn:
        if not found:
            raise UsageError(f"--layer: the net has no {what}; {why}")
        raise UsageError(f"--layer must be a {what}: {', '.join(found)}; {why}")


def run(args: argparse.Namespace) -> int:
    """Draw, write, and say where."""
    check_options(args)
    if args.what == "arch" and args.run in models.MODELS:
        ax = plots.architecture(models.build(args.run, rng=0), default_picture(args.run))
        return write(ax, args, Path(), [args.run, "arch"])
    net, meta = runs.load_net(args.run)
    ax, parts = DRAW[args.what](Subject(args, net, meta))
    path = Path(args.run)
    if path.is_dir():
        return write(ax, args, path, [args.what, *parts])
    own = [] if path.name == runs.BEST else [path.stem]
    return write(ax, args, path.parent, [*own, args.what, *parts])


def check_options(args: argparse.Namespace) -> None:
    """Refuse what says nothing about the picture that is asked for.

    Raises:
        UsageError: something was said that would be passed over.
    """
    for name in dict.fromkeys(name for names in APPLIES.values() for name in names):
        if getattr(args, name) is None or getattr(args, name) is False:
            continue
        word = WORDS.get(name, f"--{name}")
        if name not in APPLIES[args.what]:
            kinds = [kind for kind, names in APPLIES.items() if name in names]
            *most, last = kinds
            many = f"{', '.join(most)} and {last}" if most else last
            raise UsageError(f"{word} is for {many}, not for {args.what}")
        if args.image is not None and name in ("test", *DATA):
            raise UsageError(f"{word} is for a test picture; here IMAGE is {args.image}")
    if args.method not in (None, "gradcam") and args.layer is not None:
        raise UsageError(f"--layer is for --method gradcam, not for {args.method}")


def write(ax: Axes, args: argparse.Namespace, folder: Path, parts: list[str]) -> int:
    """Write the picture, by default under a name that says what it shows; print the name."""
    words = [re.sub(r"[^\w.-]+", "_", part)[:60] for part in parts]
    path = folder / f"{'-'.join(words)}.png" if args.out is None else Path(args.out)
    plots.save_figure(ax, path)
    print(path)
    return 0


def retitle(ax: Axes, title: str) -> None:
    """Another title, as large as those of `plots`."""
    ax.set_title(title, fontsize=10 if len(title) < 50 else 8, loc="left")


def filters(subject: Subject) -> Drawn:
    """The weights of a convolution."""
    name, layer = subject.layer("Conv2D", only(Conv2D))
    channel, count = subject.args.channel, layer.weight.shape[1]
    if channel is not None:
        inputs = "input channel" if layer.groups == 1 else "input channel for each filter"
        check_channel(channel, name, count, inputs)
    ax = plots.filters(layer, channel=channel)
    title = " ".join(ax.get_title(loc="left").split()).removeprefix(layer.label)
    retitle(ax, f"{name}{title}")
    return ax, [name] if channel is None else [name, f"channel{channel}"]


def check_channel(channel: int, layer: str, count: int, what: str = "channel") -> None:
    """Refuse a channel that a layer has not.

    Raises:
        UsageError: it has not.
    """
    if channel >= count:
        many = what if count == 1 else what.replace("channel", "channels")
        raise UsageError(
            f"--channel must be below {count}: {layer} has {count} {many}; got {channel}"
        )


def only(kind: type[Layer]) -> Callable[[Layer], str]:
    """What says of a layer why it does not suit, where only one kind does."""
    return lambda layer: "" if isinstance(layer, kind) else f"is a {kind_of(layer)}"


def kind_of(layer: Layer) -> str:
    """The name of a layer's class."""
    return type(layer).__name__


def flat(maps: Mapping[str, FloatArray]) -> dict[str, str]:
    """By the name of each layer, why what it makes is no map; "" where it is one."""
    return {
        name: "" if y.shape[2] * y.shape[3] > 1 else "makes a single place, which is no map"
        for name, y in maps.items()
    }


def features(subject: Subject) -> Drawn:
    """What a layer makes of a picture."""
    maps = explain.activations(subject.net, subject.picture)
    name, _ = subject.layer("layer that makes a map", flat(maps))
    C, H, W = maps[name].shape[1:]
    title = f"{name}: {C} maps of {H}×{W}, each on its own scale"
    return plots.feature_maps(maps[name], title=title), [name, *subject.pictured]


def routing(subject: Subject) -> Drawn:
    """Max pooling's numbers: who won, and which gradient of the class's score it was paid."""
    subject.layer("MaxPool2D", only(MaxPool2D))  # before any picture is looked for
    flows = explain.flow(subject.net, subject.picture, subject.target)
    layers = explain.layer_names(subject.net)
    faults = {name: unreadable(layers[name], flow.x) for name, flow in flows.items()}
    name, pool = subject.layer(f"MaxPool2D with windows of at most {LARGEST}×{LARGEST}", faults)
    flow, channel = flows[name], subject.args.channel
    part_in_score = np.abs(flow.y[0] * flow.dy[0])
    if channel is None:
        channel = int(part_in_score.sum(axis=(1, 2)).argmax())
    check_channel(channel, name, flow.x.shape[1])
    x, dy = flow.x[0, channel], flow.dy[0, channel]
    part = _strongest(x.shape, part_in_score[channel], pool)
    target = subject.classes[subject.target]
    title = f"{name}, channel {channel}: gradient of the score of {target}"
    ax = plots.pooling_routing(x, pool, dy, part=part, title=title)
    return ax, [name, f"channel{channel}", target, *subject.pictured]


def unreadable(layer: Layer, x: FloatArray) -> str:
    """Why a layer's routing cannot be read as numbers; "" if it can."""
    if not isinstance(layer, MaxPool2D):
        return f"is a {kind_of(layer)}"
    reach = [
        min((k - 1) * d + 1, side)
        for k, d, side in zip(layer.kernel_size, layer.dilation, x.shape[2:], strict=True)
    ]
    if max(reach) <= LARGEST:
        return ""
    return f"has windows of {reach[0]}×{reach[1]} pixels, too many to read"


def _strongest(
    pixels: tuple[int, ...], weights: FloatArray, pool: MaxPool2D
) -> tuple[slice, slice] | None:
    """The windows about the one of most weight, as many as have room; None: all have."""
    if max(pixels) <= SHOWN:
        return None
    peak = np.unravel_index(weights.argmax(), weights.shape)
    cuts = []
    for at, n, k, s, d in zip(
        peak, weights.shape, pool.kernel_size, pool.stride, pool.dilation, strict=True
    ):
        count = min(n, max(1, (SHOWN - d * (k - 1) - 1) // s + 1))
        begin = min(max(int(at) - count // 2, 0), n - count)
        cuts.append(slice(begin, begin + count))
    return cuts[0], cuts[1]


def gradcam(subject: Subject) -> Drawn:
    """A heat map of what speaks for a class."""
    args, net, x = subject.args, subject.net, subject.picture
    method, options = args.method or "gradcam", {}
    if args.layer is not None:
        maps = explain.activations(net, x)
        options["layer"] = subject.layer("layer that makes a map", flat(maps))[0]
    explained = getattr(explain, method)(net, x, subject.target, **options)
    p = softmax(np.asarray(net.predict(x)))[0, subject.target]
    where = f" at {explained.layer}" if explained.layer else ""
    target = subject.classes[subject.target]
    title = f"{target} ({100 * p:.0f} %): {method}{where}"
    ax = plots.heat_map(x[0], explained.heat[0], title=title)
    return ax, [explained.layer or method, target, *subject.pictured]


def confusion(subject: Subject) -> Drawn:
    """What is taken for what, on the test pictures."""
    scores, labels = scores_of(subject.net, subject.data)
    names = list(subject.data.classes)
    ax = plots.confusion_matrix(confusion_matrix(scores, labels, len(names)), names)
    return ax, subject.measured


def mistakes(subject: Subject) -> Drawn:
    """The mistakes that the net was surest of, on the test pictures."""
    data = subject.data
    scores, labels = scores_of(subject.net, data)
    ax = plots.mistakes(lambda chosen: data.batch(chosen)[0], scores, labels, data.classes)
    return ax, subject.measured


def arch(subject: Subject) -> Drawn:
    """The layers as a diagram."""
    return plots.architecture(subject.net, input_shape(subject.args.run, subject.meta)), []


DRAW: dict[str, Callable[[Subject], Drawn]] = {
    "filters": filters,
    "features": features,
    "routing": routing,
    "gradcam": gradcam,
    "confusion": confusion,
    "mistakes": mistakes,
    "arch": arch,
}
