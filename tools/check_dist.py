"""Check what a wheel and an sdist hold, and that the wheel is small.

python tools/check_dist.py dist
"""

from __future__ import annotations

import sys
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parent.parent
WHEEL_LIMIT = 8_000_000
SOURCES = {".py", ".pyi", ".pyx", ".pxd", ".typed", ".npz", ".txt"}
KERNELS = ROOT / "minicnn" / "kernels"
FAMILIES = {path.stem for path in KERNELS.glob("*.pyx") if not path.stem.startswith("_")}


def package_files() -> set[str]:
    """What the package consists of in the checkout, as paths from its root."""
    found = (path for path in (ROOT / "minicnn").rglob("*") if path.suffix in SOURCES)
    return {path.relative_to(ROOT).as_posix() for path in found}


def check_wheel(path: Path) -> Iterable[str]:
    size = path.stat().st_size
    print(f"{path.name}: {size / 1e6:.2f} MB")
    if size >= WHEEL_LIMIT:
        yield f"is {size} bytes, and should be below {WHEEL_LIMIT}"
    with zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
    for name in sorted(package_files() - names):
        yield f"lacks {name}"
    for name in names:
        if PurePosixPath(name).suffix in {".c", ".o", ".pyc"}:
            yield f"holds {name}"
    compiled = [PurePosixPath(name) for name in names if name.endswith((".so", ".pyd"))]
    levels = {path.parent.name for path in compiled if path.parent.name != "kernels"}
    if levels not in ({"_v2", "_v3", "_v4"}, {"_base"}):
        yield f"has the levels {sorted(levels)}, and should have all of its platform"
    for level in levels:
        built = {path.name.partition(".")[0] for path in compiled if path.parent.name == level}
        if built != FAMILIES:
            yield f"has in {level} the modules {sorted(built)}, and should have {sorted(FAMILIES)}"


def check_sdist(path: Path) -> Iterable[str]:
    print(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    needed = {"setup.py", "pyproject.toml", "README.md", "LICENSE", "tests/conftest.py", ".ci/run"}
    for name in sorted((package_files() | needed) - names):
        yield f"lacks {name}"
    for name in names:
        if PurePosixPath(name).suffix in {".c", ".so", ".pyd", ".o", ".pyc"}:
            yield f"holds {name}"


def main(folder: str) -> int:
    wheels = sorted(Path(folder).glob("*.whl"))
    sdists = sorted(Path(folder).glob("*.tar.gz"))
    if len(wheels) != 1 or len(sdists) != 1:
        print(f"check_dist: expected one wheel and one sdist in {folder}")
        return 1
    faults = [f"{wheels[0].name} {fault}" for fault in check_wheel(wheels[0])]
    faults += [f"{sdists[0].name} {fault}" for fault in check_sdist(sdists[0])]
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "dist"))
