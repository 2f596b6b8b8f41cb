"""``minicnn evaluate``, ``predict`` and ``summary``: what to do with a net."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

import numpy as np

from .. import models
from ..data.base import Dataset
from ..errors import DataError, UsageError
from ..layers import Layer
from ..losses import SoftmaxCrossEntropy, softmax
from ..metrics import accuracy, confusion_matrix, precision_recall, topk_accuracy
from ..tensor import FloatArray
from . import runs
from .sources import SIZES, Source, canonical
from .train import scores_of, source_of


def evaluate(args: argparse.Namespace) -> int:
    """Measure a trained net: accuracy, loss, and precision and recall of each class."""
    net, meta = runs.load_net(args.run)
    data = evaluation_data(args, meta)
    check_fit(net, meta, data)
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
        columns = {name: without_nan(column) for name, column in report._asdict().items()}
        result = {**result, "classes": list(data.classes), **columns}
        print(json.dumps(result, allow_nan=False))
        return 0
    print_report(list(data.classes), report, confusion_matrix(scores, labels, len(data.classes)))
    print(f"\n{result['pictures']:,} pictures   loss {result['loss']:.4f}", end="")
    if "top3_accuracy" in result:
        print(f"   top-3 accuracy {100 * result['top3_accuracy']:.2f} %", end="")
    print(f"\naccuracy {100 * result['accuracy']:.2f} %")
    return 0


def evaluation_data(args: argparse.Namespace, meta: dict[str, Any]) -> Dataset:
    """The data to measure on: the run's own, divided as it was, unless --data names another."""
    options, part = meta.get("options"), args.part or "test"
    if options is not None and (args.data is None or canonical(args.data) == options["data"]):
        place = {"root": args.root or options["root"], "download": args.download}
        return source_of({**options, **place}).part(part)
    if args.data is None:
        raise ValueError("this file does not say what data it was trained on; give --data")
    name = canonical(args.data)
    C, H, _ = meta.get("input_shape", (3, 28, 28))
    invert = options is not None and source_of(options).invert
    source = Source(name, args.root, H, C == 1, 0.0, 0, args.download, invert)
    if not source.is_folder:
        return source.part(part)
    if part != "test":
        raise UsageError(f"--part {part} is of the net's own data; {name} is other data")
    return source.whole_folder()  # the net has not been trained on any of it


def check_fit(net: Layer, meta: dict[str, Any], data: Dataset) -> None:
    """Refuse data that the net was not made for, by name rather than by a later surprise."""
    outputs = net.output_shape((1, *data.image_shape))[1]
    theirs, own = list(data.classes), meta.get("classes")
    if outputs != len(theirs):
        raise DataError(f"the net tells {outputs} classes apart, the data has {len(theirs)}")
    if own is not None and list(own) != theirs:
        raise DataError(
            f"the net was trained to tell apart {shortened(own)}; the data has {shortened(theirs)}"
        )


def shortened(names: list[str]) -> str:
    """The first few names."""
    return ", ".join(names[:4]) + (", …" if len(names) > 4 else "")


def without_nan(column: Any) -> list[Any]:
    """A column of numbers as JSON can say them: null where there is none."""
    values = np.asarray(column).tolist()
    return [None if isinstance(value, float) and np.isnan(value) else value for value in values]


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
    net, meta = runs.load_net(args.run)
    input_shape(args.run, meta)
    pictures, errors = {}, {}
    for file in dict.fromkeys(args.images):
        try:
            pictures[file] = load_picture(args.run, meta, file, args.invert)
        except (OSError, ValueError) as error:  # one bad picture does not spoil the others
            errors[file] = " ".join(str(error).split())
    results = classify(net, pictures, meta.get("classes"))
    if args.json:
        results += [{"file": file, "error": reason} for file, reason in errors.items()]
        print(json.dumps(results))
    else:
        for result in results:
            print_bars(result, args.top)
        sys.stdout.flush()
        for reason in errors.values():
            print(f"minicnn predict: {reason}", file=sys.stderr)
    return 1 if errors else 0


def input_shape(run: str, meta: dict[str, Any]) -> tuple[int, int, int]:
    """The pictures that the net of a run takes.

    Raises:
        ValueError: its file does not say.
    """
    if "input_shape" not in meta:
        raise ValueError(
            f"{run} does not say what pictures its net takes; train it with "
            f"minicnn train, or save it with meta={{'input_shape': [C, H, W], ...}}"
        )
    C, H, W = meta["input_shape"]
    return C, H, W


def load_picture(run: str, meta: dict[str, Any], file: str, invert: str = "auto") -> FloatArray:
    """A picture file C×H×W, prepared as the pictures were that the net of a run has learnt from."""
    from ..image import load_image

    options = meta.get("options")
    source = None if options is None else source_of(options)
    like_mnist = source is not None and source.looks_like_mnist
    choice: Any = {"auto": "auto", "yes": True, "no": False}[invert]
    if choice == "auto" and source is not None and source.invert:
        choice = True
    return load_image(file, input_shape(run, meta), invert=choice, digits=like_mnist)


def classify(net: Layer, pictures: dict[str, Any], classes: list[str] | None) -> list[Any]:
    """For each picture its file, likeliest class, and the probabilities of all."""
    if not pictures:
        return []
    probabilities = softmax(net.predict(np.stack(list(pictures.values()))))
    names = classes or [str(k) for k in range(probabilities.shape[1])]
    return [
        {
            "file": file,
            "class": names[int(row.argmax())],
            "probabilities": dict(zip(names, (float(p) for p in row), strict=True)),
        }
        for file, row in zip(pictures, probabilities, strict=True)
    ]


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
            raise UsageError(f"--classes is for models by name; {args.net} has its own")
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
