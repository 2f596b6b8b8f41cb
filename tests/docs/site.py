"""The built site, for tests: its pages, their links, and a server on this machine."""

from __future__ import annotations

import contextlib
import functools
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

FOLDER = (
    Path(os.environ.get("MINICNN_SITE", "")).resolve() if "MINICNN_SITE" in os.environ else None
)
WITHOUT = "the site is not built: set MINICNN_SITE to the folder that sphinx-build has written"


def pages() -> list[Path]:
    """All HTML files of the site."""
    return sorted(FOLDER.rglob("*.html")) if FOLDER is not None else []


@dataclass
class Page:
    """What matters of an HTML file: where it points, what can be pointed at, and pictures.

    ``pictures`` has the source and the words of each, None where it has no words.
    """

    links: set[str] = field(default_factory=set)
    anchors: set[str] = field(default_factory=set)
    pictures: list[tuple[str, str | None]] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path) -> Page:
        page = cls()

        class Parser(HTMLParser):
            def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
                if tag == "img":
                    page.pictures.append((dict(attrs).get("src") or "", dict(attrs).get("alt")))
                for key, value in attrs:
                    if key in ("href", "src") and value is not None:
                        page.links.add(value)
                    elif key in ("id", "name") and value:
                        page.anchors.add(value)

        Parser().feed(path.read_text(encoding="utf-8"))
        return page


class Quiet(SimpleHTTPRequestHandler):
    """Serves files, and says nothing."""

    def log_message(self, *args: Any) -> None:
        pass


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a server for a folder, on this machine, while the block runs."""
    server = ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=os.fspath(folder))
    )
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
