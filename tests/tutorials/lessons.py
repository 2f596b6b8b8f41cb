"""Run a lesson as a notebook does, and say which numbers its prose claims without proof.

The rule. A *section* goes from one heading "## …" to the next; what stands above the first is a
section too. What its prose claims must be *held* by the section's own cells, in one of these ways:

- by **a number** that a cell prints or returns, or that stands in the condition of an ``assert``.
  Its sign counts. An index, a bound ("< 0.3") and a tolerance hold nothing, nor do comments,
  docstrings, all other code, and source that ``minicnn.learn.source`` shows;
- by **a quotation**: the message of an ``assert``, if it is a plain string, quotes the prose. These
  words must then stand in the section, and each number in them in the condition of this assert.
  Whoever changes the sentence must change the assert. This holds numbers that others near by would
  hold by chance, and what is said without any number;
- by **arithmetic**: the sides of a formula that are made of numbers alone are computed, and must
  agree. A result with three digits and more behind the point may be rounded.

Claims are

- numbers with two digits and more, with a point, or with a minus; 1,000 is 1000, and 1/4 is 0.25;
- shapes, as 2×3×5 or B×3×28×28, and (2, 3, 5): the sizes must stand side by side, as "(2, 3, 5)" or
  "2×3×5", be it as a part of a longer shape;
- the digits 2 to 9 in the text, and 0 and 1 behind "is", "gives" and the like (`SAYS`). In a
  formula with letters single digits claim nothing: they belong to the mathematics;
- worked formulas, see above.

Code, links, headings, the numbers of lists, lessons, exercises, rungs and steps, and all below
"## Sources" claim nothing.

Where a claim is not held, add to its section ``assert found == 42``; and where 41 or 43 would be
held as well, ``assert found == 42, "the answer is 42"``. A cell that would disturb the reader gets
``:tags: [remove-cell]``.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import io
import linecache
import math
import operator
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import jupytext
import matplotlib
import matplotlib.pyplot as plt

TUTORIALS = Path(__file__).resolve().parents[2] / "tutorials"
PATHS = sorted(TUTORIALS.glob("[0-9][0-9]-*.md"))


@dataclass
class Section:
    """What stands between two headings.

    Attributes:
        heading: The heading, or "" above the first one.
        prose: The text of its Markdown cells.
        code: The source of its code cells.
        output: What these printed or returned.
    """

    heading: str
    prose: str = ""
    code: list[str] = field(default_factory=list)
    output: list[str] = field(default_factory=list)


@dataclass
class Lesson:
    """A lesson that has been run.

    Attributes:
        sections: Its sections in order, without "Sources".
        figures: How many pictures it drew.
    """

    sections: list[Section] = field(default_factory=list)
    figures: int = 0


@functools.cache
def run(path: Path) -> Lesson:
    """Run all cells from top to bottom in one namespace; what a cell raises is raised.

    A lesson is run once, in the folder that is the current one at that time.
    """
    with matplotlib.rc_context():  # a lesson may choose how its figures look
        return _run(path)


def _run(path: Path) -> Lesson:
    lesson, namespace = Lesson([Section("")]), {"__name__": "__main__"}
    for number, cell in enumerate(jupytext.read(path, fmt="md:myst").cells):
        if cell.cell_type == "markdown":
            for part in re.split(r"(?m)^(?=## )", cell.source):
                if part.startswith("## "):
                    lesson.sections.append(Section(part.partition("\n")[0][3:]))
                lesson.sections[-1].prose += part + "\n\n"
        elif cell.cell_type == "code":
            output = execute(cell.source, f"{path.name}[{number}]", namespace)
            lesson.sections[-1].code.append(cell.source)
            lesson.sections[-1].output.append(output)
            lesson.figures += len(plt.get_fignums())
            plt.close("all")
    lesson.sections = [each for each in lesson.sections if each.heading != "Sources"]
    return lesson


def execute(text: str, name: str, namespace: dict[str, Any]) -> str:
    """Run one cell; returns what it printed, with its last expression as a notebook shows it."""
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    tree = ast.parse(text, name)
    quiet = text.rstrip().endswith(";")
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, name, "exec"), namespace)
        if last is not None:
            value = eval(compile(ast.Expression(last.value), name, "eval"), namespace)
            if value is not None and not quiet:
                print(repr(value))
    return printed.getvalue()


def unsupported(lesson: Lesson) -> set[str]:
    """What the prose claims and nothing holds, each with the heading of its section."""
    return {
        f"{section.heading or 'head'}: {text}"
        for section in lesson.sections
        for text in doubts(section.prose, evidence(section))
    }


def survivors(lesson: Lesson) -> set[str]:
    """Changes of a claim, by 1 in the last place of a number or of a sign, that nothing notices."""
    found = set()
    for section in lesson.sections:
        held, prose = evidence(section), section.prose
        known = doubts(prose, held)
        for claim in claims(prose):
            for start, end in claim.numbers:
                for other in neighbours(prose[start:end]):
                    if doubts(prose[:start] + other + prose[end:], held) <= known:
                        near = (
                            f"{prose[max(0, start - 25) : start]}[{other}]{prose[end : end + 25]}"
                        )
                        found.add(f"{section.heading or 'head'}: {' '.join(near.split())}")
    return found


def lasting_survivors(path: Path, folder: Path) -> set[str]:
    """`survivors` of a lesson. If it has any it is run once more, in ``folder``, which is empty.

    For what a cell measures, seconds say, may be such a number by chance; but not twice.
    """
    found = survivors(run(path))
    if found:
        before = Path.cwd()
        os.chdir(folder)
        try:
            found &= survivors(run.__wrapped__(path))
        finally:
            os.chdir(before)
    return found


def doubts(prose: str, held: Evidence) -> set[str]:
    """The claims that nothing holds, and the quotations that are not in the prose."""
    text = plain(prose)
    quoted = []  # from where to where, and by what
    found = set()
    for quotation in held.quotations:
        words = re.compile(r"\s+".join(map(re.escape, quotation.words.split())))
        places = [match.span() for match in words.finditer(text)]
        quoted += [(*place, quotation) for place in places]
        if not places:
            found.add(f"not in the prose: {quotation.words}")
    for claim in claims(prose):
        by: list[Quotation | Evidence] = [
            quotation
            for start, end, quotation in quoted
            if all(start <= first and last <= end for first, last in claim.numbers)
        ]
        if not any(claim.held_by(each) for each in by or [held]):
            found.add(claim.text)
    return found


def neighbours(text: str) -> Iterator[str]:
    """A number changed by 1 in its last place, up and down, and without its minus."""
    minus = "-" if plain(text).startswith("-") else ""
    front, slash, back = text.rpartition("/")
    digits = back.replace(",", "").lstrip("-−")
    places = len(digits.partition(".")[2])
    for step in (-1, 1):
        other = int(minus + digits.replace(".", "")) + step
        size = str(abs(other)).rjust(places + 1, "0")
        size = f"{size[:-places]}.{size[-places:]}" if places else size
        yield f"{front}{slash}{'-' if other < 0 else ''}{size}"
    if minus:
        yield text[1:]


# --- What is held ---------------------------------------------------------------------------------

SOURCE = "# minicnn/"  # how that which `learn.source` shows begins


@dataclass(frozen=True)
class Quotation:
    """An assert that says which words it proves."""

    words: str
    values: frozenset[float]
    rows: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Evidence:
    """The numbers of a section's output and asserts, and the rows in which they stand."""

    values: frozenset[float]
    rows: tuple[tuple[float, ...], ...]
    quotations: tuple[Quotation, ...]


def evidence(section: Section) -> Evidence:
    """What the cells of a section show and assert."""
    values: set[float] = set()
    rows: list[tuple[float, ...]] = []
    quotations = []
    for output in section.output:
        text = plain(output).partition(SOURCE)[0]
        for match in re.finditer(r"(?<![\w.])-?\d[\d,]*(?:\.\d*)?(?:e[-+]?\d+)?", text):
            values |= {number(part) for part in re.findall(r"-?\d[\d.e+-]*", match[0])}
            values.add(number(match[0]))
        for row in re.findall(r"\d+(?:(?:, ?|×)\d+)+", text):
            rows.append(tuple(map(float, re.findall(r"\d+", row))))
    for node in (node for code in section.code for node in ast.walk(ast.parse(code))):
        if isinstance(node, ast.Assert):
            found, shapes = frozenset(constants(node.test)), sequences(node.test)
            values |= set(constants(node.test, bounds=False))
            rows += shapes
            if isinstance(node.msg, ast.Constant) and isinstance(node.msg.value, str):
                quotations.append(Quotation(plain(node.msg.value), found, tuple(shapes)))
    return Evidence(frozenset(values), tuple(rows), tuple(quotations))


def plain(text: str) -> str:
    """The text with one kind of minus."""
    return text.replace("−", "-")


def number(text: str) -> float:
    """The value of a number as it is written in text."""
    over, _, under = plain(text).replace(",", "").partition("/")
    with contextlib.suppress(ZeroDivisionError):
        return float(over) / float(under or 1)
    return math.nan


def folded(node: ast.AST) -> float | None:
    """The value of an expression that is made of numbers alone."""
    if isinstance(node, ast.Constant):
        known = isinstance(node.value, int | float) and not isinstance(node.value, bool)
        return float(node.value) if known else None  # type: ignore[arg-type]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = folded(node.operand)
        return None if inner is None else -inner
    if isinstance(node, ast.BinOp) and None not in (folded(node.left), folded(node.right)):
        with contextlib.suppress(ArithmeticError, TypeError):
            return float(eval(ast.unparse(node), {"__builtins__": {}}))
    return None


def constants(node: ast.AST, bounds: bool = True) -> Iterator[float]:
    """The numbers that are written in an expression, each with its sign, and what they make.

    Not those in [ ], and without ``bounds`` none that something is only smaller or larger than,
    nor how far off it may be.
    """
    value = folded(node)
    if value is not None:
        yield value
        if isinstance(node, ast.UnaryOp):
            return
    children = list(ast.iter_child_nodes(node))
    if isinstance(node, ast.Subscript):
        children = [node.value]
    elif isinstance(node, ast.Compare) and not bounds:
        sides = [node.left, *node.comparators]
        equal = [isinstance(sign, ast.Eq | ast.In | ast.Is) for sign in node.ops]
        children = [
            side
            for k, side in enumerate(sides)
            if folded(side) is None or any(equal[max(k - 1, 0) : k + 1])
        ]
    elif (
        isinstance(node, ast.keyword)
        and node.arg in ("atol", "rtol", "abs_tol", "rel_tol")
        and not bounds
    ):
        children = []
    for child in children:
        yield from constants(child, bounds)


def sequences(node: ast.AST) -> list[tuple[float, ...]]:
    """The tuples and lists of numbers that are written in an expression."""
    found = []
    for each in ast.walk(node):
        if isinstance(each, ast.Tuple | ast.List):
            row = [value for value in map(folded, each.elts) if value is not None]
            if len(row) == len(each.elts):
                found.append(tuple(row))
    return found


# --- What is claimed ------------------------------------------------------------------------------

# What is no claim: code, links, headings, and the numbers of lessons, exercises, steps and lists.
SILENT = re.compile(
    r"([Ll]esson|[Ee]xercise|[Rr]ung|[Ss]tep)s?\s+\d+((,| and| or| to)\s+\d+)*|```.*?```|`[^`]*`"
    r"|(\[\d)?\]\([^)]*\)|https?://\S+|^#+ [^\n]*$|^ *\d\. |x86-64",
    re.S | re.M,
)
FORMULA = re.compile(r"\$\$.+?\$\$|\$[^$]+\$", re.S)
SHAPE = re.compile(
    r"(?<![\w.×])(?:[A-Z]+×)*(\d+(?:×\d+)+)(?:×[A-Z]+)*(?![\w×])|(?<=\()(\d+(?:, \d+)+)(?=\))"
)
NUMBER = re.compile(
    r"(?<![\w.,/-])(?:(?<![^\s(\[=|{])-)?"
    r"(?:\d+/\d+|\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)(?![\w/]|[.,]\d)"
)
SAYS = re.compile(r"(?:\b(?:is|are|was|gives?|makes?|gets?|becomes?|equals?|than)|=)\s+$")
# In a formula: what stands below; a power of one digit or sign; commands; braces.
DRESS = re.compile(r"_\{[^{}]*\}|_\w|\^\{-?\d?\}|\^\w|\\frac\s*\d\s*\d|\\[a-zA-Z]+|\\[,;!]|[{}\\]")


@dataclass(frozen=True)
class Claim:
    """Something that the prose says with numbers.

    Attributes:
        text: As it stands in the prose.
        numbers: From where to where its numbers go; of shapes and formulas more than one.
        kind: "number", "shape" or "formula".
    """

    text: str
    numbers: tuple[tuple[int, int], ...]
    kind: str

    def held_by(self, held: Quotation | Evidence) -> bool:
        """Whether the numbers stand there; of a formula, whether it is true."""
        if self.kind == "formula":
            return bool(worked(self.text))
        if self.kind == "number":
            value = number(self.text)
            return any(math.isclose(value, each, abs_tol=1e-15) for each in held.values)
        sizes = tuple(map(float, re.findall(r"\d+", self.text)))
        n = len(sizes)
        return any(row[k : k + n] == sizes for row in held.rows for k in range(len(row) - n + 1))


def claims(prose: str) -> list[Claim]:
    """What a piece of prose claims."""
    text = blank(SILENT, plain(prose))
    found: list[Claim] = []
    for formula in FORMULA.finditer(text):
        inside = formula[0]
        for part in re.finditer(r"(?:(?!\\q?quad|\\text\{)[^$])+", inside):
            if worked(part[0]) is not None:
                start = formula.start() + part.start()
                spans = [m.span() for m in re.finditer(r"\d+(?:[.,]\d+)*", part[0])]
                places = tuple((start + first, start + last) for first, last in spans)
                found.append(Claim(" ".join(part[0].split()), places, "formula"))
                inside = inside.replace(part[0], " " * len(part[0]))
        # Of what is left, single digits are taken out: they claim nothing.
        inside = re.sub(r"(?<![\d.,])\d(?![\d.,/]\d|\d)", " ", blank(DRESS, inside))
        inside = inside.replace("$", " ")
        text = text[: formula.start()] + inside + text[formula.end() :]
    for match in SHAPE.finditer(text):
        start, sizes = match.start(match.lastindex or 0), match[match.lastindex or 0]
        spans = [m.span() for m in re.finditer(r"\d+", sizes)]
        places = tuple((start + first, start + last) for first, last in spans)
        found.append(Claim(sizes, places, "shape"))
    text = blank(SHAPE, text)
    for match in NUMBER.finditer(text):
        if match[0] == "0/0" or (match[0] in "01" and not SAYS.search(text[: match.start()])):
            continue
        found.append(Claim(match[0], (match.span(),), "number"))
    return found


def blank(pattern: re.Pattern[str], text: str) -> str:
    """The text with spaces for what matches, so that all else stays where it is."""
    return pattern.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)


RELATIONS = {"=": operator.eq, "\\approx": operator.eq, "<": operator.lt, ">": operator.gt}


def worked(formula: str) -> bool | None:
    """Whether the sides that are made of numbers agree; None if there are not two of them."""
    text = formula.strip().strip("$.,; ")
    sides = re.split(r"=|\\approx\b|<|>", text)
    signs = re.findall(r"=|\\approx\b|<|>", text)
    numeric = [(k, value) for k, side in enumerate(sides) if (value := computed(side)) is not None]
    if len(numeric) < 2:
        return None
    for (k, one), (n, other) in pairwise(numeric):
        sign = next((sign for sign in signs[k:n] if sign in "<>"), "=")
        rounded = [len(side.strip().partition(".")[2]) for side in (sides[k], sides[n])]
        places = max((p for p in rounded if p >= 3), default=12)
        equal = abs(one - other) <= 0.500001 * 10.0**-places
        if not (equal if sign == "=" else RELATIONS[sign](one, other)):
            return False
    return True


def computed(side: str) -> float | None:
    """The value of a side; None if it has letters."""
    text = re.sub(r"(?<=\d),(?=\d{3})", "", side.strip().strip(".,; "))
    for pattern, new in (
        (r"\\[,;!]|\\left|\\right|\\[bB]igg?[lr]?", " "),
        (r"\\frac\{([^{}]*)\}\{([^{}]*)\}", r"((\1)/(\2))"),
        (r"\\frac\s*(\d)\s*(\d)", r"(\1/\2)"),
        (r"\\sqrt\{([^{}]*)\}", r"((\1)**0.5)"),
        (r"\\sqrt\s*(\d+)", r"(\1**0.5)"),
        (r"\\log\s*(\d+)", r"log(\1)"),
        (r"\\cdot|\\times", "*"),
        (r"\^\{([^{}]*)\}", r"**(\1)"),
        (r"\^(\d)", r"**\1"),
    ):
        text = re.sub(pattern, new, text)
    if not re.fullmatch(r"(?:log(?=\()|[-+*/(). \d])+", text) or not re.search(r"\d", text):
        return None
    with contextlib.suppress(SyntaxError, TypeError, ArithmeticError):
        return float(eval(" ".join(text.split()), {"__builtins__": {}, "log": math.log}))
    return None
