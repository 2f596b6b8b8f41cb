"""``minicnn doctor``: what is installed, whether it works, and how to mend what does not."""

from __future__ import annotations

import importlib.util
import os
import platform
import sys
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from . import __version__, kernels, models
from .data import data_folders, digits
from .data.mnist import FASHION_MNIST, MNIST, is_there
from .gradcheck import gradcheck
from .kernels import reference

Report = dict[str, Any]

EXTRAS = {
    "PIL": ("pillow", "pictures: folders of images and minicnn predict", "pip install pillow"),
    "torch": ("torch", "an oracle for the tests, a peer for the benchmarks", "pip install torch"),
}
"""Module: (package, what it is for, how to get it)."""


def report() -> Report:
    """Look at everything and run the self-test (about two seconds).

    Returns:
        JSON-able facts; ``ok`` tells whether all is well, ``problems`` lists what is not, each with
        its remedy.
    """
    checks = self_test()
    facts: Report = {
        "minicnn": __version__,
        "folder": str(Path(__file__).parent),
        "python": f"{platform.python_version()} ({sys.executable})",
        "platform": f"{platform.system()} {platform.machine()}",
        "numpy": np.__version__,
        "kernels": dict(kernels.info()),
        "processors": os.cpu_count(),
        "data": data_report(),
        "extras": {module: version_of(module) for module in EXTRAS},
        "self_test": checks,
    }
    facts["problems"] = problems(facts)
    facts["advice"] = advice(facts)
    facts["ok"] = not facts["problems"]
    return facts


def version_of(module: str) -> str | None:
    """The version of an optional package; None if it is not installed."""
    if importlib.util.find_spec(module) is None:
        return None
    try:
        return metadata.version(EXTRAS[module][0])
    except metadata.PackageNotFoundError:
        return "unknown version"


def data_report() -> Report:
    """Where data sets are looked for, and which are there."""
    found = [source.folder for source in (MNIST, FASHION_MNIST) if is_there(source)]
    folders = [str(folder) for folder in data_folders()]
    return {"folders": folders, "found": ["digits (built in)", *found]}


def self_test() -> dict[str, str]:
    """Run each check; for each "ok", or what went wrong."""
    checks: dict[str, Callable[[], str]] = {
        "kernels against the reference": check_kernels,
        "same bits for 1 and 2 threads": check_threads,
        "gradient check of the toy net": check_gradients,
        "embedded digits": check_digits,
    }
    results = {}
    for name, check in checks.items():
        start = time.perf_counter()
        try:
            outcome = check()
        except Exception as error:  # a doctor reports; it does not fall ill itself
            outcome = f"{type(error).__name__}: {error}"
        results[name] = outcome or f"ok ({time.perf_counter() - start:.2f} s)"
    return results


def _convolve(engine: Any, threads: int) -> tuple[np.ndarray, np.ndarray]:
    """A convolution and a pooling of fixed random numbers."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((8, 3, 30, 31)).astype(np.float32)
    weight = rng.standard_normal((8, 3, 3, 3)).astype(np.float32)
    y = np.empty((8, 8, 28, 29), np.float32)
    engine.conv2d_forward(x, weight, None, y, (1, 1), (0, 0), (1, 1), 1, False, False, threads)
    pooled, mask = np.empty((8, 8, 14, 14), np.float32), np.empty((8, 8, 14, 14), np.int32)
    engine.maxpool2d_forward(y, pooled, mask, (2, 2), (2, 2), (0, 0), (1, 1), threads)
    return y, pooled


def check_kernels() -> str:
    """The engine in use gives what the plain NumPy code gives."""
    for mine, theirs in zip(_convolve(kernels.engine, 2), _convolve(reference, 1), strict=True):
        error = float(np.abs(mine - theirs).max())
        if not error < 1e-4:
            return f"results differ by {error:.2g}"
    return ""


def check_threads() -> str:
    """The number of threads does not change a bit."""
    threads = min(2, kernels.threads)
    for one, two in zip(
        _convolve(kernels.engine, 1), _convolve(kernels.engine, threads), strict=True
    ):
        if one.tobytes() != two.tobytes():
            return "results differ"
    return ""


def check_gradients() -> str:
    """Backward is the derivative of forward."""
    x = np.random.default_rng(0).standard_normal((2, 1, 10, 10))
    checked = gradcheck(models.toy(size=10, rng=0), x, max_entries=20)
    return "" if checked else str(checked).replace("\n", "; ")


def check_digits() -> str:
    """The embedded pictures can be read."""
    count = len(digits("train")), len(digits("test"))
    return "" if count == (10_000, 2_000) else f"found {count} pictures, expected 10,000 and 2,000"


def problems(facts: Report) -> list[str]:
    """What is wrong, and what to do about it, one sentence each."""
    again = "build again: pip install --force-reinstall --no-deps . in minicnn's source folder"
    found = [
        f"self-test failed, {name}: {outcome}; {again}. If it stays so, report it with the output "
        f"of minicnn doctor --json"
        for name, outcome in facts["self_test"].items()
        if not outcome.startswith("ok")
    ]
    info = facts["kernels"]
    lowered = info["level"] != info["cpu_level"] and not os.environ.get("MINICNN_CPU")
    if info["engine"] == "cython" and lowered:
        found.append(
            f"the kernels for {info['cpu_level']} are missing, so the slower {info['level']} is in "
            f"use; {again}, with a compiler that knows that level"
        )
    return found


def advice(facts: Report) -> list[str]:
    """What works, but could be faster."""
    info = facts["kernels"]
    found = []
    if info["engine"] == "reference":
        found.append("the slow NumPy engine was asked for: unset MINICNN_BACKEND to compute fast")
    elif info["openmp"] is None:
        found.append(
            "the kernels were built without OpenMP and run on one thread: install it (on macOS: "
            "brew install libomp) and build again"
        )
    if info["debug_build"]:
        found.append("this is a debug build, which is slow: build again without MINICNN_DEBUG")
    return found


def format(report: Report) -> str:
    """The report as text."""
    info, data = report["kernels"], report["data"]
    level = f", CPU level {info['level']} of {info['cpu_level']}" if info["level"] else ""
    rows = [
        ("minicnn", f"{report['minicnn']} in {report['folder']}"),
        ("Python", report["python"]),
        ("NumPy", report["numpy"]),
        ("platform", report["platform"]),
        ("engine", f"{info['engine']}{level}"),
        ("why", info["why"]),
        ("compiler", info["compiler"] or "–"),
        ("threads", f"{info['threads']} of {report['processors']} processors"),
        ("OpenMP", info["openmp"] or "none: one thread"),
        ("data", f"{', '.join(data['found'])}; looked in {', '.join(data['folders'])}"),
    ]
    for module, version in report["extras"].items():
        package, purpose, remedy = EXTRAS[module]
        rows.append((package, version or f"not installed ({purpose}): {remedy}"))
    lines = [f"{name:<10}{text}" for name, text in rows]
    lines += ["", "self-test"]
    lines += [f"  {name:<32}{outcome}" for name, outcome in report["self_test"].items()]
    lines.append("")
    lines += [f"PROBLEM: {problem}" for problem in report["problems"]]
    lines += [f"advice: {text}" for text in report["advice"]]
    return "\n".join([*lines, "all is well"] if report["ok"] else lines)
