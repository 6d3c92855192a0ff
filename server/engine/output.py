"""What a client has not taken yet: bytes and stretches of files, sent as the socket lets them go.

The app's thread adds, the leader sends when the socket can take more, and both may be at it at the same time.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections import deque
from collections.abc import Callable
from typing import IO, Any

from ..http1.client_gone import ClientGone

_SENDFILE_AT_ONCE = 1024 * 1024
_READ_AT_ONCE = 256 * 1024
_MOST_AT_ONCE = 4 * 1024 * 1024
_JOIN_BELOW = 1024
"""Bytes up to which pieces are joined: each one costs some two hundred more, and a call to the system."""


class FileStretch:
    """Bytes of an open file that are still to be sent; ``owned`` is the file if nobody else would close it."""

    __slots__ = ("count", "fd", "offset", "owned")

    def __init__(self, fd: int, offset: int, count: int, owned: IO[bytes] | None = None) -> None:
        self.fd, self.offset, self.count, self.owned = fd, offset, count, owned

    def close(self) -> None:
        """Let go of the file."""
        if self.owned is not None:
            self.owned.close()


class Output:
    """The queue of one connection."""

    __slots__ = (
        "_error",
        "_items",
        "_lock",
        "_moving",
        "_room",
        "_send",
        "_sent",
        "_sock",
        "_would_block",
        "memory",
        "taken_at",
    )

    def __init__(self, sock: Any, would_block: tuple[type[BaseException], ...], now: float) -> None:
        self._sock = sock
        self._send = sock.send
        self._would_block = would_block
        self._items: deque[memoryview | FileStretch] = deque()
        self._lock = threading.Lock()
        self._room = threading.Condition(self._lock)
        self._error: str | None = None
        self._sent = 0
        self._moving = False
        self.memory = 0
        """Bytes that wait in memory."""
        self.taken_at = now
        """When the client last took something."""

    def __bool__(self) -> bool:
        return bool(self._items)

    def add(self, data: bytes | memoryview) -> None:
        """Queue bytes. Raises ``ClientGone`` once sending has failed."""
        with self._lock:
            self.check()
            last = self._items[-1] if self._items else None
            if isinstance(last, memoryview) and len(last) + len(data) <= _JOIN_BELOW and not self._moving:
                self._items[-1] = memoryview(b"".join((last, data)))
            else:
                self._items.append(memoryview(data))
            self.memory += len(data)

    def add_file(self, stretch: FileStretch) -> None:
        """Queue a stretch of a file, which stays open until it is sent."""
        with self._lock:
            self.check()
            self._items.append(stretch)

    def flush(self, clock: Callable[[], float]) -> bool:
        """Send what the socket takes now. Returns whether all is sent. Raises ``OSError`` when the client is gone."""
        with self._lock:
            total = 0
            try:
                while self._items:
                    if total >= _MOST_AT_ONCE:
                        return False  # others want to be served, too
                    total += self._send_first()
                    self.taken_at = clock()
            except self._would_block:
                return False
            except OSError as error:
                self._fail(str(error))
                raise
            finally:
                self._room.notify_all()
            return True

    def _send_first(self) -> int:
        item = self._items[0]
        if isinstance(item, FileStretch):
            count = self._send_file(item)
            if count == 0:
                raise OSError("the file became shorter while it was sent")
            item.offset += count
            item.count -= count
            self._sent += count
            if not item.count:
                self._items.popleft()
                item.close()
            return count
        sent: int = self._send(item)
        self._sent += sent
        self.memory -= sent
        if sent == len(item):
            self._items.popleft()
        else:
            self._items[0] = item[sent:]
        return sent

    def _send_file(self, item: FileStretch) -> int:
        count = min(item.count, _SENDFILE_AT_ONCE)
        if hasattr(self._sock, "context"):  # TLS has to see the bytes
            data = os.pread(item.fd, min(count, _READ_AT_ONCE), item.offset)
            return int(self._send(data)) if data else 0
        return os.sendfile(self._sock.fileno(), item.fd, item.offset, count)

    def footprint(self) -> int:
        """Bytes in memory that it keeps: what waits, and what was sent of the piece that comes first."""
        with self._lock:
            first = self._items[0] if self._items else None
            sent = memoryview(first.obj).nbytes - len(first) if isinstance(first, memoryview) else 0
            return self.memory + sent

    def held(self) -> dict[int, int]:
        """The objects that it keeps in memory, by identity, with their sizes."""
        with self._lock:
            views = [item for item in self._items if isinstance(item, memoryview)]
        return {id(view.obj): memoryview(view.obj).nbytes for view in views}

    def move_to_file(self) -> None:
        """Let what waits in memory wait in a temporary file instead. Raises ``OSError``, and nothing has changed then.

        It is sent on meanwhile: only what is left in the end is taken out of memory.
        """
        with self._lock:
            before = self._sent
            self._moving = True  # what is added has to stay apart from what goes to the file
            waiting = list(itertools.takewhile(lambda item: isinstance(item, memoryview), self._items))
        try:
            self._move(waiting, before)
        finally:
            self._moving = False

    def _move(self, waiting: list[memoryview | FileStretch], before: int) -> None:
        import tempfile  # costs 10 ms, and most clients are quick

        length = sum(map(len, waiting))  # type: ignore[arg-type]  # all of them are views
        file = tempfile.TemporaryFile(prefix="wheatpaste-", buffering=0)  # noqa: SIM115 - closed when it is sent
        try:
            for item in waiting:
                left: Any = item
                while left:
                    left = left[file.write(left) :]
        except BaseException:
            file.close()
            raise
        with self._lock:
            gone = self._sent - before
            if self._error is not None or gone >= length:
                file.close()
                return
            found = 0
            while found < length - gone:
                item = self._items.popleft()
                found += len(item)  # type: ignore[arg-type]  # as many bytes as were written, less those that were sent
            self.memory -= found
            self._items.appendleft(FileStretch(file.fileno(), gone, length - gone, file))

    def wait_below(self, limit: int, timeout: float) -> None:
        """Wait until at most ``limit`` bytes are in memory; ``ClientGone`` after ``timeout`` without progress."""
        with self._room:
            while self.memory > limit and self._error is None:
                before = self.taken_at
                if not self._room.wait(timeout) and self.taken_at == before:
                    self._fail("the client took nothing for too long")
            self.check()

    def fail(self, reason: str) -> None:
        """Give up: what waits is dropped, and whoever adds or waits gets ``ClientGone``."""
        with self._lock:
            self._fail(reason)

    def _fail(self, reason: str) -> None:
        self._error = reason
        for item in self._items:
            if isinstance(item, FileStretch):
                item.close()
        self._items.clear()
        self.memory = 0
        self._room.notify_all()

    def check(self) -> None:
        """Raise ``ClientGone`` once sending has failed."""
        if self._error is not None:
            raise ClientGone(self._error)
