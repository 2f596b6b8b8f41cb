"""The built site: links inside it lead somewhere, and every public name is in the reference."""

from __future__ import annotations

import functools
import json
import zlib
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import minicnn
from minicnn import learn

from . import site

pytestmark = pytest.mark.skipif(site.FOLDER is None, reason=site.WITHOUT)
read = functools.cache(site.Page.read)


@pytest.mark.parametrize("path", site.pages(), ids=lambda path: path.stem)
def test_links_lead_somewhere_and_nothing_is_loaded_from_elsewhere(path: Path) -> None:
    assert site.FOLDER is not None
    for link in read(path).links:
        parts = urlsplit(link)
        if parts.scheme in ("http", "https"):
            assert link not in sources(path), f"{link} is loaded from elsewhere"
            continue
        if parts.scheme or link == "#":
            continue
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        assert target.exists(), f"{link} leads nowhere"
        assert site.FOLDER in target.parents or target == site.FOLDER, f"{link} leads out"
        if parts.fragment and target.suffix == ".html":
            assert unquote(parts.fragment) in read(target).anchors, f"{link}: no such place"


def sources(path: Path) -> set[str]:
    """What a page loads, as opposed to what it links to."""
    import re

    text = path.read_text(encoding="utf-8")
    return set(re.findall(r'<(?:script|img|iframe|source)[^>]*\ssrc="([^"]+)"', text)) | set(
        re.findall(r'<link rel="(?:stylesheet|preload|icon)"[^>]*\shref="([^"]+)"', text)
    )


def test_every_public_name_is_in_the_reference() -> None:
    assert site.FOLDER is not None
    content = (site.FOLDER / "objects.inv").read_bytes().split(b"\n", 4)[4]
    lines = zlib.decompress(content).decode().splitlines()
    known = {line.split(" ")[0] for line in lines}
    modules = {"checkpoint", "data", "explain", "image", "init", "kernels", "learn"}
    modules |= {"metrics", "models", "museum", "plots", "schedules", "train"}
    for name in minicnn.__all__:
        own = getattr(minicnn, name)
        if name.startswith("__") or name in modules:
            continue
        home = f"{own.__module__}.{own.__name__}"
        assert {f"minicnn.{name}", home} & known, f"{name} is not in the reference"
    for module in (minicnn.plots, minicnn.explain, minicnn.metrics, minicnn.schedules):
        for name in getattr(module, "__all__", []):
            assert any(entry.endswith(f".{name}") for entry in known), f"{module.__name__}.{name}"


def test_every_lesson_can_be_downloaded_as_a_notebook() -> None:
    assert site.FOLDER is not None
    for lesson in learn.LESSONS:
        (page,) = site.FOLDER.glob(f"tutorials/{lesson.number}-*.html")
        assert {f"{page.stem}.ipynb", f"{page.stem}.md"} <= read(page).links
        notebook = json.loads(page.with_suffix(".ipynb").read_text(encoding="utf-8"))
        assert any(cell["cell_type"] == "code" for cell in notebook["cells"])
        assert notebook["metadata"]["kernelspec"]["name"] == "python3"
