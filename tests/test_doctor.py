"""minicnn doctor: well when all is well, and clear about the remedy when it is not."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import minicnn
from minicnn import doctor, kernels
from minicnn.cli import main

compiled = pytest.mark.skipif(
    kernels.info()["engine"] == "reference", reason="runs with MINICNN_BACKEND=reference"
)


@pytest.fixture(scope="module")
def healthy() -> doctor.Report:
    return doctor.report()


def test_a_sound_installation_is_well(healthy: doctor.Report) -> None:
    assert healthy["ok"], healthy["problems"]
    assert healthy["minicnn"] == minicnn.__version__
    assert healthy["numpy"] == np.__version__
    assert all(outcome.startswith("ok") for outcome in healthy["self_test"].values())
    assert healthy["data"]["found"][0] == "digits (built in)"
    text = doctor.format(healthy)
    assert text.endswith("all is well")
    for word in ("engine", "threads", "OpenMP", "compiler", "self-test"):
        assert word in text


def test_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ok"] is True
    assert main(["doctor"]) == 0
    assert "all is well" in capsys.readouterr().out


@compiled
def test_a_wrong_kernel_is_found(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Wrong:
        """The compiled engine, but every convolution is one too large."""

        def __getattr__(self, name: str) -> object:
            return getattr(kernels._State.compiled, name)

        def conv2d_forward(self, *arguments: object) -> None:
            kernels._State.compiled.conv2d_forward(*arguments)  # type: ignore[union-attr]
            arguments[3][...] += 1  # type: ignore[index]

    monkeypatch.setattr(kernels, "engine", Wrong())
    report = doctor.report()
    assert not report["ok"]
    assert "results differ by 1" in report["self_test"]["kernels against the reference"]
    assert "build again" in report["problems"][0]
    assert "PROBLEM: self-test failed" in doctor.format(report)
    assert main(["doctor"]) == 1
    capsys.readouterr()


@compiled
def test_threads_that_change_a_bit_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    class Wrong:
        """The compiled engine, but a second thread changes the last bit of one number."""

        def __getattr__(self, name: str) -> object:
            return getattr(kernels._State.compiled, name)

        def conv2d_forward(self, *arguments: object) -> None:
            kernels._State.compiled.conv2d_forward(*arguments)  # type: ignore[union-attr]
            y, threads = arguments[3], arguments[-1]
            if threads != 1:
                y[-1, -1, -1, -1] = np.nextafter(y[-1, -1, -1, -1], 9)  # type: ignore[index]

    monkeypatch.setattr(kernels, "engine", Wrong())
    monkeypatch.setattr(kernels, "threads", 2)
    assert doctor.check_threads() == "results differ"
    assert doctor.check_kernels() == ""


def test_the_reference_engine_works_but_is_slow() -> None:
    with kernels.use_backend("reference"):
        report = doctor.report()
    assert report["ok"]
    assert "unset MINICNN_BACKEND" in report["advice"][0]


def test_data_sets_that_are_there_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mnist").mkdir()
    (tmp_path / "mnist" / "train-images-idx3-ubyte.gz").touch()
    monkeypatch.setenv("MINICNN_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    facts = doctor.data_report()
    assert str(tmp_path) in facts["folders"]
    assert facts["found"] == ["digits (built in)"]  # an empty file is no data set


def test_the_data_sets_found_are_those_that_would_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = os.environ.get("MINICNN_DATA")
    if place is None:
        pytest.skip("MINICNN_DATA is not set: it names the folder of the full data sets")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert doctor.data_report()["found"] == ["digits (built in)", "mnist", "fashion-mnist"]
    for name in ("mnist", "fashion-mnist"):  # the two have the same file names
        monkeypatch.setenv("MINICNN_DATA", str(Path(place, name)))
        assert doctor.data_report()["found"] == ["digits (built in)", name]
    (tmp_path / "MNIST").mkdir()
    (tmp_path / "MNIST" / "raw").symlink_to(Path(place, "mnist"))
    monkeypatch.setenv("MINICNN_DATA", str(tmp_path))
    assert doctor.data_report()["found"] == ["digits (built in)", "mnist"]


@pytest.fixture
def unbuilt(tmp_path: Path) -> Path:
    """A copy of the package without its compiled modules."""
    source = Path(minicnn.__file__).parent
    ignore = shutil.ignore_patterns("*.so", "*.pyd", "__pycache__", "embedded")
    shutil.copytree(source, tmp_path / "minicnn", ignore=ignore)
    return tmp_path


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {key: value for key, value in os.environ.items() if not key.startswith("MINICNN_")}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_missing_kernels_are_one_clear_message(unbuilt: Path) -> None:
    imported = run(unbuilt, "-c", "import minicnn")
    assert imported.returncode == 1
    assert "Traceback" in imported.stderr  # a program that imports minicnn gets the exception
    for arguments in (["doctor"], ["train"]):
        result = run(unbuilt, "-m", "minicnn", *arguments)
        assert result.returncode == 1
        assert "Traceback" not in result.stderr
        assert "pip install" in result.stderr
    assert "PROBLEM" in run(unbuilt, "-m", "minicnn", "doctor").stderr
