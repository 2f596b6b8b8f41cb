"""Build the kernels: every family from one .pyx, once for each CPU level.

All other facts about the project are in pyproject.toml. The environment has a say in three ways:

    MINICNN_DEBUG=1         check every index, None and uninitialised array; warnings are errors
    MINICNN_LEVELS=v3,v2    build these levels only (the default: all the platform has)
    CC, CFLAGS, LDFLAGS     as usual; CFLAGS come before the flags chosen here

The import picks a level: see minicnn/kernels/__init__.py.
"""

from __future__ import annotations

import os
import shutil
import struct
import sys
import sysconfig
import tempfile
from pathlib import Path

from Cython.Build import cythonize
from Cython.Compiler import Options
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CCompilerError

FAMILIES = ("conv", "pool", "norm", "elementwise", "gemm", "update", "warp", "plan", "plain")
KERNELS = "minicnn.kernels"
ONCE = ("_cpu", "_scratch")  # and these once, for all levels together
SHARED = f"{KERNELS}._views"  # what all modules share: Cython's memoryview classes, once
DEBUG = os.environ.get("MINICNN_DEBUG", "0") not in ("", "0")

Options.warning_errors = DEBUG

# Directives stand here and not in the files: a file's header would override them, and a
# misspelt header is ignored in silence, while cythonize refuses a directive it does not know.
DIRECTIVES = {
    "language_level": 3,
    "wraparound": False,
    "cdivision": True,
    "boundscheck": DEBUG,
    "initializedcheck": DEBUG,
    "nonecheck": DEBUG,
    "binding": True,  # functions that `inspect.signature`, and so stubtest, can read
    "autotestdict": False,  # no __test__ in every module for doctests that there are not
}

# For each level the flags to try, best first: gcc before 11 and clang before 12 know processors
# but not levels. No -ffast-math, whose start-up code flushes denormals to zero in the whole
# process, and no -ffinite-math-only: NaN must survive.
UNIX_LEVELS = {
    "v2": (["-march=x86-64-v2"], ["-march=nehalem", "-mtune=generic"]),
    "v3": (["-march=x86-64-v3"], ["-march=haswell", "-mtune=generic"]),
    "v4": (["-march=x86-64-v4"], ["-march=skylake-avx512", "-mtune=generic"]),
    "base": ([],),
}
MSVC_LEVELS = {"v2": ([],), "v3": (["/arch:AVX2"],), "v4": (["/arch:AVX512"],), "base": ([],)}

# Rows of a picture are short: half-width vectors waste less of their ends.
FAMILY_FLAGS = {("pool", "v4"): ["-mprefer-vector-width=256"]}

# (compiler flags, linker flags) to try, best first. Where none works the build is serial.
OPENMP_UNIX = (
    (["-fopenmp"], ["-fopenmp"]),
    (["-Xpreprocessor", "-fopenmp"], ["-lomp"]),  # Apple's clang, with libomp installed
)
OPENMP_MSVC: tuple[tuple[list[str], list[str]], ...] = ((["/openmp"], []),)
OPENMP_PROGRAM = """
#include <omp.h>
int main(void) {
    int i, n = 0;
    #pragma omp parallel for reduction(+:n) num_threads(2)
    for (i = 0; i < 4; i++) n += i;
    return n != 6 || omp_get_max_threads() < 1;
}
"""


def levels() -> list[str]:
    """The CPU levels to build, from the target platform and MINICNN_LEVELS."""
    platform = sysconfig.get_platform()  # linux-x86_64, win-amd64, macosx-11.0-universal2
    arch_flags = os.environ.get("ARCHFLAGS", "")
    x86_64 = struct.calcsize("P") == 8 and platform.endswith(("x86_64", "amd64"))
    if platform.endswith("universal2"):  # two processors in one file have no common flag
        x86_64 = "x86_64" in arch_flags and "arm64" not in arch_flags
    everything = ["v2", "v3", "v4"] if x86_64 else ["base"]
    wanted = os.environ.get("MINICNN_LEVELS", "").replace(",", " ").split() or everything
    for level in wanted:
        if level != "base" and level not in everything:
            raise SystemExit(
                f"MINICNN_LEVELS: expected some of {', '.join([*everything, 'base'])}, got {level}"
            )
    return wanted


def extensions() -> list[Extension]:
    """The modules to build, still bare: flags are added only after cythonize has been over them.

    The upper levels are optional: a compiler that cannot make them leaves a slower build that
    says so in `minicnn doctor`, not none. Levels asked for by name are not optional.
    """
    found = [
        *(Extension(f"{KERNELS}.{name}", [f"minicnn/kernels/{name}.pyx"]) for name in ONCE),
        Extension(SHARED, [SHARED.replace(".", "/") + ".c"]),
    ]
    for level in levels():
        for family in FAMILIES:
            optional = level in ("v3", "v4") and "MINICNN_LEVELS" not in os.environ
            found.append(
                Extension(
                    f"{KERNELS}._{level}.{family}",
                    [f"minicnn/kernels/{family}.pyx"],
                    optional=optional,
                )
            )
    return found


def level_of(ext: Extension) -> str:
    """The level an extension is for; "cpu", "scratch" or "views" for what is built once."""
    return ext.name.split(".")[2].lstrip("_")


class BuildKernels(build_ext):
    """Cythonize, find the compiler's flags, compile in parallel."""

    def finalize_options(self) -> None:
        super().finalize_options()
        if self.parallel is None:
            self.parallel = os.cpu_count() or 1

    def run(self) -> None:
        self.translate()
        super().run()

    def translate(self) -> None:
        """Write the C files, each level's into its own folder: the module names differ."""
        root = Path("build", "cython-debug" if DEBUG else "cython")
        # Worker processes only where they start by fork, which does not run this file again.
        workers = (os.cpu_count() or 1) if sys.platform.startswith("linux") else 0
        for level in dict.fromkeys(level_of(ext) for ext in self.extensions):
            own = [ext for ext in self.extensions if level_of(ext) == level]
            folder = root / level
            # Without it the shared module would call itself by its last name alone.
            named = {"module_name": SHARED} if own[0].name == SHARED else {}
            stamp = folder / "directives"
            stale = self.changed(stamp, repr(sorted(DIRECTIVES.items())))
            try:
                translated = cythonize(  # type: ignore[no-untyped-call]
                    [Extension(ext.name, list(ext.sources)) for ext in own],
                    build_dir=str(folder),
                    compiler_directives=DIRECTIVES,
                    shared_utility_qualified_name=SHARED,
                    nthreads=workers if len(own) > 1 else 0,
                    force=stale or None,
                    **named,
                )
            except BaseException:
                stamp.unlink()  # what was not translated is still stale
                raise
            sources = {ext.name: ext.sources for ext in translated}
            for ext in own:
                ext.sources = sources[ext.name]

    def build_extensions(self) -> None:
        """Add the flags, which depend on the compiler in use, and compile."""
        msvc = self.compiler.compiler_type == "msvc"
        openmp_compile, openmp_link = self.openmp(msvc)
        compile_flags, link_flags = common_flags(msvc, serial=not openmp_compile)
        chosen = MSVC_LEVELS if msvc else UNIX_LEVELS
        levels_flags = {level: self.first_that_works(chosen[level]) for level in levels()}
        for ext in self.extensions:
            level = level_of(ext)
            family = ext.name.rpartition(".")[2]
            ext.extra_compile_args = [*compile_flags, *openmp_compile]
            ext.extra_compile_args += levels_flags.get(level, [])
            if not msvc:
                ext.extra_compile_args += FAMILY_FLAGS.get((family, level), [])
            ext.extra_link_args = [*link_flags, *openmp_link]
            ext.define_macros = [("MINICNN_DEBUG", "1")] if DEBUG else []
            ext.depends = [*ext.depends, self.stamp(ext)]
        super().build_extensions()

    def openmp(self, msvc: bool) -> tuple[list[str], list[str]]:
        for compile_flags, link_flags in OPENMP_MSVC if msvc else OPENMP_UNIX:
            if self.compiles(OPENMP_PROGRAM, compile_flags, link_flags):
                return compile_flags, link_flags
        print("minicnn: this compiler has no OpenMP; the kernels will run on one thread")
        return [], []

    def first_that_works(self, candidates: tuple[list[str], ...]) -> list[str]:
        for flags in candidates:
            if self.compiles("int main(void) { return 0; }\n", flags, []):
                return flags
        return candidates[0]  # which fails in the real build, with the compiler's own words

    def compiles(self, program: str, compile_flags: list[str], link_flags: list[str]) -> bool:
        """Whether the compiler and linker in use accept a small program with these flags.

        In a process of its own with nothing printed: an answer of no is no error.
        """
        folder = tempfile.mkdtemp(prefix="minicnn-probe-")
        sys.stdout.flush()
        sys.stderr.flush()
        kept = os.dup(1), os.dup(2)
        silence = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(silence, 1)
            os.dup2(silence, 2)
            source = Path(folder, "probe.c")
            source.write_text(program, encoding="ascii")
            objects = self.compiler.compile(
                [str(source)],
                output_dir=os.path.splitdrive(folder)[0] + os.sep,
                extra_postargs=compile_flags,
            )
            # As modules are linked: LDFLAGS do not reach programs.
            self.compiler.link_shared_object(
                objects, str(Path(folder, "probe.so")), extra_postargs=link_flags
            )
        except CCompilerError:
            return False
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for target, copy in zip((1, 2), kept, strict=True):
                os.dup2(copy, target)
                os.close(copy)
            os.close(silence)
            shutil.rmtree(folder, ignore_errors=True)
        return True

    def stamp(self, ext: Extension) -> str:
        """A file that is newer than the module when the flags have changed since it was built."""
        path = Path("build", "flags", ext.name)
        flags = (self.compiler.compiler_type, ext.extra_compile_args, ext.extra_link_args)
        self.changed(path, repr(flags))
        return str(path)

    def changed(self, path: Path, text: str) -> bool:
        """Whether a file holds another text than it should, or none; afterwards it holds it."""
        if path.exists() and path.read_text(encoding="utf-8") == text:
            return False
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return True


def common_flags(msvc: bool, serial: bool) -> tuple[list[str], list[str]]:
    """Compiler and linker flags of all modules."""
    if msvc:
        return (["/Od", "/Zi"], ["/DEBUG"]) if DEBUG else (["/O2"], [])
    # No kernel reads errno or the floating-point flags: so told, the compiler makes vector code of
    # more loops. Every value stays as it is, NaN and signed zeros too.
    flags = ["-O3", "-g0", "-fno-math-errno", "-fno-trapping-math"]
    if DEBUG:  # Cython's own bookkeeping of errors in parallel loops looks uninitialised to gcc
        flags = ["-O1", "-g", "-UNDEBUG", "-Wall", "-Werror", "-Wno-maybe-uninitialized"]
    if serial:  # the pragmas are unknown then, and what they name is not used
        flags += ["-Wno-unknown-pragmas", "-Wno-unused-but-set-variable"]
    strip = ["-Wl,-s"] if sys.platform.startswith("linux") and not DEBUG else []
    return flags, strip


if __name__ == "__main__":
    setup(ext_modules=extensions(), cmdclass={"build_ext": BuildKernels})
