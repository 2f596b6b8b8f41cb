"""Letting a thread run ahead of the one that consumes."""

from __future__ import annotations

import threading
import weakref
from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class _Buffer(Generic[T]):
    """A queue of bounded length between two threads that either may close."""

    def __init__(self, length: int) -> None:
        self._items: deque[T] = deque()
        self._length = length
        self._closed = False
        self._error: BaseException | None = None
        self._changed = threading.Condition()  # its lock is re-entrant, which `close` needs

    def wait_for_room(self) -> bool:
        """Whether there is room for an item, once that is so; False when the buffer is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or len(self._items) < self._length)
            return not self._closed

    def put(self, item: T) -> None:
        """Add an item, for which there must be room; nothing happens if the buffer is closed."""
        with self._changed:
            if not self._closed:
                self._items.append(item)
                self._changed.notify_all()

    def end(self, error: BaseException | None) -> None:
        """Say that nothing follows the items put so far but ``error``, if there is one."""
        with self._changed:
            self._closed, self._error = True, error
            self._changed.notify_all()

    def get(self) -> T:
        """The next item, waiting for it; then the error, once; then StopIteration."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or bool(self._items))
            if self._items:
                item = self._items.popleft()
                self._changed.notify_all()
                return item
            error, self._error = self._error, None
            raise StopIteration if error is None else error

    def close(self) -> None:
        """Throw away what is there and stop both sides."""
        with self._changed:
            self._closed, self._error = True, None
            self._items.clear()
            self._changed.notify_all()


def _produce(items: Iterator[T], buffer: _Buffer[T]) -> None:
    """What the thread does. It must not know the consumer, or that would never be collected."""
    try:
        while buffer.wait_for_room():
            buffer.put(next(items))
    except StopIteration:
        buffer.end(None)
    except BaseException as error:
        buffer.end(error)


class prefetched(Iterator[T]):  # noqa: N801 (used like a function)
    """The same items as ``items``, made up to ``length`` ahead by a thread.

    An exception in ``items`` is raised where it would have been without the thread. The thread ends
    with the last item, with `close`, or when this iterator is dropped; it is a daemon, so that it
    does not keep the interpreter from ending.
    """

    def __init__(self, items: Iterator[T], length: int) -> None:
        self._buffer: _Buffer[T] = _Buffer(length)
        self._thread = threading.Thread(
            target=_produce, args=(items, self._buffer), name="minicnn-prefetch", daemon=True
        )
        self._thread.start()
        # Runs when this object is collected, and at the interpreter's end at the latest.
        weakref.finalize(self, self._buffer.close)

    def __next__(self) -> T:
        return self._buffer.get()

    def close(self) -> None:
        """Stop the thread and wait until it has ended; nothing more comes."""
        self._buffer.close()
        self._thread.join()
