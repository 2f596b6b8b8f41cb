"""Every page in a real browser: nothing is missing, unrendered or too wide."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from . import site

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
pytestmark = [
    pytest.mark.skipif(site.FOLDER is None, reason=site.WITHOUT),
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on the path"),
]

# All but the first one, which leads on to the landing page: it has a test of its own.
PAGES = [path for path in site.pages() if path.parent != site.FOLDER or path.stem != "index"]
OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
SCREENS = {
    "desktop-light": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"},
    "phone-dark": {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark"},
}

LOOK = r"""() => {
    const found = [];
    const root = document.documentElement;
    if (root.scrollWidth > root.clientWidth)
        found.push(`${root.scrollWidth} wide on a screen of ${root.clientWidth}`);
    for (const image of document.images)
        if (image.src && !(image.complete && image.naturalWidth > 0))
            found.push(`an image that is not there: ${image.src}`);
    for (const formula of document.querySelectorAll("math")) {
        const box = formula.getBoundingClientRect();
        const hidden = formula.closest("details:not([open])") !== null;
        if (!hidden && (box.width < 2 || box.height < 2))
            found.push(`an empty formula: ${formula.textContent}`);
        if (formula.querySelector("merror") || formula.textContent.includes("\\"))
            found.push(`a broken formula: ${formula.textContent}`);
    }
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const node = walker.currentNode;
        if (node.parentElement.closest("pre, code, script, style, math, .sig") === null
            && /\$\$|\\(frac|sum|partial|text|cdot|max|hat|left)\b|\{code-cell\}/.test(node.data))
            found.push(`unrendered: ${node.data.trim().slice(0, 80)}`);
    }
    if (document.querySelector("article math") !== null
        && ![...document.fonts].some(f => f.family.includes("Math") && f.status === "loaded"))
        found.push("the font of the formulas is not loaded");
    return found;
}"""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    assert site.FOLDER is not None
    with site.served(site.FOLDER) as found:
        yield found


@pytest.fixture(scope="module", params=SCREENS)
def screen(request: pytest.FixtureRequest) -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        context = browser.new_context(**SCREENS[request.param])
        yield context
        context.close()
        browser.close()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_page_is_whole(path: Path, screen: Any, address: str) -> None:
    assert site.FOLDER is not None
    troubles: list[str] = []
    page = screen.new_page()
    page.on("console", lambda m: m.type in ("error", "warning") and troubles.append(m.text))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("requestfailed", lambda request: troubles.append(f"failed: {request.url}"))
    page.on("response", lambda r: r.status >= 400 and troubles.append(f"{r.status}: {r.url}"))
    page.on(
        "request",
        lambda r: r.url.startswith((address, "data:")) or troubles.append(f"elsewhere: {r.url}"),
    )
    page.goto(f"{address}/{path.relative_to(site.FOLDER).as_posix()}", wait_until="load")
    page.evaluate("document.fonts.ready.then(() => true)")
    troubles += page.evaluate(LOOK)
    page.close()
    assert troubles == []


def test_dark_is_dark_and_light_is_light(screen: Any, address: str) -> None:
    page = screen.new_page()
    page.goto(f"{address}/docs/index.html")
    red, green, blue = page.evaluate(
        "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).map(Number)"
    )
    dark = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    page.close()
    assert (red + green + blue < 3 * 80) if dark else (red + green + blue > 3 * 200)


def test_what_is_searched_is_found(screen: Any, address: str) -> None:
    page = screen.new_page()
    page.goto(f"{address}/search.html?q=MaxPool2D")
    page.wait_for_selector("ul.search li")
    words = page.inner_text("ul.search")
    page.close()
    assert "Pooling" in words or "Layers" in words


def test_the_first_page_leads_to_the_site(screen: Any, address: str) -> None:
    page = screen.new_page()
    page.goto(f"{address}/")
    page.wait_for_url("**/docs/index.html")
    assert page.title() == "minicnn"
    page.close()
