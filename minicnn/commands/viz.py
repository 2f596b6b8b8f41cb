"""``minicnn viz``: pictures of a trained net, as PNG, SVG or PDF files."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from .. import explain, models, plots
from ..data.base import Dataset
from ..errors import UsageError
from ..layers import Conv2D, Layer, MaxPool2D
from ..losses import softmax
from ..metrics import confusion_matrix
from ..tensor import FloatArray
from . import runs
from .train import scores_of
from .use import check_fit, default_picture, evaluation_data, input_shape, load_picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Kind = TypeVar("Kind", bound=Layer)

SHOWN = 9  # pixels a side, of a plane that is too large for numbers


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
        if self.args.test >= len(self.data):
            raise UsageError(f"--test must be below {len(self.data)}, got {self.args.test}")
        x, _ = self.data.batch(np.array([self.args.test]))
        return np.asarray(x)

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

    def layer(self, kind: type[Kind]) -> tuple[str, Kind]:
        """The layer of a kind that --layer names, or the first, and its full name."""
        names = explain.layer_names(self.net)
        found = {name: layer for name, layer in names.items() if isinstance(layer, kind)}
        wanted = self.args.layer
        if not found:
            raise ValueError(f"the net has no {kind.__name__}")
        if wanted is not None and wanted not in found:
            raise UsageError(
                f"--layer must be a {kind.__name__}: {', '.join(found)}; got {wanted!r}"
            )
        return (wanted, found[wanted]) if wanted is not None else next(iter(found.items()))


def run(args: argparse.Namespace) -> int:
    """Draw, write, and say where."""
    if args.what == "arch" and args.run in models.MODELS:
        ax = plots.architecture(models.build(args.run, rng=0), default_picture(args.run))
        return write(ax, args, Path(f"{args.run}-arch.png"))
    net, meta = runs.load_net(args.run)
    ax = DRAW[args.what](Subject(args, net, meta))
    path = Path(args.run)
    folder = path if path.is_dir() else path.parent
    return write(ax, args, folder / f"{args.what}.png")


def write(ax: Axes, args: argparse.Namespace, default: Path) -> int:
    """Write the picture and print the file's name."""
    path = Path(args.out) if args.out is not None else default
    plots.save_figure(ax, path)
    print(path)
    return 0


def filters(subject: Subject) -> Axes:
    """The weights of a convolution."""
    _, layer = subject.layer(Conv2D)
    return plots.filters(layer, channel=subject.args.channel)


def features(subject: Subject) -> Axes:
    """What a layer makes of a picture."""
    maps = explain.activations(subject.net, subject.picture)
    name = subject.args.layer or next(iter(maps))
    if name not in maps:
        raise UsageError(f"--layer must be one of {', '.join(maps)}; got {name!r}")
    C, H, W = maps[name].shape[1:]
    title = f"{name}: {C} maps of {H}×{W}, each on its own scale"
    return plots.feature_maps(maps[name], title=title)


def routing(subject: Subject) -> Axes:
    """Max pooling's numbers: who won, and which gradient of the class's score it was paid."""
    name, pool = subject.layer(MaxPool2D)
    flow = explain.flow(subject.net, subject.picture, subject.target)[name]
    channel = subject.args.channel
    part_in_score = np.abs(flow.y[0] * flow.dy[0])
    if channel is None:
        channel = int(part_in_score.sum(axis=(1, 2)).argmax())
    if channel >= flow.x.shape[1]:
        raise UsageError(f"--channel must be below {flow.x.shape[1]}, got {channel}")
    x, dy = flow.x[0, channel], flow.dy[0, channel]
    part = _strongest(x.shape, part_in_score[channel], pool)
    ax = plots.pooling_routing(x, pool, dy, part=part)
    what = f"{name}, channel {channel}: gradient of the score of {subject.classes[subject.target]}"
    ax.set_title(what, fontsize=10, loc="left")
    return ax


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


def gradcam(subject: Subject) -> Axes:
    """A heat map of what speaks for a class."""
    method, args = subject.args.method, subject.args
    if method != "gradcam" and args.layer is not None:
        raise UsageError(f"--layer is for --method gradcam, not for {method}")
    options = {"layer": args.layer} if method == "gradcam" else {}
    explained = getattr(explain, method)(subject.net, subject.picture, subject.target, **options)
    p = softmax(np.asarray(subject.net.predict(subject.picture)))[0, subject.target]
    where = f" at {explained.layer}" if explained.layer else ""
    title = f"{subject.classes[subject.target]} ({100 * p:.0f} %): {method}{where}"
    return plots.heat_map(subject.picture[0], explained.heat[0], title=title)


def confusion(subject: Subject) -> Axes:
    """What is taken for what, on the test pictures."""
    scores, labels = scores_of(subject.net, subject.data)
    names = list(subject.data.classes)
    return plots.confusion_matrix(confusion_matrix(scores, labels, len(names)), names)


def mistakes(subject: Subject) -> Axes:
    """The mistakes that the net was surest of, on the test pictures."""
    data = subject.data
    scores, labels = scores_of(subject.net, data)
    p = softmax(scores)
    wrong = np.flatnonzero(p.argmax(axis=1) != labels)
    surest = wrong[np.argsort(-p[wrong].max(axis=1), kind="stable")][:12]
    pictures = np.zeros((len(labels), *data.image_shape), np.float32)
    if len(surest):
        pictures[surest] = np.asarray(data.batch(surest)[0])
    return plots.mistakes(pictures, scores, labels, list(data.classes))


def arch(subject: Subject) -> Axes:
    """The layers as a diagram."""
    return plots.architecture(subject.net, input_shape(subject.args.run, subject.meta))


DRAW = {
    "filters": filters,
    "features": features,
    "routing": routing,
    "gradcam": gradcam,
    "confusion": confusion,
    "mistakes": mistakes,
    "arch": arch,
}
