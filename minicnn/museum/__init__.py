"""The bug museum: mistakes that CNN code makes, small enough to read and to switch on.

    from minicnn import museum

    bug = museum.exhibit("pool-assigns")
    print(bug)                        # what is wrong, and how it shows
    with bug.on(net):                 # the net's pooling layers have it in this block
        print(gradcheck(net, x))
    with bug.on() as WrongPool:       # the wrong one itself: so functions are switched on, too
        print(gradcheck(WrongPool(3, 2), x))
    print(bug.caught())               # what the test that would have caught it says

Nothing in minicnn imports this package but its lessons. Other code is touched only by
`Exhibit.on`, and only in its block.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from ..errors import describe
from ..gradcheck import gradcheck  # noqa: F401 (at hand for readers)
from ..layers import BatchNorm2D, Conv2D, Dropout, Layer, MaxPool2D, ReLU
from ..losses import SoftmaxCrossEntropy
from ..optim import Adam
from . import checks, tools
from . import layers as wrong

__all__ = ["Exhibit", "exhibit", "exhibits"]


@dataclass(frozen=True)
class Exhibit:
    """A mistake, with what it should have been and the test that tells them apart.

    It is switched on by `on`: in a net, a loss or an optimizer, in a module, or, without any of
    these, as the wrong class or function itself.

    Attributes:
        name: What `exhibit` knows it by.
        mistake: What is written wrong.
        symptom: What one sees of it.
        lesson: The lesson that derives the right one.
        right, wrong: A class or a function, and the one that has the mistake.
        check: Takes either and raises AssertionError, with what came and what should have come.
    """

    name: str
    mistake: str
    symptom: str
    lesson: int
    right: Any
    wrong: Any
    check: Callable[[Any], None]

    def caught(self, subject: Any = None) -> str | None:
        """What the check says of ``subject`` (of the wrong one, by default); None: all is right."""
        try:
            self.check(self.wrong if subject is None else subject)
        except AssertionError as error:
            return str(error)
        return None

    @contextlib.contextmanager
    def on(self, subject: Any = None) -> Iterator[Any]:
        """In this block the mistake is there; after it all is right again, whatever happens.

        Without a subject: ``with exhibit.on() as it`` gives you the wrong class or function, to be
        used in the block under any name you like. All exhibits can be had like this.

        A module: its names for the right one mean the wrong one. ``exhibit.on(mc)``, say, lets
        ``mc.Conv2D`` make layers that have the mistake, and keep it.

        Anything else: a net, a loss or an optimizer gets it in place. Of a net every layer of the
        right class does. What it knew of its last pass is forgotten on both ways.

        Raises:
            TypeError: the mistake is in a function, or in how an object is made, so that no net,
                loss or optimizer can get it.
            ValueError: there is nothing in ``subject`` that could have it.
        """
        if subject is None:
            yield self.wrong
        elif isinstance(subject, ModuleType):
            names = [name for name, value in vars(subject).items() if value is self.right]
            if not names:
                raise ValueError(f"{self._needs()}, and there is none in {subject.__name__}")
            vars(subject).update(dict.fromkeys(names, self.wrong))
            try:
                yield subject
            finally:
                vars(subject).update(dict.fromkeys(names, self.right))
        else:
            chosen = self._parts(subject)
            _become(chosen, self.wrong)
            try:
                yield subject
            finally:
                _become(chosen, self.right)

    def _parts(self, subject: Any) -> list[Any]:
        """What in ``subject`` can have the mistake."""
        hint = f"take what `with museum.exhibit({self.name!r}).on() as it` gives"
        if not isinstance(self.right, type) or not issubclass(self.wrong, self.right):
            raise TypeError(f"{self.name} is not a layer, loss or optimizer; {hint}")
        if "__init__" in vars(self.wrong):
            raise TypeError(f"{self.name} happens when an object is made; {hint}")
        parts = subject.named_layers().values() if isinstance(subject, Layer) else [subject]
        chosen = [part for part in parts if type(part) is self.right]
        if not chosen:
            raise ValueError(f"{self._needs()}, and there is none in {describe(subject)}")
        return chosen

    def _needs(self) -> str:
        kind = self.right.__name__
        return f"{self.name} needs {'an' if kind[0] in 'AEIOaeio' else 'a'} {kind}"

    def __str__(self) -> str:
        return f"{self.name}: {self.mistake}\n  {self.symptom} (lesson {self.lesson})"


def _become(parts: list[Any], cls: type) -> None:
    for part in parts:
        part.__class__ = cls
        if isinstance(part, Layer):
            part.forget()


def exhibits() -> list[Exhibit]:
    """All of them, by lesson."""
    return sorted(_EXHIBITS, key=lambda exhibit: exhibit.lesson)


def exhibit(name: str) -> Exhibit:
    """The one of this name.

    Raises:
        KeyError: there is none; the message lists them.
    """
    for each in _EXHIBITS:
        if each.name == name:
            return each
    raise KeyError(
        f"no exhibit is called {name!r}; there are {', '.join(e.name for e in _EXHIBITS)}"
    )


_EXHIBITS = (
    Exhibit(
        "pool-assigns",
        "max pooling's backward writes dx[mask] = dy where it should add",
        "a pixel that wins nine windows gets one gradient instead of nine",
        6,
        MaxPool2D,
        wrong.AssigningMaxPool2D,
        checks.pays_every_window,
    ),
    Exhibit(
        "pool-pads-zero",
        "max pooling pads with 0, not with −∞",
        "an input of negative numbers returns zeros at its border, and loses gradients there",
        6,
        MaxPool2D,
        wrong.ZeroPaddedMaxPool2D,
        checks.padding_never_wins,
    ),
    Exhibit(
        "dropout-same-places",
        "dropout shuffles an index that it never uses",
        "the same channels are dropped always, never learn, and are noise at evaluation",
        9,
        Dropout,
        wrong.SamePlacesDropout,
        checks.drops_every_channel,
    ),
    Exhibit(
        "dropout-unscaled",
        "dropout's backward leaves out the factor 1/(1 − p)",
        "the layers before it learn at a lower rate than those behind it",
        9,
        Dropout,
        wrong.UnscaledDropout,
        checks.has_the_right_gradient,
    ),
    Exhibit(
        "bn-mode-by-recording",
        "batch norm takes its mode from no_grad instead of eval",
        "the same net answers differently when its gradients are asked for, as by Grad-CAM",
        9,
        BatchNorm2D,
        wrong.RecordingBatchNorm2D,
        checks.evaluates_alike,
    ),
    Exhibit(
        "bn-sums",
        "batch norm multiplies the gradients of γ and β by B: it undoes the loss's average",
        "these two learn B times as fast as all others: a larger batch makes training unstable",
        9,
        BatchNorm2D,
        wrong.SummingBatchNorm2D,
        checks.has_the_gradients_of_the_loss,
    ),
    Exhibit(
        "stale-buffer",
        "the output buffer has the size of the first batch",
        "the last, smaller batch of an epoch comes back with rows of the batch before",
        5,
        ReLU,
        wrong.StaleReLU,
        checks.fits_the_batch,
    ),
    Exhibit(
        "log-of-zero",
        "cross entropy is computed as −Σ t·log p",
        "NaN where the net is very sure, infinity where it is very wrong",
        7,
        SoftmaxCrossEntropy,
        tools.LogOfZeroCrossEntropy,
        checks.stays_finite,
    ),
    Exhibit(
        "same-seed",
        "every layer draws its first weights from the same seed",
        "layers of the same shape start as copies of each other",
        10,
        Conv2D,
        wrong.SameSeedConv2D,
        checks.starts_differently,
    ),
    Exhibit(
        "cam-of-activations",
        "Grad-CAM averages the activations instead of the gradients",
        "the map shows what is there, not what speaks for the class",
        11,
        tools.class_map,
        tools.activation_class_map,
        checks.points_at_the_cause,
    ),
    Exhibit(
        "im2col-square",
        "im2col divides its row number by the kernel's height instead of its width",
        "right for square kernels, which is all that anybody tries",
        3,
        tools.im2col,
        tools.square_im2col,
        checks.takes_any_kernel,
    ),
    Exhibit(
        "conv-far-edge",
        "the input gradient of a strided convolution is aligned to the far edge",
        "right where the stride divides; else every gradient is a pixel off",
        4,
        Conv2D,
        wrong.FarAlignedConv2D,
        checks.takes_any_stride,
    ),
    Exhibit(
        "adam-multiplies",
        "Adam multiplies by the bias corrections instead of dividing",
        "first steps of ten times the learning rate and more: it diverges early",
        10,
        Adam,
        tools.MultiplyingAdam,
        checks.begins_with_the_learning_rate,
    ),
    Exhibit(
        "raw-weights",
        "weights are written as bare bytes, and running statistics not at all",
        "a file of another net loads without an error; batch norm evaluates with nothing learnt",
        9,
        tools.DescribedFile,
        tools.RawFile,
        checks.refuses_another_net,
    ),
    Exhibit(
        "alarm-at-kinks",
        "the gradient check compares at kinks and ties, where there is no derivative",
        "a false alarm for right code, which teaches people to ignore alarms",
        4,
        tools.careful_gradcheck,
        tools.naive_gradcheck,
        checks.keeps_quiet_at_kinks,
    ),
)
