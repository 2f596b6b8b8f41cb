"""The command line: ``minicnn train | evaluate | predict | summary | viz | learn | doctor``.

Exit codes: 0 for success, 1 for a failure, 2 for wrong usage. An error is one line on standard
error; ``--debug`` shows the traceback.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from typing import Any

from . import __version__, kernels, models
from .commands.figures import closing_figures
from .commands.options import fill, number, picture_shape, share, whole
from .commands.say import prepare_streams, short_warnings, silence
from .errors import UsageError
from .train.interrupt import Interrupted

Action = Callable[[argparse.Namespace], int]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code (wrong usage exits with 2 from within)."""
    prepare_streams()
    args = build_parser().parse_args(argv)
    action: Action = args.action
    try:
        if getattr(args, "threads", None) is not None:
            kernels.set_num_threads(args.threads)
        with short_warnings(), closing_figures():
            import_layers(args)
            code = action(args)
        sys.stdout.flush()
        return code
    except Interrupted as stop:
        return complain(args, farewell(args, stop))
    except KeyboardInterrupt:
        return complain(args, "interrupted")
    except BrokenPipeError:
        silence()
        return 1
    except UsageError as error:
        complain(args, one_line(error))
        return 2
    except Exception as error:  # everything a user can do wrong ends here, as one line
        if args.debug:
            raise
        return complain(args, one_line(error))


def import_layers(args: argparse.Namespace) -> None:
    """Import the modules of --import, so that a net may have layers of one's own."""
    if getattr(args, "modules", None):
        from .commands.runs import import_named

        for module in args.modules:
            import_named(module)


def complain(args: argparse.Namespace, message: str) -> int:
    """Print one line on standard error; returns the exit code of a failure."""
    print(f"minicnn {args.command}: {message}", file=sys.stderr)
    return 1


def farewell(args: argparse.Namespace, stop: Interrupted) -> str:
    """What to say when training was interrupted in good order."""
    place = str(stop).partition(" and was saved;")[0]
    return f"{place} and was saved; go on with: minicnn train --resume {args.folder}"


def one_line(error: Exception) -> str:
    """An error as one line: its message, and its kind where the message alone would not do."""
    message = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    if isinstance(error, OSError) and error.strerror and error.filename:
        message = f"{error.filename}: {error.strerror}"
    message = " ".join(message.split())
    known = (OSError, ValueError, ArithmeticError, ImportError)
    if message and isinstance(error, known):
        return message
    return f"{type(error).__name__}: {message} (--debug shows where)"


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="minicnn", description="Train, measure and use small convolutional networks."
    )
    parser.add_argument("--version", action="version", version=f"minicnn {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    add_train(commands)
    add_evaluate(commands)
    add_predict(commands)
    add_summary(commands)
    add_viz(commands)
    add_learn(commands)
    add_doctor(commands)
    return parser


def command(
    commands: Any, name: str, text: str, example: str, action: Action, more: str = ""
) -> Any:
    """A command with its help, its example and the options that all of them have."""
    parser = commands.add_parser(
        name,
        help=text,
        description=f"{text}\n\n{more}".rstrip(),
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(action=action)
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return parser


def add_train(commands: Any) -> None:
    from .commands.sources import AUGMENTATIONS
    from .commands.train import DEFAULTS, run

    parser = command(
        commands,
        "train",
        "Train a net; without options: the toy net on the embedded digits, ten epochs.",
        "minicnn train --data photos/ --model resnet --epochs 30 --augment flip --out runs/photos",
        run,
    )

    def option(flag: str, **settings: Any) -> None:
        """An option of the run: absent unless given, so that --resume can tell."""
        name = flag[2:].replace("-", "_")
        default = DEFAULTS[name]
        text = settings.pop("help")
        if default is not None and default is not False:
            text += f" (default: {default})"
        group.add_argument(flag, default=argparse.SUPPRESS, help=text, **settings)

    group = parser.add_argument_group("data")
    option("--data", help="digits, mnist, fashion-mnist, or a folder with a folder for each class")
    option("--root", metavar="DIR", help="where the IDX files of (fashion-)mnist lie")
    option("--download", action="store_true", help="fetch (fashion-)mnist if it is missing")
    option(
        "--size",
        type=whole(1),
        metavar="N",
        help="scale a folder's pictures to N×N (default: what suits the model, 28 to 224)",
    )
    option("--grayscale", action="store_true", help="take a folder's pictures as grey")
    option("--valid", type=share, metavar="P", help="share of the training pictures to validate on")
    option("--invert", action="store_true", help="exchange dark and light in a folder's pictures")
    option("--augment", choices=list(AUGMENTATIONS), help="vary the training pictures at random")
    option(
        "--fill",
        type=fill,
        metavar="P",
        help="grey that --augment lets in from outside, 0 (black) to 1 (white); auto: black for "
        "digits, and the median of the edges for a folder's pictures",
    )
    group = parser.add_argument_group("net and training")
    option("--model", choices=list(models.MODELS), help="the net")
    option("--epochs", type=whole(1), metavar="N", help="passes over the training pictures")
    option("--batch-size", type=whole(1), metavar="N", help="pictures a step")
    option("--optimizer", choices=["sgd", "adam", "adamw"], help="sgd has Nesterov momentum 0.9")
    option(
        "--lr",
        type=number(0, False),
        metavar="RATE",
        help="peak learning rate (default: 0.1 for sgd, 0.003 for adam and adamw)",
    )
    option(
        "--schedule",
        choices=["onecycle", "cosine", "step", "constant"],
        help="the learning rate over the run",
    )
    option("--weight-decay", type=number(0), metavar="W", help="pull of the weights towards 0")
    option("--label-smoothing", type=share, metavar="E", help="share of the target spread out")
    option("--clip-norm", type=number(0, False), metavar="G", help="longest gradient allowed")
    option(
        "--patience", type=whole(1), metavar="N", help="stop after N epochs without a better one"
    )
    option("--seed", type=whole(0), metavar="N", help="seed of weights, shuffling and division")
    group = parser.add_argument_group("the run")
    group.add_argument("--out", metavar="DIR", help="new folder (default: runs/DATA-MODEL[-N])")
    group.add_argument("--resume", metavar="RUN", help="go on with an interrupted or finished run")
    add_threads(group)
    group.add_argument("--quiet", action="store_true", help="print only the test accuracy")


def add_evaluate(commands: Any) -> None:
    from .commands.use import evaluate

    parser = command(
        commands,
        "evaluate",
        "Measure a trained net: accuracy, loss, precision and recall.",
        "minicnn evaluate runs/digits-toy --data mnist",
        evaluate,
    )
    parser.add_argument("run", metavar="RUN", help="a run folder, or a net file")
    add_data(parser)
    add_import(parser)
    add_threads(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")


def add_predict(commands: Any) -> None:
    from .commands.use import predict

    parser = command(
        commands,
        "predict",
        "Say what is on pictures: files of any size and mode, dark on light or light on dark.",
        "minicnn predict runs/digits-toy seven.png scans/*.jpg",
        predict,
    )
    parser.add_argument("run", metavar="RUN", help="a run folder, or a net file")
    parser.add_argument("images", metavar="IMAGE", nargs="+", help="picture files")
    parser.add_argument(
        "--invert",
        choices=["auto", "yes", "no"],
        default="auto",
        help="turn dark into light; auto looks at the border of a digit, and does with a folder's "
        "pictures what training did (default: auto)",
    )
    parser.add_argument(
        "--top", type=whole(1), default=3, metavar="K", help="classes to show (default: 3)"
    )
    add_import(parser)
    add_threads(parser)
    parser.add_argument("--json", action="store_true", help="print JSON, all probabilities")


def add_summary(commands: Any) -> None:
    from .commands.use import summary

    parser = command(
        commands,
        "summary",
        "Print the layers of a net with shapes, parameters, multiply-adds and memory.",
        "minicnn summary lenet5 --input-shape 1,28,28",
        summary,
    )
    parser.add_argument("net", metavar="NET", help=f"{', '.join(models.MODELS)}, a run or a file")
    parser.add_argument(
        "--input-shape", type=picture_shape, metavar="C,H,W", help="the pictures, such as 3,32,32"
    )
    parser.add_argument("--classes", type=whole(1), metavar="K", help="outputs of a named model")
    add_import(parser)


def add_viz(commands: Any) -> None:
    def run(args: argparse.Namespace) -> int:
        from .commands import viz

        return viz.run(args)

    parser = command(
        commands,
        "viz",
        "Draw a trained net into a PNG, SVG or PDF file.",
        "minicnn viz gradcam runs/digits-toy seven.png --layer conv2 --out seven.svg\n"
        "  minicnn viz arch resnet",
        run,
        "what:\n"
        "  filters    the weights of a convolution\n"
        "  features   what a layer makes of a picture\n"
        "  routing    max pooling in numbers: who won, and which gradient of the class it got\n"
        "  gradcam    which places of a picture speak for a class\n"
        "  confusion  what is taken for what, on the test pictures\n"
        "  mistakes   the mistakes that the net was surest of\n"
        "  arch       the layers as a diagram; RUN may be a model by name",
    )
    parser.add_argument(
        "what",
        metavar="WHAT",
        choices=["filters", "features", "routing", "gradcam", "confusion", "mistakes", "arch"],
        help="filters, features, routing, gradcam, confusion, mistakes or arch",
    )
    parser.add_argument("run", metavar="RUN", help="a run folder, or a net file")
    parser.add_argument(
        "image", metavar="IMAGE", nargs="?", help="a picture file (default: a test picture)"
    )
    parser.add_argument(
        "--out",
        metavar="FILE",
        help="(default: beside the net, named after what it shows, such as filters-conv2.png)",
    )
    parser.add_argument("--layer", metavar="NAME", help="such as conv1 or residual2.conv1")
    parser.add_argument(
        "--channel",
        type=whole(0),
        metavar="N",
        help="input channel of filters; channel of routing",
    )
    parser.add_argument(
        "--class", dest="target", metavar="NAME", help="asked about (default: what the net says)"
    )
    parser.add_argument(
        "--method",
        choices=["gradcam", "saliency", "occlusion"],
        help="how gradcam finds the places (default: gradcam)",
    )
    parser.add_argument(
        "--test", type=whole(0), metavar="N", help="which test picture (default: 0)"
    )
    add_data(parser)
    add_import(parser)
    add_threads(parser)


def add_learn(commands: Any) -> None:
    from .commands.learn import run

    parser = command(
        commands,
        "learn",
        "List the lessons; write the exercises of one into a folder; check them.",
        "minicnn learn start 06 pooling && minicnn learn check 06 pooling",
        run,
    )
    parser.set_defaults(what=None)
    actions = parser.add_subparsers(dest="what", metavar="ACTION")
    for what, text in (
        ("start", "write a lesson's exercise files into a folder"),
        ("check", "say, check by check, what holds in them"),
    ):
        action = actions.add_parser(what, help=text, description=text)
        action.add_argument("lesson", metavar="LESSON", help="its number, 2 to 13")
        action.add_argument("folder", metavar="DIR", help="where the files are, or shall be")


def add_doctor(commands: Any) -> None:
    def run(args: argparse.Namespace) -> int:
        from . import doctor

        report = doctor.report()
        print(json.dumps(report) if args.json else doctor.format(report))
        return 0 if report["ok"] else 1

    parser = command(
        commands,
        "doctor",
        "Check this installation and say how to fix what is wrong.",
        "minicnn doctor --json",
        run,
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def add_data(parser: Any) -> None:
    parser.add_argument("--data", help="other data than the run's own; see minicnn train")
    parser.add_argument("--root", metavar="DIR", help="where the IDX files of (fashion-)mnist lie")
    parser.add_argument(
        "--download", action="store_true", help="fetch (fashion-)mnist if it is missing"
    )
    parser.add_argument(
        "--part", choices=["test", "valid", "train"], help="pictures of the run (default: test)"
    )


def add_import(parser: Any) -> None:
    parser.add_argument(
        "--import",
        dest="modules",
        action="append",
        metavar="MODULE",
        help="module or .py file with layers of one's own that the net has; may be repeated",
    )


def add_threads(parser: Any) -> None:
    parser.add_argument(
        "--threads", type=whole(1, 1024), metavar="N", help="processors to use (default: all)"
    )


if __name__ == "__main__":
    raise SystemExit(main())
