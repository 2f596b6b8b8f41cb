"""What the command says when the package cannot be imported."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest


def run(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("MINICNN_")}
    return subprocess.run(
        [sys.executable, *arguments],
        env={**inherited, **environ},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [("MINICNN_CPU", "v9"), ("MINICNN_BACKEND", "foo"), ("MINICNN_NUM_THREADS", "abc")],
)
def test_an_environment_that_cannot_be_is_one_line(name: str, value: str) -> None:
    result = run("-m", "minicnn", "summary", "toy", **{name: value})
    assert result.returncode == 1
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"minicnn: {name}: expected")
    assert repr(value) in line


def test_doctor_says_it_too_also_to_machines() -> None:
    text = run("-m", "minicnn", "doctor", MINICNN_CPU="v9")
    assert text.returncode == 1
    assert "PROBLEM: MINICNN_CPU: expected" in text.stderr
    machine = run("-m", "minicnn", "doctor", "--json", MINICNN_CPU="v9")
    assert machine.returncode == 1
    facts = json.loads(machine.stdout)
    assert facts["ok"] is False
    assert facts["problems"][0].startswith("MINICNN_CPU: expected")


def test_a_program_gets_the_exception() -> None:
    result = run("-c", "import minicnn", MINICNN_CPU="v9")
    assert "ValueError: MINICNN_CPU: expected" in result.stderr
