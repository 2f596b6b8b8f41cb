"""The built site: links inside it lead somewhere, and every public name is in the reference."""

from __future__ import annotations

import functools
import importlib
import json
import pkgutil
import re
import zlib
from pathlib import Path
from types import ModuleType
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


@pytest.mark.parametrize("path", site.pages(), ids=lambda path: path.stem)
def test_every_picture_has_words(path: Path) -> None:
    for source, words in read(path).pictures:
        if "_static/" in source:  # a button of the theme
            continue
        assert words and len(words) > 10, f"{source} has no words"
        assert not re.search(r"\.(png|svg|jpe?g)\b|_images/", words), f"{source}: {words}"
    words_of_figures = [words for _, words in read(path).pictures if "Figure" in (words or "")]
    assert len(words_of_figures) == len(set(words_of_figures)), "two pictures with the same words"


@pytest.mark.parametrize("number", [lesson.number for lesson in learn.LESSONS])
def test_the_pictures_of_cells_lead_to_themselves(number: str) -> None:
    assert site.FOLDER is not None
    (path,) = site.FOLDER.glob(f"tutorials/{number}-*.html")
    for source, _ in read(path).pictures:
        assert source in read(path).links


def sources(path: Path) -> set[str]:
    """What a page loads, as opposed to what it links to."""
    text = path.read_text(encoding="utf-8")
    return set(re.findall(r'<(?:script|img|iframe|source)[^>]*\ssrc="([^"]+)"', text)) | set(
        re.findall(r'<link rel="(?:stylesheet|preload|icon)"[^>]*\shref="([^"]+)"', text)
    )


def test_no_block_is_a_colon_pair_left_over() -> None:
    for path in site.pages():
        for block in re.findall(r"<pre[^>]*>(.*?)</pre>", path.read_text(encoding="utf-8"), re.S):
            assert re.sub(r"<[^>]*>", "", block).strip() != "::", path.name


def public_modules() -> list[str]:
    """The package, and all modules that say what is public in them; commands are no library."""
    found = ["minicnn"]
    for module in pkgutil.walk_packages(minicnn.__path__, "minicnn."):
        private = any(part.startswith("_") for part in module.name.split("."))
        if not private and not re.search(r"\.(commands|stubs|solutions)\b", module.name):
            found.append(module.name)
    return [name for name in found if hasattr(importlib.import_module(name), "__all__")]


@functools.cache
def names_in_the_reference() -> set[str]:
    assert site.FOLDER is not None
    content = (site.FOLDER / "objects.inv").read_bytes().split(b"\n", 4)[4]
    return {line.split(" ")[0] for line in zlib.decompress(content).decode().splitlines()}


@pytest.mark.parametrize("module", public_modules())
def test_every_public_name_is_in_the_reference(module: str) -> None:
    package = importlib.import_module(module)
    for name in package.__all__:
        own = getattr(package, name)
        if name.startswith("__") or isinstance(own, ModuleType):
            continue
        home = f"{getattr(own, '__module__', '')}.{getattr(own, '__name__', '')}"
        places = {f"{module}.{name}", f"minicnn.{name}", home}
        assert places & names_in_the_reference(), f"{module}.{name} is not in the reference"


def test_every_lesson_can_be_downloaded_as_a_notebook() -> None:
    assert site.FOLDER is not None
    for lesson in learn.LESSONS:
        (page,) = site.FOLDER.glob(f"tutorials/{lesson.number}-*.html")
        assert {f"{page.stem}.ipynb", f"{page.stem}.md"} <= read(page).links
        notebook = json.loads(page.with_suffix(".ipynb").read_text(encoding="utf-8"))
        assert any(cell["cell_type"] == "code" for cell in notebook["cells"])
        assert notebook["metadata"]["kernelspec"]["name"] == "python3"
