"""Who may import whom: the map of the house, read from the source, and what an import costs."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import minicnn

ROOT = Path(minicnn.__file__).parent

# For each module or package of minicnn, what it may import of the others. `__init__`, `cli` with
# its `commands`, `doctor` and `__main__` may import everything, and nothing else may import those.
TOP = {"__init__", "__main__", "cli", "commands", "doctor"}
BASIC = {"_version", "errors", "files"}
NETS = {*BASIC, "init", "kernels", "labels", "layers", "tensor"}
MAP = {
    "_version": set[str](),
    "_missing": set[str](),
    "errors": set[str](),
    "files": {"errors"},
    "kernels": set[str](),
    "init": BASIC,
    "tensor": BASIC,
    "labels": {*BASIC, "tensor"},
    "layers": NETS - {"labels"},
    "losses": NETS - {"layers"},
    "metrics": {*BASIC, "labels", "tensor"},
    "optim": {*BASIC, "kernels", "tensor"},
    "schedules": BASIC,
    "data": {*BASIC, "init", "kernels", "labels", "tensor"},
    "image": {*BASIC, "data", "tensor"},
    "models": NETS,
    "gradcheck": {*NETS, "losses"},
    "learn": {
        *NETS,
        "explain",
        "gradcheck",
        "losses",
        "metrics",
        "models",
        "museum",
        "optim",
        "schedules",
    },
    "museum": {*NETS, "checkpoint", "gradcheck", "losses", "optim"},
    "history": BASIC,
    "archive": BASIC,
    # These take state dicts, histories or layers; they know no trainer.
    "checkpoint": {*NETS, "archive", "losses", "optim", "schedules"},
    "explain": {*NETS, "losses"},
    "xrays": NETS,
    "plots": {*NETS, "history", "losses", "metrics"},
    # Knows no plots and no command line.
    "train": {
        *NETS,
        "archive",
        "checkpoint",
        "data",
        "history",
        "losses",
        "metrics",
        "optim",
        "schedules",
    },
}


def modules() -> list[Path]:
    exercises = {"stubs", "solutions"}  # of minicnn.learn: the reader's files, not the package's
    return [path for path in sorted(ROOT.rglob("*.py")) if not exercises & {*path.parts}]


def owner(path: Path) -> str:
    """The module or package directly under minicnn that a file belongs to."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imports(path: Path, tree: ast.AST) -> Iterator[tuple[list[str], int]]:
    """Each imported dotted name, made absolute, with its line."""
    package = ["minicnn", *path.relative_to(ROOT).parts[:-1]]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name.split("."), node.lineno
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            base = [*base, *(node.module.split(".") if node.module else [])]
            for alias in node.names:
                yield [*base, alias.name], node.lineno
        elif isinstance(node, ast.Call):
            name = called(node, package)
            if name is not None:
                yield name, node.lineno


def called(node: ast.Call, package: list[str]) -> list[str] | None:
    """The name in ``importlib.import_module("name")``, ``__import__("name")`` and the like."""
    function = node.func.attr if isinstance(node.func, ast.Attribute) else None
    function = node.func.id if isinstance(node.func, ast.Name) else function
    if function not in {"import_module", "__import__"}:
        return None
    words = [*node.args[:1], *(word.value for word in node.keywords if word.arg == "name")]
    name = words[0].value if words and isinstance(words[0], ast.Constant) else None
    if not isinstance(name, str):
        return None
    parts = name.lstrip(".")
    level = len(name) - len(parts)
    return [*(package[: len(package) - level + 1] if level else []), *parts.split(".")]


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_one_way(path: Path) -> None:
    me = owner(path)
    if me in TOP:
        return
    assert me in MAP, f"{me} is new: say in tests/test_imports.py what it may import"
    for name, line in imports(path, ast.parse(path.read_text(encoding="utf-8"))):
        if name[0] == "minicnn":
            assert len(name) > 1, f"{path}:{line}: import the modules, not the package"
            assert name[1] in MAP[me] | {me}, f"{path}:{line}: {me} may not import {name[1]}"


@pytest.mark.parametrize(
    "line",
    [
        "import minicnn.train.bar",
        "from minicnn import train",
        "from .train import Trainer",
        "importlib.import_module('minicnn.train')",
        "import_module(name='minicnn.train')",
        "importlib.import_module('.train', __package__)",
        "def f():\n    __import__('minicnn.train')",
    ],
)
def test_every_way_to_import_is_seen(line: str) -> None:
    found = [name[:2] for name, _ in imports(ROOT / "history.py", ast.parse(line))]
    assert found == [["minicnn", "train"]]


def test_imports_that_cannot_be_known_are_passed_over() -> None:
    tree = ast.parse("import_module(name)\nimport_module()\n__import__(3)\nf('minicnn.train')")
    assert list(imports(ROOT / "history.py", tree)) == []


def test_the_map_has_no_circle() -> None:
    left = dict(MAP)
    while left:
        free = [name for name, uses in left.items() if not (uses - {name}) & left.keys()]
        assert free, f"a circle among {sorted(left)}"
        for name in free:
            del left[name]


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_only_numpy_is_imported_at_module_level(path: Path) -> None:
    """Pictures, progress bars and plots cost time and memory: functions import what they need."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):  # what functions import, and type checkers alone, is free
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) or type_checking(node):
            node.body = []
    for name, line in imports(path, tree):
        allowed = name[0] in {"minicnn", "numpy"} or name[0] in sys.stdlib_module_names
        assert allowed, f"{path}:{line}: import {name[0]} inside the function that needs it"


def type_checking(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.If)
        and isinstance(node.test, ast.Name)
        and node.test.id == "TYPE_CHECKING"
    )


def test_import_minicnn_brings_in_numpy_alone() -> None:
    program = (
        "import sys, numpy; before = set(sys.modules); import minicnn;"
        "print(*sorted({name.partition('.')[0] for name in set(sys.modules) - before}))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120
    )
    new = {name for name in run.stdout.split() if name not in sys.stdlib_module_names}
    # Cython registers what its modules share under names of its own.
    new = {name for name in new if not name.startswith(("_cython_", "cython_"))}
    assert new - {"numpy"} == {"minicnn"}
    # Slow ones of the standard library, which only downloads, subprocesses and the like need.
    slow = {"asyncio", "email", "http", "multiprocessing", "sqlite3", "ssl", "unittest", "xml"}
    numpys = subprocess.run(
        [sys.executable, "-c", "import sys, numpy; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert not slow & (set(run.stdout.split()) - set(numpys.stdout.split()))
