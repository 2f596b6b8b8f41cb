"""Check that the stubs tell the truth about the compiled kernels, with mypy's stubtest.

    python tools/check_stubs.py [minicnn ...]

Stands in the way: one hand-written `minicnn/kernels/conv.pyi` describes several modules,
`minicnn.kernels._v2.conv`, `minicnn.kernels._v3.conv` and so on, none of which lies beside it.
So the package is laid out anew in a temporary folder, with a copy of the stub for every module
that was built, and stubtest compares that with what `import` gives. It checks the pure Python
modules along the way. Fails when no compiled kernels are found: they must be built first.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def lay_out(target: Path) -> list[str]:
    """Copy the package's .py and .pyi to `target`; the names of the compiled modules found."""
    package = ROOT / "minicnn"
    kernels = package / "kernels"
    families = {path.stem for path in kernels.glob("*.pyx") if not path.stem.startswith("_")}
    for source in package.rglob("*.py*"):
        if source.suffix not in (".py", ".pyi"):
            continue
        if source.parent == kernels and source.stem in families:
            continue  # there is no module minicnn.kernels.conv
        copy = target / source.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, copy)
    compiled = []
    for level in sorted(kernels.glob("_*/")):
        for family in sorted(families):
            if any((level / f"{family}{suffix}").exists() for suffix in EXTENSION_SUFFIXES):
                stub = target / "minicnn" / "kernels" / level.name / f"{family}.pyi"
                shutil.copyfile(kernels / f"{family}.pyi", stub)
                compiled.append(f"minicnn.kernels.{level.name}.{family}")
    return compiled


def main(modules: list[str]) -> int:
    if find_spec("mypy") is None:
        print("check_stubs: mypy is not installed; it comes with `pip install -e '.[lint]'`")
        return 1
    with tempfile.TemporaryDirectory(prefix="minicnn-stubs-") as folder:
        compiled = lay_out(Path(folder))
        if not compiled:
            print("check_stubs: no compiled kernels found; build them with `pip install -e .`")
            return 1
        print(f"check_stubs: {len(compiled)} compiled modules: {', '.join(compiled)}", flush=True)
        command = [sys.executable, "-m", "mypy.stubtest", *(modules or ["minicnn"])]
        command += ["--allowlist", str(ROOT / "tools" / "stubtest_allowlist.txt")]
        command += ["--mypy-config-file", str(ROOT / "pyproject.toml")]
        paths = {"MYPYPATH": folder, "PYTHONPATH": str(ROOT)}
        return subprocess.run(command, cwd=folder, env={**os.environ, **paths}).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
