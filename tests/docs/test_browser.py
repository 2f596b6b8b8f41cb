"""Every page in a real browser: nothing is missing, unrendered, pale or too wide."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from . import look, site

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on the path")
built = pytest.mark.skipif(site.FOLDER is None, reason=site.WITHOUT)

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
SCREENS = {"desktop": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}
QUIET = 100  # milliseconds


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        yield browser
        browser.close()


class Window:
    """A window of the browser, and all that goes wrong in it."""

    def __init__(self, browser: Any, scheme: str) -> None:
        self.scheme = scheme
        self.context = browser.new_context(viewport=SCREENS["desktop"], color_scheme=scheme)
        self.page = page = self.context.new_page()
        self.address = ""
        self.found: list[str] = []
        page.on("console", lambda m: m.type in ("error", "warning") and self.note(m.text))
        page.on("pageerror", lambda error: self.note(str(error)))
        page.on("requestfailed", lambda request: self.note(f"failed: {request.url}"))
        page.on("response", lambda r: r.status >= 400 and self.note(f"{r.status}: {r.url}"))
        page.on("request", self.check_request)

    def note(self, trouble: str) -> None:
        self.found.append(trouble)

    def check_request(self, request: Any) -> None:
        if not request.url.startswith((self.address, "data:")):
            self.note(f"elsewhere: {request.url}")

    def troubles(self, address: str, name: str) -> list[str]:
        """What is wrong with a page, on a desktop and on a telephone.

        What it does while it is looked at counts too, until nothing has come for half a second.
        In the dark the layout is that of the light, and not looked at again.
        """
        self.found, self.address = [], address
        self.page.set_viewport_size(SCREENS["desktop"])
        self.page.goto(f"{address}/{name}", wait_until="load")
        self.page.evaluate("document.fonts.ready.then(() => true)")
        self.page.evaluate(look.OPEN)
        scripts = (look.LAYOUT, look.CONTRAST) if self.scheme == "light" else (look.CONTRAST,)
        for screen, size in SCREENS.items():
            self.page.set_viewport_size(size)
            for script in scripts:
                self.found += [f"{screen}: {what}" for what in self.page.evaluate(script)]
        self.page.wait_for_load_state("networkidle")
        self.page.wait_for_timeout(QUIET)
        self.found += self.page.evaluate(look.TEXT)
        return self.found


@pytest.fixture(scope="module", params=["light", "dark"])
def window(request: pytest.FixtureRequest, browser: Any) -> Iterator[Window]:
    window = Window(browser, request.param)
    yield window
    window.context.close()


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    assert site.FOLDER is not None
    with site.served(site.FOLDER) as found:
        yield found


@built
@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_page_is_whole(path: Path, window: Window, address: str) -> None:
    assert site.FOLDER is not None
    assert window.troubles(address, path.relative_to(site.FOLDER).as_posix()) == []


@built
def test_dark_is_dark_and_light_is_light(window: Window, address: str) -> None:
    page = window.context.new_page()
    page.goto(f"{address}/docs/index.html")
    red, green, blue = page.evaluate(
        "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).map(Number)"
    )
    dark = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    page.close()
    assert (red + green + blue < 3 * 80) if dark else (red + green + blue > 3 * 200)


@built
def test_what_is_searched_is_found(window: Window, address: str) -> None:
    page = window.context.new_page()
    page.goto(f"{address}/search.html?q=MaxPool2D")
    page.wait_for_selector("ul.search li")
    words = page.inner_text("ul.search")
    page.close()
    assert "Pooling" in words or "Layers" in words


@built
def test_the_first_page_leads_to_the_site(window: Window, address: str) -> None:
    page = window.context.new_page()
    page.goto(f"{address}/")
    page.wait_for_url("**/docs/index.html")
    assert page.title() == "minicnn"
    page.close()


@built
def test_a_wide_table_becomes_a_list_on_a_telephone(window: Window, address: str) -> None:
    page = window.context.new_page()
    page.goto(f"{address}/docs/series.html")
    row = "(() => [...document.querySelectorAll('table.stacked tbody tr')[0].cells]"
    row += ".map(c => c.getBoundingClientRect()).map(r => [r.left, r.top]))()"
    first, second, *_ = page.evaluate(row)
    assert first[0] < second[0] and first[1] == second[1]
    page.set_viewport_size(SCREENS["phone"])
    first, second, *_ = page.evaluate(row)
    assert first[0] == second[0] and first[1] < second[1]
    assert page.locator("table.stacked .column").first.is_visible()
    page.close()


# The detector itself: a page like those of the site, clean and with one defect at a time.
PAGE = """<!doctype html><html><head><meta charset="utf-8"><title>A page</title>
<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">
<style>
body {{ margin: 0; background: white; color: black; }}
.content {{ overflow-x: auto; max-width: 46em; }}
pre, .formula, .table-wrapper {{ overflow-x: auto; }}
</style></head>
<body><div class="content"><article role="main"><h1>A page</h1>{}</article></div></body></html>"""
WIDE = "word " * 400
CLEAN = rf"""<p>A price of 5 $, a set {{1, 2}}, f(x) = 2 * x, x[0] (first), with code:
<code>**kwargs</code>, <code>\alpha</code>, <code>$HOME/$USER</code>.</p>
<pre>{WIDE} $x$ {{code-cell}} [text](x.md)</pre><div class="formula"><span
style="white-space: nowrap">{WIDE}</span></div>
<p hidden>white</p><details><summary>more</summary><p>Folded.</p></details>"""
DEFECTS = {
    "dollars": ("<p>$OH = H-k$ and $x_i$</p>", "unrendered: $OH"),
    "dollars-2": ("<p>so $$x$$</p>", "unrendered"),
    "brackets": (r"<p>\[ \alpha \beta \]</p>", "unrendered"),
    "tex": (r"<p>x \alpha_i \sqrt{2} \mathrm{Var}</p>", "unrendered: x \\alpha"),
    "directive": ("<p>{eval-rst}</p>", "unrendered"),
    "role": ("<p>{ref}`x`</p>", "unrendered"),
    "role-and-code": ("<p>{ref}<code>x</code></p>", "unrendered"),
    "link": ("<p>[text](x.md)</p>", "unrendered"),
    "bold": ("<p>**bold**</p>", "unrendered"),
    "code": ("<p>a `name` in text</p>", "unrendered"),
    "folded": ("<details><summary>more</summary><p>**bold**</p></details>", "unrendered"),
    "late-error": ("<script>setTimeout(() => { throw Error('late') }, 300)</script>", "late"),
    "error": ("<script>throw Error('early')</script>", "early"),
    "console": ("<script>console.warn('mind')</script>", "mind"),
    "no-image": ('<img src="none.png" alt="none">', "404"),
    "elsewhere": ('<script src="http://127.0.0.1:9/x.js"></script>', "elsewhere"),
    "no-formula": ("<math></math>", "an empty formula"),
    "broken-formula": (r"<math><mtext>\alpha</mtext></math>", "a broken formula"),
    "no-font": ("<math><mi>x</mi></math>", "font of the formulas"),
    "white": ('<p style="color: white">white on white</p>', "a contrast of 1.00"),
    "pale": ('<p style="color: rgb(0 0 0 / 30%)">pale</p>', "a contrast of"),
    "black": ('<div style="background: #111"><p>black on black</p></div>', "a contrast of"),
    "wide": ('<div style="width: 3000px">wide</div>', "phone: div.content: 3000 wide"),
    "a-little-wide": ('<div style="width: 400px">wide</div>', "phone: div.content"),
    "moved": ('<p style="position: relative; left: -60px">x</p>', "desktop: p sticks out"),
    "cut-off": (
        f'<p style="overflow: hidden; white-space: nowrap">{WIDE}</p>',
        "desktop: p: ",
    ),
    "table": (
        f'<div class="table-wrapper"><table><tr><td style="white-space: nowrap">{WIDE}</td></tr>'
        "</table></div>",
        "phone: div.table-wrapper: ",
    ),
}


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("planted")
    for name, text in {
        "clean": CLEAN,
        **{name: text for name, (text, _) in DEFECTS.items()},
    }.items():
        (folder / f"{name}.html").write_text(PAGE.format(text), encoding="utf-8")
    with site.served(folder) as found:
        yield found


@pytest.fixture(scope="module")
def light(browser: Any) -> Iterator[Window]:
    window = Window(browser, "light")
    yield window
    window.context.close()


@pytest.mark.parametrize("name", DEFECTS)
def test_a_planted_defect_is_found(name: str, light: Window, planted: str) -> None:
    expected = DEFECTS[name][1]
    found = light.troubles(planted, f"{name}.html")
    assert any(expected in finding for finding in found), found


def test_a_clean_page_has_no_findings(light: Window, planted: str) -> None:
    assert light.troubles(planted, "clean.html") == []
