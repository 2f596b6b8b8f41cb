"""The pages of the site keep their promises: cells run, commands, files and exhibits exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("jupytext")

from minicnn import kernels, models, museum
from minicnn.cli import build_parser
from tests.tutorials import lessons

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), *lessons.PATHS, lessons.TUTORIALS / "README.md"])
NOTEBOOKS = [p for p in DOCS.rglob("*.md") if "format_name: myst" in p.read_text(encoding="utf-8")]


def name(path: Path) -> str:
    return path.relative_to(ROOT).with_suffix("").as_posix()


EVERY = pytest.mark.parametrize("path", PAGES, ids=name)


@pytest.mark.skipif(
    kernels.info()["engine"] == "reference", reason="pages train nets: too slow without kernels"
)
@pytest.mark.parametrize("path", sorted(NOTEBOOKS), ids=name)
def test_cells_run_and_prove_the_numbers(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import matplotlib

    matplotlib.use("Agg")
    monkeypatch.chdir(tmp_path)
    page = lessons.run(path)
    assert lessons.unsupported(page) == set(), "claims that nothing holds"
    again = tmp_path / "again"
    again.mkdir()
    assert lessons.lasting_survivors(path, again) == set(), "changes that nothing would notice"


@EVERY
def test_commands_and_options_exist(path: Path) -> None:
    parser = build_parser()
    for block in re.findall(r"^```sh\n(.*?)^```", path.read_text("utf-8"), re.M | re.S):
        for line in re.sub(r"\\\n", "", block).splitlines():
            words = shlex.split(line, comments=True)
            if words[:1] == ["minicnn"] and "--help" not in words:
                parser.parse_args(words[1:])


@EVERY
def test_files_and_exhibits_exist(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for file in re.findall(r"`((?:minicnn|tests|benchmarks|docs|tutorials|tools)/[\w./]*)`", text):
        # PReLU is what "write your own" writes.
        assert (ROOT / file).exists() or "prelu" in file, file
    for exhibit in re.findall(r"""museum\.exhibit\(["']([\w-]+)["']\)""", text):
        museum.exhibit(exhibit)


@EVERY
def test_links_to_files_lead_somewhere(path: Path) -> None:
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.M | re.S)
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", re.sub(r"`[^`\n]*`", "", text)):
        assert "://" in target or (path.parent / target).exists(), target


def test_every_page_is_in_the_contents() -> None:
    for folder in (DOCS, DOCS / "api"):
        index = (folder / "index.md").read_text(encoding="utf-8")
        listed = set(re.findall(r"^[\w./-]+$", index, re.M))
        here = [*folder.glob("*.md"), *(folder.glob("howto/*.md") if folder == DOCS else [])]
        for page in {*here, *(lessons.PATHS if folder == DOCS else [])} - {folder / "index.md"}:
            relative = Path(page).relative_to(ROOT)
            own = {
                relative.relative_to(folder.relative_to(ROOT)).with_suffix("").as_posix()
                if folder in page.parents
                else f"../{relative.with_suffix('').as_posix()}"
            }
            assert own & listed, f"{relative} is in no toctree of {folder.name}/index.md"


def test_the_animal_net_of_the_series_is_as_the_page_says() -> None:
    text = (DOCS / "series.md").read_text(encoding="utf-8")
    summary = models.animal().summary((3, 224, 224))
    for row in summary.rows:
        shape = "×".join(map(str, row.output_shape[1:]))
        layer = row.label.partition(":")[0]
        assert re.search(rf"\| `{layer}` \| {shape} \| {row.parameters:,} \|", text), layer
    assert f"| | | | {summary.parameters:,} |" in text
    normed = models.animal(batch_norm=True).summary((3, 224, 224)).parameters
    assert f"there are {normed:,} parameters" in text


def test_every_exhibit_of_the_series_is_on_the_map() -> None:
    table = (DOCS / "series.md").read_text(encoding="utf-8").partition("goes wrong\n")[2]
    names = set(re.findall(r"\| `([a-z-]+)` \|", table))
    assert names <= {exhibit.name for exhibit in museum.exhibits()}
    assert len(names) >= 9
