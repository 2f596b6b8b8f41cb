"""Check that the stubs tell the truth about the compiled kernels, with mypy's stubtest.

    python tools/check_stubs.py [minicnn ...]

Stands in the way: one hand-written `minicnn/kernels/conv.pyi` describes several modules,
`minicnn.kernels._v2.conv`, `minicnn.kernels._v3.conv` and so on, none of which lies beside it.
So the package is laid out anew in a temporary folder, with a copy of the stub for every module
that was built, and stubtest compares that with what `import` gives. It checks the pure Python
modules along the way. Levels that this processor lacks cannot be imported and are left
out. The kernels must be built first.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from minicnn import kernels  # noqa: E402 (the checkout's, wherever this is run from)
from minicnn.kernels import _choice  # noqa: E402


def lay_out(target: Path) -> list[str]:
    """Copy the package's .py and .pyi to `target`; the names of the compiled modules found."""
    package = ROOT / "minicnn"
    kernel_sources = package / "kernels"
    families = {path.stem for path in kernel_sources.glob("*.pyx") if not path.stem.startswith("_")}
    for source in package.rglob("*.py*"):
        if source.suffix not in (".py", ".pyi"):
            continue
        if source.parent == kernel_sources and source.stem in families:
            continue  # there is no module minicnn.kernels.conv
        copy = target / source.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, copy)
    compiled = []
    for level in usable_levels():
        if _choice.is_built(level):
            for family in sorted(families):
                stub = target / "minicnn" / "kernels" / f"_{level}" / f"{family}.pyi"
                shutil.copyfile(kernel_sources / f"{family}.pyi", stub)
                compiled.append(f"_{level}.{family}")
    return compiled


def usable_levels() -> list[str]:
    """The levels that this processor can run."""
    return _choice.candidate_levels(kernels.info()["cpu_level"] or "base", {})


def main(modules: list[str]) -> int:
    if find_spec("mypy") is None:
        print("check_stubs: mypy is not installed; it comes with `pip install -e '.[lint]'`")
        return 1
    with tempfile.TemporaryDirectory(prefix="minicnn-stubs-") as folder:
        stubs, elsewhere = Path(folder, "stubs"), Path(folder, "elsewhere")
        elsewhere.mkdir()  # stubtest imports from where it runs before it looks further
        others = Path(folder, "other_levels.txt")
        unusable = set(_choice.LEVELS).difference(usable_levels())
        built = [level for level in sorted(unusable) if _choice.is_built(level)]
        patterns = [rf"minicnn\.kernels\._{level}\..*" for level in built]
        others.write_text("\n".join(patterns), encoding="ascii")
        compiled = lay_out(stubs)
        if not compiled:
            print("check_stubs: no compiled kernels found; build them with `pip install -e .`")
            return 1
        print(f"check_stubs: {len(compiled)} compiled modules: {', '.join(compiled)}", flush=True)
        command = [sys.executable, "-m", "mypy.stubtest", *(modules or ["minicnn"])]
        command += ["--allowlist", str(ROOT / "tools" / "stubtest_allowlist.txt")]
        command += ["--allowlist", str(others)]
        command += ["--mypy-config-file", str(ROOT / "pyproject.toml")]
        paths = {"MYPYPATH": str(stubs), "PYTHONPATH": str(ROOT)}
        run = subprocess.run(command, cwd=elsewhere, env={**os.environ, **paths}, check=False)
        return run.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
