"""Downloading, from a server on this computer that misbehaves in every way it can."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from minicnn.data.download import RemoteFile, download, sha256_of
from minicnn.errors import DataError
from minicnn.files import lock

CONTENT = bytes(os.urandom(200_000))
OTHER = bytes(byte ^ 1 for byte in CONTENT)  # of the same length


class Handler(BaseHTTPRequestHandler):
    """Serves CONTENT; the first word of the path says how badly."""

    server: Server

    def do_GET(self) -> None:
        how = self.path.split("/")[1]
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", "bytes=0-"))
        assert wanted is not None
        start = int(wanted[1])
        self.server.requests.append((how, start))
        getattr(self, f"serve_{how}")(start)

    def head(self, status: int, length: int | None, **headers: str) -> None:
        self.send_response(status)
        if length is not None:
            self.send_header("Content-Length", str(length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def answer(self, content: bytes, start: int, *, send: int | None = None) -> None:
        """``content`` from ``start`` on, of which only ``send`` bytes really leave."""
        body = content[start:]
        if start:
            end = f"bytes {start}-{len(content) - 1}/{len(content)}"
            self.head(206, len(body), Content_Range=end)
        else:
            self.head(200, len(body))
        self.wfile.write(body if send is None else body[:send])

    def serve_good(self, start: int) -> None:
        self.answer(CONTENT, start)

    def serve_slow(self, start: int) -> None:
        self.head(200, len(CONTENT))
        for at in range(0, len(CONTENT), 50_000):
            self.wfile.write(CONTENT[at : at + 50_000])
            self.wfile.flush()
            time.sleep(0.02)

    def serve_noranges(self, start: int) -> None:
        self.answer(CONTENT, 0)

    def serve_wrong(self, start: int) -> None:
        self.answer(OTHER, start)

    def serve_short(self, start: int) -> None:
        self.answer(CONTENT[:-7], 0)

    def serve_drop(self, start: int) -> None:
        self.answer(CONTENT, start, send=70_000)

    def serve_droponce(self, start: int) -> None:
        self.answer(CONTENT, start, send=None if start else 70_000)

    def serve_dropwrong(self, start: int) -> None:
        self.answer(OTHER, start, send=70_000)

    def serve_dropnoranges(self, start: int) -> None:
        self.answer(CONTENT, 0, send=70_000)

    def serve_stall(self, start: int) -> None:
        self.answer(CONTENT, start, send=1000)
        self.wfile.flush()
        self.server.ended.wait(20)

    def serve_silent(self, start: int) -> None:
        self.server.ended.wait(20)

    def serve_hangup(self, start: int) -> None:
        self.close_connection = True

    def serve_garbage(self, start: int) -> None:
        self.wfile.write(b"what?\r\n\r\n")

    def serve_unsized(self, start: int) -> None:
        self.head(200, None)
        self.wfile.write(CONTENT)

    def serve_toomuch(self, start: int) -> None:
        self.head(200, None)
        self.wfile.write(CONTENT + b"and more")

    def serve_otherrange(self, start: int) -> None:
        self.head(206, 10, Content_Range=f"bytes 5-14/{len(CONTENT)}")
        self.wfile.write(CONTENT[5:15])

    def serve_missing(self, start: int) -> None:
        self.send_error(404)

    def serve_broken(self, start: int) -> None:
        self.send_error(500)

    def serve_unsatisfied(self, start: int) -> None:
        self.send_error(416)

    def serve_empty(self, start: int) -> None:
        self.head(204, 0)

    def serve_moved(self, start: int) -> None:
        self.head(302, 0, Location="/good/file")

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    """A server that notes what it was asked for."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[tuple[str, int]] = []
        self.ended = threading.Event()

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # the client hung up, as it should

    def file(self, *ways: str) -> RemoteFile:
        """The file, with one mirror for each way of serving it."""
        return RemoteFile(
            name="file",
            size=len(CONTENT),
            sha256=hashlib.sha256(CONTENT).hexdigest(),
            urls=tuple(f"http://127.0.0.1:{self.server_port}/{way}/file" for way in ways),
        )


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.ended.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def server(running: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    running.requests.clear()
    return running


def contents(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in folder.iterdir()}


def fetch(server: Server, folder: Path, *ways: str, timeout: float = 10) -> None:
    path = download(server.file(*ways), folder, timeout=timeout)
    assert path == folder / "file"
    assert path.read_bytes() == CONTENT
    assert contents(folder) == {"file": len(CONTENT)}


def refusal(server: Server, folder: Path, *ways: str, timeout: float = 10) -> str:
    with pytest.raises(DataError, match="could not download file from any mirror") as caught:
        download(server.file(*ways), folder, timeout=timeout)
    assert not (folder / "file").exists()
    return str(caught.value)


@pytest.mark.parametrize("way", ["good", "noranges", "unsized", "moved"])
def test_it_arrives(server: Server, tmp_path: Path, way: str) -> None:
    fetch(server, tmp_path / "new" / "folder", way)


def test_nothing_is_asked_for_when_it_is_there(server: Server, tmp_path: Path) -> None:
    fetch(server, tmp_path, "good")
    fetch(server, tmp_path, "missing")
    assert server.requests == [("good", 0)]


def test_two_downloads_at_once_do_not_disturb_each_other(server: Server, tmp_path: Path) -> None:
    errors: list[BaseException] = []

    def run(delay: float) -> None:
        try:
            time.sleep(delay)
            download(server.file("slow"), tmp_path)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(delay,)) for delay in (0, 0.02, 0.06, 0.2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    assert contents(tmp_path) == {"file": len(CONTENT)}
    assert server.requests == [("slow", 0)]  # the others found it there


def test_a_lock_left_behind_by_a_kill_holds_nobody_up(server: Server, tmp_path: Path) -> None:
    (tmp_path / ".file.lock").touch()
    fetch(server, tmp_path, "good")


def test_who_hangs_holds_nobody_up_for_ever(server: Server, tmp_path: Path) -> None:
    part = tmp_path / "file.part"
    part.write_bytes(CONTENT[:70_000])
    with lock(tmp_path / ".file.lock"):
        with pytest.raises(DataError, match="status 404"):
            download(server.file("missing"), tmp_path, timeout=0.1)
        assert set(contents(tmp_path)) == {"file.part", ".file.lock"}
        download(server.file("good"), tmp_path, timeout=0.1)
        assert set(contents(tmp_path)) == {"file", "file.part", ".file.lock"}
    assert part.read_bytes() == CONTENT[:70_000]  # the other's, untouched
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_what_another_has_brought_meanwhile_is_taken(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def robbed(file: RemoteFile, part: Path, timeout: float) -> None:
        (tmp_path / "file").write_bytes(CONTENT)
        raise FileNotFoundError(part)

    monkeypatch.setitem(download.__globals__, "_from_a_mirror", robbed)
    assert download(server.file("good"), tmp_path).read_bytes() == CONTENT


def test_a_file_of_another_size_is_not_read_through(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(
        download.__globals__, "sha256_of", lambda path: pytest.fail("it was read through")
    )
    (tmp_path / "file").write_bytes(CONTENT[:-1])
    with pytest.raises(DataError):
        download(server.file("missing"), tmp_path)


def test_a_mirror_that_sends_something_else_is_asked_once(server: Server, tmp_path: Path) -> None:
    """Another attempt would bring the same, and it may be long."""
    refusal(server, tmp_path, "wrong", "missing")
    assert server.requests == [("wrong", 0), ("missing", 0)]


def test_a_full_disk_names_the_file(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.EFBIG, "File too large")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"too large: .*file\.part"):
        download(server.file("good"), tmp_path)


def test_a_damaged_file_is_replaced(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(OTHER)
    fetch(server, tmp_path, "good")


@pytest.mark.parametrize(
    ("way", "reason"),
    [
        ("missing", "HTTP status 404"),
        ("broken", "HTTP status 500"),
        ("empty", "HTTP status 204"),
        ("wrong", "another SHA-256 than expected"),
        ("short", "its file has 199993 bytes instead of 200000"),
        ("toomuch", "sends more than the 200000 bytes expected"),
        ("dropnoranges", "the connection ended after 70000 of 200000 bytes"),
        ("hangup", "no answer"),
        ("garbage", "no answer"),
        ("otherrange", "asked for bytes from 0 on, it sends 'bytes 5-14/200000'"),
        ("unsatisfied", "shorter than expected"),
    ],
)
def test_a_bad_mirror_is_passed_over_and_reported(
    server: Server, tmp_path: Path, way: str, reason: str
) -> None:
    message = refusal(server, tmp_path / "bad", way, "missing")
    assert re.search(f"/{way}/file: .*{reason}", message)
    assert "/missing/file: HTTP status 404" in message
    fetch(server, tmp_path / "good", way, "good")


def test_a_server_that_is_not_there_is_passed_over(server: Server, tmp_path: Path) -> None:
    file = server.file("good")
    gone = RemoteFile(file.name, file.size, file.sha256, ("http://127.0.0.1:9/file", *file.urls))
    assert download(gone, tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize("way", ["silent", "stall"])
def test_a_silent_server_is_given_up(server: Server, tmp_path: Path, way: str) -> None:
    fetch(server, tmp_path / "good", way, "good", timeout=0.2)
    message = refusal(server, tmp_path / "bad", "silent", timeout=0.2)
    assert "timed out" in message


def test_a_broken_connection_is_taken_up_where_it_broke(server: Server, tmp_path: Path) -> None:
    fetch(server, tmp_path, "drop")
    assert server.requests == [("drop", 0), ("drop", 70_000), ("drop", 140_000)]


def test_another_mirror_continues(server: Server, tmp_path: Path) -> None:
    fetch(server, tmp_path, "dropnoranges", "good")
    assert server.requests[-1] == ("good", 70_000)


@pytest.mark.parametrize("way", ["good", "noranges", "drop"])
def test_a_later_attempt_continues(server: Server, tmp_path: Path, way: str) -> None:
    refusal(server, tmp_path, "dropnoranges")
    assert contents(tmp_path) == {"file.part": 70_000}
    server.requests.clear()
    fetch(server, tmp_path, way)
    assert server.requests[0] == (way, 70_000)


@pytest.mark.parametrize("size", [100, len(CONTENT), len(CONTENT) + 5])
@pytest.mark.parametrize("way", ["good", "noranges"])
def test_a_wrong_beginning_is_thrown_away(
    server: Server, tmp_path: Path, way: str, size: int
) -> None:
    (tmp_path / "file.part").write_bytes(bytes(size))
    fetch(server, tmp_path, way)


def test_what_a_lying_mirror_began_is_thrown_away(server: Server, tmp_path: Path) -> None:
    fetch(server, tmp_path, "dropwrong", "good")


def test_an_interruption_keeps_what_has_arrived(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Impatient:
        n = 0

        def update(self, count: int) -> None:
            self.n += count
            if self.n > 100_000:
                raise KeyboardInterrupt

    bars = [Impatient()]
    monkeypatch.setitem(
        download.__globals__, "_progress", lambda _: contextlib.nullcontext(bars[0])
    )
    with pytest.raises(KeyboardInterrupt):
        download(server.file("good"), tmp_path)
    monkeypatch.undo()
    kept = contents(tmp_path)["file.part"]
    assert kept > 100_000
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    fetch(server, tmp_path, "good")
    assert server.requests == [("good", 0), ("good", kept)]


def test_a_full_disk_is_not_the_mirrors_fault(server: Server, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file where a folder should be")
    with pytest.raises(OSError, match="taken") as caught:
        download(server.file("good", "good"), tmp_path / "taken")
    assert not isinstance(caught.value, DataError)


def test_the_progress_bar_shows_on_a_terminal_alone(
    server: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    fetch(server, tmp_path / "quiet", "drop")
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    fetch(server, tmp_path / "shown", "dropnoranges", "noranges")
    shown = capsys.readouterr().err
    assert "file: 100%" in shown
    assert "200k/200k" in shown


@given(
    ways=st.lists(
        st.sampled_from(["drop", "droponce", "wrong", "dropwrong", "noranges", "missing"])
    )
)
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_the_mirrors_do_the_file_is_whole_or_absent(
    server: Server, tmp_path_factory: pytest.TempPathFactory, ways: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("mirrors")
    file = server.file(*ways, "good")
    path = download(file, folder, timeout=10)
    assert sha256_of(path) == file.sha256
    assert contents(folder) == {"file": len(CONTENT)}
