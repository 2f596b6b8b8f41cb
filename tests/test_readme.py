"""README keeps its promises: two lines to start, code that runs, names and links that exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

import minicnn
from minicnn import data
from minicnn.cli import build_parser

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def test_the_quick_start_is_two_command_lines() -> None:
    section = README.partition("## Quick start")[2].partition("\n## ")[0]
    (block,) = re.findall(r"^```sh\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    lines = block.strip().splitlines()
    assert len(lines) == 2
    assert lines[0].endswith("minicnn train")
    assert lines[1].endswith("pytest -q")
    assert all(line.startswith("python3 -m venv .venv && ") for line in lines)


def test_the_code_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    few = data.digits("train").subset(range(0, 10_000, 3))
    parts = {"train": data.ArrayDataset(*few.batch(range(len(few)))), "test": data.digits("test")}
    monkeypatch.setattr(data, "digits", parts.__getitem__)
    namespace: dict[str, object] = {}
    for block in blocks("python"):
        exec(compile(block, "README.md", "exec"), namespace)
    out = capsys.readouterr().out
    assert "gradcheck passed" in out
    assert float(re.findall(r"right: ([\d.]+)", out)[0]) > 0.8
    for name in ("digits.npz", "training.npz", "curves.png"):
        assert (tmp_path / name).exists(), name


def test_commands_and_options_exist() -> None:
    parser = build_parser()
    found = 0
    for block in blocks("sh"):
        for line in block.splitlines():
            words = shlex.split(line, comments=True)
            if words[:1] == ["minicnn"]:
                parser.parse_args(words[1:])
                found += 1
    assert found >= 6


def test_names_exist() -> None:
    public = {*minicnn.__all__, *dir(minicnn.data), *dir(minicnn.models)}
    table = README.partition("## What is in it")[2].partition("Argument names")[0]
    for name in re.findall(r"`([\w./]+)`", table):
        last = name.split(".")[-1]
        assert last in public or (ROOT / "minicnn" / name).exists(), name


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert "://" in target or (ROOT / target).exists(), target
    for path in re.findall(r"`(minicnn/[\w./]+)`", README):
        assert (ROOT / path).exists(), path
