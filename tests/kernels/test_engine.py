"""Which kernels run, on how many threads, and what is said when they cannot."""

from __future__ import annotations

import importlib
import inspect
import os
import re
from types import ModuleType

import numpy as np
import pytest

from minicnn import kernels
from minicnn.kernels import _choice, reference

from .processes import last_line, python

LEVEL = kernels.info()["level"] or ""
CPU_LEVEL = kernels.info()["cpu_level"] or ""

# Only where the kernels are compiled: these tests are of the choice, not of the loops.
compiled = pytest.mark.skipif(not LEVEL, reason="runs with MINICNN_BACKEND=reference")


REFERENCE = {
    name: list(inspect.signature(function).parameters)
    for name, function in vars(reference).items()
    if inspect.isfunction(function)
    and not name.startswith("_")
    and function.__module__ == reference.__name__
}


class TestParity:
    """Every engine has the same functions, with the same arguments in the same order."""

    @pytest.mark.parametrize("level", _choice.LEVELS)
    def test_compiled_functions_are_those_of_the_reference(self, level: str) -> None:
        if level not in _choice.LEVELS[: _choice.LEVELS.index(CPU_LEVEL or "base") + 1]:
            pytest.skip(f"this processor does not have {level}")
        try:
            engine = _choice._merge(level)
        except _choice.NotBuiltError:
            pytest.skip(f"{level} is not built")
        found = {
            name: list(inspect.signature(function).parameters)
            for name, function in vars(engine).items()
            if not name.startswith("_")
        }
        assert found == REFERENCE

    def test_num_threads_is_the_last_argument(self) -> None:
        for name, parameters in REFERENCE.items():
            # One passes over a batch of scores, the others compute nothing: no threads.
            alone = "softmax_cross_entropy", "conv2d_suits_winograd"
            if name not in (*alone, "plan_prepare", "plan_algorithms"):
                assert parameters[-1] == "num_threads", name


class TestUseBackend:
    def test_switches_at_once_and_stays(self) -> None:
        kernels.use_backend("reference")
        assert kernels.engine is reference
        assert kernels.info()["engine"] == "reference"
        assert kernels.info()["level"] is None
        assert kernels.info()["why"] == 'use_backend("reference") asked for it'

    @compiled
    def test_as_a_context_manager_restores(self) -> None:
        before = kernels.engine
        with kernels.use_backend("reference"):
            assert kernels.engine is reference
            with kernels.use_backend("cython"):
                assert kernels.engine is before
            assert kernels.engine is reference
        assert kernels.engine is before
        assert kernels.info()["engine"] == "cython"

    def test_restores_after_an_error(self) -> None:
        before = kernels.engine
        with pytest.raises(ZeroDivisionError), kernels.use_backend("reference"):
            raise ZeroDivisionError
        assert kernels.engine is before

    @pytest.mark.parametrize("name", ["numpy", "", "Cython", None, 1])
    def test_refuses_other_names(self, name: str) -> None:
        before = kernels.engine
        message = f"use_backend: expected one of cython, reference, got {name!r}"
        with pytest.raises(ValueError, match=re.escape(message)):
            kernels.use_backend(name)
        assert kernels.engine is before


class TestThreads:
    @pytest.mark.parametrize("count", [1, 3, np.int64(2), np.uint8(5), _choice.MAX_THREADS])
    def test_set_and_get(self, count: int) -> None:
        kernels.set_num_threads(count)
        assert kernels.get_num_threads() == kernels.threads == kernels.info()["threads"] == count
        assert type(kernels.threads) is int

    @pytest.mark.parametrize("count", [0, -1, _choice.MAX_THREADS + 1])
    def test_refuses_counts_out_of_range(self, count: int) -> None:
        message = f"num_threads must be from 1 to {_choice.MAX_THREADS}, got {count}"
        with pytest.raises(ValueError, match=message):
            kernels.set_num_threads(count)

    @pytest.mark.parametrize("count", [2.0, "2", True, None])
    def test_refuses_what_is_no_whole_number(self, count: int) -> None:
        message = f"num_threads must be an int, got {type(count).__name__} {count!r}"
        with pytest.raises(TypeError, match=re.escape(message)):
            kernels.set_num_threads(count)

    @pytest.mark.parametrize(
        ("environ", "expected"),
        [
            ({}, 8),
            ({"MINICNN_NUM_THREADS": "3"}, 3),
            ({"MINICNN_NUM_THREADS": " 3 "}, 3),
            ({"MINICNN_NUM_THREADS": "64"}, 8),
            ({"MINICNN_NUM_THREADS": ""}, 8),
            ({"OMP_NUM_THREADS": "2"}, 2),
            ({"OMP_NUM_THREADS": "4,2"}, 4),
            ({"OMP_NUM_THREADS": "what"}, 8),
            ({"OMP_NUM_THREADS": "0"}, 8),
            ({"OMP_NUM_THREADS": "2", "MINICNN_NUM_THREADS": "5"}, 2),
            ({"OMP_NUM_THREADS": "5", "MINICNN_NUM_THREADS": "2"}, 2),
        ],
    )
    def test_default_is_what_the_process_may_use_less_the_caps(
        self, monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], expected: int
    ) -> None:
        monkeypatch.setattr(_choice, "available_processors", lambda: 8)
        assert _choice.default_threads(environ) == expected

    @pytest.mark.parametrize("value", ["0", "-1", "two", "1.5", " "])
    def test_refuses_a_cap_that_is_no_count(self, value: str) -> None:
        message = f"MINICNN_NUM_THREADS: expected a whole number from 1 on, got {value!r}"
        with pytest.raises(ValueError, match=re.escape(message)):
            _choice.default_threads({"MINICNN_NUM_THREADS": value})

    @pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system has no affinity")
    def test_default_respects_the_processors_given_to_the_process(self) -> None:
        program = (
            "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))});"
            "from minicnn import kernels; print(kernels.threads)"
        )
        assert last_line(python(program)) == "1"


class TestLevels:
    @pytest.mark.parametrize(
        ("cpu", "asked", "expected"),
        [
            ("v4", "", ["v4", "v3", "v2", "base"]),
            ("v2", "", ["v2", "base"]),
            ("base", "", ["base"]),
            ("v4", "v4", ["v4"]),
            ("v4", "v2", ["v2"]),
        ],
    )
    def test_best_first_or_the_one_asked_for(
        self, cpu: str, asked: str, expected: list[str]
    ) -> None:
        assert _choice.candidate_levels(cpu, {"MINICNN_CPU": asked}) == expected

    @pytest.mark.parametrize(("cpu", "asked"), [("v3", "v4"), ("base", "v2")])
    def test_a_level_above_the_processor_is_refused(self, cpu: str, asked: str) -> None:
        message = f"MINICNN_CPU: {asked} asks for more than this processor has, which is {cpu}"
        with pytest.raises(ValueError, match=message):
            _choice.candidate_levels(cpu, {"MINICNN_CPU": asked})

    @pytest.mark.parametrize("asked", ["V3", "3", "avx2", "v3 "])
    def test_a_misspelt_level_is_refused(self, asked: str) -> None:
        message = f"MINICNN_CPU: expected one of base, v2, v3, v4, got {asked!r}"
        with pytest.raises(ValueError, match=re.escape(message)):
            _choice.candidate_levels("v4", {"MINICNN_CPU": asked})

    @compiled
    def test_a_level_that_was_not_built_is_passed_over_and_said(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        existing = _choice._merge(LEVEL)

        def merge(level: str) -> ModuleType:
            if level != LEVEL:
                raise _choice.NotBuiltError("conv")
            return existing

        monkeypatch.setattr(_choice, "_merge", merge)
        level, engine, why = _choice.load_level("v4", {})
        assert (level, engine) == (LEVEL, existing)
        if LEVEL != "v4":
            assert why.startswith("this processor has v4, but not built: v4 (conv)")

    def test_a_level_asked_for_is_never_replaced(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def merge(level: str) -> ModuleType:
            if level == "v2":
                raise _choice.NotBuiltError("pool")
            return ModuleType(level)

        monkeypatch.setattr(_choice, "_merge", merge)
        with pytest.raises(ImportError, match=r"not built is v2 \(pool\)"):
            _choice.load_level("v4", {"MINICNN_CPU": "v2"})

    @compiled
    def test_why_names_the_reason(self) -> None:
        assert _choice.load_level(LEVEL, {})[2] in (
            "the highest level that this processor has",
            "the only level outside x86-64",
        )
        why = _choice.load_level(LEVEL, {"MINICNN_CPU": LEVEL})[2]
        assert why == f"MINICNN_CPU={LEVEL} asks for it"


class TestMissingKernels:
    """Never a silent fallback: 100 times slower, and nobody would know why."""

    hide = """
import sys
class Hide:
    @staticmethod
    def find_spec(name, path=None, target=None):
        package = name.split(".")
        if package[:2] == ["minicnn", "kernels"] and len(package) == 4:
            raise {error}("libwhat.so: cannot open", name={name})
sys.meta_path.insert(0, Hide)
"""
    missing = hide.format(error="ModuleNotFoundError", name="name")

    def test_import_fails_and_says_how_to_build(self) -> None:
        result = python(self.missing + "import minicnn")
        assert result.returncode
        assert last_line(result).startswith("ImportError: minicnn's compiled kernels are missing")
        assert "pip install -e ." in last_line(result)
        assert "python setup.py build_ext --inplace" in last_line(result)
        assert "MINICNN_BACKEND=reference" in last_line(result)

    @pytest.mark.parametrize("module", ["_cpu", "_scratch"])
    def test_so_it_does_without_a_module_that_all_levels_share(self, module: str) -> None:
        program = "import sys; sys.modules['minicnn.kernels.{}'] = None; import minicnn"
        result = python(program.format(module))
        assert result.returncode
        assert "pip install -e ." in last_line(result)

    def test_the_reference_engine_runs_when_asked_for_by_name(self) -> None:
        program = "import minicnn; print(minicnn.kernels.info()['why'])"
        result = python(self.missing + program, MINICNN_BACKEND="reference")
        assert last_line(result) == "MINICNN_BACKEND=reference asks for it", result.stderr

    def test_and_a_later_switch_fails_without_harm(self) -> None:
        program = """
from minicnn import kernels
try:
    kernels.use_backend("cython")
except ImportError as error:
    assert "pip install -e ." in str(error)
    print(kernels.info()["engine"], kernels.engine.__name__)
"""
        result = python(self.missing + program, MINICNN_BACKEND="reference")
        assert last_line(result) == "reference minicnn.kernels.reference", result.stderr

    def test_a_module_that_does_not_load_is_an_error_not_a_lower_level(self) -> None:
        broken = self.hide.format(error="ImportError", name="None")
        result = python(broken + "import minicnn")
        assert result.returncode
        assert "is built but cannot be loaded (libwhat.so: cannot open)" in last_line(result)

    @pytest.mark.parametrize(
        ("variable", "value"),
        [("MINICNN_BACKEND", "numpy"), ("MINICNN_CPU", "v9"), ("MINICNN_NUM_THREADS", "many")],
    )
    def test_a_misspelt_variable_stops_the_import(self, variable: str, value: str) -> None:
        result = python("import minicnn", **{variable: value})
        assert result.returncode
        assert last_line(result).startswith(f"ValueError: {variable}: expected ")
        assert repr(value) in last_line(result)

    @compiled
    def test_a_lower_level_can_be_asked_for(self) -> None:
        result = python(
            "from minicnn import kernels; print(kernels.info()['level'])", MINICNN_CPU=LEVEL
        )
        assert last_line(result) == LEVEL, result.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_after_a_fork_one_thread_is_left_and_nothing_hangs() -> None:
    # A forked child that enters OpenMP with several threads waits for ever for threads that
    # stayed in the parent. With one thread it does not.
    program = """
import os, sys, numpy as np
from minicnn import kernels

def relu(threads):
    x = np.linspace(-1, 1, 1 << 20, dtype=np.float32)
    y = np.empty_like(x)
    kernels.engine.relu_forward(x, y, threads)
    assert (y == np.maximum(x, 0)).all()

kernels.set_num_threads(2)
relu(2)
child = os.fork()
if child == 0:
    status = 1
    try:
        assert kernels.threads == 1, kernels.threads
        relu(kernels.threads)
        kernels.set_num_threads(1)
        try:
            kernels.set_num_threads(2)
        except RuntimeError as error:
            assert "set_num_threads(2) in a forked process" in str(error), error
            assert 'multiprocessing.get_context("spawn")' in str(error), error
            status = 0
    finally:
        os._exit(status)
status = os.waitpid(child, 0)[1]
assert kernels.threads == 2
relu(2)
print("child", status)
"""
    result = python(program, timeout=60)
    assert last_line(result) == "child 0", result.stderr


@compiled
class TestBuild:
    def test_info_describes_the_build(self) -> None:
        cpu = importlib.import_module("minicnn.kernels._cpu")
        info = kernels.info()
        assert info["cpu_level"] == cpu.cpu_level() in _choice.LEVELS
        assert info["compiler"] == cpu.compiler() != ""
        assert info["debug_build"] is cpu.debug_build()
        if cpu.openmp_version():
            assert info["openmp"] == f"{cpu.openmp_runtime()} (OpenMP {cpu.openmp_version()})"
        else:
            assert info["openmp"] is None
            assert cpu.openmp_runtime() == ""


class TestWinogradSwitch:
    @pytest.mark.parametrize(("value", "on"), [("", True), ("1", True), ("0", False)])
    def test_the_environment_has_a_say(self, value: str, on: bool) -> None:
        assert _choice.winograd_from({"MINICNN_WINOGRAD": value}) is on

    def test_anything_else_is_refused(self) -> None:
        with pytest.raises(ValueError, match="MINICNN_WINOGRAD: expected 0 or 1, got 'no'"):
            _choice.winograd_from({"MINICNN_WINOGRAD": "no"})


class TestSpinning:
    def test_a_wish_holds_while_the_runtime_is_loaded_and_no_longer(self) -> None:
        environ = {"HOME": "x"}
        with _choice.short_spinning(environ):
            assert environ["GOMP_SPINCOUNT"] == "1000"
        assert environ == {"HOME": "x"}

    @pytest.mark.parametrize("name", ["GOMP_SPINCOUNT", "OMP_WAIT_POLICY"])
    def test_the_users_own_wish_stands(self, name: str) -> None:
        environ = {name: "7"}
        with _choice.short_spinning(environ):
            assert environ == {name: "7"}
        assert environ == {name: "7"}

    def test_children_do_not_inherit_it(self) -> None:
        result = python("import minicnn, os; print('GOMP_SPINCOUNT' in os.environ)")
        assert last_line(result) == "False"
