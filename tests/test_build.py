"""The rules of the build in setup.py, and of the sources that it compiles."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import shutil
import sysconfig
from pathlib import Path
from typing import Any

import pytest

import minicnn
from minicnn.kernels import _choice

ROOT = Path(__file__).resolve().parent.parent
KERNELS = ROOT / "minicnn" / "kernels"

for needed in ("setuptools", "Cython"):
    pytest.importorskip(needed)


@pytest.fixture
def build(monkeypatch: pytest.MonkeyPatch) -> Any:
    """setup.py as a module, as on an ordinary machine and with nothing in the environment."""
    for variable in ("MINICNN_LEVELS", "MINICNN_DEBUG", "ARCHFLAGS"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(sysconfig, "get_platform", lambda: "linux-x86_64")
    spec = importlib.util.spec_from_file_location("minicnn_setup", ROOT / "setup.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def new_command(build: Any) -> Any:
    return build.BuildKernels(importlib.import_module("setuptools").Distribution())


def sources() -> list[Path]:
    return sorted([*KERNELS.glob("*.pyx"), *KERNELS.glob("*.pxd")])


class TestLevels:
    @pytest.mark.parametrize(
        ("platform", "arch_flags", "expected"),
        [
            ("linux-x86_64", "", ["v2", "v3", "v4"]),
            ("win-amd64", "", ["v2", "v3", "v4"]),
            ("macosx-10.13-x86_64", "", ["v2", "v3", "v4"]),
            ("linux-aarch64", "", ["base"]),
            ("win-arm64", "", ["base"]),
            ("win32", "", ["base"]),
            ("macosx-11.0-arm64", "", ["base"]),
            ("macosx-11.0-universal2", "", ["base"]),
            ("macosx-11.0-universal2", "-arch arm64 -arch x86_64", ["base"]),
            ("macosx-11.0-universal2", "-arch arm64", ["base"]),
            ("macosx-11.0-universal2", "-arch x86_64", ["v2", "v3", "v4"]),
        ],
    )
    def test_follow_the_platform(
        self,
        build: Any,
        monkeypatch: pytest.MonkeyPatch,
        platform: str,
        arch_flags: str,
        expected: list[str],
    ) -> None:
        monkeypatch.setattr(sysconfig, "get_platform", lambda: platform)
        monkeypatch.setenv("ARCHFLAGS", arch_flags)
        assert build.levels() == expected

    @pytest.mark.parametrize(
        ("asked", "expected"),
        [("v3", ["v3"]), ("v3,v2", ["v3", "v2"]), ("v3 v2", ["v3", "v2"]), ("base", ["base"])],
    )
    def test_can_be_limited(
        self, build: Any, monkeypatch: pytest.MonkeyPatch, asked: str, expected: list[str]
    ) -> None:
        monkeypatch.setenv("MINICNN_LEVELS", asked)
        assert build.levels() == expected

    @pytest.mark.parametrize(
        ("platform", "asked"), [("linux-x86_64", "v5"), ("linux-aarch64", "v3")]
    )
    def test_that_do_not_exist_are_refused(
        self, build: Any, monkeypatch: pytest.MonkeyPatch, platform: str, asked: str
    ) -> None:
        monkeypatch.setattr(sysconfig, "get_platform", lambda: platform)
        monkeypatch.setenv("MINICNN_LEVELS", asked)
        with pytest.raises(SystemExit, match=f"MINICNN_LEVELS: expected some of .* got {asked}"):
            build.levels()

    def test_upper_ones_are_optional_unless_asked_for_by_name(
        self, build: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        optional = {build.level_of(ext) for ext in build.extensions() if ext.optional}
        assert optional == {"v3", "v4"}
        monkeypatch.setenv("MINICNN_LEVELS", "v2,v4")
        assert not any(ext.optional for ext in build.extensions())


class TestExtensions:
    def test_every_family_is_built_for_every_level(self, build: Any) -> None:
        names = {ext.name for ext in build.extensions()}
        families = {path.stem for path in KERNELS.glob("*.pyx")} - set(build.ONCE)
        assert set(build.FAMILIES) == set(_choice.FAMILIES) == families
        once = {f"minicnn.kernels.{name}" for name in build.ONCE}
        assert names == once | {build.SHARED} | {
            f"minicnn.kernels._{level}.{family}"
            for level in ("v2", "v3", "v4")
            for family in families
        }

    def test_every_level_has_a_package(self, build: Any) -> None:
        for level in _choice.LEVELS:
            assert (KERNELS / f"_{level}" / "__init__.py").exists()
            assert level in build.UNIX_LEVELS
            assert level in build.MSVC_LEVELS

    @pytest.mark.parametrize("msvc", [False, True])
    @pytest.mark.parametrize("debug", [False, True])
    def test_no_flag_gives_up_exact_numbers(
        self, build: Any, monkeypatch: pytest.MonkeyPatch, msvc: bool, debug: bool
    ) -> None:
        monkeypatch.setattr(build, "DEBUG", debug)
        flags = [flag for part in build.common_flags(msvc, serial=True) for flag in part]
        for table in (build.UNIX_LEVELS, build.MSVC_LEVELS):
            flags += [flag for choices in table.values() for choice in choices for flag in choice]
        flags += [flag for extra in build.FAMILY_FLAGS.values() for flag in extra]
        fast = {"-Ofast", "-ffast-math", "-ffinite-math-only", "-funsafe-math-optimizations"}
        assert not {*fast, "-fassociative-math", "-march=native", "/fp:fast"} & set(flags)

    def test_a_changed_flag_is_noticed(
        self, build: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.chdir(tmp_path)
        command = new_command(build)
        command.compiler = type("Compiler", (), {"compiler_type": "unix"})()
        ext = build.extensions()[-1]
        ext.extra_compile_args = ["-O2"]
        stamp = Path(command.stamp(ext))
        first = stamp.stat().st_mtime_ns, stamp.read_text(encoding="utf-8")
        command.stamp(ext)
        assert (stamp.stat().st_mtime_ns, stamp.read_text(encoding="utf-8")) == first
        ext.extra_compile_args = ["-O3"]
        command.stamp(ext)
        assert stamp.read_text(encoding="utf-8") != first[1]

    @pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
    def test_flags_are_probed_with_the_compiler(
        self, build: Any, capfd: pytest.CaptureFixture[str]
    ) -> None:
        # By the name under which setuptools, which brings it, uses it too.
        command = new_command(build)
        command.compiler = importlib.import_module("distutils.ccompiler").new_compiler()
        importlib.import_module("distutils.sysconfig").customize_compiler(command.compiler)
        program = "int main(void) { return 0; }\n"
        assert command.compiles(program, [], [])
        assert not command.compiles(program, ["-fno-such-flag-at-all"], [])
        assert not command.compiles("int main(void) { return }\n", [], [])
        assert command.first_that_works((["-fno-such-flag-at-all"], ["-O1"])) == ["-O1"]
        assert capfd.readouterr() == ("", "")


class TestSources:
    @pytest.mark.parametrize("path", sources(), ids=lambda path: path.name)
    def test_hold_no_directives(self, path: Path) -> None:
        """A directive in a file overrides the build's, and a misspelt one is ignored."""
        text = path.read_text(encoding="utf-8")
        for sign in ("# cython:", "#cython:", "# distutils:", "boundscheck", "wraparound"):
            assert sign not in text

    @pytest.mark.parametrize("path", sources(), ids=lambda path: path.name)
    def test_define_no_classes(self, path: Path) -> None:
        """A cdef class built three times would be three types that do not know each other."""
        assert "cdef class" not in path.read_text(encoding="utf-8")

    @pytest.mark.parametrize("path", sorted(KERNELS.glob("*.pyx")), ids=lambda path: path.name)
    def test_have_a_stub_beside_them(self, path: Path) -> None:
        assert path.with_suffix(".pyi").exists()


def test_the_version_is_the_installed_one() -> None:
    try:
        installed = importlib.metadata.version("minicnn")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("minicnn is not installed, only on the path")
    assert installed == minicnn.__version__
