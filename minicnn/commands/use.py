"""``minicnn evaluate``, ``predict`` and ``summary``: what to do with a net."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

import numpy as np

from .. import models
from ..errors import DataError
from ..layers import Layer
from ..losses import SoftmaxCrossEntropy, softmax
from ..metrics import accuracy, confusion_matrix, precision_recall, topk_accuracy
from . import runs
from .sources import NAMES, SIZES, Source
from .train import scores_of, source_of


def evaluate(args: argparse.Namespace) -> int:
    """Measure a trained net: accuracy, loss, and precision and recall of each class."""
    net, meta = runs.load_net(args.run)
    data = evaluation_source(args, meta).part(args.part)
    check_fit(net, meta, data.image_shape, len(data.classes))
    scores, labels = scores_of(net, data)
    result: dict[str, Any] = {
        "pictures": len(labels),
        "accuracy": accuracy(scores, labels),
        "loss": SoftmaxCrossEntropy()(scores, labels),
    }
    if len(data.classes) > 3:
        result["top3_accuracy"] = topk_accuracy(scores, labels, 3)
    report = precision_recall(scores, labels, len(data.classes))
    if args.json:
        columns = {name: np.asarray(column).tolist() for name, column in report._asdict().items()}
        print(json.dumps({**result, "classes": list(data.classes), **columns}, allow_nan=True))
        return 0
    print_report(list(data.classes), report, confusion_matrix(scores, labels, len(data.classes)))
    print(f"\n{result['pictures']:,} pictures   loss {result['loss']:.4f}", end="")
    if "top3_accuracy" in result:
        print(f"   top-3 accuracy {100 * result['top3_accuracy']:.2f} %", end="")
    print(f"\naccuracy {100 * result['accuracy']:.2f} %")
    return 0


def evaluation_source(args: argparse.Namespace, meta: dict[str, Any]) -> Source:
    """The data to measure on: the run's own, unless --data names another."""
    options = meta.get("options")
    if args.data is None:
        if options is None:
            raise ValueError("this file does not say what data it was trained on; give --data")
        return source_of({**options, "root": args.root or options["root"]})
    _, H, _ = meta.get("input_shape", (1, 28, 28))
    grayscale = meta.get("input_shape", (3,))[0] == 1
    seed = options["seed"] if options else 0
    return Source(args.data, args.root, H, grayscale, 0.1, seed)


def check_fit(net: Layer, meta: dict[str, Any], picture: tuple[int, ...], classes: int) -> None:
    """Refuse data that the net was not made for, by name rather than by a later surprise."""
    outputs = net.output_shape((1, picture[0], picture[1], picture[2]))[1]
    if outputs != classes:
        raise DataError(f"the net tells {outputs} classes apart, the data has {classes}")


def print_report(classes: list[str], report: Any, matrix: Any) -> None:
    """A table of the classes, with what each is most often taken for."""
    width = max(5, *(len(name) for name in classes))
    print(f"{'class':<{width}}  pictures  precision  recall      f1  most often taken for")
    for k, name in enumerate(classes):
        wrong = np.array(matrix[k])
        wrong[k] = 0
        taken = f"{classes[int(wrong.argmax())]} ({wrong.max()})" if wrong.any() else "–"
        numbers = (report.precision[k], report.recall[k], report.f1[k])
        cells = "  ".join(f"{'–' if np.isnan(n) else f'{100 * n:.2f} %':>9}" for n in numbers)
        print(f"{name:<{width}}  {report.support[k]:>8,}  {cells}  {taken}")


def predict(args: argparse.Namespace) -> int:
    """Say what is on pictures, with probabilities."""
    from ..image import load_image

    net, meta = runs.load_net(args.run)
    if "input_shape" not in meta:
        raise ValueError(
            f"{args.run} does not say what pictures its net takes; train it with "
            f"minicnn train, or save it with meta={{'input_shape': [C, H, W], ...}}"
        )
    C, H, W = meta["input_shape"]
    options = meta.get("options")
    like_mnist = options is not None and source_of(options).looks_like_mnist
    invert: Any = {"auto": "auto", "yes": True, "no": False}[args.invert]
    pictures = [load_image(p, (C, H, W), invert=invert, digits=like_mnist) for p in args.images]
    probabilities = softmax(net.predict(np.stack(pictures)))
    classes = meta.get("classes") or [str(k) for k in range(probabilities.shape[1])]
    results = [
        {
            "file": file,
            "class": classes[int(row.argmax())],
            "probabilities": dict(zip(classes, (float(p) for p in row), strict=True)),
        }
        for file, row in zip(args.images, probabilities, strict=True)
    ]
    if args.json:
        print(json.dumps(results))
        return 0
    for result in results:
        print_bars(result, args.top)
    return 0


def print_bars(result: dict[str, Any], top: int) -> None:
    """The likeliest classes of one picture as a small bar chart."""
    ranked = sorted(result["probabilities"].items(), key=lambda item: -item[1])[:top]
    width = max(len(name) for name, _ in ranked)
    block, empty = bar_characters()
    print(f"{result['file']}: {result['class']}")
    for name, p in ranked:
        filled = round(30 * p)
        print(f"  {name:<{width}}  {block * filled}{empty * (30 - filled)} {100 * p:6.2f} %")


def bar_characters() -> tuple[str, str]:
    """Characters for full and empty, from those that the terminal can show."""
    try:
        "█·".encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return "#", "."
    return "█", "·"


def summary(args: argparse.Namespace) -> int:
    """Print the table of a named model or a trained net."""
    if args.net in models.MODELS:
        net: Layer = models.build(args.net, **summary_options(args))
        shape = args.input_shape or default_picture(args.net)
    else:
        if args.classes is not None:
            raise ValueError(f"--classes is for models by name; {args.net} has its own")
        net, meta = runs.load_net(args.net)
        shape = args.input_shape or tuple(meta.get("input_shape", ()))
        if not shape:
            raise ValueError(f"{args.net} does not say what pictures it takes; give --input-shape")
    print(net.summary(shape))
    return 0


def summary_options(args: argparse.Namespace) -> dict[str, Any]:
    """The options of a model that is made only to be shown."""
    options: dict[str, Any] = {"rng": 0}
    if args.classes is not None:
        options["classes"] = args.classes
    if args.input_shape is not None:
        C, H, W = args.input_shape[-3:]
        if H != W:
            raise ValueError(f"the models take square pictures, got --input-shape with {H}×{W}")
        options.update(channels=C, size=H)
    return options


def default_picture(model: str) -> tuple[int, int, int]:
    """The pictures that a model was made for."""
    size = SIZES.get(model, 28)
    return (1 if size == 28 else 3), size, size


__all__ = ["NAMES", "evaluate", "predict", "summary"]
